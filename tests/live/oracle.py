"""An attacker that watches its own refusals and tunes its prompts by them, beside a blind one of the same means.

Both have 60 accounts, three banks of 24 phrases, and as many new tasks as they like; each of three rounds is a
simulated day of 26 requests an account. After a round the oracle knows which of its requests were refused, and draws
one of five conclusions, or all of them. `python -m live.oracle` from `tests` prints what each is worth.
"""

# ruff: noqa: T201  it is run by hand, too

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from live.world import START, World
from ratelimit_guard.simulate import SCENARIOS, Call, generate, phrases
from ratelimit_guard.simulate.campaigns import bank, task
from ratelimit_guard.simulate.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS, REQUESTS, ROUNDS = 60, 26, 3
DAY = 86_400.0
BUDGET = "2/hour"
"""Of a campaign: so small that what counts is what slips through beside it."""
PARTS = (phrases.OPENINGS, phrases.MANNERS, phrases.CLOSINGS)
TACTICS = ("pieces", "dose", "accounts", "wording", "rest")


class Attempt(NamedTuple):
    """A request of the attacker: when, by which account, with which phrases, by their numbers."""

    time: float
    account: int
    pieces: tuple[tuple[int, int], ...]
    text: str


@dataclass
class Attacker:
    """Composes prompts; with `tactics` it learns from what was refused."""

    seed: int
    tactics: tuple[str, ...] = ()
    doses: tuple[int, ...] = (3,)
    served: Counter[object] = field(default_factory=Counter)
    tried: Counter[object] = field(default_factory=Counter)
    rests: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"attacker {self.seed}")  # noqa: S311  a simulation
        self.writer = Writer(f"oracle {self.seed}")
        self.banks = [bank(self.writer, patterns) for patterns in PARTS]

    def round(self, number: int) -> Iterator[Attempt]:
        """A day of attempts in order of time."""
        moments = sorted(self.rng.uniform(0, DAY) for _ in range(ACCOUNTS * REQUESTS))
        for place, moment in enumerate(moments):
            account = self._account(place)
            if account is not None:
                yield self._attempt(START + number * DAY + moment, account)

    def told(self, attempt: Attempt, *, is_served: bool) -> None:
        """What came of an attempt."""
        for what in (attempt.account, len(attempt.pieces), *attempt.pieces):
            self.tried[what] += 1
            self.served[what] += is_served

    def conclude(self) -> None:
        """Between two rounds."""
        if "dose" in self.tactics:
            self.doses = (3, 2, 1) if self.doses == (3,) else (max(self.doses, key=self._rate),)
        if "wording" in self.tactics:
            self._reword()
        if "rest" in self.tactics:  # accounts that were refused most keep quiet for a round
            ranked = sorted(range(ACCOUNTS), key=self._rate)
            self.rests = set(ranked[: ACCOUNTS // 3])

    def _account(self, place: int) -> int | None:
        account = place % ACCOUNTS
        if "accounts" in self.tactics and self.tried:
            account = max((self.rng.randrange(ACCOUNTS) for _ in range(3)), key=self._rate)
        return None if account in self.rests else account

    def _attempt(self, time: float, account: int) -> Attempt:
        dose = self.rng.choice(self.doses)
        pieces = tuple((part, self._piece(part)) for part in sorted(self.rng.sample(range(len(PARTS)), dose)))
        said = [self.banks[part][piece] for part, piece in pieces]
        return Attempt(time, account, pieces, "\n".join((*said[:2], "", task(self.writer), "", *said[2:])))

    def _piece(self, part: int) -> int:
        drawn = [self.rng.randrange(len(self.banks[part])) for _ in range(4 if "pieces" in self.tactics else 1)]
        return max(drawn, key=lambda piece: self._rate((part, piece)))

    def _rate(self, what: object) -> float:
        return (self.served[what] + 1) / (self.tried[what] + 2)

    def _reword(self) -> None:
        """In each phrase that was refused more often than not, another word every six."""
        for part, phrases_of in enumerate(self.banks):
            for piece, phrase in enumerate(phrases_of):
                if self._rate((part, piece)) < 0.5:
                    words = phrase.split()
                    for place in range(self.rng.randrange(6), len(words), 6):
                        words[place] = self.rng.choice(FILLERS)
                    phrases_of[piece] = " ".join(words)


FILLERS = (
    "kindly",
    "rather",
    "plainly",
    "first",
    "then",
    "also",
    "really",
    "simply",
    "surely",
    "fully",
    "here",
    "soundly",
)


class Outcome(NamedTuple):
    """Served and attempted requests of each round, and honest requests that were refused."""

    served: tuple[int, ...]
    attempts: tuple[int, ...]
    hurt: int


def run(attacker: Attacker, budget: str | None) -> Outcome:
    """Three rounds against a fresh guard, with the honest accounts of the simulator's small scenario beside. Without a
    budget the campaign has that of one account, 30 an hour.
    """
    with World(campaign=budget) as world:
        served, attempts, hurt = [], [], 0
        for number in range(ROUNDS):
            passed = tried = 0
            honest: Iterator[tuple[float, Call | Attempt]] = _honest(attacker.seed, number)
            mine = ((attempt.time, attempt) for attempt in attacker.round(number))
            for time, one in heapq.merge(honest, mine, key=lambda pair: pair[0]):
                if isinstance(one, Attempt):
                    is_served = world.ask(time, f"account-{one.account}", one.text)
                    attacker.told(one, is_served=is_served)
                    tried, passed = tried + 1, passed + is_served
                else:
                    hurt += not world.send(time, one.tenant, one.account, one.body, one.answer, one.answer_tokens)
            attacker.conclude()
            served.append(passed)
            attempts.append(tried)
    return Outcome(tuple(served), tuple(attempts), hurt)


def _honest(seed: int, day: int) -> Iterator[tuple[float, Call | Attempt]]:
    """The same people every day, with other words."""
    scenario = SCENARIOS["small"].before(1.0)
    shift = START + day * DAY - scenario.start
    return ((call.time + shift, call) for call in generate(scenario, seed + day))


def gain(oracle: Outcome, blind: Outcome) -> float:
    """Served answers after the first round, over those of the blind attacker."""
    return sum(oracle.served[1:]) / max(1, sum(blind.served[1:]))


def main() -> None:
    for seed, budget in ((1, None), (2, None), (1, BUDGET), (2, BUDGET)):
        blind = run(Attacker(seed), budget)
        print(f"seed {seed}, budget {budget or '30/hour'}: blind {blind}")
        for tactics in (*((one,) for one in TACTICS), TACTICS):
            found = run(Attacker(seed, tactics), budget)
            print(f"  {'+'.join(tactics):40} gain {gain(found, blind):.2f}  {found}", flush=True)


if __name__ == "__main__":
    main()
