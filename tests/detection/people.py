"""Honest people, agents and timers: whose prompts are not an application's."""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING

from detection.kinds import Kind, Request, Turn, ask, blocks, lines
from detection.programs import few_shot, retrieval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detection.texts import Writer

FOLLOW_UPS = """Make it shorter please.|Now in German please.|Can you give an example?|Try again with more detail.
Please use simpler words.|That is not what I meant.|Can you explain the second point?|And as a table?
Continue where you stopped.|Why is that so?""".replace("\n", "|").split("|")


def chat_product(w: Writer) -> Iterator[Request]:
    """Conversations behind a product's system prompt."""
    return conversations(w, system=w.passage(6, 10), more=0.7)


def conversations(w: Writer, system: str = "", more: float = 0.5, rule: str = "question") -> Iterator[Request]:
    """Somebody who asks and goes on asking; greetings now and then."""
    while True:
        history: list[Turn] = []
        said = w.pick(("hello, are you there?", "hi, I need some help")) if w.chance(0.05) else w.make(rule)
        yield ask(said, w.tokens(), system=system, history=history)
        while w.chance(more):
            history += [("user", said), ("assistant", w.passage(2, 5))]
            said = w.zipf(FOLLOW_UPS) if w.chance(0.3) else w.make(rule)
            yield ask(said, w.tokens(), system=system, history=history[-12:])


def power_user(w: Writer) -> Iterator[Request]:
    """Questions, pasted texts with a favourite instruction, code and its errors, follow-ups."""
    favourites = w.many("sentence", 6)
    while True:
        pasted = (w.document(), w.code(), w.log())[w.between(0, 2)]
        first = blocks(w.zipf(favourites), pasted) if w.chance(0.4) else w.task()
        yield ask(first, w.tokens())
        while w.chance(0.55):
            history = [("user", first), ("assistant", w.passage(3, 6))]
            yield ask(w.pick((w.question(), w.pick(FOLLOW_UPS))), w.tokens(), history=history)


def bare(w: Writer, again: float, rule: str = "task") -> Iterator[Request]:
    """Tasks of many clients with nothing around them; some are asked again, or followed up in a conversation."""
    asked: list[str] = []
    while True:
        if asked and w.chance(again / 2):
            yield ask(w.pick(asked[-6:]), w.tokens())
        elif asked and w.chance(again / 2):
            history = [("user", asked[-1]), ("assistant", w.passage(2, 4))]
            yield ask(w.pick(FOLLOW_UPS), w.tokens(), history=history)
        else:
            asked.append(w.task() if rule == "task" else w.make(rule))
            yield ask(asked[-1], w.tokens())


def notes(w: Writer, again: float) -> Iterator[Request]:
    """A freelancer: a task in own words over pasted text, never a system prompt."""
    while True:
        task, text = w.task(), w.passage(2, 6)
        yield ask(blocks(task, text), w.tokens())
        while w.chance(again):
            task = w.pick((w.task(), w.pick(FOLLOW_UPS)))
            yield ask(blocks(task, text), w.tokens())


def classroom(w: Writer) -> Iterator[Request]:
    """One assignment, thirty pupils: pasted with own questions, or only asked about."""
    assignments = [w.passage(4, 6) for _ in range(8)]
    while True:
        for assignment in assignments:
            for _ in range(w.between(40, 60)):
                question = w.pick((w.question(), w.pick(FOLLOW_UPS)))
                yield ask(w.pick((blocks(assignment, question), blocks(question, assignment), question)), w.tokens())


def hackathon(w: Writer) -> Iterator[Request]:
    """A starter prompt that each team changes a little, with its own inputs."""
    starter = w.many("sentence", 6)
    while True:
        team = [w.sentence() if w.chance(0.3) else one for one in starter]
        for _ in range(w.between(10, 40)):
            team[w.between(0, 5)] = w.sentence()
            yield ask(blocks(lines(*team), w.message()), w.tokens())


def probe(w: Writer) -> Iterator[Request]:
    """A monitor asks whether the service is there."""
    question = w.question()
    while True:
        yield ask(question, w.between(5, 90))


def cron(w: Writer, prompts: int, *, shuffled: bool) -> Iterator[Request]:
    """The same prompts every day."""
    stock = [w.task() for _ in range(prompts)]
    while True:
        if shuffled:
            w.random.shuffle(stock)
        for prompt in stock:
            yield ask(prompt, w.tokens())


