"""Honest programs that put prompts together from a stock of parts."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Literal

from detection.kinds import Kind, Request, ask, blocks, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detection.texts import Writer


def localisation(w: Writer) -> Iterator[Request]:
    """The strings of each release in twelve languages."""
    languages = [f"Translate into {w.make('adj')} {w.make('city')} language:" for _ in range(12)]
    tail = w.sentence()
    while True:
        strings = [w.passage(1, 2) for _ in range(8)]
        for text, language in product(strings, languages):
            yield ask(blocks(language, text, tail), w.tokens(20, 120))


def changelog(w: Writer) -> Iterator[Request]:
    """Notes on a release, from the titles of commits since the last one: some are shown again in the next draft."""
    head = w.passage(2, 3)
    titles = w.many("sentence", 6)
    while True:
        titles = titles[w.between(0, 5) :] + w.many("sentence", w.between(1, 5))
        yield ask(blocks(head, "\n".join(f"- {title}" for title in titles)), w.tokens(90, 300))


def products(w: Writer, order: Literal["shuffled", "sorted"]) -> Iterator[Request]:
    """Descriptions from attributes: lines of a stock, and what only this product has."""
    stock = [f"{w.make('noun')}: {w.make('adj')} {w.make('thing')}, {w.make('amount')}" for _ in range(120)]
    head = w.sentence()
    while True:
        picked = w.some(range(len(stock)), 4, 8)
        own = f"name: {w.make('Firm')} {w.make('noun')} {w.between(100, 9999)} by {w.name()}"
        attributes = [stock[one] for one in (sorted(picked) if order == "sorted" else picked)]
        rows = [own, *attributes]
        if order == "shuffled":
            w.random.shuffle(rows)
        yield ask(lines(head, *rows), w.tokens(90, 250))


def quizzes(w: Writer) -> Iterator[Request]:
    """Questions on some of a curriculum's topics, for one of eight classes."""
    topics = [f"{w.make('field')} and the {w.make('thing')}" for _ in range(80)]
    classes = [f"Class of {w.name()}, {w.make('amount')} each lesson" for _ in range(8)]
    head = w.sentence()
    while True:
        chosen = [f"* {topic}" for topic in w.some(topics, 2, 5)]
        yield ask(lines(head, w.pick(classes), *chosen), w.tokens(150, 600))


def newsletters(w: Writer) -> Iterator[Request]:
    """Three to five of the latest articles for each group of readers; articles come and go."""
    articles = [w.passage(3, 5) for _ in range(30)]
    readers = w.many("sentence", 6)
    head = w.sentence()
    while True:
        for reader in readers:
            yield ask(blocks(head, reader, *w.some(articles, 3, 5)), w.tokens(150, 500))
        articles = articles[3:] + [w.passage(3, 5) for _ in range(3)]


def clauses(w: Writer) -> Iterator[Request]:
    """Two clauses of contracts side by side, from a stock of 150."""
    stock = [w.passage(2, 4) for _ in range(150)]
    head, tail = w.sentence(), w.sentence()
    while True:
        one, other = w.some(stock, 2, 2)
        yield ask(blocks(head, f"Clause A:\n{one}", f"Clause B:\n{other}", tail), w.tokens(90, 400))


def recipes(w: Writer) -> Iterator[Request]:
    """What somebody has in the kitchen: lines of the shop's catalogue."""
    catalogue = [f"{w.make('amount')} of {w.make('adj')} {w.make('noun')}" for _ in range(150)]
    head = w.sentence()
    while True:
        yield ask(lines(head, *w.some(catalogue, 3, 9)), w.tokens(150, 450))


def npc(w: Writer) -> Iterator[Request]:
    """A game: who speaks, lore at both ends, and what the player says between."""
    characters = [w.passage(1, 2) for _ in range(20)]
    lore = w.many("sentence", 60)
    while True:
        yield ask(
            blocks(w.pick(characters), *w.some(lore, 1, 2), f"Player: {w.question()}", *w.some(lore, 1, 2)),
            w.tokens(64, 160),
        )


def reports(w: Writer) -> Iterator[Request]:
    """A report builder: boilerplate of a library around the figures of the week."""
    library = [w.passage(1, 3) for _ in range(50)]
    while True:
        figures = "\n".join(f"{w.make('noun')} {w.make('amount')}, {w.make('time')}" for _ in range(w.between(3, 6)))
        yield ask(blocks(*w.some(library, 1, 3), figures, *w.some(library, 1, 3)), w.tokens(150, 600))


def labelling(w: Writer, tokens: tuple[int, int]) -> Iterator[Request]:
    """Labels with guidelines that rotate: two of thirty, one before the item and one after."""
    guidelines = w.many("sentence", 30)
    while True:
        before, after = w.some(guidelines, 2, 2)
        yield ask(lines(before, w.message(), after), w.tokens(*tokens))


def unit_tests(w: Writer) -> Iterator[Request]:
    """Functions of a code base with one of twenty instructions each; a few functions are new every time round."""
    functions, instructions = [w.code() for _ in range(80)], w.many("sentence", 20)
    while True:
        w.random.shuffle(functions)
        for function in functions:
            yield ask(blocks(w.pick(instructions), function), w.tokens(150, 600))
        functions[:20] = [w.code() for _ in range(20)]


def pipeline(w: Writer, steps: int) -> Iterator[Request]:
    """Each article goes through the same steps: the prompt of the step, then the article."""
    prompts = w.many("sentence", steps)
    while True:
        article = w.passage(4, 8)
        for prompt in prompts:
            yield ask(blocks(prompt, article), w.tokens(64, 300))


def horoscopes(w: Writer) -> Iterator[Request]:
    """A content farm: sign, topic and tone of menus, nothing else."""
    menus = [w.many("sentence", count) for count in (12, 30, 8)]
    while True:
        yield ask(lines(*(w.pick(menu) for menu in menus)), w.tokens(90, 300))


STOCKS = [
    Kind("localisation", localisation),
    Kind("changelog", changelog),
    Kind("products-shuffled", partial(products, order="shuffled")),
    Kind("products-sorted", partial(products, order="sorted")),
    Kind("quizzes", quizzes),
    Kind("newsletters", newsletters),
    Kind("clauses", clauses),
    Kind("recipes", recipes),
    Kind("npc", npc),
    Kind("reports", reports),
    Kind("labelling", partial(labelling, tokens=(2, 20))),
    Kind("labelling-with-reasons", partial(labelling, tokens=(64, 200))),
    Kind("unit-tests", unit_tests),
    Kind("pipeline-4-steps", partial(pipeline, steps=4)),
    Kind("pipeline-12-steps", partial(pipeline, steps=12)),
    Kind("horoscopes", horoscopes),
]
