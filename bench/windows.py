"""The most requests that get in during any window as long as the quota's own, when the client picks its moments."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from unittest.mock import patch

import harness
import peers
from report import Check, Section, Table, command, number

from ratelimit_guard import Limiter, MemoryStore
from ratelimit_guard.testing import ManualClock

METHOD = """\
Limit 100 per second on a clock that the benchmark moves (ours through `ManualClock`; the peers' modules see a
substitute `time`), in steps of 1/512 s. Arrivals: one request and then everything that gets in from a fraction
of the window on (ten fractions, eight phases against the clock), and forty random sequences of pauses, trickles
and storms. `worst` is the highest count of admitted requests in any half-open window of one second, over all
patterns; `steady` is what a client that never stops asking gets per window: the price of exactness is what is
missing to 100."""

NOTES = (
    "A token bucket admits burst + rate x window by definition; its bound is stated, not hidden: 120 for `burst=20`.",
    "limits' moving window keeps every time stamp (500 B per key and up, see memory) and is exact.",
    "A fixed window or a GCRA with burst = limit admits up to twice the limit in some window, by definition.",
)
LIMIT, TICKS = 100, 512
FRACTIONS = (0.0, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.996)
PHASES = tuple(step / 8 for step in range(8))
ORIGIN_S = 1_000_000

Pattern = list[tuple[int, int]]
"""Ticks, and how often the client asks at each before it gives up (it always stops at a refusal)."""
Driven = tuple[Callable[[str], bool], Callable[[float], None]]
ALL = 10 * LIMIT


def patterns(quick: bool) -> Iterator[Pattern]:
    """A request, a pause and a storm, over all phases; then random pauses, trickles and storms. Four windows each."""
    for phase in PHASES[:: 4 if quick else 1]:
        for fraction in FRACTIONS:
            first, start = int(phase * TICKS), int((phase + fraction) * TICKS)
            yield [(first, 1), *[(tick, ALL) for tick in range(max(start, first + 1), 4 * TICKS)]]
    chance = random.Random(22)
    for _ in range(4 if quick else 40):
        yield random_pattern(chance)


def random_pattern(chance: random.Random) -> Pattern:
    pattern: Pattern = []
    tick = 0
    while tick < 4 * TICKS:
        length, asks = chance.randint(1, TICKS // 2), chance.choice((0, 1, 3, ALL))
        pattern += [(moment, asks) for moment in range(tick, tick + length)]
        tick += length
    return pattern


def admitted_ticks(driven: Driven, pattern: Pattern, key: str, start_s: int) -> list[int]:
    allow, set_time = driven
    times: list[int] = []
    for tick, asks in pattern:
        set_time(start_s + tick / TICKS)
        for _ in range(asks):
            if not allow(key):
                break
            times.append(tick)
    return times


def worst(driven: Driven, quick: bool) -> int:
    runs = enumerate(patterns(quick))
    times = (admitted_ticks(driven, pattern, f"pattern:{turn}", ORIGIN_S + 100 * turn) for turn, pattern in runs)
    return max(harness.worst_window(ticks, TICKS) for ticks in times)


def steady(driven: Driven) -> float:
    """Admitted per window by somebody who asks all the time, over 40 windows after the first two."""
    times = admitted_ticks(driven, [(tick, ALL) for tick in range(42 * TICKS)], "steady", ORIGIN_S + 1_000_000)
    return sum(1 for time in times if time >= 2 * TICKS) / 40


def ours(quota: str) -> Driven:
    clock = ManualClock(ORIGIN_S)
    limiter = Limiter(quota, MemoryStore(clock=clock))
    return lambda key: limiter.acquire(key).allowed, clock.set


class Substitute:
    """A `time` that stands where it is put, in the places where the peers read it."""

    def __init__(self) -> None:
        self.now = float(ORIGIN_S)

    def set(self, seconds: float) -> None:
        self.now = seconds

    def peer(self, make: Callable[[int, int], peers.Contender]) -> Driven:
        return make(LIMIT, 1).allow, self.set

    def __enter__(self) -> Substitute:
        stand_in = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now)
        self.patches = [patch("limits.storage.memory.time", stand_in), patch("throttled.utils.time", stand_in)]
        for each in self.patches:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.patches:
            each.stop()


OURS = {
    "ours strict": (f"{LIMIT}/second", LIMIT),
    "ours token bucket, burst=20": (f"{LIMIT}/second; burst=20", LIMIT + 20),
}
OURS_SLIDING = {"ours sliding-window": f"{LIMIT}/second; algorithm=sliding-window"}
PEERS = {
    "limits fixed window": peers.LimitsFixed,
    "limits sliding window counter": peers.LimitsSliding,
    "limits moving window": peers.LimitsMoving,
    "throttled-py GCRA": peers.ThrottledGcra,
}


def run(quick: bool) -> Section:
    """Worst count in any window."""
    rows, checks = [], []
    for name, (quota, bound) in OURS.items():
        found = worst(ours(quota), quick)
        rows.append([name, number(found), f"{bound}", number(steady(ours(quota)), 1)])
        checks.append(Check.at_most(f"{name}: worst window", bound, found))
    for name, quota in OURS_SLIDING.items():
        rows.append([name, number(worst(ours(quota), quick)), "none in any window", number(steady(ours(quota)), 1)])
    with Substitute() as clock:
        for name, make in PEERS.items():
            rows.append([name, number(worst(clock.peer(make), quick)), "-", number(steady(clock.peer(make)), 1)])
    columns = ("limiter", "worst", "stated bound", "steady")
    return Section("Any window", METHOD, [Table("Admitted, limit 100 per second", columns, rows)], checks, NOTES)


if __name__ == "__main__":
    command(run)
