"""The last words of the demo, with the figures of this run, and what makes it fail."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING

from demo.outcome import common
from demo.scenario import CAMPAIGN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.load import Comparison
    from demo.outcome import Outcome
    from demo.tally import Tally
    from ratelimit_guard.audit import Campaign


def shares(figures: Outcome) -> Iterator[str]:
    """How much of the model got away."""
    yield (
        f"Of {figures.attacks:,} requests that copy the model {figures.before:.1%} came before the campaign was "
        f"convicted, {figures.answered:.1%} got an answer at all: then all its accounts together have what one has."
    )
    yield (
        f"Served without paying from the campaign's budget: live {figures.live:.1%}, "
        f"audit of the same log {figures.audited:.1%} (it judges with the request in hand, workers before it)."
    )


def harm(tally: Tally) -> str:
    """What it cost honest tenants."""
    honest = [row for kind, row in tally.rows.items() if not kind.startswith(CAMPAIGN)]
    paid, refused = sum(row.restricted for row in honest), sum(row.refused for row in honest)
    return (
        f"Honest requests hurt by the detector: {len(tally.hurt)} of {tally.honest:,} "
        f"({paid} drew on a campaign's budget and were answered all the same; {refused} refused by any limit)."
    )


def campaigns(side: str, found: Sequence[Campaign], others: Sequence[Campaign], tally: Tally) -> Iterator[str]:
    """Each campaign, as `side` found it."""
    for one in found:
        honest = sum(not tally.kinds[account].startswith(CAMPAIGN) for account in one.members)
        both = max((common(one, other) for other in others), default=0)
        yield (
            f"{side} {one.name}: {one.kind}, {one.accounts} accounts ({honest} honest, {both} found by both), "
            f"convicted {clock(one.convicted)}"
        )
    if not found:
        yield f"{side}: no campaign"


def latency(comparison: Comparison) -> str:
    """What the guard adds, as clients feel it."""
    (plain, plain_p99), (guarded, guarded_p99) = (_figures(some) for some in (comparison.plain, comparison.guarded))
    return (
        f"Heavy tenants, the same {len(comparison.plain):,} requests both ways: "
        f"median {plain:.2f} ms without the guard, {guarded:.2f} ms with it; "
        f"p99 {plain_p99:.2f} ms and {guarded_p99:.2f} ms."
    )


def failures(tally: Tally, figures: Outcome) -> Iterator[str]:
    """Promises that were not kept."""
    if tally.hurt:
        yield f"FAILED: {len(tally.hurt)} honest requests were refused or degraded because of the detector."
    if not figures.same:
        yield "FAILED: the audit of the run's log does not find the same campaigns."
    if not tally.paid:
        yield "FAILED: nothing was restricted."


def clock(time: float) -> str:
    """Of a simulated day."""
    minutes = int(time % 86_400 // 60)
    return f"at {minutes // 60:02}:{minutes % 60:02} of the simulated day"


def _figures(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds."""
    return 1_000 * median(seconds), 1_000 * quantiles(seconds, n=100)[98]
