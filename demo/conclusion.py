"""The last sentences of the demo, with the figures of this run, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.scenario import LIMIT, SMALL, WINDOW_S, WORKERS

if TYPE_CHECKING:
    from demo.audit import Audit
    from demo.tally import Tally


def conclusion(tally: Tally, audit: Audit) -> str:
    """What the run showed, in one sentence."""
    if audit.exceeded:
        worst = max(audit.exceeded, key=lambda tenant: audit.peak[tenant])
        return f"FAILED: {worst} was admitted {audit.peak[worst]} times within {WINDOW_S} s, the limit is {LIMIT}."
    peak = max(audit.peak.values())
    private = max(audit.private_peak.values())
    small = tally.total(tenant.name for tenant in SMALL)
    return (
        f"{WORKERS} processes shared one limit of {LIMIT} per {WINDOW_S} s: "
        f"no tenant was admitted more than {peak} times in any {WINDOW_S} s "
        f"(with a limiter per process: {private}, {private / LIMIT:.1f} times the limit), "
        f"and {small.refused} of {small.sent:,} requests of the {len(SMALL)} small tenants were refused."
    )


def cost(audit: Audit) -> str:
    """What a decision costs, as measured in the workers."""
    return (
        f"Added per decision: {audit.decision_ns:,.0f} ns amid the work of the web server "
        f"(median of {audit.decisions:,}), {audit.warm_ns:,.0f} ns back to back; "
        f"{audit.clock_ns:,.0f} ns of each is reading the clock."
    )
