"""How simulated people and programs say things: patterns with slots, all written for this package.

`{slot}` is a word of the topic (`thing`, `act`, `trouble`, `aspect`), of the lists here, or of the writer's own life
(`mine`); `[one|other]` are synonyms, chosen anew each time. Few words stand between two slots: what a pattern says by
itself, hundreds of strangers would say.
"""

from __future__ import annotations


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", " ").split("|"))


WORDS: dict[str, tuple[str, ...]] = {
    "adj": _words(
        "small|huge|borrowed|vintage|cheap|fancy|half-finished|second-hand|brand new|fussy|reliable|odd|tiny|"
        "home-made|stubborn|elegant|plain|ancient|spare|wobbly|decent|proper|lightweight|sturdy|sensible|classic|"
        "unusual|simple|seasonal|rustic|noisy|delicate|oversized|neglected|tidy|modern|budget|premium|temporary|rare"
    ),
    "who": _words(
        "my sister|a retired neighbour|our landlord|two toddlers|my flatmate|a colleague|my grandmother|an apprentice|"
        "the whole choir|a shy teenager|my father-in-law|twelve guests|a strict inspector|my study group|a tourist|"
        "our volunteers|an impatient client|my godson|the night team|a clumsy friend|my book club|a new tenant|"
        "our trainer|the committee|a sceptical uncle|my pen pal|a busy nurse|the caretaker|some exchange students|"
        "an old schoolmate"
    ),
    "place": _words(
        "Riga|Ghent|Leeds|Porto|Freiburg|Oslo|Lyon|Krakow|Galway|Turin|Tartu|"
        "Graz|Malmö|Seville|Cardiff|Utrecht|Basel|Cork|Ljubljana|Split|Aarhus|Gdansk|"
        "Bremen|Delft|Tampere|Valletta|Brno|Madeira|Thessaloniki|Varna|Innsbruck|Cluj"
    ),
    "when": _words(
        "before Easter|by Thursday|next weekend|after the holidays|during the heatwave|in late autumn|since Monday|"
        "at Whitsun|within a fortnight|tomorrow morning|at short notice|in the evenings|before the exam|"
        "this winter|after work|around midsummer|most weeks|until the move|before breakfast|by late March|"
        "while it rains|on weekdays|at noon|twice a year"
    ),
    "amount": _words(
        "forty euros|half a day|three litres|a dozen|two metres|ninety minutes|six portions|a hundred pounds|"
        "fifteen people|four weeks|two kilos|ten square metres|a handful|seven steps|eighty pages|one afternoon|"
        "twenty minutes|a spoonful|five rounds|nine degrees"
    ),
    "tool": _words(
        "a spreadsheet|a rubber band|masking tape|a kitchen timer|an old towel|a phone camera|a borrowed van|"
        "graph paper|"
        "a torch|warm vinegar|a library card|two clamps|a whiteboard|a bread knife|a stopwatch|cardboard|sticky notes|"
        "a magnifying glass|a bucket|string and chalk|a second opinion|a checklist"
    ),
    "role": _words(
        "carpenter|archivist|paramedic|beekeeper|conductor|surveyor|pastry chef|tax adviser|midwife|locksmith|botanist|"
        "goldsmith|judge|ferry captain|sound engineer|geographer|stage director|physiotherapist|bookbinder|"
        "meteorologist|"
        "translator|union rep|potter|signalman|pharmacist|cartographer|fencing coach|glazier|editor|brewer"
    ),
    "virtue": _words(
        "patient|blunt|meticulous|playful|frugal|sceptical|warm|terse|scholarly|practical|witty|calm|daring|methodical|"
        "gentle|candid|inventive|formal|lively|sober|generous|exacting"
    ),
    "field": _words(
        "acoustics|bookkeeping|orchard care|fluid mechanics|bridge design|oral history|game theory|typography|"
        "soil science|harbour logistics|set theory|opera staging|metallurgy|wound care|contract law|map reading|"
        "epidemiology|bread chemistry|railway signalling|ethnography|lens making|tide tables|rhetoric|probability|"
        "mosaic work|crop rotation|archive science|heat transfer|bird ringing|textile dyeing"
    ),
    "verb": _words("sort|answer|summarise|soften|check|translate|label|shorten|route|rank|complete|tidy up"),
    "count": _words("two|three|four|five|six|seven|eight|nine|ten|twelve"),
    "name": _words(
        "Ansel|Bettina|Corvin|Dagny|Eloise|Fenna|Gustaw|Hedda|Ilario|Jorun|Katell|Leandro|Mirela|Noemi|Olek|Petra|"
        "Quirin|Rasmus|Sidonie|Teun|Ursel|Vasco|Wiebke|Xenia|Ylva|Zdenek|Aurel|Brida|Cosimo|Desta"
    ),
    "firm": _words(
        "Halden Freight|Morrow Optics|Pelmer Dairy|Quillby Press|Sandgate Tours|Tolland Mutual|Ulver Outdoor|"
        "Vantry Bikes|"
        "Wexley Homes|Yarrowdale Clinics|Zellmark Audio|Brambling Foods|Corrigan Tools|Dovetail Lettings|Eastholm Water"
    ),
}

