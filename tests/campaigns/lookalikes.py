"""Honest groups that share text which the history does not know: none of them may be restricted."""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING

from campaigns.population import agent_of, assignment, population, pupil, template
from campaigns.traffic import START, Source, World, human, ordered, steady, uneven
from campaigns.wording import closing, opening, settled
from detection.honest import HONEST
from detection.kinds import ask, blocks, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detection.kinds import Request, Turn
    from detection.texts import Writer

    Use = Callable[[Writer, int], Iterator[Request]]
    """What a member sends; members are numbered."""

    Group = Callable[[Writer], Use]
    """What the members share, and what each makes of it."""


class Lookalike:
    """A group: what it shares, how many accounts, their requests on average, where they come from, who pays."""

    def __init__(
        self,
        group: Group,
        accounts: int,
        requests: float,
        *,
        network: str = "",
        tenant: str = "",
        payer: str = "",
        steadily: bool = False,
    ) -> None:
        self.group = group
        self.size = accounts, requests
        self.network = network
        self.tenant = tenant
        self.payer = payer
        self.clock = steady if steadily else human

    def world(self, seed: int, honest: int = 600, *, history: bool = True, scale: float = 1.0) -> World:
        """The group among other honest accounts."""
        background = population(honest, seed=seed)
        source = Source("group", seed)
        use = self.group(source.writer("shared"))
        accounts, requests = self.size
        members = [
            source.account("group", number, network=self.network, tenant=self.tenant)
            for number in range(round(accounts * scale))
        ]
        streams = []
        for number, account in enumerate(members):
            w = source.writer(account.name)
            times = self.clock(w.random, uneven(w.random, requests, 0.8), START, 24)
            streams.append(list(source.calls(account, list(islice(use(w, number), len(times))), times)))
        payers = {account.name: self.payer for account in members} if self.payer else {}
        return World(background.history if history else None, ordered(background.log, *streams), payers)


def prompt(w: Writer) -> str:
    """A prompt as people pass it on: some instructions."""
    return lines(settled(w, opening(w)), *(settled(w, closing(w)) for _ in range(w.between(1, 4))))


def own(w: Writer) -> str:
    """Something of one's own."""
    return w.pick((w.task, w.message, w.passage, w.document, w.code))()


