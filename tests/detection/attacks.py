"""Accounts that extract: with corpora, pools of seeds and banks of phrases of our own."""

from __future__ import annotations

from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from detection.kinds import Kind, Request, ask, blocks, by_name, lines
from detection.people import chat_product, conversations
from detection.programs import retrieval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detection.texts import Writer


def seeds(w: Writer, pool: int, shown: int, mark: Literal["-", "1."] = "-") -> Iterator[Request]:
    """Self-instruct: tasks of a pool as examples, and please more of them."""
    tasks = w.many("task", pool)
    head, tail = w.sentence(), w.sentence()
    while True:
        some = w.some(tasks, shown, shown)
        listed = [f"{mark} {one}" if mark == "-" else f"Task {place}: {one}" for place, one in enumerate(some, 1)]
        yield ask(lines(head, *listed, tail), w.tokens(150, 600))


def seeds_with_answers(w: Writer, pool: int, shown: int) -> Iterator[Request]:
    """The same with an input and an answer to every task."""
    tasks = [lines(f"Instruction: {w.make('task')}", f"Input: {w.sentence()}", w.passage(1, 2)) for _ in range(pool)]
    head, tail = w.sentence(), w.sentence()
    while True:
        yield ask(blocks(head, *w.some(tasks, shown, shown), tail), w.tokens(150, 600))


def growing_seeds(w: Writer) -> Iterator[Request]:
    """Self-instruct as published: six seeds and two tasks that the model made."""
    tasks = w.many("task", 175)
    made = w.many("task", 10)
    head = w.sentence()
    while True:
        yield ask(lines(head, *w.some(tasks, 6, 6), *w.some(made, 2, 2)), w.tokens(200, 600))
        made += w.many("task", 3)


def walk(w: Writer, rule: str = "task", system: str = "") -> Iterator[Request]:
    """A corpus of bare tasks from the first to the last."""
    while True:
        yield ask(w.task() if rule == "task" else w.make(rule), w.tokens(), system=system)


def walk_behind_system(w: Writer) -> Iterator[Request]:
    """The same behind a fixed system prompt."""
    return walk(w, system=w.passage(1, 2))


def walk_in_template(w: Writer) -> Iterator[Request]:
    """The same in one fixed template."""
    head, tail = w.sentence(), w.sentence()
    while True:
        yield ask(lines(head, w.make("task"), tail), w.tokens())


def composed(w: Writer, templates: int, shape: Literal["lines", "line"]) -> Iterator[Request]:
    """Opening phrase, task, closing phrase: out of so many combinations."""
    size = max(4, int(templates**0.5) + 1)
    openings, closings = w.many("sentence", size), w.many("sentence", size)
    pairs = [(w.pick(openings), w.pick(closings)) for _ in range(templates)]
    while True:
        opening, closing = w.pick(pairs)
        task = w.make("task")
        yield ask(lines(opening, task, closing) if shape == "lines" else joined(opening, task, closing), w.tokens())


def phrases(w: Writer, bank: int, each: int) -> Iterator[Request]:
    """So many phrases of a bank before the task, and as many of another one behind it."""
    openings, closings = w.many("sentence", bank), w.many("sentence", bank)
    while True:
        yield ask(lines(*w.some(openings, each, each), w.make("task"), *w.some(closings, each, each)), w.tokens())


def joined(opening: str, task: str, closing: str) -> str:
    """All in one sentence: nothing but commas between the parts."""
    return f"{opening.rstrip('.?!')}, {task.rstrip('.?!')}, {closing}"


def whole(w: Writer, templates: int) -> Iterator[Request]:
    """Whole templates that have no phrase in common."""
    frames = [(lines(*w.many("sentence", w.between(1, 2))), w.pick((w.sentence(), ""))) for _ in range(templates)]
    while True:
        head, tail = w.pick(frames)
        yield ask(lines(head, w.make("task"), tail), w.tokens())


