"""Campaigns: what correlating adds to a request, and what is found when honest traffic grows around a campaign."""

from __future__ import annotations

import random
from functools import partial
from itertools import accumulate
from time import process_time
from typing import TYPE_CHECKING, NamedTuple

import corpus
import harness
from report import Check, Section, Table, command, number

from ratelimit_guard._core import campaign as _campaign
from ratelimit_guard.campaign import Correlator
from ratelimit_guard.detector import Detector
from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness import Figures

METHOD = """\
One request: bodies of 1,024 and 4,096 bytes of one to eight hundred words, 4,000 different ones of 500 accounts in turn;
`read` is `Reader.read`, `detector` is `Detector.observe`, `correlator` is `Correlator.observe` of a prompt that was read,
at the default room and with sixteen million keys of which four million are taken, so that every look-up misses the caches.
Dilution: two days of a campaign of 300 accounts with 26 requests a day each, composed of an opening, a manner and a closing
(12 of each) around a task, and honest accounts around it, each with three favourites among 4,000 popular phrases (drawn by Zipf's law) in three of ten
requests, every tenth account with a template of its own; a day of the same honest accounts is the history. Once, ten times and fifty times as many
honest accounts; the last also with the room that a service of a thousand requests a second would have scaled down
with the traffic, so that keys are forgotten as fast. `served` is the share of the campaign's requests that would not have paid."""

NOTES = (
    "Nobody else correlates accounts of a model API, so there is no peer. Phrases and words are invented: honest people share more than these do.",
)
SIZES = (1 << 10, 4 << 10)
BOUND_US, BOUND_LOSS, BOUND_GIB = 5, 10, 1.5
HONEST, MEMBERS, EACH = 1_000, 300, 52
LARGE, TAKEN = 1 << 24, 4_000_000
SECONDS = 2 * 86_400
PER_KEY, PER_ACCOUNT, PER_ANSWER = 72, 400, 32


class Request(NamedTuple):
    time: float
    account: str
    is_campaign: bool
    text: str


def requests(size: int, count: int) -> list[bytes]:
    words = corpus.Corpus(51)
    return [corpus.chat(("user", words.text(size - 60))) for _ in range(count)]


def step(bodies: Sequence[bytes], large: Correlator) -> Figures:
    """Microseconds of each part."""
    reader, names = Reader(), [f"key_{at % 500:04}" for at in range(len(bodies))]
    prompts = [reader.read(body) for body in bodies]
    detector, small, numbers = Detector(), Correlator(), [str(at) for at in range(len(bodies))]

    def read(keys: Sequence[str]) -> None:
        for key in keys:
            reader.read(bodies[int(key)])

    def detect(keys: Sequence[str]) -> None:
        for key in keys:
            detector.observe(names[int(key)], prompts[int(key)], time=1e9, answer_tokens=200)

    def correlate(correlator: Correlator, keys: Sequence[str]) -> None:
        for key in keys:
            correlator.observe(names[int(key)], prompts[int(key)], time=1e9)

    parts = {
        "read": read,
        "detector": detect,
        "correlator": partial(correlate, small),
        "correlator, large": partial(correlate, large),
    }
    for drive in parts.values():
        drive(numbers)
    return {name: harness.ns_per_call(drive, numbers) / 1_000 for name, drive in parts.items()}