MINE = _lines("""
    [our|the] {adj} {thing} in {place}
    the {adj} {thing} that {who} left me
    my {adj} {thing}
    a {thing} shared with {who}
    the {thing} {who} gave us {when}
    what {who} calls a {adj} {thing}
    the {thing} from {place}
""")
"""What somebody comes back to: chosen once for each person."""

QUESTIONS = _lines("""
    how [do I|can I|would you] {act} a {adj} {thing} {when}?
    [why|any idea why] {mine} {trouble}, even after {amount}?
    my {thing} {trouble} {when}. [what now|help|ideas]?
    {who} [says|swears|claims] a {thing} {trouble} because of the {aspect}, [true|right|really]?
    is {amount} [enough|too much|ok] to {act} {mine}?
    [could|can] {who} {act} a {adj} {thing} with {tool}?
    which {thing} [suits|works for|is best for] {who} in {place}?
    {mine} {trouble}. should I {act} it {when} or {act} another {thing}?
    what {aspect} [should|must|does] a {adj} {thing} have [for|to please] {who}?
    [explain|describe|outline] the {aspect} of a {thing} [to|for] {who}
    does the {aspect} [matter|change|suffer] if I {act} a {thing} {when}?
    [compare|contrast] a {adj} {thing} with a {adj} {thing} for {place}
    [need|want] to {act} {mine} [but|and] only have {tool} and {amount}
    [tips|advice|a plan] to {act} {mine} {when}, {who} [is coming|will be there|decides]
    [write|draft] {who} a note: the {thing} {trouble} and we {act} it {when}
    {when} I must {act} a {thing} in {place}. where do I [start|begin]?
    what [went wrong|happened] when {mine} {trouble}? I used {tool}
    [how long|how often] does one {act} a {adj} {thing} in {place}?
    a {thing} for {amount}: [fair|reasonable|a scam] in {place}?
    {who} wants me to {act} {mine}, [is that wise|do I need {tool}|what is the {aspect} then]?
    [give me|list] {count} ways to {act} a {thing} without {tool}
    [I think|I fear|it seems] the {aspect} of {mine} is off, it {trouble}
    [what's|what is] a {adj} alternative to a {thing} when it {trouble}?
    [turn|make] this into {count} steps: {act} {mine}, check its {aspect}, {act} it again {when}
    can a {adj} {thing} and a {thing} [share|have] the same {aspect}?
    in {place} {who} {act} every {thing} {when}, [why|what for]?
    [quick one|silly question|hey]: {aspect} of a {thing}, high or low {when}?
    [suppose|say] {mine} {trouble} {when}; what would a {role} do?
    [who|what kind of {role}] can {act} a {adj} {thing} near {place}?
    {mine}: {act} or {act}? [budget|limit] is {amount}
    [ask|interview] me about {mine}: {aspect}, {tool}, {place}, [anything|all of it]. it {trouble}
    [I'm planning|we plan] to {act} {amount} of {thing} [for|with] {who}, [realistic|sane|doable]?
    [is there|do you know] a {adj} trick with {tool} for the {aspect} of {mine}?
    [best|safest|cheapest] way {when} to {act} {mine} in {place}
    {who} {act} {mine} with {tool} and now it {trouble}
    [do|must] I tell {who} that the {thing} {trouble}?
""")

