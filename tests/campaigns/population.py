"""Honest accounts among whom everything happens: consumers, power users, apps, templates that everybody knows."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from campaigns.traffic import DAY, START, History, Source, human, ordered, steady, uneven
from campaigns.wording import closing, opening, settled
from detection.honest import HONEST
from detection.kinds import ask, blocks, lines
from detection.people import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from campaigns.traffic import Account, Call
    from detection.kinds import Request
    from detection.texts import Writer

    Clock = Callable[[Random, int, float, float], list[float]]

APPS = (
    "support-in-one-turn",
    "mails",
    "translation",
    "tagging",
    "sql",
    "code-review",
    "docstrings",
    "two-wordings",
    "features-5-zipf",
    "pipeline-4-steps",
    "form-topic-last",
    "rag-1-last",
    "few-shot-label",
    "dashboard",
    "cron-50",
    "probe",
    "chat-product",
    "documents-questions",
    "localisation",
    "features-10-zipf",
    "products-sorted",
    "agent-in-one-turn",
    "quizzes",
    "labelling-with-reasons",
)
HEAVY = ("support-bot", "translation", "tagging", "rag-3-last")

PUBLIC = 8
"""Templates that many use: known from blogs."""

CLASS = 30
"""Pupils that got the same assignment."""


class Part(NamedTuple):
    """A share of all accounts: of which kinds, how many requests each on average, and when."""

    group: str
    share: float
    requests: float
    clock: Clock
    kinds: tuple[str, ...] = ()


PARTS = (
    Part(
        "consumer", 0.60, 9, human, ("consumer-chat", "consumer-chat", "consumer-chat-german", "consumer-chat-chinese")
    ),
    Part("power-user", 0.12, 30, human, ("power-user", "freelancer", "freelancer-notes")),
    Part("agency", 0.03, 40, human, ("agency-7", "agency-15", "agency-chinese")),
    Part("app", 0.08, 60, steady, APPS),
    Part("heavy", 0.006, 500, steady, HEAVY),
    Part("public-template", 0.08, 15, human),
    Part("public-agent", 0.03, 30, human),
    Part("class", 0.054, 8, human),
)


class Population(NamedTuple):
    """Calls before the log begins, and in it; `templates` are those that everybody knows."""

    history: History
    log: list[Call]
    templates: list[tuple[str, str]]


@cache
def population(accounts: int = 600, *, hours: float = 24, seed: int = 0, new: float = 0.15) -> Population:
    """So many honest accounts over some hours, and the same over as many hours before, except for the new ones."""
    source = Source("population", seed)
    shared = source.writer("public")
    templates = [template(shared) for _ in range(PUBLIC)]
    agents = [shared.passage(10, 15) for _ in range(3)]
    classes = [assignment(shared) for _ in range(1 + accounts // 500)]
    history: list[Call] = []
    log: list[Call] = []
    for part in PARTS:
        for number in range(max(1, round(part.share * accounts))):
            account = source.account(part.group, number, network="10.20.30" if part.group == "class" else "")
            w = source.writer(account.name)
            if part.kinds:
                stream = HONEST[w.pick(part.kinds)].stream(w)
            elif part.group == "public-template":
                stream = within(w, w.zipf(templates))
            elif part.group == "public-agent":
                stream = agent_of(w, w.zipf(agents))
            else:
                stream = pupil(w, classes[number // CLASS % len(classes)])
            before, after = both_days(source, account, stream, part, hours, known=not w.chance(new))
            history += before
            log += after
    return Population(History(ordered(history)), ordered(log), templates)


def both_days(
    source: Source, account: Account, stream: Iterator[Request], part: Part, hours: float, *, known: bool
) -> tuple[list[Call], list[Call]]:
    """An account's calls before the log begins, and in it: one stream that goes on."""
    random = source.randomness("times", account.name)
    days: list[list[Call]] = []
    for start, sends in ((START - max(DAY, hours * 3_600), known), (START, True)):
        times = part.clock(random, uneven(random, part.requests * hours / 24), start, hours) if sends else []
        days.append(list(source.calls(account, list(islice(stream, len(times))), times)))
    return days[0], days[1]


def template(w: Writer) -> tuple[str, str]:
    """What stands before and behind one's own text in a template: a few instructions."""
    head = [settled(w, opening(w)), *(settled(w, closing(w)) for _ in range(w.between(0, 2)))]
    return "\n".join(head), settled(w, closing(w)) if w.chance(0.6) else ""


def within(w: Writer, frame: tuple[str, str]) -> Iterator[Request]:
    """One template around own content."""
    while True:
        yield filled_in(w, frame)


def filled_in(w: Writer, frame: tuple[str, str]) -> Request:
    """A template around something of one's own: what somebody asks, or a text."""
    content = w.pick((w.task, w.message, w.passage, w.passage))()
    return ask(blocks(frame[0], content, frame[1]), w.tokens())


def agent_of(w: Writer, system: str) -> Iterator[Request]:
    """The agent of a program that many run: its system prompt and their tasks and tools."""
    for request in agent(w):
        turns = request.body["messages"]
        if not isinstance(turns, list):
            raise TypeError
        yield request._replace(body={**request.body, "messages": [{"role": "system", "content": system}, *turns[1:]]})


def assignment(w: Writer) -> list[str]:
    """Parts of an assignment."""
    return [f"{number}. {w.passage(2, 3)}" for number in range(1, w.between(5, 8))]


def pupil(w: Writer, parts: list[str]) -> Iterator[Request]:
    """Pastes parts of the assignment in their order, with questions of one's own; the whole of it now and then."""
    while True:
        for part in parts:
            for _ in range(w.between(1, 3)):
                pasted = w.pick((part, part, lines(*parts), ""))
                yield ask(blocks(w.question(), pasted), w.tokens())