def regression(w: Writer, stream: Callable[[Writer], Iterator[Request]], prompts: int) -> Iterator[Request]:
    """A program's own tests: prompts of its log, the same ones every night."""
    return cycle(list(islice(stream(w), prompts)))


def dashboard(w: Writer) -> Iterator[Request]:
    """A report each hour: fixed words around today's figures."""
    head, tail = w.passage(2, 3), w.sentence()
    while True:
        figures = [f"{noun}: {w.between(1, 99_999)} units sold" for noun in ("bread", "cheese", "coffee", "honey")]
        yield ask(lines(head, *figures, tail), w.tokens(90, 200))


def prompt_engineer(w: Writer) -> Iterator[Request]:
    """One prompt edited again and again, tried on five inputs; old wordings come back."""
    inputs = [w.passage(1, 3) for _ in range(5)]
    wordings = [w.many("sentence", 5)]
    while True:
        prompt = list(w.pick(wordings[-8:]))
        prompt[w.between(0, 4)] = w.sentence()
        if w.chance(0.3):
            w.random.shuffle(prompt)
        wordings.append(prompt)
        for text in w.some(inputs, 1, 5):
            yield ask(lines(*prompt, text), w.tokens())


def agent(w: Writer) -> Iterator[Request]:
    """Tools called in a loop: the context grows with their results, which come back as the user's turn."""
    system = w.passage(10, 15)
    while True:
        history: list[Turn] = []
        said = w.task()
        for _ in range(w.between(4, 25)):
            yield ask(said, w.tokens(30, 250), system=system, history=history[-16:])
            history += [("user", said), ("assistant", f"{w.sentence()}\n{w.make('code')}")]
            said = f"Result:\n{w.pick((w.code, w.log, w.sentence))()}"


def bare_agent(w: Writer) -> Iterator[Request]:
    """An agent without turns: notes so far, the newest last, in one text that grows."""
    head = w.passage(3, 5)
    while True:
        notes = [f"Goal: {w.task()}"]
        for _ in range(w.between(4, 25)):
            yield ask(lines(head, *notes, "What do you do next?"), w.tokens(30, 250))
            notes.append(f"Step {len(notes)}: {w.sentence()}")


def evaluation(w: Writer) -> Iterator[Request]:
    """A benchmark's bare tasks, as declared to the operator."""
    while True:
        yield ask(w.make("task"), w.tokens())


def mixture(w: Writer, *streams: Callable[[Writer], Iterator[Request]]) -> Iterator[Request]:
    """Colleagues with one key."""
    running = [stream(w) for stream in streams]
    while True:
        yield next(w.pick(running))


rag = partial(retrieval, passages=3, query="last")
examples = partial(few_shot, answer="text", query="last")

PEOPLE = [
    Kind("chat-product", chat_product),
    Kind("consumer-chat", partial(conversations, more=0.5)),
    Kind("consumer-chat-german", partial(conversations, more=0.5, rule="de_sentence")),
    Kind("consumer-chat-chinese", partial(conversations, more=0.5, rule="zh_question")),
    Kind("power-user", power_user),
    Kind("agency-3", partial(bare, again=0.03), requests=400),
    Kind("agency-7", partial(bare, again=0.07), requests=400),
    Kind("agency-15", partial(bare, again=0.15), requests=400),
    Kind("agency-15-heavy", partial(bare, again=0.15)),
    Kind("agency-chinese", partial(bare, again=0.07, rule="zh_task"), requests=400),
    Kind("freelancer", partial(bare, again=0.0), requests=150),
    Kind("freelancer-notes", partial(notes, again=0.15), requests=400),
    Kind("classroom", classroom),
    Kind("hackathon", hackathon),
    Kind("probe", probe),
    Kind("cron-50", partial(cron, prompts=50, shuffled=False)),
    Kind("cron-50-shuffled", partial(cron, prompts=50, shuffled=True)),
    Kind("cron-300", partial(cron, prompts=300, shuffled=True)),
    Kind("regression-12", partial(regression, stream=rag, prompts=12)),
    Kind("regression-60", partial(regression, stream=rag, prompts=60)),
    Kind("regression-200", partial(regression, stream=rag, prompts=200)),
    Kind("regression-examples-60", partial(regression, stream=examples, prompts=60)),
    Kind("dashboard", dashboard),
    Kind("prompt-engineer", prompt_engineer),
    Kind("agent", agent),
    Kind("agent-in-one-turn", bare_agent),
    Kind("evaluation", evaluation, declared=True),
    Kind("shared-key", partial(lambda w: mixture(w, chat_product, power_user, partial(bare, again=0.1)))),
]