FOLLOW_UPS = _lines("""
    [and|what about] the {aspect}?
    [ok but|hm,|right,] {who} will not use {tool}
    [put|write] that in {count} bullets for {who}
    why {act} it {when}?
    [shorter|simpler|less formal], {who} [reads|needs] it {when}
    [thanks|great|good], and with {tool} instead?
    [no luck|tried that], {mine} still {trouble}
    [what if|and if] it {trouble} again {when}?
    [wait|sorry], I meant a {adj} {thing}
    would {who} in {place} [agree|do that]?
    [point|step] {count}: {aspect} of what, the {adj} {thing}?
    [how much|is {amount} right] for {place}?
    [same|again] for a {adj} {thing} [please|now]
    [are you sure|really]? a {role} [says|insists] I {act} it first
    [also|and]: how does the {aspect} [change|improve] {when}?
    [love it|nice]. add {who} and the {adj} {thing}
    [which|what] of these works {when}?
    ok, and who would {act} it in {place}?
    {tool} [broke|is gone], [plan b|what now] for {mine}?
    [translate|adapt] it for {place}, {who} [asked|insists]
""")

STATEMENTS = _lines("""
    A {adj} {thing} [needs|wants|takes] about {amount} before its {aspect} [settles|improves|holds].
    [Start|Begin] with the {aspect}: {act} the {thing} {when} and note what changes.
    When a {thing} {trouble}, {tool} often [helps|is enough|does the job] {when}.
    {Who} in {place} may see it differently, since the {aspect} [varies|differs] there.
    [Check|Test|Watch] the {aspect} first; a {thing} that {trouble} has usually been rushed.
    With {amount} to spare you can {act} a {adj} {thing} and still {act} the other one.
    [Avoid|Skip|Leave out] {tool} here, because the {aspect} of a {adj} {thing} suffers.
    A {role} from {place} would {act} the {thing} {count} times and compare the {aspect}.
    {When} is a [good|poor|fair] moment to {act} it, given {who} and the {adj} {thing}.
    The {thing} {trouble} less once {who} [learns|starts|tries] to {act} it with {tool}.
    [Expect|Plan|Allow] {amount} for the {aspect}, and {amount} more if it {trouble}.
    Between a {adj} {thing} and a {adj} one, the {aspect} [decides|matters most|tips the scale].
    [Ask|Call|Write to] {who} about the {aspect} and mention that it {trouble}.
    In {place} people {act} the {thing} {when}, which keeps the {aspect} [steady|even|low].
    If {tool} is not at hand, {act} it by hand for {amount} and let {who} judge.
    [Finally|Then|After that], {act} the {thing} once more {when} and leave it alone.
    The {adj} {thing} at {firm} {trouble} {when}, so {name} had to {act} it for {amount}.
    {Name} from {place} sent {amount} to {firm} because the {thing} {trouble}.
    {Count} of our {thing}s {trouble} {when}, says {name}, and {who} noticed.
    {Firm} [offers|sells|lends] a {adj} {thing} with {tool} for {amount} in {place}.
    [According to|As told by] {name}, the {aspect} was fine until the {thing} {trouble}.
    {Name} and {name} {act} every {adj} {thing} {when} and charge {amount}.
""")

