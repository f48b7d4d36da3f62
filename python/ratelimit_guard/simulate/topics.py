"""What simulated people talk about: topics, each with things, what is done to them, what goes wrong, and what matters.

All written for this package. `things` follow an article, `acts` take a thing, `troubles` follow a thing, and an aspect
is said of one: "how do I {act} a {thing}", "the {thing} {trouble}", "the {aspect} of the {thing}".
"""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """Words of a field."""

    things: tuple[str, ...]
    acts: tuple[str, ...]
    troubles: tuple[str, ...]
    aspects: tuple[str, ...]


def _topic(things: str, acts: str, troubles: str, aspects: str) -> Topic:
    return Topic(*(tuple(one.strip() for one in text.split("|")) for text in (things, acts, troubles, aspects)))


TOPICS: tuple[Topic, ...] = (
    _topic(
        "rye loaf|sourdough starter|brioche|pizza dough|meringue|custard tart|ginger cake|flatbread|pretzel|crumble|"
        "sponge|strudel|bagel|shortcrust",
        "proof|knead|glaze|freeze|reheat|scale up|rescue|shape",
        "collapsed in the oven|tasted of yeast|stayed raw inside|cracked on top|went grey overnight|stuck to the tin",
        "crumb|crust|sweetness|hydration|rise|colour",
    ),
    _topic(
        "tomato seedling|compost heap|apple tree|raised bed|lavender hedge|bean row|hydrangea|lawn|fig cutting|"
        "rhubarb crown|greenhouse|rose bush|kale patch|strawberry runner",
        "prune|transplant|water|feed|shade|overwinter|graft|replant",
        "wilted by noon|grew only leaves|turned yellow|was eaten by slugs|froze in May|stopped flowering",
        "soil|drainage|root ball|spacing|shade|yield",
    ),
    _topic(
        "road bike|rear derailleur|brake cable|tubeless tyre|bottom bracket|cargo bike|wheel hub|dynamo light|"
        "saddle post|chainring|folding bike|headset|freewheel|pannier rack",
        "true|grease|adjust|replace|fit|tighten|clean|sell",
        "clicks under load|slips on hills|squeals when wet|lost air twice|rubs the frame|wobbles at speed",
        "gear ratio|weight|clearance|torque|noise|geometry",
    ),
    _topic(
        "lease|deposit|heating bill|sublet|noisy neighbour|water meter|storage room|parking space|balcony|letterbox|"
        "radiator|mould stain|house rules page|handover protocol",
        "dispute|document|transfer|measure|insure|renew|inspect|share",
        "was never returned|doubled since spring|leaks into the hall|is not in the contract|blocks the stairs|"
        "smells damp",
        "cost|deadline|wording|condition|owner|notice period",
    ),
    _topic(
        "pandas dataframe|unit test|docker image|websocket|regex|git rebase|sql index|csv export|cron job|cache key|"
        "async task|json schema|log file|type hint",
        "debug|speed up|split|mock|rewrite|validate|deploy|profile",
        "hangs after a minute|drops rows silently|fails only in ci|leaks memory|returns stale values|"
        "raises on empty input",
        "latency|memory use|readability|error handling|ordering|test coverage",
    ),
    _topic(
        "night train|youth hostel|hiking pass|ferry ticket|city card|visa form|rental van|mountain hut|campsite|"
        "harbour tour|bus pass|museum ticket|layover|island loop",
        "book|cancel|combine|reach|compare|postpone|pack for|share",
        "was cancelled twice|sold out in March|takes nine hours|needs a stamp|closes in winter|costs double on Sundays",
        "price|timetable|luggage rule|view|comfort|booking window",
    ),
    _topic(
        "violin bow|guitar riff|choir piece|drum loop|piano scale|microphone|jazz standard|string quartet|mixing desk|"
        "bass line|metronome|tuning fork|folk song|setlist",
        "practise|transpose|record|tune|memorise|arrange|harmonise|slow down",
        "sounds muddy|drags in bar nine|buzzes on low notes|clips at the chorus|is too high for altos|drifts flat",
        "tempo|tone|fingering|phrasing|key|dynamics",
    ),
    _topic(
        "knee brace|stretching plan|running shoe|sleep diary|protein shake|blood test|back pain|standing desk|"
        "swim session|pollen allergy|migraine|first aid kit|eye exam|rest day",
        "schedule|track|interpret|ease|prevent|shorten|replace|start",
        "came back on Friday|hurts after stairs|made me dizzy|lasted three days|kept me awake|showed low iron",
        "dose|frequency|recovery time|intensity|side effect|cost",
    ),
    _topic(
        "rescue dog|tabby cat|budgie|aquarium filter|rabbit hutch|puppy class|lizard lamp|hamster wheel|dog lead|"
        "litter box|goldfish|parrot cage|tick collar|vet bill",
        "train|clean|calm|feed|introduce|move|examine|groom",
        "barks at cyclists|hides all day|refuses dry food|scratches the sofa|stopped singing|turned cloudy",
        "diet|temperature|behaviour|size|routine|noise",
    ),
    _topic(
        "photosynthesis|tectonic plate|black hole|covalent bond|enzyme|tide|lunar eclipse|isotope|food web|"
        "pendulum|cell membrane|lightning|glacier|vaccine",
        "explain|model|measure|simulate|draw|predict|summarise|compare",
        "puzzles my class|defies my sketch|contradicts the textbook|looks different on video|gave odd readings|"
        "needs a simpler picture",
        "cause|scale|energy|history|evidence|formula",
    ),
    _topic(
        "cover letter|salary talk|job interview|reference|career gap|internship|team conflict|resignation|side project|"
        "probation review|freelance offer|portfolio|night shift|training budget",
        "prepare|negotiate|explain|decline|shorten|improve|mention|time",
        "sounds too stiff|went badly|was postponed again|feels unfair|leaves no room|surprised my manager",
        "tone|length|timing|structure|risk|legal side",
    ),
    _topic(
        "short story|villain|sonnet|plot twist|stage play|opening scene|dialogue|fantasy map|diary entry|limerick|"
        "unreliable narrator|chapter title|ghost tale|epilogue",
        "outline|rewrite|shorten|darken|title|dramatise|pace|critique",
        "drags in the middle|gives away the end|reads like a report|rhymes too hard|has no stakes|confuses my readers",
        "voice|rhythm|tension|setting|point of view|ending",
    ),
    _topic(
        "index fund|mortgage rate|tax return|savings plan|credit report|pension gap|budget sheet|exchange rate|"
        "travel insurance|invoice|student loan|car lease|dividend|emergency fund",
        "compare|refinance|file|calculate|split|close|forecast|justify",
        "went up by a third|was rejected|shows a wrong address|is due in June|ate my bonus|looks too good",
        "fee|interest|risk|term|tax effect|liquidity",
    ),
    _topic(
        "oak table|window frame|drywall crack|tile joint|wardrobe door|garden shed|floorboard|paint roller|"
        "cordless drill|"
        "bookshelf|door hinge|gutter|wall anchor|loft hatch",
        "sand|seal|level|hang|repaint|reinforce|measure|dismantle",
        "creaks at night|will not close|peels in strips|sags in the middle|came out crooked|lets the rain in",
        "grain|load|finish|angle|thickness|moisture",
    ),
    _topic(
        "Roman road|silk route|peace treaty|printing press|medieval guild|cold war spy|pharaoh|viking ship|"
        "plague year|suffrage march|stone circle|canal boom|coronation|lost colony",
        "date|map|retell|compare|reconstruct|question|teach|source",
        "is told in two versions|ended in riots|left few traces|baffles historians|cost a fortune|changed the borders",
        "origin|legacy|myth|cost|timeline|geography",
    ),
    _topic(
        "chess opening|board game night|dungeon map|card trick|crossword clue|escape room|puzzle box|rook endgame|"
        "quiz round|dice pool|house rule|word search|sudoku|scavenger hunt",
        "design|solve|balance|host|teach|simplify|score|decorate",
        "lasts too long|bored the kids|has two solutions|favours whoever starts|broke on turn six|needs more players",
        "rule set|difficulty|theme|fairness|pace|reward",
    ),
    _topic(
        "Spanish subjunctive|German article|French accent|vocabulary deck|Polish case|tonal pair|loanword|false friend|"
        "pronunciation drill|grammar table|proverb|formal letter|dialect|phrasal verb",
        "memorise|pronounce|practise|translate|explain|drill|spot|conjugate",
        "trips me up daily|sounds rude|has three exceptions|looks like English|vanishes in speech|confused my tutor",
        "stress|register|spelling|origin|usage|meaning",
    ),
    _topic(
        "wedding speech|seating plan|retirement gift|baby shower|farewell card|garden party|toast|guest list|"
        "school reunion|name day|surprise dinner|thank you note|playlist|dress code",
        "write|plan|shorten|personalise|budget|cater|announce|decorate",
        "is three minutes over|offended my cousin|clashes with a match|ran out of chairs|feels generic|rained out",
        "mood|cost|length|timing|etiquette|theme",
    ),
    _topic(
        "espresso machine|hand grinder|oolong|pour over|milk foam|cold brew|kombucha|chai blend|moka pot|"
        "latte|roast profile|tea strainer|water filter|coffee scale",
        "descale|brew|steep|dial in|taste|store|froth|blend",
        "tastes sour|drips forever|lost its aroma|channels badly|scorched the handle|is too bitter",
        "grind|temperature|ratio|body|acidity|freshness",
    ),
    _topic(
        "router|old laptop|phone battery|smart plug|printer|hard drive|photo library|monitor arm|keyboard|e-reader|"
        "mesh network|webcam|password manager|backup disk",
        "reset|upgrade|repair|connect|migrate|recycle|secure|silence",
        "drops out hourly|overheats on charge|prints blank pages|is not recognised|fills up weekly|flickers at dusk",
        "range|firmware|speed|warranty|cable|privacy",
    ),
)
