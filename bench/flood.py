"""Ten million random keys against a table for one million: the exhausted stay refused and nothing slows down."""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

from harness import percentile
from report import Check, Section, Table, command, number

from ratelimit_guard import Limiter, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHOD = """\
Table for 1,048,576 keys, strict 10 an hour. A thousand keys are exhausted, then random keys never seen before
arrive, ten million of them, with the policy `on_full="refuse"`. One call in 16 is timed by itself (nanoseconds,
the two clock reads included, alike in all rows). For comparison: fresh keys on an empty table of the same size
up to half its capacity (their first touch of each page included), the same fresh keys on a table with room for
all ten million, and known keys on a half full table. The second flood comes with `confirmed=False`."""

NOTES = ("The first touch of a page of the table is a page fault; on the empty tables it is what the p99 shows.",)
CAPACITY = 1_048_576
QUOTA, LIMIT = "10/hour", 10
EXHAUSTED = [f"exhausted:{number}" for number in range(1_000)]
EVERY = 16
BATCH = 16_384


@dataclass
class Seen:
    """Timed calls, and how many of all calls were allowed."""

    sample_ns: list[int]
    calls: int = 0
    allowed: int = 0

    def p99(self) -> int:
        return percentile(sorted(self.sample_ns), 0.99)


def batches(count: int, seed: int) -> Iterator[list[str]]:
    """Random keys, a batch at a time, made while nobody is timed."""
    chance = random.Random(seed)
    for _ in range(count // BATCH):
        yield [f"{chance.getrandbits(80):020x}" for _ in range(BATCH)]


def ask(limiter: Limiter, keys: Sequence[str], seen: Seen, confirmed: bool = True) -> None:
    gc.disable()
    for position, key in enumerate(keys):
        if position % EVERY:
            allowed = limiter.acquire(key, 1, confirmed)
        else:
            start = perf_counter_ns()
            allowed = limiter.acquire(key, 1, confirmed)
            seen.sample_ns.append(perf_counter_ns() - start)
        seen.allowed += 1 if allowed else 0
    seen.calls += len(keys)
    gc.enable()


def flood(limiter: Limiter, count: int, seed: int, confirmed: bool = True) -> Seen:
    seen = Seen([])
    for keys in batches(count, seed):
        ask(limiter, keys, seen, confirmed)
    return seen


def exhaust(limiter: Limiter) -> None:
    for key in EXHAUSTED:
        for _ in range(LIMIT):
            limiter.acquire(key)


def forgotten(limiter: Limiter) -> int:
    """Exhausted keys that would get in again."""
    return sum(1 for key in EXHAUSTED if limiter.acquire(key))


def known(limiter: Limiter, count: int) -> Seen:
    """Known keys in another order, after a first pass that only makes them known."""
    keys = [key for batch in batches(count, 31) for key in batch]
    ask(limiter, keys, Seen([]))
    random.Random(32).shuffle(keys)
    seen = Seen([])
    ask(limiter, keys, seen)
    return seen


def fresh_limiter(capacity: int = CAPACITY) -> Limiter:
    return Limiter(QUOTA, MemoryStore(capacity), on_full="refuse")


def row(name: str, seen: Seen) -> list[str]:
    ordered = sorted(seen.sample_ns)
    figures = [number(percentile(ordered, share)) for share in (0.5, 0.99, 0.999)]
    return [name, number(seen.calls), number(seen.allowed), *figures, number(ordered[-1])]


def run(quick: bool) -> Section:
    """A flood of random keys."""
    count, half = (3 * CAPACITY if quick else 10_000_000), CAPACITY // 2
    empty = flood(fresh_limiter(), half, 33)
    roomy = flood(fresh_limiter(count), count, 34)
    familiar = known(fresh_limiter(), half)
    target = fresh_limiter()
    exhaust(target)
    filling = flood(target, 2 * CAPACITY, 35)
    full = flood(target, count - 2 * CAPACITY, 36)
    lost, cells = forgotten(target), target.store.stats()["cells"]
    strangers, strangers_checks = flood_of_strangers(count // 4)
    rows = [
        row("fresh keys, empty table, to half of its capacity", empty),
        row("fresh keys, a table with room for all", roomy),
        row("known keys, half full table", familiar),
        row("flood, first two capacities", filling),
        row("flood, the rest, table full", full),
        row("flood of unconfirmed keys", strangers),
    ]
    checks = [
        Check.exactly("exhausted keys let in again after the flood", 0, lost),
        Check.at_most("flood keys admitted: no more than the table has cells", cells, filling.allowed + full.allowed),
        Check.at_most("p99 when full against fresh keys with room", 5, full.p99() / roomy.p99(), "x", 2),
        Check.at_most("p99 when full against known keys (harder)", 5, full.p99() / familiar.p99(), "x", 2),
        *strangers_checks,
    ]
    columns = ("phase", "calls", "allowed", "p50", "p99", "p99.9", "worst")
    return Section("Flood of random keys", METHOD, [Table("Nanoseconds per decision", columns, rows)], checks, NOTES)


def flood_of_strangers(count: int) -> tuple[Seen, list[Check]]:
    """Keys that nobody vouches for, then ten thousand confirmed newcomers and the exhausted ones again."""
    limiter = fresh_limiter()
    exhaust(limiter)
    seen = flood(limiter, count, 37, confirmed=False)
    newcomers = sum(1 for number in range(10_000) if limiter.acquire(f"customer:{number}"))
    return seen, [
        Check.exactly("unconfirmed flood: exhausted keys let in again", 0, forgotten(limiter)),
        Check.exactly("unconfirmed flood: confirmed newcomers admitted", 10_000, newcomers),
    ]


if __name__ == "__main__":
    command(run)