TASKS = _lines("""
    [Derive|Work out] how the {aspect} of a {thing} depends on {field} when it {trouble} in {place}.
    A {role} [must|has to] {act} {count} {adj} {thing}s using {tool}; [find|give] an order {who} accepts.
    [Prove or refute|Decide]: whenever a {adj} {thing} {trouble}, its {aspect} was wrong {when}.
    [Implement|Code] {count} functions: rank {adj} {thing}s by {aspect}, drop whatever {trouble}, sort by {amount}.
    [Summarise|Condense] how {name} and {firm} argue over a {adj} {thing} that {trouble}.
    {Name} has {amount} and a {thing} that {trouble}; [compute|estimate] what {who} lose when they {act} it {when}.
    [Design|Plan] a trial in {place} that [separates|tells] the {aspect} of a {thing} from {field}.
    [Carry|Move] a {adj} {thing} from {field} into {field} without losing its {aspect}.
    [Classify|Sort] {count} {thing}s that {trouble} by what a {role} [does|checks] {when}.
    [Criticise|Review]: "to {act} a {adj} {thing} {when}, {tool} [is enough|will do]", says {name}.
    {Count} {role}s share {amount} and {act} a {thing} {when}; [who|which] should {act} a {adj} one in {place}?
    [Write|Compose] how {name} persuades {who} to {act} a {adj} {thing} in {place}.
    [List|Extract] causes: the {thing} {trouble}, {who} {act} it, {aspect} fell {count} percent {when}.
    [Formulate|State] when a {adj} {thing} {trouble}, by {field}, and [try|check] {place} and {place}.
    [Complete|Continue]: assume the {aspect} of {adj} {thing}s {trouble} for {amount}, then a {role} [errs|acts].
    [Schedule|Assign] {count} visits: {role} to {place}, {role} to {place}, before the {thing} {trouble} {when}.
    [Convert|Rewrite] {amount} of {adj} {thing} notes by {name} [as|into] {count} lines on {aspect}.
    [Rank|Grade] {firm}, {firm} and {firm} by the {aspect} of their {adj} {thing} {when}.
    Given {amount}, {tool} and a {adj} {thing}, [can|could] {name} {act} it {when}?
    [Predict|Bound] the {aspect} once {count} of {count} {thing}s {trouble} near {place}.
""")

OPENINGS = _lines("""
    You are a {virtue} {role} who [spent|passed] {count} years on {field} and now [advises|teaches] {who}.
    [Answer|Respond] as a {virtue} {role} [trained|schooled] in both {field} and {field} would.
    [Imagine|Picture] a {role} in {place} whose {virtue} verdict on {field} is [quoted|printed] {when}.
    Below [stands|follows] one exercise from a {virtue} course on {field} held in {place}.
    [Treat|Regard] what follows as a case that {count} {role}s failed for want of {field}.
    {Firm} [collects|gathers] {virtue} expert answers on {field} for every {role} it trains.
    [Take|Assume] the seat of the {role} who examines {field} in {place} with {virtue} rigour.
    A {virtue} reader, half {role} and half novice in {field}, [awaits|expects] your full solution.
    [Solve|Handle] the assignment as though {field} and {tool} were all a {role} had.
    This item [tests|probes] whether a {virtue} {role} can carry {field} over to {place}.
    [Work|Proceed] like the {role} from {place} who [rewrote|reformed] {field} with {virtue} clarity.
    For a handbook of {field} edited by a {virtue} {role}, [settle|answer] the matter below.
""")

MANNERS = _lines("""
    [Reason|Think] in {count} numbered moves, each [backed|justified] by {field} rather than habit.
    [Name|State] every assumption a {virtue} {role} would doubt before you [use|trust] it.
    [Keep|Stay with] the register of a {role} [writing|lecturing] {when} on {field}.
    [Begin|Open] from first principles of {field}, then [check|confirm] by a case in {place}.
    [Weigh|Compare] {count} rival solutions as {field} does, and [drop|reject] all but one.
    [Show|Display] each intermediate result, however dull a {virtue} {role} [finds|thinks] it.
    [Use|Choose] examples that {who} could [repeat|rebuild] with {tool} and {amount}.
    [Mark|Flag] where {field} ends and where the guess of a {role} [starts|begins].
    [Define|Explain] terms of {field} once, in the {virtue} voice of a {role}.
    [Anticipate|Foresee] what a {virtue} {role} from {place} would object, and [answer|meet] it.
""")

CLOSINGS = _lines("""
    [End|Close] with {count} {virtue} checks that a {role} could [run|make] {when}.
    [Finish|Conclude] by rating your certainty as {field} would, in {count} grades.
    [Add|Append] a summary of {count} lines for {who}, free of {field}.
    [Give|Offer] one harder variant that a {virtue} {role} might [set|pose] {when}.
    [List|Collect] {count} errors that novices in {field} [commit|make], and their cure.
    [Repeat|Restate] the final result alone, as a {role} would [cable|wire] it to {place}.
    [Cite|Mention] which branch of {field} a {virtue} {role} would [consult|read] next.
    [Contrast|Compare] your outcome with what {tool} alone would [yield|give] in {field}.
    [Translate|Turn] the key step into a rule that {who} can [recall|keep] {when}.
    [Stop|Halt] after the proof that a {virtue} {role} in {place} would [accept|sign].
    [Tabulate|Order] the steps by {field}, with {count} columns for a {role}.
    [Leave|Pose] one open question on {field} to the {virtue} {role} who [reads|grades] this.
""")

