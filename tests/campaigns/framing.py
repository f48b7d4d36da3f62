"""Sybils that want an honest tenant restricted: they send what the victim sends, among campaigns of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from campaigns.campaigns import whole
from campaigns.lookalikes import own, prompt
from campaigns.population import agent_of, filled_in, population, template
from campaigns.traffic import DAY, HOUR, START, Source, World, call, human, messages, ordered, steady
from detection.kinds import ask, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from campaigns.traffic import Account, Call
    from detection.kinds import Request, Turn
    from detection.texts import Writer

    Make = Callable[[Writer], Request]

    Victim = Callable[[Writer], tuple[Make, Sequence[Make]]]
    """What the victim sends, and its prompts one by one, as who copies them uses them."""

EARLY, LATE = 0.0, 8.0
"""Hours after which the sybils start."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Sybils against a victim: `mix` is the share of its prompts among the many templates of their own."""

    victim: Victim
    mix: float = 1.0
    templates: int = 60
    sybils: int = 100
    copies: int = 12
    start: float = LATE
    known: float = 0.0
    """Is the victim in the history, and after how many hours does it come back today?"""

    even: bool = False
    """Do the sybils use all the victim's prompts alike, in each request two at once?"""

    victims: int = 1
    late: int = 0
    """Further victims, of the same template, that come after the sybils."""

    def world(self, seed: int, honest: int = 80) -> World:
        """The victim among honest accounts, and the sybils."""
        background = population(honest, seed=seed)
        source = Source("framing", seed)
        make, prompts = self.victim(source.writer("victim"))
        history: list[list[Call]] = []
        streams: list[list[Call]] = []
        for number in range(self.victims + self.late):
            account = source.account("victim" if number < self.victims else "late victim", number)
            w = source.writer(account.name)
            start, hours = (
                (START + self.known * HOUR, 24.0 - self.known) if number < self.victims else (START + 14 * HOUR, 10.0)
            )
            requests = 150 if self.victims == 1 else 15
            times = steady(w.random, requests, start, hours)
            if self.victims > 1 and number < self.victims:
                times[0] = START + w.random.random() * LATE * HOUR
                times.sort()
            streams.append(list(source.calls(account, [make(w) for _ in times], times)))
            if self.known:
                times = steady(w.random, requests, START - DAY, 24)
                history.append(list(source.calls(account, [make(w) for _ in times], times)))
        streams += self.attack(source, prompts)
        return World(background.history.with_more(*history), ordered(background.log, *streams))

    def attack(self, source: Source, prompts: Sequence[Make]) -> Iterator[list[Call]]:
        """What the sybils send."""
        rotation = whole(source.writer("rotation"), self.templates)
        for number in range(self.sybils):
            account = source.account("attack", number)
            w = source.writer(account.name)
            times = steady(w.random, self.copies, START + self.start * HOUR, 24 - self.start)
            requests = [w.pick(prompts)(w) if w.chance(self.mix) else rotation(w) for _ in times]
            if self.even:
                requests = [joined(w.pick(prompts)(w), rotation(w)) for _ in times]
            yield list(source.calls(account, requests, times, attack=True))


def joined(one: Request, other: Request) -> Request:
    """Two prompts in one."""
    first, second = messages(one), messages(other)
    turns: list[Turn] = [(turn["role"], turn["content"]) for turn in first[:-1] if turn["role"] != "system"]
    system = first[0]["content"] if first[0]["role"] == "system" else ""
    return ask(blocks(first[-1]["content"], second[-1]["content"]), one.answer_tokens, system=system, history=turns)


def one_template(w: Writer) -> tuple[Make, Sequence[Make]]:
    """A program with one template."""
    make = partial(filled_in, frame=template(w))
    return make, [make]


def support(w: Writer) -> tuple[Make, Sequence[Make]]:
    """A product behind a system prompt."""
    system = w.passage(8, 12)

    def make(one: Writer) -> Request:
        return ask(one.message(), one.tokens(60, 300), system=system)

    return make, [make]


def features(w: Writer, count: int) -> tuple[Make, Sequence[Make]]:
    """A product with several features, each with a prompt."""
    frames = [template(w) for _ in range(count)]
    makes = [partial(filled_in, frame=frame) for frame in frames]
    return (lambda one: one.zipf(makes)(one)), makes


