"""What three policies in one acquire cost against one policy, and against three calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import harness
from harness import Figures
from ours import Ours
from report import Check, Section, Table, command, number

from ratelimit_guard import Limiter, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

METHOD = """\
Nanoseconds per decision on the memory store, wall time, loop included. One strict policy (1,000,000 an hour),
three strict policies of different windows in one limiter (all pay or none pays), and, as the yardstick, three
limiters called one after the other. `known`: 100,000 keys seen before, in random order; a policy has a counter
of its own, so three policies touch three cache lines or more."""

ONE = "1000000/hour"
THREE = [Policy("minute", "1000000/minute"), Policy("hour", "1000000/hour"), Policy("day", "1000000/day")]
SCENARIOS = ("hot", "known")


class ThreeCalls(Ours):
    """Three limiters on one store, asked in turn: no atomicity, three results."""

    def __init__(self) -> None:
        super().__init__(THREE[0:1])
        self.others = [Limiter([policy], self.store) for policy in THREE[1:]]

    def drive(self, keys: Sequence[str]) -> None:
        first, (second, third) = self.limiter, self.others
        for key in keys:
            first.acquire(key)
            second.acquire(key)
            third.acquire(key)


MAKERS = {
    "one policy": lambda: Ours(ONE),
    "three policies, one acquire": lambda: Ours(THREE),
    "one policy, shared": lambda: Ours(ONE, shared=True),
    "three policies, one acquire, shared": lambda: Ours(THREE, shared=True),
    "three limiters, three acquires": ThreeCalls,
}


def measure(contender: Ours, hot: Sequence[str], uniform: Sequence[str]) -> Figures:
    contender.drive(uniform)
    figures = {"known": harness.ns_per_call(contender.drive, uniform), "hot": harness.ns_per_call(contender.drive, hot)}
    contender.close()
    return figures


def run(quick: bool) -> Section:
    """Three policies in one acquire against one."""
    count = 20_000 if quick else 100_000
    hot, uniform = harness.hot_keys(count), harness.uniform_keys(count)
    contenders = {name: lambda make=make: measure(make(), hot, uniform) for name, make in MAKERS.items()}
    taken = harness.interleave(contenders, 3 if quick else 11)
    rows = [[name, *[number(harness.middle(figures, s)) for s in SCENARIOS]] for name, figures in taken.items()]
    checks = [_check(taken, store, scenario) for store in ("", ", shared") for scenario in SCENARIOS]
    return Section(
        "Several policies at once", METHOD, [Table("Nanoseconds per decision", ("limiter", *SCENARIOS), rows)], checks
    )


def _check(taken: dict[str, list[Figures]], store: str, scenario: str) -> Check:
    times = harness.ratio(taken[f"three policies, one acquire{store}"], taken[f"one policy{store}"], scenario)
    return Check.at_most(f"three policies against one, {scenario}{store or ', memory'}", 2, times, "x", 2)


if __name__ == "__main__":
    command(run)