INSTRUCTIONS = _lines("""
    {Firm} [asks|wants] the assistant to {verb} what {who} [sends|writes] about a {thing}.
    [Keep|Hold] to {count} sentences and never [promise|mention] {amount} or {tool}.
    [Refer|Point] questions on {field} to the {role} in {place}.
    [Write|Answer] in the {virtue} voice that {firm} [uses|is known for] {when}.
    If the {thing} {trouble}, [offer|suggest] to {act} it {when}.
    [Return|Give] the {aspect} and the {thing} as named fields, and [nothing else|no comment].
    [Quote|Copy] the sentence about the {aspect} that [decided|settled] it.
    [Leave out|Drop] names of {role}s, and [round|cut] figures to {count} digits.
    [Mark|Flag] a message as urgent when {who} [names|mentions] {field}.
    The [reader|recipient] is a {virtue} {role} at {firm} who [knows|learns] {field}.
""")
"""Lines of a program's own prompt: chosen once for each template."""

EXERCISES = _lines("""
    {Name} must {act} {count} {thing}s in {place}, each of which takes {amount}.
    The {aspect} of a {adj} {thing} falls by {count} percent whenever it {trouble}.
    Show with the methods of {field} how the {aspect} [changes|behaves] if {name} uses {tool}.
    Sketch the {aspect} over time and name the point at which a {thing} {trouble}.
""")

ASIDES = _lines("""
    [help|please help], this is [due|wanted] {when}: {exercise}
    {exercise} [no clue|not sure] where {field} [comes in|helps] [here|with this]
    {exercise} [I only|so far I] [have|get] {amount}, [right|correct|is that it]?
    [explain|show] [me|us] this [like to|as if for] {who}: {exercise}
    {exercise} [hint|formula|first step] [only|please]
    is {amount} [the answer|right] [for|in the case of] {place}?
    [what does|how does] {field} [say|tell us] the {aspect} [moves|behaves] [there|in that case]?
    [check|look at] my [solution|idea]: {act} {count} of them {when}, so the {aspect} [is|becomes] {amount}
    why [would|should] {who} {act} [it|them] {when} [at all|in the first place]?
    [my partner|{who}] [got|found] {amount} [by|using] {tool}, [is that ok|can that be]?
    [which|what] [part|chapter] of {field} [do I need|is this from]?
    I [drew|plotted] the {aspect} with {tool}, it [looks|goes] {adj}
""")

SEED_QUESTIONS = _lines("""
    {act} a {adj} {thing} in {place} using {tool} and {amount}
    tell a {role} why a {adj} {thing} {trouble} although {firm} checked its {aspect}
    rank {count} {adj} {thing}s by {aspect} for {who} in {place}
    turn what {name} noted on {field} into advice for {who} in {place}
    find what {firm} missed when its {adj} {thing} {trouble} {when}
    relate the {aspect} of a {adj} {thing} to {field} for a {virtue} {role}
    make a riddle of a {adj} {thing} that {trouble} and {tool}
    estimate how many {adj} {thing}s {firm} can {act} {when} with {amount}
""")

REWORDINGS = _words(
    "Now|Please|Could you|Try to|Your job:|I want you to|Next,|Kindly|Go ahead and|Let us|We should|Can you|"
    "Attempt to|Make sure to|It would help to|See if you can"
)

MENDERS = _lines("""
    [More|Further] like these, on {field} and {thing}s:
    [Invent|Make up] {count} like the above about a {adj} {thing}, with solutions.
    [Answer|Solve] all of it for a {role} in {place}.
    [Add|Write] {count} with {tool} in them, then [answer|solve] each.
    [Vary|Change] the {aspect} in each and [reply|respond] in full.
    Each [twice|once more], for {who} and for {name}.
""")

VIRAL = (
    "Pretend my life is a nature documentary and narrate today's episode in a hushed voice.",
    "Start with the weather over my kitchen, give every object a Latin name, and end on a cliffhanger about",
)
"""One template that strangers pass on; what follows is each one's own."""
