"""Honest programs with a template: what engineering teams build around one prompt or a few."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from detection.kinds import Kind, Request, ask, blocks, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detection.texts import Writer

Side = Literal["first", "middle", "last"]


def support_bot(w: Writer) -> Iterator[Request]:
    """Customers behind a system prompt; one in eight asks what others asked, one in four goes on."""
    system, common = w.passage(8, 12), [w.message() for _ in range(25)]
    while True:
        said = w.zipf(common) if w.chance(0.12) else w.message()
        yield ask(said, w.tokens(60, 300), system=system)
        while w.chance(0.25):
            history = [("user", said), ("assistant", w.passage(2, 4))]
            yield ask(w.question(), w.tokens(60, 300), system=system, history=history)


def support_in_one_turn(w: Writer) -> Iterator[Request]:
    """The same without a system prompt: rules, then the message, then how to answer."""
    head, tail = w.passage(4, 6), w.sentence()
    while True:
        yield ask(blocks(head, f"Customer: {w.message()}", tail), w.tokens(60, 300))


def retrieval(
    w: Writer,
    passages: int,
    query: Side,
    *,
    rule: str = "sentence",
    asks: str = "question",
    least: int = 2,
    labelled: bool = True,
    tail: bool = False,
) -> Iterator[Request]:
    """Passages of the topic that is asked about, as an index finds them: neighbours are found together."""
    head, tail_text = w.make(rule), w.make(rule) if tail else ""
    topics = [[w.passage(least, 5, rule) for _ in range(w.between(4, 14))] for _ in range(60)]
    while True:
        topic = w.zipf(topics)
        found = w.some(topic, min(passages, 4), min(passages, len(topic)))
        found += [w.pick(w.pick(topics)) for _ in range(passages - len(found))]
        text = [f"[{number}] {passage}" for number, passage in enumerate(found, 1)] if labelled else found
        question = w.make(asks)
        half = len(text) // 2
        order = {
            "first": [question, *text],
            "middle": [*text[:half], question, *text[half:]],
            "last": [*text, question],
        }[query]
        yield ask(blocks(head, *order, tail_text), w.tokens(70, 350))


def remembered(w: Writer, query: Side) -> Iterator[Request]:
    """An assistant with memory: facts about its user, then the query, then what was found (or the query last)."""
    facts = w.many("sentence", 40)
    topics = [[w.passage(2, 4) for _ in range(8)] for _ in range(50)]
    while True:
        known, found = w.some(facts, 1, 3), w.some(w.zipf(topics), 2, 3)
        asked = w.question()
        order = {"first": [asked, *known, *found], "middle": [*known, asked, *found], "last": [*known, *found, asked]}
        yield ask(lines(*order[query]), w.tokens())


def few_shot(w: Writer, answer: Literal["label", "text"], query: Literal["first", "last"]) -> Iterator[Request]:
    """Examples near the input, chosen out of 300; labels are one word, texts a few sentences."""
    labels = w.many("Noun", 8) if answer == "label" else []
    groups = [[f"Input: {w.sentence()}\nOutput: {output(w, labels)}" for _ in range(15)] for _ in range(20)]
    head = w.sentence()
    while True:
        examples = w.some(w.pick(groups), 3, 5)
        new = f"Input: {w.sentence()}"
        order = [head, new, *examples] if query == "first" else [head, *examples, f"{new}\nOutput:"]
        yield ask(blocks(*order), w.between(1, 4) if answer == "label" else w.tokens(70, 200))


def output(w: Writer, labels: list[str]) -> str:
    """One of the labels, or a text where there are none."""
    return w.pick(labels) if labels else w.passage(2, 4)


def documents(w: Writer, first: Literal["document", "question", "style"], styles: int = 0) -> Iterator[Request]:
    """A fixed set of questions about every document that comes in, each in all styles."""
    questions, how = w.many("question", 8), w.many("sentence", styles) or [""]
    while True:
        document = w.document(3)
        for question in questions:
            for style in how:
                order = {
                    "document": [document, question, style],
                    "question": [question, document, style],
                    "style": [style, document, question],
                }[first]
                yield ask(blocks(*order), w.tokens())


def any_document(w: Writer, first: Literal["document", "question"], styles: int = 1) -> Iterator[Request]:
    """Users choose among 40 documents, 12 questions and some styles from menus."""
    stock, questions, how = [w.document(2) for _ in range(40)], w.many("question", 12), w.many("sentence", styles)
    while True:
        document, question, style = w.zipf(stock), w.zipf(questions), w.pick(how) if styles > 1 else ""
        order = [document, question] if first == "document" else [question, document]
        yield ask(blocks(style, *order), w.tokens())


def inline(w: Writer, what: str, least: int, most: int) -> Iterator[Request]:
    """One template around one text: translation, tags, extraction."""
    head, tail = lines(*w.many("sentence", 2)), w.sentence()
    while True:
        text = {"passage": w.passage, "message": w.message, "diff": w.diff, "log": w.log, "code": w.code}[what]()
        yield ask(blocks(head, f'"""\n{text}\n"""', tail), w.tokens(least, most))


def sql(w: Writer) -> Iterator[Request]:
    """Those tables that the question needs, and the question."""
    kinds = ("INTEGER", "TEXT", "DATE")
    columns = [[f"{w.make('ident')}_{w.make('noun')} {w.pick(kinds)}" for _ in range(6)] for _ in range(12)]
    tables = [f"CREATE TABLE {w.make('noun')}_{w.make('noun')} (\n  " + ",\n  ".join(of) + "\n);" for of in columns]
    head = w.sentence()
    while True:
        yield ask(blocks(head, *w.some(tables, 2, 4), f"-- {w.question()}"), w.tokens(64, 250))


def mails(w: Writer) -> Iterator[Request]:
    """Drafts: greeting, points to make, and the signature of one of eight colleagues."""
    signatures = [f"Kind regards,\n{w.name()}\n{w.make('Firm')} {w.make('city')}, {w.sentence()}" for _ in range(8)]
    openings = w.many("sentence", 5)
    while True:
        points = "\n".join(f"- {one}" for one in w.many("sentence", w.between(2, 4)))
        greeting = f"Dear {w.name()}, {w.pick(openings)}"
        yield ask(blocks("Please turn this into an email.", greeting, points, w.pick(signatures)), w.tokens(90, 300))


def form(w: Writer, order: str) -> Iterator[Request]:
    """A web form: topic, tone, audience, language, each on its line."""
    menus = {name: [f"{name}: {w.make('adj')}, {one}" for one in w.many("thing", 7)] for name in ("tone", "audience")}
    languages = ["language: plain English please", "language: formal German please", "language: Spanish of Chile"]
    while True:
        topic = f"topic: {w.make('thing')} and {w.make('thing')} for {w.make('person')}"
        fields = {"topic": topic, "tone": w.pick(menus["tone"]), "audience": w.pick(menus["audience"])}
        fields["language"] = w.zipf(languages)
        yield ask(lines("Write a post for our blog.", *(fields[name] for name in order.split())), w.tokens())


def optional_rules(w: Writer, side: Literal["before", "after", "both"], share: float) -> Iterator[Request]:
    """Rules that apply to some requests: each of ten with its own chance, on one side of the text or on both."""
    rules = w.many("sentence", 10)
    while True:
        before = [rule for rule in rules[:5] if w.chance(share)] if side != "after" else []
        after = [rule for rule in rules[5:] if w.chance(share)] if side != "before" else []
        yield ask(lines(*before, w.message(), *after), w.tokens())


def features(w: Writer, count: int, use: Literal["even", "zipf"]) -> Iterator[Request]:
    """A product with several features: each has its own prompt around what the user typed."""
    frames = [(lines(*w.many("sentence", w.between(1, 2))), w.pick((w.sentence(), ""))) for _ in range(count)]
    while True:
        head, tail = w.pick(frames) if use == "even" else w.zipf(frames)
        yield ask(blocks(head, w.passage(1, 3), tail), w.tokens())


def variants(w: Writer, count: int) -> Iterator[Request]:
    """An experiment: everybody gets one of several wordings at random."""
    wordings = [(w.passage(1, 2), w.sentence()) for _ in range(count)]
    while True:
        head, tail = w.pick(wordings)
        yield ask(blocks(head, w.message(), tail), w.tokens())


PROGRAMS = [
    Kind("support-bot", support_bot),
    Kind("support-in-one-turn", support_in_one_turn),
    Kind("rag-1-last", partial(retrieval, passages=1, query="last")),
    Kind("rag-3-last", partial(retrieval, passages=3, query="last")),
    Kind("rag-3-last-format", partial(retrieval, passages=3, query="last", tail=True)),
    Kind("rag-8-last", partial(retrieval, passages=8, query="last")),
    Kind("rag-3-first", partial(retrieval, passages=3, query="first")),
    Kind("rag-4-middle", partial(retrieval, passages=4, query="middle")),
    Kind("rag-4-middle-bare", partial(retrieval, passages=4, query="middle", labelled=False)),
    Kind("rag-snippets-middle", partial(retrieval, passages=4, query="middle", least=1, labelled=False)),
    Kind("rag-chinese", partial(retrieval, passages=3, query="last", rule="zh_sentence", asks="zh_question")),
    Kind("rag-german", partial(retrieval, passages=3, query="last", rule="de_sentence", asks="de_sentence")),
    Kind("memory-query-last", partial(remembered, query="last")),
    Kind("memory-query-first", partial(remembered, query="first")),
    Kind("memory-query-middle", partial(remembered, query="middle")),
    Kind("few-shot-label", partial(few_shot, answer="label", query="last")),
    Kind("few-shot-text", partial(few_shot, answer="text", query="last")),
    Kind("few-shot-text-after", partial(few_shot, answer="text", query="first")),
    Kind("documents-questions", partial(documents, first="document")),
    Kind("questions-documents", partial(documents, first="question")),
    Kind("documents-questions-styles", partial(documents, first="document", styles=3)),
    Kind("styles-documents-questions", partial(documents, first="style", styles=3)),
    Kind("menu-documents-questions", partial(any_document, first="document")),
    Kind("menu-questions-documents", partial(any_document, first="question")),
    Kind("menu-documents-questions-styles", partial(any_document, first="document", styles=4)),
    Kind("translation", partial(inline, what="passage", least=60, most=300)),
    Kind("tagging", partial(inline, what="message", least=3, most=30)),
    Kind("code-review", partial(inline, what="diff", least=80, most=500)),
    Kind("ci-logs", partial(inline, what="log", least=60, most=200)),
    Kind("docstrings", partial(inline, what="code", least=60, most=250)),
    Kind("sql", sql),
    Kind("mails", mails),
    Kind("form-topic-first", partial(form, order="topic tone audience language")),
    Kind("form-topic-middle", partial(form, order="tone topic audience language")),
    Kind("form-topic-last", partial(form, order="tone audience language topic")),
    Kind("rules-before", partial(optional_rules, side="before", share=0.3)),
    Kind("rules-after", partial(optional_rules, side="after", share=0.3)),
    Kind("rules-both-rare", partial(optional_rules, side="both", share=0.2)),
    Kind("rules-both-half", partial(optional_rules, side="both", share=0.5)),
    Kind("features-5-even", partial(features, count=5, use="even")),
    Kind("features-5-zipf", partial(features, count=5, use="zipf")),
    Kind("features-10-even", partial(features, count=10, use="even")),
    Kind("features-10-zipf", partial(features, count=10, use="zipf")),
    Kind("features-25-even", partial(features, count=25, use="even")),
    Kind("features-25-zipf", partial(features, count=25, use="zipf")),
    Kind("two-wordings", partial(variants, count=2)),
    Kind("five-wordings", partial(variants, count=5)),
]