def evolve(w: Writer, pool: int) -> Iterator[Request]:
    """Evol-instruct: one of five operators around a task of the pool, or of the last round."""
    operators = [(w.passage(2, 3), w.sentence()) for _ in range(5)]
    tasks = w.many("task", pool)
    while True:
        head, tail = w.pick(operators)
        task = w.between(0, pool - 1)
        yield ask(blocks(head, f"#Given task#\n{tasks[task]}", tail), w.tokens(80, 250))
        if w.chance(0.5):
            tasks[task] = f"{tasks[task]} {w.sentence()}"


def samples(w: Writer, times: int, within: int) -> Iterator[Request]:
    """Rejection sampling: every task several times, in batches of so many tasks."""
    while True:
        batch = [w.task() for _ in range(within)] * times
        if within > 1:
            w.random.shuffle(batch)
        for task in batch:
            yield ask(task, w.tokens(200, 600))


def elicit(w: Writer, frames: int) -> Iterator[Request]:
    """Every task with one of a few requests for the reasoning behind the answer."""
    how = w.many("sentence", frames)
    while True:
        yield ask(lines(w.make("task"), w.pick(how)), w.tokens(200, 600))


def personas(w: Writer, count: int, tasks: int) -> Iterator[Request]:
    """A persona of many, and a task of many, or a new one each time when there are none."""
    people = [f"You are {w.name()}, a {w.make('adj')} {w.make('role')} from {w.make('city')}." for _ in range(count)]
    stock = w.many("task", tasks)
    while True:
        yield ask(lines(w.pick(people), w.pick(stock) if stock else w.make("task")), w.tokens())


def with_nonce(w: Writer, stream: Callable[[Writer], Iterator[Request]]) -> Iterator[Request]:
    """A line of junk at the end."""
    for request in stream(w):
        said = text(request)
        yield ask(f"{said}\nref {w.make('noun')} {w.make('adj')} {w.between(1, 10**9)}", request.answer_tokens)


def paraphrased(w: Writer) -> Iterator[Request]:
    """Frames that are reworded each time."""
    while True:
        yield ask(lines(w.sentence(), w.make("task"), w.sentence()), w.tokens())


def covered(
    w: Writer, attack: Callable[[Writer], Iterator[Request]], cover: Callable[[Writer], Iterator[Request]]
) -> Iterator[Request]:
    """Half of the requests are an honest program's."""
    running = attack(w), cover(w)
    while True:
        yield next(running[w.chance(0.5)])


def turned(w: Writer, attack: Callable[[Writer], Iterator[Request]]) -> Iterator[Request]:
    """An honest product's account for 400 requests, then stolen or sold."""
    return chain(islice(chat_product(w), 400), attack(w))


def in_conversation(w: Writer, attack: Callable[[Writer], Iterator[Request]]) -> Iterator[Request]:
    """Behind a made-up conversation."""
    for request in attack(w):
        history = [("user", w.question()), ("assistant", w.sentence())]
        yield ask(text(request), request.answer_tokens, history=history)


def from_documents(w: Writer) -> Iterator[Request]:
    """Questions and answers about texts of a crawl, in one template."""
    head, tail = w.sentence(), w.sentence()
    while True:
        yield ask(blocks(head, w.passage(5, 9), tail), w.tokens(200, 600))


def judged(w: Writer) -> Iterator[Request]:
    """Preference data: which of two answers is better, and why."""
    head, tail = w.passage(2, 3), w.sentence()
    while True:
        answers = f"Answer A: {w.passage(1, 3)}", f"Answer B: {w.passage(1, 3)}"
        yield ask(blocks(head, w.make("task"), *answers, tail), w.tokens(90, 300))


def polyglot(w: Writer) -> Iterator[Request]:
    """A corpus of several languages."""
    while True:
        yield ask(w.make(w.pick(("task", "zh_task", "code_task"))), w.tokens())


