"""What one decision costs: one hot key, 100,000 known keys, the same keys first seen, a zipf draw, a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import harness
import peers
from harness import Figures
from ours import Ours, OursAsync
from report import Check, Section, Table, command, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

METHOD = """\
Nanoseconds per decision, one thread, wall time, loop included: the `noop` row is the same loop around an empty
Python method and is **not** subtracted, neither from the figures nor before a ratio. Limit 1,000,000 an hour,
never reached, except `refused`: one key with a spent limit of 100 an hour. `hot`: one key. `first`: 100,000 new
keys in random order on fresh state, so first page touches and allocations are in it; `known`: the same keys
once more. `zipf cold`: 200,000 draws, exponent 1.1, over a million keys on fresh state; `zipf`: the same draws
once more, as on a server that has been up for a while."""

NOTES = (
    "throttled-py runs with its memory store raised to 4 million keys: by default it forgets the oldest of 1,024.",
    "pyrate-limiter is keyed by a bucket factory, its documented way, without its background leak thread.",
    "aiolimiter keeps no keys (the caller's dict of limiters is timed) and waits instead of refusing: for scale only.",
    "limits starts a clean-up thread that walks all keys about every 10 ms: its users pay for it, and so do its rows.",
)
SCENARIOS = ("hot", "known", "zipf", "first", "zipf cold", "refused")
TARGETED = ("hot", "known", "zipf", "zipf cold")
BUCKET = "{0}/hour; burst={0}"
SLIDING = "{0}/hour; algorithm=sliding-window"

MAKERS: dict[str, Callable[[int], peers.Contender]] = {
    "noop (loop and an empty method)": lambda _: peers.Noop(),
    "ours strict, memory": lambda limit: Ours(f"{limit}/hour"),
    "ours strict, shared": lambda limit: Ours(f"{limit}/hour", shared=True),
    "ours token bucket, memory": lambda limit: Ours(BUCKET.format(limit)),
    "ours token bucket, shared": lambda limit: Ours(BUCKET.format(limit), shared=True),
    "ours sliding window, memory": lambda limit: Ours(SLIDING.format(limit)),
    "ours sliding window, shared": lambda limit: Ours(SLIDING.format(limit), shared=True),
    "ours strict, memory, awaited": lambda limit: OursAsync(f"{limit}/hour"),
    "limits fixed window": peers.LimitsFixed,
    "throttled-py GCRA": peers.ThrottledGcra,
    "pyrate-limiter GCRA": peers.PyrateGcra,
    "aiolimiter, awaited": peers.Aiolimiter,
}
MEASURED_AGAINST = ("limits fixed window", "throttled-py GCRA")


@dataclass(frozen=True)
class Keys:
    hot: Sequence[str]
    uniform: Sequence[str]
    zipf: Sequence[str]


def make_keys(quick: bool) -> Keys:
    count = 20_000 if quick else 100_000
    return Keys(harness.hot_keys(count), harness.uniform_keys(count), harness.zipf_keys(2 * count, 10 * count))


def measure(make: Callable[[int], peers.Contender], keys: Keys) -> Figures:
    hot, _ = _twice(make, keys.hot)
    first, known = _twice(make, keys.uniform)
    cold, warm = _twice(make, keys.zipf)
    refused = float("nan") if make is peers.Aiolimiter else _refused(make, keys.hot)
    return {"hot": hot, "known": known, "first": first, "zipf": warm, "zipf cold": cold, "refused": refused}


def _twice(make: Callable[[int], peers.Contender], keys: Sequence[str]) -> tuple[float, float]:
    """The same keys on fresh state, and once more."""
    contender = make(1_000_000)
    try:
        return harness.ns_per_call(contender.drive, keys), harness.ns_per_call(contender.drive, keys)
    finally:
        contender.close()


def _refused(make: Callable[[int], peers.Contender], keys: Sequence[str]) -> float:
    contender = make(100)
    try:
        contender.drive(keys[:100])
        return harness.ns_per_call(contender.drive, keys)
    finally:
        contender.close()


def _checks(taken: dict[str, list[Figures]]) -> list[Check]:
    best_peer = harness.better(*[taken[name] for name in MEASURED_AGAINST])
    checks = []
    for scenario in TARGETED:
        faster = harness.ratio(best_peer, taken["ours strict, memory"], scenario)
        what = f"strict on memory against the better of limits (fixed) and throttled-py (GCRA), {scenario}"
        checks.append(Check.times(what, 12, faster, " faster"))
    for scenario in TARGETED:
        dearer = harness.ratio(taken["ours strict, shared"], taken["ours strict, memory"], scenario)
        checks.append(Check.at_most(f"strict on shared memory against memory, {scenario}", 1.5, dearer, "x", 2))
    return checks


def _ratio_rows(taken: dict[str, list[Figures]]) -> list[list[str]]:
    best_peer = harness.better(*[taken[name] for name in MEASURED_AGAINST])
    ours = [name for name in taken if name.startswith("ours")]
    return [[name, *[f"{harness.ratio(best_peer, taken[name], s):.1f}x" for s in SCENARIOS]] for name in ours]


def run(quick: bool) -> Section:
    """Cost of one decision."""
    keys = make_keys(quick)
    contenders = {name: lambda make=make: measure(make, keys) for name, make in MAKERS.items()}
    taken = harness.interleave(contenders, 3 if quick else 9)
    rows = [[name, *[_cell(figures, s) for s in SCENARIOS]] for name, figures in taken.items()]
    tables = [
        Table("Nanoseconds per decision, median of the rounds", ("limiter", *SCENARIOS), rows),
        Table(
            "How many times cheaper than the better of limits and throttled-py",
            ("limiter", *SCENARIOS),
            _ratio_rows(taken),
        ),
    ]
    return Section("One decision", METHOD, tables, _checks(taken), NOTES)


def _cell(figures: Sequence[Figures], scenario: str) -> str:
    value = harness.middle(figures, scenario)
    return "-" if value != value else number(value)


if __name__ == "__main__":
    command(run)
