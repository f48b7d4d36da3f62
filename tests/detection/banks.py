# ruff: noqa: RUF001  Chinese has marks of its own
"""Words and patterns of which the scenarios' texts are made: all written for these tests.

A rule's choices are separated by `|` or stand one a line; `{rule}` in a choice is a choice of another rule.
"""

from __future__ import annotations

WORDS = {
    "first": """Ada Bruno Carla Dmitri Elif Farid Greta Hiro Ines Jonas Kemal Lena Marta Nadia Oskar Priya Quentin Rosa
        Sven Tomas Uma Viktor Wanda Ximena Yusuf Zora Aldo Birgit Celine Dario Edda Fabio Gitte Hanna Ivo Judit Klara
        Lorenz Milan Nora Otto Paula Ramon Selma Tilda Ugo Vera Wim Yara Zeno""",
    "last": """Abel Brandt Castillo Dorn Eriksen Fontana Goral Haddad Iversen Jansen Kovac Lindqvist Moreau Nakano Okoye
        Petrov Quist Rinaldi Sato Tahiri Ulrich Varga Weiss Yilmaz Zeller Arndt Bianchi Colombo Duarte Engel""",
    "firm": """Altwerk Brightmoor Calderon Dunefield Eastquay Farrow Glasshaus Harbourline Ironleaf Juniper Kestrel
        Lumenta Marrow Northgate Oakvale Pinecrest Quayside Redwharf Silverfen Tallow Umberlight Valecross Westmark
        Yarrow Zephyrline Fernhill Copperlane Bluewick Stonebridge Merribell""",
    "city": """Aarhus Bergen Cork Dresden Essen Faro Ghent Hobart Izmir Jaipur Krakow Leeds Malaga Nantes Oslo Porto
        Quito Riga Seville Turin Utrecht Vienna Warsaw Xalapa York Zadar Bilbao Cusco Dakar Graz""",
    "noun": """harvest bakery lighthouse bridge orchard library workshop kitchen garden ferry tunnel market museum
        clinic school theatre stadium railway warehouse greenhouse laboratory vineyard farm forest river reservoir
        harbour airport factory studio archive pharmacy hotel restaurant canteen office courtyard cellar rooftop
        generator battery turbine compressor pump valve filter sensor antenna camera printer scanner keyboard router
        server database backup invoice contract budget receipt ledger loan mortgage pension salary bonus refund
        shipment parcel pallet container crate barrel bottle ticket voucher passport visa permit licence certificate
        recipe menu dough soup salad cheese coffee lemon apple pepper garlic honey rice lentil mushroom noodle
        jacket sweater boot scarf glove helmet backpack tent lantern compass map rope ladder hammer drill saw
        novel poem essay speech letter diary painting sculpture melody rehearsal costume puppet festival parade
        election referendum treaty tax tariff statute verdict appeal hearing subsidy census survey ballot
        glacier volcano earthquake drought flood storm coral whale falcon beetle orchid moss lichen wolf otter
        neuron enzyme vaccine protein antibody tumour fracture allergy fever insulin bandage pulse diet
        comet planet satellite telescope rocket orbit crater magnet laser prism crystal polymer alloy catalyst
        algorithm compiler parser index cache queue thread socket kernel cluster token schema migration rollback""",
    "adj": """small large quiet noisy modern ancient cheap expensive reliable fragile wooden digital public private
        local foreign seasonal annual temporary permanent careful hasty generous strict flexible portable robust
        outdated experimental popular forgotten colourful plain crowded empty remote central urban rural coastal
        alpine tropical frozen dry humid bright dim heavy light narrow wide shallow deep early late recent urgent
        optional mandatory independent joint regional national global hidden visible broken repaired spare used
        certified organic synthetic recycled affordable luxurious efficient wasteful gentle bold curious skilled
        tired cheerful stubborn patient honest ambitious cautious practical elegant clumsy sturdy delicate""",
    "adv": """slowly quickly carefully barely nearly rarely often usually quietly openly suddenly gradually poorly well
        partly fully mostly deliberately accidentally reluctantly gladly properly directly together separately
        repeatedly finally recently locally abroad""",
    "verb": """check repair replace inspect order cancel confirm measure record compare review prepare explain collect
        deliver store clean paint move install remove update document discuss postpone approve reject request finance
        design assemble test calibrate import export label pack monitor protect reduce increase extend limit avoid
        support observe describe translate publish announce audit sample restore borrow return trade reopen
        arrange mark print sort weigh heat cool mix mail launch polish""",
    "field": """astronomy geology botany zoology chemistry optics acoustics thermodynamics genetics virology
        nutrition cardiology psychology sociology linguistics phonetics archaeology cartography navigation
        meteorology oceanography hydrology forestry agriculture beekeeping carpentry masonry metallurgy
        ceramics weaving tailoring typography bookbinding photography cinema choreography opera jazz folklore
        mythology ethics logic rhetoric economics accounting marketing logistics insurance taxation banking
        auditing statistics topology geometry algebra combinatorics cryptography networking robotics
        compilers databases ergonomics architecture gardening baking brewing fencing rowing cycling climbing
        chess diplomacy journalism education nursing dentistry""",
    "month": "January February March April May June July August September October November December",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "number": "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty ninety",
    "unit": "litres kilograms metres hours days weeks pages boxes euros dollars kilometres degrees percent units",
    "role": """teacher nurse carpenter pilot librarian plumber architect chemist farmer baker journalist judge
        accountant tailor engineer sailor curator violinist dentist gardener translator surveyor florist chef coach
        electrician midwife historian optician potter""",
    "ident": """total count index buffer offset price weight score limit batch record entry parcel route node edge
        queue cache token line cell field label page range shift stock order user amount rate depth width height""",
    "act": """load parse merge filter split sort count find build check format convert update remove insert group
        flatten rotate encode decode validate normalise compress rename reverse collect""",
    "type": "int str float bool list[int] list[str] bytes",
}