def filled() -> Correlator:
    """One with room for sixteen million keys, a quarter of it taken."""
    correlator, reader, chance = Correlator(keys=LARGE), Reader(), random.Random(52)
    for at in range(TAKEN // 128):
        text = " ".join(f"{chance.getrandbits(40):x}" for _ in range(640))
        correlator.observe(f"filler_{at}", reader.read(corpus.chat(("user", text))), time=1e9)
    return correlator


class Bank:
    """What people and the campaign write."""

    def __init__(self, seed: int) -> None:
        self.words, self.chance = corpus.Corpus(seed), random.Random(seed)
        self.phrases = self.words.sentences(4_000)
        self.weights = list(accumulate(1 / (rank + 5) for rank in range(len(self.phrases))))
        self.parts = [self.words.sentences(12) for _ in range(3)]
        self.frames = self.words.sentences(100_000)

    def honest(self, account: int) -> str:
        """A template of one's own for some, and of what is popular each has three favourites."""
        own = random.Random(account)
        favourites = own.choices(self.phrases, cum_weights=self.weights, k=3)
        frame = [self.frames[account % len(self.frames)]] if account % 10 == 0 else []
        popular = [self.chance.choice(favourites)] if self.chance.random() < 0.3 else []
        return " ".join([*frame, *popular, self.words.sentence(), self.words.sentence()])

    def member(self) -> str:
        opening, manner, closing = [self.chance.choice(parts) for parts in self.parts]
        return f"{opening} {manner}\n\n{self.words.sentence()}\n\n{closing}"


def traffic(bank: Bank, honest: int, members: int, start: float, span: float) -> Iterator[Request]:
    """Ten requests a day of each honest account, 26 of each member, in order."""
    chance, days = bank.chance, span / 86_400
    times = [(chance.random(), False) for _ in range(int(honest * 10 * days))]
    times += [(chance.random(), True) for _ in range(int(members * EACH / 2 * days))]
    for moment, is_campaign in sorted(times):
        account = chance.randrange(members if is_campaign else honest)
        text = bank.member() if is_campaign else bank.honest(account)
        yield Request(start + span * moment, f"{'m' if is_campaign else 'h'}{account}", is_campaign, text)


def dilute(times: int, keys: int) -> tuple[float, int, int]:
    """Served share, honest accounts with a request that would have paid, and requests."""
    bank, reader = Bank(53), Reader()
    history = Correlator(secret=bytes(16))
    for one in traffic(bank, times * HONEST, 0, 1e9, SECONDS / 2):
        history.observe(one.account, reader.read(corpus.chat(("user", one.text))), time=one.time)
    known = history.known(times * HONEST)
    correlator = _campaign.Correlator(bytes(16), known, keys, 1 << 15, 1 << 18)
    served = sent = total = 0
    hurt: set[str] = set()
    for one in traffic(bank, times * HONEST, MEMBERS, 1e9 + SECONDS / 2, SECONDS):
        match = correlator.observe(one.account, reader.read(corpus.chat(("user", one.text))), time=one.time)
        total += 1
        sent += one.is_campaign
        served += one.is_campaign and not match.pays
        if match.pays and not one.is_campaign:
            hurt.add(one.account)
    return served / sent, len(hurt), total


def measure(quick: bool) -> Section:
    rounds = 3 if quick else 7
    made = {size: requests(size, 1_000 if quick else 4_000) for size in SIZES}
    large = filled()
    taken = harness.interleave({str(size): partial(step, bodies, large) for size, bodies in made.items()}, rounds)
    parts = ("read", "detector", "correlator", "correlator, large")
    rows = [[f"{int(size):,}", *[f"{harness.middle(taken[size], part):.2f}" for part in parts]] for size in taken]
    del large
    runs = [(1, 1 << 19), (10, 1 << 19)] if quick else [(1, 1 << 19), (10, 1 << 19), (50, 1 << 22), (50, 1 << 17)]
    found, lines = [], []
    for times, keys in runs:
        start = process_time()
        served, hurt, total = dilute(times, keys)
        found.append(served)
        each = (process_time() - start) / total * 1e6
        lines.append(
            [
                f"{times}x",
                number(times * HONEST),
                number(keys),
                number(total),
                f"{served:.1%}",
                number(hurt),
                f"{each:.0f}",
            ]
        )
    room = (PER_KEY * LARGE + PER_ACCOUNT * (1 << 17) + PER_ANSWER * (1 << 22)) / 2**30
    slow = max(harness.middle(taken[str(1 << 10)], part) for part in parts[2:])
    lost = 100 * (found[1] - found[0])
    checks = [
        Check.at_most("correlating, 1 KB, caches missed", BOUND_US, slow, " µs", 2),
        Check.at_most("points lost when honest accounts are ten times as many", BOUND_LOSS, lost, "", 1),
        Check.at_most("GiB for 16 M keys, 131,072 accounts with shared texts, 4 M answers", BOUND_GIB, room, "", 2),
    ]
    tables = (
        Table("µs a request", ("bytes", *parts), rows),
        Table("a campaign in honest traffic", ("", "honest accounts", "keys", "requests", "served", "honest that would pay", "µs a request, made up and judged"), lines),
    )  # fmt: skip
    return Section("Campaigns", METHOD, tables, checks, NOTES)


if __name__ == "__main__":
    command(measure)