def tool(w: Writer) -> tuple[Make, Sequence[Make]]:
    """A program with eight built-in prompts that many people run."""
    heads = [prompt(w) for _ in range(8)]
    makes: list[Make] = [
        partial(lambda one, head: ask(blocks(head, own(one)), one.tokens()), head=head) for head in heads
    ]
    return (lambda one: one.zipf(makes)(one)), makes


def agents(w: Writer) -> tuple[Make, Sequence[Make]]:
    """An agent with its system prompt, which many people run."""
    system = w.passage(10, 15)

    def make(one: Writer) -> Request:
        return next(agent_of(one, system))

    return make, [make]


@dataclass(frozen=True, slots=True)
class Replay:
    """Answers that come back in others' conversations: the victim publishes them, or reads what sybils published."""

    who: Literal["sybils quote", "victims quote", "victims quote once"]
    sybils: int = 60
    victims: int = 1

    def world(self, seed: int, honest: int = 80) -> World:
        """Conversations that hop between sybils and victims."""
        background = population(honest, seed=seed)
        source = Source("replay", seed)
        w = source.writer("answers")
        victims = [source.account("victim", number) for number in range(self.victims)]
        sybils = [source.account("attack", number) for number in range(self.sybils)]
        owners, readers = (victims, sybils) if self.who == "sybils quote" else (sybils, victims)
        published = list(publish(source, w, owners, 120 // len(owners) + 2))
        calls = [one for one, _, _ in published]
        each = {"sybils quote": 8, "victims quote": 12, "victims quote once": 1}[self.who]
        for reader in readers:
            mine = w.some(published, each, each)
            for time, (_, asked, answer) in zip(human(w.random, each, START + 12 * HOUR, 12), mine, strict=False):
                history = [("user", asked), ("assistant", answer)]
                request = ask(w.question(), w.tokens(), history=history)
                calls.append(call(time, reader, request, source.answer(w.random), attack=reader in sybils))
        calls += chatter(source, [*sybils, *victims])
        return World(background.history, ordered(background.log, calls))


def publish(source: Source, w: Writer, owners: Sequence[Account], each: int) -> Iterator[tuple[Call, str, str]]:
    """Questions and answers of some accounts, in the morning."""
    for owner in owners:
        for time in steady(w.random, each, START, 11):
            asked, answer = w.question(), source.answer(w.random)
            made = call(time, owner, ask(asked, w.tokens()), answer)
            yield made._replace(attack=owner.group == "attack"), asked, answer


def chatter(source: Source, accounts: Sequence[Account]) -> Iterator[Call]:
    """What they ask otherwise."""
    for account in accounts:
        w = source.writer(account.name, "otherwise")
        times = human(w.random, 10, START, 24)
        yield from source.calls(account, [ask(w.question(), w.tokens()) for _ in times], times)


FRAMINGS: dict[str, Framing | Replay] = {
    "copied-template": Framing(one_template),
    "copied-system-prompt": Framing(support),
    "copied-known-victim": Framing(one_template, known=12, start=EARLY),
    "mixed-template": Framing(one_template, mix=0.2),
    "mixed-system-prompt": Framing(support, mix=0.2),
    "mixed-features-10": Framing(partial(features, count=10), mix=0.5),
    "mixed-known-victim": Framing(one_template, mix=0.2, known=12, start=EARLY),
    "joined-template": Framing(one_template, even=True),
    "features-rotated": Framing(partial(features, count=10)),
    "answers-replayed": Replay("sybils quote"),
    "answers-planted": Replay("victims quote", victims=20),
    "answers-planted-once": Replay("victims quote once", victims=40),
    "community-template": Framing(one_template, victims=60, late=40),
    "community-template-mixed": Framing(one_template, mix=0.3, victims=60, late=40),
    "community-tool": Framing(tool, victims=60, late=40),
    "community-tool-mixed": Framing(tool, mix=0.5, victims=60, late=40),
    "community-agent-mixed": Framing(agents, mix=0.3, victims=60, late=40),
    "leaked-template": Framing(one_template, mix=0.2, start=EARLY, victims=0, late=1),
    "leaked-features-10": Framing(partial(features, count=10), mix=0.5, start=EARLY, victims=0, late=1),
}

REPORTED = ("leaked-template", "leaked-features-10")
"""Sybils that were first: whose template it is, nobody can tell. Only told, not promised."""