PHRASES = {
    "person": "{first} {last}|{first}|the {role}|the {adj} {role}|our {role}",
    "thing": "{noun}|{adj} {noun}|{noun} in {city}|{adj} {noun} of {firm}|{noun} for the {role}",
    "things": "{noun}s|{adj} {noun}s|{noun}s and {noun}s",
    "time": """in {month}
        on {day}
        last {day}
        since {month}
        before the end of {month}
        after {number} {unit2}
        within {number} {unit2}
        every {number} {unit2}""",
    "unit2": "hours|days|weeks|months|years|minutes",
    "amount": "{number} {unit}|about {number} {unit}|more than {number} {unit}|less than {number} {unit}",
    "because": """because the {thing} was {adj}
        although nobody had {verb+ed} the {noun}
        while {person} {verb+ed} the {noun}
        so that the {noun} could be {verb+ed} {time}
        as the {noun} near {city} needs {amount}
        unless {person} wants to {verb} the {thing}""",
    "sentence": """{Person} {verb+ed} the {thing} {time} {because}.
        The {thing} was {adv} {verb+ed} {time}, {because}.
        A {thing} needs {amount} of {noun} {time}.
        In {city}, {person} {adv} {verb+ed} {amount} of the {noun} {time}.
        {Firm} will {verb} every {thing} {time} and {verb} the {things}.
        The {adj} {noun} and the {adj} {noun} were {verb+ed} {time}.
        Nobody in {city} had {verb+ed} a {thing} {time}.
        It took {person} {amount} to {verb} the {thing}, {because}.
        Most {things} are {adj}, but the {thing} is {adv} {adj}.
        To {verb} the {thing}, {person} must first {verb} the {noun}.
        There are {number} {adj} {things} behind the {noun}, {because}.
        {Time}, {firm} {verb+ed} a {adj} {noun} and {number} {things}.
        According to {person}, the {thing} costs {amount} {time}.
        Each {noun} is {verb+ed} {time} by {person} of {firm}.
        When the {noun} is {adj}, the {thing} has to be {verb+ed} {time}.
        {Person} and {person} {adv} {verb+ed} {number} {adj} {things} {time}.
        If a {thing} weighs {amount}, {firm} may {verb} it {time}.
        The report on {field} says that {person} {verb+ed} the {thing} {time}.
        Without a {adj} {noun}, {person} cannot {verb} {number} {things}.
        Half of the {things} in {city} were {verb+ed} {time}, {because}.""",
    "question": """How do I {verb} a {thing} {time}?
        Why was the {thing} {verb+ed} {time}?
        Can {person} {verb} the {thing} without a {adj} {noun}?
        What does {person} need to {verb} {number} {things} {time}?
        Who {verb+ed} the {adj} {noun} of {firm} {time}?
        Is a {adj} {noun} better than a {adj} {noun} for {things}?
        When will {firm} {verb} the {thing}?
        Where can I {verb} {number} {adj} {things} {time}?
        How many {things} did {person} {verb} {time}?
        What happens to the {noun} when the {thing} is {adv} {verb+ed}?
        Which {noun} is {adj} enough to {verb} the {thing}?
        Does the {thing} have to be {verb+ed} {time}?
        My {noun} is {adj}, should I {verb} the {thing} first?
        We {verb+ed} our {thing} {time}, why is it still {adj}?
        How much {noun} is left after {person} {verb+ed} the {things}?
        Are {adj} {things} allowed in {city} {time}?
        {Person} wants to {verb} the {thing} {time}, is that {adj}?
        {Firm} sent me a {adj} {noun} instead of a {thing}, what now?
        {Time} I {verb+ed} a {thing}, where do I {verb} it?
        The {noun} from {city} is too {adj} to {verb}, can you {verb} it?
        Our {adj} {noun} was {verb+ed} by {person}, who pays for the {noun}?
        Should {things} be {verb+ed} by {person} or by {firm}?
        If I {verb} the {noun} {time}, will {person} {verb} the {thing}?
        I {adv} {verb+ed} the {thing}, does {firm} {verb} it for free?
        Did {firm} {verb} the {noun} that {person} {verb+ed} {time}?
        {Number} of my {things} are {adj}, which {noun} should I {verb}?""",
    "task": """Write a short story in which a {adj} {role} has to {verb} a {thing}.
        Explain to a {adj} {role} how a {noun} differs from a {adj} {noun}.
        List {number} ways to {verb} a {thing} when the {noun} is {adj}.
        Describe how {field} has changed the way a {role} may {verb} {things}.
        Give {number} arguments for and against {adj} {things} in {city}.
        Compose a {adj} poem about a {noun} and a {noun}.
        Plan a {number} day trip to {city} for a {role} who likes {field}.
        Compare {field} with {field} as seen by a {adj} {role}.
        Suggest a {adj} name for a shop that sells {things} to every {role} of {city}.
        Draft a letter in which {person} asks {firm} to {verb} a {thing}.
        Create a table of {number} {adj} {things} and what it costs to {verb} them.
        Imagine that a {noun} could talk: what would it tell {person} about {field}?
        A {role} buys {number} {things} and sells {number} of them; how many {adj} {things} are left?
        Design an experiment that shows whether a {adj} {noun} can {verb} a {noun}.
        Summarise what a beginner in {field} should know about {adj} {things}.
        Invent a riddle whose answer is a {adj} {noun}, with a hint about {field}.
        Outline a lesson on {field} for {number} pupils who already know how to {verb} a {noun}.
        Argue as a {adj} {role} why {city} should {verb} its {things}.
        Which {number} questions would a {role} ask about {field} before buying a {thing}?
        Rewrite the sentence "the {adj} {noun} was {verb+ed} by the {role}" in the style of a {adj} {role}.
        Classify these by use in {field}: {noun}, {noun}, {adj} {noun}, {noun}.
        Find a polite answer to {person}, who {adv} {verb+ed} our {thing} {time}.
        How would somebody trained in {field} {verb} a {adj} {noun} {time}?
        Make a checklist for {firm} to {verb} {number} {adj} {things} {time}.
        Tell a joke about a {role}, a {adj} {noun} and {field}.
        Estimate how many {things} a {role} in {city} has to {verb} {time}, and show your reasoning.
        Propose a {adj} experiment from {field} that children can do with a {noun} and a {noun}.
        What would a {adj} {noun} designed by experts in {field} look like?
        Turn the idea of a {adj} {noun} into a slogan for {firm}.
        Prove or refute that every {adj} {noun} in {city} was {verb+ed} by a {role}.""",
    "input": """

        {sentence}
        {sentence} {sentence}
        {sentence} {sentence} {sentence}
        Input: {noun}, {adj} {noun}, {noun}
        Keep in mind that {person} {verb+ed} the {noun} {time}.
        Use at most {amount2} and mention {person}, a {noun} and {city}.
        The reader is a {adj} {role} from {city}.""",
    "amount2": "{number} words|{number} sentences|{number} bullet points",
    "code_task": """Write a Python function {act}_{ident} that takes a {type} called {ident} and can {verb} each {noun}.
        Implement {act}_{ident}({ident}: {type}) in Rust so that every {adj} {noun} is {verb+ed} once.
        My C program should {act} the {ident} of a {noun}, but leaves the {ident} {adj}, so fix it.
        Given a table of {things} with {ident} and {ident}, write SQL to {act} the {ident} by {ident}.
        What happens when {act}_{ident} of a {noun} is called with a {adj} {ident} in a thread of its own.
        Class {Noun}{Ident} with the methods {act} and {act}_{ident} needs type hints and tests.
        How can I {act} a {type} of {things} by {ident} in Go without a second {ident}?
        Refactor this: {number} loops {act} the {ident} and {act} the {ident} of {number} {things}.
        How fast can an algorithm {act} {number} {things} by {ident} and then {act} the {ident}.
        Design an API for a {noun} service of {firm}: it can {act} a {ident}, {act} a {ident} and list {things}.
        In a shell, {act} every {ident} file older than {number} days and {verb} the {noun}.
        Translate a recursive {act}_{ident} over a {noun} tree into a loop with an explicit {ident}.
        {Noun}{Ident} is slow when it has to {act} {number} {things}: how would you {act} its {ident} instead?
        For a game about a {adj} {noun}, code the class {Noun} with {ident}, {ident} and a method {act}_{ident}.
        Which {adj} data structure lets me {act} the {ident} of {things} and {act} the {ident} in constant time?
        {Act} the {ident} of each {noun} in a {type} with one regular expression, and explain the {ident}.
        Create a {adj} web page where a {role} can {act} {number} {things} and {verb} the {adj} {noun}.
        Show how to {act} the {adj} {ident} over HTTP while {person} may {verb} the same {noun} {time}.
        Our {noun} service raises {Noun}Error after {act}_{ident}: find out why the {ident} is {adj}.
        Compare {act}_{ident} as a generator with {act}_{ident} as a list for {number} {adj} {things}.
        In JavaScript, {act} an array of {things} so that each {ident} comes before its {ident}.
        Port {act}_{ident} from Java to Kotlin, where the {ident} is a {type} of {adj} {things}.
        Document the module {noun}_{ident}: what it means to {act} a {ident}, and when the {noun} is {adj}.
        Given {number} {things}, each with {ident} and {ident}, pack a {adj} {noun} by dynamic programming.""",
    "code": """{ident} = {act}_{ident}({ident}, {ident}_{noun})
        if {ident}.{noun} > {ident}_{ident}: return {act}({ident})
        for {ident} in {act}_{noun}s({ident}): {ident}.{act}({ident})
        self.{ident}_{noun} = {Noun}{Ident}({ident}, {ident}={ident})
        while {ident}.{act}_{ident}(): {ident} += {noun}.{ident}
        return [{act}({ident}) for {ident} in {noun}_{ident} if {ident}]
        raise {Noun}Error(f"{adj} {ident}: {noun}")
        with open_{noun}({ident}) as {ident}: {act}_{ident}({ident})
        {noun}_{ident}, {ident} = {ident}.{act}_{noun}({ident})
        log.info("{verb+ed} {noun} %s", {ident}.{ident})""",
    "de_noun": """Rechnung|Lieferung|Bestellung|Wohnung|Heizung|Maschine|Brücke|Bäckerei|Werkstatt|Bibliothek|Küche
        Karte|Leitung|Pumpe|Zeitung|Versicherung|Steuer|Schule|Klinik|Straße|Prüfung|Reise|Tasche|Batterie|Kamera|Leiter""",
    "de_adj": """alte|neue|kleine|große|teure|billige|kaputte|moderne|leere|schwere|wichtige|dringende|feuchte|helle
        fehlende|ungeöffnete|gelieferte|reparierte|gemeinsame|fremde""",
    "de_verb": """prüfen|bestellen|reparieren|bezahlen|verkaufen|reinigen|ersetzen|vergleichen|beschreiben
        verschieben|liefern|abholen|umtauschen|verlängern|kündigen|messen|verpacken|melden""",
    "de_time": """seit {day_de}|am {day_de}|bis {day_de}|nach {number_de} Tagen
        vor {number_de} Wochen|in {number_de} Stunden""",
    "day_de": "Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag",
    "number_de": "zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|zwanzig",
    "de_sentence": """Wir müssen die {de_adj} {de_noun} in {city} {de_time} {de_verb}.
        {First} {last} wollte die {de_adj} {de_noun} {de_time} {de_verb}, aber die {de_noun} war zu teuer.
        Können Sie die {de_noun} von {firm} {de_time} {de_verb}?
        Die {de_adj} {de_noun} und die {de_noun} aus {city} lassen sich {de_time} nicht {de_verb}.
        Warum hat {firm} die {de_adj} {de_noun} {de_time} nicht {de_verb} lassen?
        Bitte {de_verb} Sie {number_de} Mal die {de_adj} {de_noun} von {first} {last}.
        {Firm} will meine {de_noun} erst {de_time} {de_verb}, was kann ich tun?
        Wie viele Tage braucht {firm}, um eine {de_adj} {de_noun} in {city} zu {de_verb}?
        Gestern kam die {de_adj} {de_noun} aus {city}, doch die {de_noun} fehlt.
        Ohne die {de_noun} von {last} darf niemand die {de_adj} {de_noun} {de_verb}.
        Darf {first} {last} die {de_noun} {de_verb}, wenn die {de_noun} {de_time} kommt?
        Seit die {de_noun} aus {city} da ist, müssen wir keine {de_adj} {de_noun} mehr {de_verb}.
        Eine {de_adj} {de_noun} kostet in {city} so viel wie {number_de} Mal die {de_noun} von {firm}.
        Für die {de_noun} in {city} suchen wir {number_de} Leute, die eine {de_noun} {de_verb}.""",
    "zh_noun": """合同|发票|水库|图书馆|面包|卫星|算法|花园|工厂|诗歌|桥梁|病毒|电池|课程|预算|地图|茶叶|城墙|火车
        博物馆|股票|果园|望远镜|数据库|剧院|方程|冰川|食谱|码头|种子|电影|税收|小说|机器人|海豚|陶瓷""",
    "zh_adj": """古老的|现代的|便宜的|昂贵的|可靠的|脆弱的|公共的|安静的
        热闹的|传统的|偏远的|有趣的|复杂的|透明的|常见的|罕见的""",
    "zh_role": "老师|医生|工程师|农民|记者|厨师|律师|学生|司机|画家|会计|翻译|护士|木匠|飞行员|程序员",
    "zh_number": "两|三|四|五|六|七|八|九|十|十二|二十|三十|一百",
    "zh_verb": "修理|比较|介绍|设计|保护|翻译|分析|购买|改造|记录|测量|评价|整理|检查|推广|解释",
    "zh_city": "杭州|成都|西安|青岛|昆明|大连|苏州|厦门|长沙|兰州|桂林|哈尔滨",
    "zh_task": """以{zh_adj}{zh_noun}为题写一篇短文，主角是一位来自{zh_city}的{zh_role}。
        为什么{zh_role}需要{zh_verb}{zh_adj}{zh_noun}？请举出与{zh_noun}有关的例子。
        列出{zh_role}{zh_verb}{zh_noun}时应当注意的几件事，并说明它们与{zh_noun}的关系。
        {zh_city}的{zh_role}想{zh_verb}一座{zh_adj}{zh_noun}，请给出分步骤的{zh_noun}计划。
        比较{zh_adj}{zh_noun}和{zh_adj}{zh_noun}，说明哪一个更适合{zh_role}。
        用通俗的话向{zh_role}解释{zh_noun}与{zh_noun}之间有什么联系。
        假如你是{zh_city}的一名{zh_role}，你会怎样{zh_verb}{zh_adj}{zh_noun}？
        给{zh_role}写一封信，请他{zh_verb}{zh_city}的{zh_adj}{zh_noun}。
        设计一个让{zh_role}学会{zh_verb}{zh_noun}的游戏，道具是{zh_noun}和{zh_noun}。
        {zh_adj}{zh_noun}在{zh_city}有哪些用途？请从{zh_role}的角度{zh_verb}{zh_noun}。
        {zh_role}编了一个有关{zh_noun}的谜语，答案要与{zh_adj}{zh_noun}有关。
        {zh_noun}、{zh_noun}和{zh_noun}有什么共同点，怎样让{zh_city}的{zh_role}也能看懂？
        {zh_role}在{zh_city}丢了{zh_noun}，请续写这个{zh_adj}故事，结尾出现{zh_noun}。
        把“{zh_role}{zh_verb}{zh_adj}{zh_noun}”改写成一首关于{zh_noun}的诗。
        {zh_city}要建{zh_noun}，预算够买{zh_number}台{zh_noun}，请{zh_role}算一算。
        {zh_number}位{zh_role}{zh_verb}{zh_number}座{zh_noun}需要几天？如果{zh_city}的{zh_role}换成{zh_noun}呢？
        如果没有{zh_noun}，{zh_city}的{zh_role}还能{zh_verb}{zh_noun}吗？
        {zh_city}的{zh_adj}{zh_noun}由{zh_role}{zh_verb}，把这句话翻译成英文。
        {zh_verb}{zh_noun}和{zh_verb}{zh_noun}相比，{zh_role}会选择哪一个{zh_adj}方案？
        从{zh_noun}的历史看，{zh_role}为何总要{zh_verb}{zh_adj}{zh_noun}，请写出{zh_number}点。
        {zh_city}有一座{zh_adj}{zh_noun}，请替{zh_role}拟一条广告语，突出{zh_noun}。
        请扮演{zh_city}的{zh_role}，回答有关{zh_adj}{zh_noun}的{zh_number}个问题。
        {zh_noun}坏了，{zh_role}只带了{zh_noun}和{zh_noun}，该如何{zh_verb}？
        总结{zh_role}在{zh_city}{zh_verb}{zh_noun}的经验，重点谈{zh_adj}{zh_noun}。""",
    "zh_sentence": """{zh_city}的{zh_role}昨天{zh_verb}了一座{zh_adj}{zh_noun}，旁边还有{zh_noun}。
        这种{zh_adj}{zh_noun}由{zh_role}负责{zh_verb}，费用包括{zh_noun}和{zh_noun}。
        {zh_role}认为{zh_noun}比{zh_adj}{zh_noun}更值得{zh_verb}。
        在{zh_city}，{zh_adj}{zh_noun}往往和{zh_noun}一起{zh_verb}。
        如果{zh_noun}需要{zh_verb}，请先联系{zh_city}的{zh_adj}{zh_role}。""",
    "zh_question": """{zh_city}的{zh_adj}{zh_noun}怎么{zh_verb}？
        {zh_role}可以{zh_verb}{zh_adj}{zh_noun}吗？
        谁负责{zh_verb}{zh_city}的{zh_noun}？
        {zh_adj}{zh_noun}和{zh_noun}哪个更好{zh_verb}？
        我的{zh_noun}坏了，{zh_role}能{zh_verb}{zh_noun}吗？
        {zh_verb}一座{zh_noun}要{zh_number}天还是{zh_number}天？
        昨天{zh_verb}的{zh_adj}{zh_noun}为什么没有{zh_noun}？
        {zh_number}位{zh_role}够不够{zh_verb}{zh_adj}{zh_noun}？
        听说{zh_city}有{zh_adj}{zh_noun}，是{zh_role}{zh_verb}的吗？
        要是{zh_noun}太贵，能不能只{zh_verb}{zh_noun}？
        {zh_noun}里的{zh_noun}归哪位{zh_role}管？
        {zh_role}说{zh_noun}很{zh_adj}，真的需要{zh_verb}{zh_number}次？""",
}