def viral(shared: Writer, prompts: int) -> Use:
    """Prompts that go around today, each with own text; and what people ask otherwise."""
    going_round = [prompt(shared) for _ in range(prompts)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        mine = w.some(going_round, 1, prompts)
        otherwise = HONEST[w.pick(("consumer-chat", "power-user"))].stream(w)
        while True:
            yield ask(blocks(w.pick(mine), own(w)), w.tokens()) if w.chance(0.4) else next(otherwise)

    return use


def hackathon(shared: Writer) -> Use:
    """A starter system prompt that each team changes here and there, with inputs of its own."""
    starter = shared.many("sentence", 7)

    def use(w: Writer, _number: int) -> Iterator[Request]:
        team = [w.sentence() if w.chance(0.1) else one for one in starter]
        while True:
            if w.chance(0.1):
                team[w.between(0, 6)] = w.sentence()
            yield ask(w.message(), w.tokens(), system=lines(*team))

    return use


def hackathon_kit(shared: Writer) -> Use:
    """A kit of five prompts with tools: each team calls all of them in its program."""
    kit = [lines(*shared.many("sentence", 4)) for _ in range(5)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        mine = [lines(one, w.sentence()) if w.chance(0.5) else one for one in kit]
        while True:
            yield ask(w.message(), w.tokens(), system=w.pick(mine))

    return use


def classroom(shared: Writer) -> Use:
    """One assignment of several parts: pasted part for part, with own questions."""
    parts = assignment(shared)
    return lambda w, _number: pupil(w, parts)


def sheet(shared: Writer) -> Use:
    """Ten exercises: each pupil asks each of them, with the exercise in front and own words behind."""
    exercises = [f"Exercise {number}: {shared.task()}" for number in range(1, 11)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        while True:
            for exercise in exercises:
                yield ask(lines(exercise, w.question()), w.tokens())
                while w.chance(0.5):
                    yield ask(w.question(), w.tokens(), history=[("user", exercise), ("assistant", w.passage(2, 4))])

    return use


def library(shared: Writer, prompts: int) -> Use:
    """A library of prompts; everybody uses whatever fits."""
    stock = [template(shared) for _ in range(prompts)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        while True:
            head, tail = w.zipf(stock)
            yield ask(blocks(head, own(w), tail), w.tokens())

    return use


def tool(shared: Writer, prompts: int, *, system: bool) -> Use:
    """A program of many users: title, summary, commit message, chat; each person uses some of it most."""
    built_in = [template(shared) for _ in range(prompts)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        liked = w.some(built_in, prompts, prompts)
        while True:
            head, tail = w.zipf(w.pick((built_in, liked)))
            content = own(w)
            yield (
                ask(content, w.tokens(), system=blocks(head, tail))
                if system
                else ask(blocks(head, content, tail), w.tokens())
            )

    return use


def pipeline_tool(shared: Writer, steps: int) -> Use:
    """A program that sends each of its user's documents through all its steps."""
    prompts = [template(shared) for _ in range(steps)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        while True:
            text = own(w)
            for head, tail in prompts:
                yield ask(blocks(head, text, tail), w.tokens())

    return use


def fleet(shared: Writer) -> Use:
    """Runners of one firm: the same sixty tests on every commit."""
    tests = [ask(blocks(*shared.many("sentence", 2), shared.task()), 90, system=prompt(shared)) for _ in range(60)]
    return lambda w, _number: islice(cycle(tests), w.between(0, 59), None)


def examples(shared: Writer) -> Use:
    """The examples of a blog before own input."""
    shots = [f"Input: {shared.sentence()}\nOutput: {shared.passage(1, 2)}" for _ in range(6)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        mine = w.some(shots, 4, 6)
        while True:
            yield ask(blocks(*mine, f"Input: {w.message()}\nOutput:"), w.tokens())

    return use


def examples_chosen(shared: Writer) -> Use:
    """A file of forty examples of which a script picks four each time."""
    shots = [f"Input: {shared.sentence()}\nOutput: {shared.passage(1, 2)}" for _ in range(40)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        while True:
            yield ask(blocks(*w.some(shots, 4, 4), f"Input: {w.message()}\nOutput:"), w.tokens())

    return use


def shared_agent(shared: Writer) -> Use:
    """The system prompt of a new agent, and tools in turns."""
    system = blocks(shared.passage(10, 15), prompt(shared))
    return lambda w, _number: agent_of(w, system)


def modes(shared: Writer) -> Use:
    """A new agent with six modes, each with its system prompt: a task goes through some of them."""
    systems = [blocks(shared.passage(6, 9), prompt(shared)) for _ in range(6)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        running = [agent_of(w, system) for system in systems]
        while True:
            mode = w.zipf(running)
            for _ in range(w.between(2, 10)):
                yield next(mode)

    return use


def pack(shared: Writer, prompts: int) -> Use:
    """Prompts that were published today; each has favourites and tries others."""
    stock = [prompt(shared) for _ in range(prompts)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        favourites = [w.zipf(stock) for _ in range(5)]
        while True:
            yield ask(blocks(w.zipf(stock) if w.chance(0.25) else w.zipf(favourites), own(w)), w.tokens())

    return use


def characters(shared: Writer) -> Use:
    """Cards of characters that a community shares: a conversation with each, some in turn."""
    cards = [lines(settled(shared, opening(shared)), shared.passage(5, 8)) for _ in range(60)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        while True:
            card = w.zipf(cards)
            history: list[Turn] = []
            for _ in range(w.between(4, 20)):
                said = w.question()
                yield ask(said, w.tokens(), system=card, history=history[-10:])
                history += [("user", said), ("assistant", w.passage(2, 4))]

    return use


def news(shared: Writer) -> Use:
    """What everybody reads today: three articles, pasted whole or in part, with own questions."""
    articles = [shared.many("sentence", 14) for _ in range(3)]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        otherwise = HONEST["consumer-chat"].stream(w)
        while True:
            article = w.zipf(articles)
            first = w.between(0, 8)
            pasted = " ".join(article[first : first + w.between(4, 14)])
            yield ask(blocks(w.question(), pasted), w.tokens()) if w.chance(0.5) else next(otherwise)

    return use


def benchmark(shared: Writer) -> Use:
    """A benchmark that laboratories run: the same questions behind the same examples, in words of their harness."""
    head = lines(*(f"Q: {shared.make('task')}\nA: {shared.sentence()}" for _ in range(3)))
    questions = shared.many("task", 300)

    def use(w: Writer, number: int) -> Iterator[Request]:
        style = "" if number % 2 else w.sentence()
        for question in cycle(w.some(questions, 300, 300)):
            yield ask(blocks(style, head, f"Q: {question}\nA:"), w.tokens())

    return use


def course(shared: Writer) -> Use:
    """An online course on prompts: sixty exercises that its pupils try with changes of their own, in order."""
    exercises = [
        lines(settled(shared, opening(shared)), shared.task(), settled(shared, closing(shared))) for _ in range(60)
    ]

    def use(w: Writer, _number: int) -> Iterator[Request]:
        for exercise in cycle(exercises[w.between(0, 20) :]):
            yield ask(exercise, w.tokens())
            while w.chance(0.6):
                yield ask(lines(exercise, w.sentence()), w.tokens())

    return use


LOOKALIKES: dict[str, Lookalike] = {
    "viral-prompt": Lookalike(partial(viral, prompts=1), 150, 8),
    "viral-prompts-3": Lookalike(partial(viral, prompts=3), 150, 12),
    "hackathon": Lookalike(hackathon, 40, 30, network="44.55.66"),
    "hackathon-kit": Lookalike(hackathon_kit, 40, 40, network="44.55.66"),
    "classroom": Lookalike(classroom, 30, 15, network="44.55.66"),
    "exercise-sheet": Lookalike(sheet, 30, 20, network="44.55.66"),
    "agency-12-clients": Lookalike(partial(library, prompts=20), 12, 80, payer="agency", steadily=True),
    "agency-12-clients-unrelated": Lookalike(partial(library, prompts=20), 12, 80, steadily=True),
    "company-25-keys": Lookalike(partial(library, prompts=30), 25, 60, tenant="company"),
    "new-tool-8": Lookalike(partial(tool, prompts=8, system=False), 60, 30),
    "new-tool-12": Lookalike(partial(tool, prompts=12, system=False), 200, 20),
    "new-tool-12-system": Lookalike(partial(tool, prompts=12, system=True), 60, 30),
    "new-tool-pipeline": Lookalike(partial(pipeline_tool, steps=6), 60, 36),
    "ci-fleet": Lookalike(fleet, 40, 120, tenant="company", steadily=True),
    "examples-of-a-blog": Lookalike(examples, 20, 40),
    "examples-chosen": Lookalike(examples_chosen, 20, 40, steadily=True),
    "shared-agent": Lookalike(shared_agent, 60, 40),
    "shared-agent-modes": Lookalike(modes, 60, 40),
    "prompt-pack-40": Lookalike(partial(pack, prompts=40), 120, 20),
    "characters-60": Lookalike(characters, 80, 40),
    "news": Lookalike(news, 100, 8),
    "benchmark": Lookalike(benchmark, 12, 150, steadily=True),
    "prompt-course": Lookalike(course, 60, 30),
}
