"""Was the shared limit ever exceeded? Answered from the workers' own time stamps, not from what the limiter says."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from demo.scenario import LIMIT, WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from demo.ledger import Report, Span

WINDOW_NS = WINDOW_S * 1_000_000_000


@dataclass(frozen=True)
class Audit:
    """The most that was admitted in any window, by tenant: together, and with a limiter per process."""

    peak: dict[str, int]
    private_peak: dict[str, int]
    admitted: int
    refused: int
    decision_ns: float
    warm_ns: float
    clock_ns: float

    @property
    def exceeded(self) -> list[str]:
        """Tenants that got more than the limit in some window."""
        return [tenant for tenant, peak in self.peak.items() if peak > LIMIT]

    @property
    def decisions(self) -> int:
        """Requests that the workers decided."""
        return self.admitted + self.refused


def audit(reports: Sequence[Report]) -> Audit:
    """Merge the workers' reports and look at every window."""
    tenants = {tenant for report in reports for tenant in report.tenants}
    entries = {tenant: [report.tenants[tenant] for report in reports if tenant in report.tenants] for tenant in tenants}
    everything = [entry for parts in entries.values() for entry in parts]
    return Audit(
        peak={tenant: busiest(span for part in parts for span in part.admitted) for tenant, parts in entries.items()},
        private_peak={tenant: busiest(span for p in parts for span in p.private) for tenant, parts in entries.items()},
        admitted=sum(len(entry.admitted) for entry in everything),
        refused=sum(entry.refused for entry in everything),
        decision_ns=median(ns for report in reports for ns in report.decision_ns),
        warm_ns=median(report.warm_ns for report in reports),
        clock_ns=median(report.clock_ns for report in reports),
    )


def busiest(spans: Iterable[Span], window_ns: int = WINDOW_NS) -> int:
    """The most decisions that certainly fell into one window.

    Only spans that lie whole inside a window count for it: a worker that lost the processor between its two clock
    readings must not look like a broken limit.
    """
    spans = list(spans)
    begins = sorted(begin for begin, _ in spans)
    ends = sorted(end for _, end in spans)
    return max((bisect_left(ends, begin + window_ns) - bisect_left(begins, begin) for begin in begins), default=0)
