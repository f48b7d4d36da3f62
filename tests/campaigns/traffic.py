"""Calls of many accounts: who sends what when, which answer comes back, as a gateway logs it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from campaigns.wording import Hand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detection.kinds import Request

START = 1_800_000_000.0
"""When the log that is judged begins; the history lies before."""

HOUR = 3_600.0
DAY = 24 * HOUR

AWAKE = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 11, 13, 14, 13, 11, 10, 11, 13, 14, 11, 6, 3)
"""How many people are at it in each hour of their day."""

SENTENCES = 1_500


class Account(NamedTuple):
    """Who calls; `group` is what it is, for those who count."""

    name: str
    group: str
    tenant: str
    address: str


class Call(NamedTuple):
    """A request as it stands in the log; `attack` ones are what the attacker wants answered, and not cover."""

    time: float
    id: str
    account: Account
    line: bytes
    attack: bool


@dataclass(frozen=True, eq=False, slots=True)
class History:
    """Calls before the log begins; what is known of one history is looked up once."""

    calls: Sequence[Call]

    def with_more(self, *streams: Iterable[Call]) -> History:
        """The same with other accounts."""
        return History(ordered(self.calls, *streams)) if streams else self


@dataclass(slots=True)
class World:
    """All that happens: before, and in the log that is judged. Accounts of one payer are one tenant."""

    history: History | None
    log: list[Call]
    payers: dict[str, str] = field(default_factory=dict[str, str])


class Source:
    """Makes accounts and their calls of one seed."""

    def __init__(self, *seed: object) -> None:
        self.seed = " ".join(map(str, seed))
        self.random = self.randomness("source")
        sentences = self.writer("answers")
        self.sentences = sentences.many("sentence", SENTENCES)

    def randomness(self, *what: object) -> Random:
        """Random numbers of their own for each name."""
        return Random(" ".join([self.seed, *map(str, what)]))  # noqa: S311  a test repeats itself

    def writer(self, *what: object) -> Hand:
        """A writer of its own for each name."""
        return Hand(self.randomness(*what))

    def account(self, group: str, number: object, *, tenant: str = "", network: str = "") -> Account:
        """An account from anywhere, or from one network (the first three bytes of its address)."""
        name = f"{group}-{number}"
        random = self.randomness("address", name)
        network = network or ".".join(str(random.randrange(1, 255)) for _ in range(3))
        return Account(name, group, tenant or f"tenant of {name}", f"{network}.{random.randrange(1, 255)}")

    def answer(self, random: Random) -> str:
        """A text that nobody has got before."""
        return " ".join(random.choices(self.sentences, k=random.randint(3, 5)))

    def calls(
        self, account: Account, requests: Sequence[Request], times: Sequence[float], *, attack: bool = False
    ) -> Iterator[Call]:
        """A call for each time. What a conversation quotes as an answer was the answer."""
        random = self.randomness("answers", account.name, times[0] if times else 0)
        following = [*requests[1:], None]
        for request, after, time in zip(requests, following, times, strict=False):
            reply = quoted(request, after) or self.answer(random)
            yield call(time, account, request, reply, attack=attack)


def quoted(request: Request, after: Request | None) -> str:
    """The answer that the next request shows to be this one's, if it goes on with the conversation."""
    if after is None:
        return ""
    said, later = messages(request), messages(after)
    goes_on = len(later) >= 3 and later[-2]["role"] == "assistant" and later[-3]["content"] == said[-1]["content"]
    return later[-2]["content"] if goes_on else ""


def messages(request: Request) -> list[dict[str, str]]:
    """The turns of a body."""
    turns: Any = request.body["messages"]
    found: list[dict[str, str]] = turns
    return found


def call(time: float, account: Account, request: Request, reply: str, *, attack: bool = False) -> Call:
    """A record as docs/audit.md has them, and a line of it."""
    time = round(time, 3)
    name = f"{account.name}@{time:.3f}"
    record = {
        "time": time,
        "account": account.name,
        "tenant": account.tenant,
        "ip": account.address,
        "id": name,
        "path": "/v1/chat/completions",
        "status": 200,
        "request": request.body,
        "usage": {"completion_tokens": request.answer_tokens},
        "reply": reply,
    }
    return Call(time, name, account, json.dumps(record, ensure_ascii=False).encode() + b"\n", attack)


def steady(random: Random, number: int, start: float, hours: float) -> list[float]:
    """As programs call: at any time."""
    return sorted(start + random.random() * hours * HOUR for _ in range(number))


def human(random: Random, number: int, start: float, hours: float) -> list[float]:
    """As people call: some minutes at a stretch, when they are awake."""
    midnight = random.choice((-6, 0, 1, 8)) * HOUR
    times: list[float] = []
    while len(times) < number:
        time = start + random.random() * hours * HOUR
        if random.random() * max(AWAKE) > AWAKE[int((time - midnight) % DAY // HOUR)]:
            continue
        for _ in range(min(random.randint(1, 12), number - len(times))):
            times.append(time)
            time += random.lognormvariate(4.2, 0.8)
    return sorted(time for time in times if time < start + hours * HOUR)


def uneven(random: Random, mean: float, spread: float = 1.0) -> int:
    """How many requests an account sends: few send many."""
    return max(1, round(mean * random.lognormvariate(-spread * spread / 2, spread)))


def ordered(*streams: Iterable[Call]) -> list[Call]:
    """All calls in the order of time."""
    return sorted((one for stream in streams for one in stream), key=lambda one: (one.time, one.id))