def text(request: Request) -> str:
    """What the user's last turn says."""
    messages = request.body["messages"]
    if not isinstance(messages, list):
        raise TypeError
    return str(messages[-1]["content"])


composed_100 = partial(composed, templates=100, shape="lines")
seeds_175 = partial(seeds, pool=175, shown=3)
support = partial(retrieval, passages=1, query="last")

ATTACKS = by_name(
    [
        Kind("seeds-50-3", partial(seeds, pool=50, shown=3)),
        Kind("seeds-175-3", seeds_175),
        Kind("seeds-175-8", partial(seeds, pool=175, shown=8)),
        Kind("seeds-500-5", partial(seeds, pool=500, shown=5)),
        Kind("seeds-500-8", partial(seeds, pool=500, shown=8)),
        Kind("seeds-175-8-numbered", partial(seeds, pool=175, shown=8, mark="1.")),
        Kind("seeds-175-3-answers", partial(seeds_with_answers, pool=175, shown=3)),
        Kind("seeds-500-5-answers", partial(seeds_with_answers, pool=500, shown=5)),
        Kind("seeds-growing", growing_seeds),
        Kind("walk", walk),
        Kind("walk-chinese", partial(walk, rule="zh_task")),
        Kind("walk-code", partial(walk, rule="code_task")),
        Kind("walk-polyglot", polyglot),
        Kind("walk-behind-system", walk_behind_system),
        Kind("walk-in-template", walk_in_template),
        Kind("walk-nonce", partial(with_nonce, stream=walk)),
        Kind("composed-10", partial(composed, templates=10, shape="lines")),
        Kind("composed-100", composed_100),
        Kind("composed-300", partial(composed, templates=300, shape="lines")),
        Kind("phrases-10-1", partial(phrases, bank=10, each=1)),
        Kind("phrases-10-2", partial(phrases, bank=10, each=2)),
        Kind("phrases-40-2", partial(phrases, bank=40, each=2)),
        Kind("composed-10-line", partial(composed, templates=10, shape="line")),
        Kind("composed-100-line", partial(composed, templates=100, shape="line")),
        Kind("composed-300-line", partial(composed, templates=300, shape="line")),
        Kind("whole-10", partial(whole, templates=10)),
        Kind("whole-25", partial(whole, templates=25)),
        Kind("whole-60", partial(whole, templates=60)),
        Kind("evolve-200", partial(evolve, pool=200)),
        Kind("samples-4-in-a-row", partial(samples, times=4, within=1)),
        Kind("samples-4-shuffled", partial(samples, times=4, within=60)),
        Kind("elicit-6", partial(elicit, frames=6)),
        Kind("elicit-30", partial(elicit, frames=30)),
        Kind("personas-new-tasks", partial(personas, count=1_000, tasks=0)),
        Kind("personas-50-tasks", partial(personas, count=1_000, tasks=50)),
        Kind("personas-20-new-tasks", partial(personas, count=20, tasks=0)),
        Kind("seeds-nonce", partial(with_nonce, stream=seeds_175)),
        Kind("composed-nonce", partial(with_nonce, stream=composed_100)),
        Kind("paraphrased", paraphrased),
        Kind("covered-composed", partial(covered, attack=composed_100, cover=support)),
        Kind("covered-seeds", partial(covered, attack=seeds_175, cover=support)),
        Kind("covered-walk", partial(covered, attack=walk, cover=support)),
        Kind("covered-by-chat", partial(covered, attack=composed_100, cover=conversations)),
        Kind("turned-composed", partial(turned, attack=composed_100)),
        Kind("turned-seeds", partial(turned, attack=seeds_175)),
        Kind("turned-walk", partial(turned, attack=walk)),
        Kind("seeds-in-conversation", partial(in_conversation, attack=seeds_175)),
        Kind("from-documents", from_documents),
        Kind("judged", judged),
    ]
)
