"""What one worker writes down about its decisions, and the report that it hands over at the end."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass, field
from statistics import median
from time import monotonic_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = 2_001

# Between these two instants of CLOCK_MONOTONIC, the same clock in every process, the limiter decided.
Span = tuple[int, int]


@dataclass
class TenantEntry:
    """One tenant at one worker: admissions of the shared limiter, and of the private one that only counts."""

    admitted: list[Span] = field(default_factory=list)
    refused: int = 0
    private: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """Everything that a worker saw. Every time of a decision includes two clock readings.

    `decision_ns`: one figure per request, taken between the work of the web server; `warm_ns`: the median of decisions
    taken back to back; `clock_ns`: the clock readings alone.
    """

    tenants: dict[str, TenantEntry]
    decision_ns: list[int]
    warm_ns: float
    clock_ns: float

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Report:
        """Read what `to_json` wrote."""
        raw = json.loads(line)
        tenants = {name: TenantEntry(**entry) for name, entry in raw["tenants"].items()}
        return cls(tenants, raw["decision_ns"], raw["warm_ns"], raw["clock_ns"])


class Ledger:
    """Counts of one worker. Grows with the run, which `scenario.MAX_SECONDS` bounds."""

    def __init__(self) -> None:
        self._tenants: dict[str, TenantEntry] = {}
        self._decision_ns = array("q")

    def write(self, tenant: str, span: Span, allowed: bool, private_span: Span, private_allowed: bool) -> None:
        """Note one request: when each limiter decided, and what it said."""
        entry = self._tenants.setdefault(tenant, TenantEntry())
        self._decision_ns.append(span[1] - span[0])
        if allowed:
            entry.admitted.append(span)
        else:
            entry.refused += 1
        if private_allowed:
            entry.private.append(private_span)

    def report(self, decide: Callable[[], object]) -> Report:
        """Close the book; `decide` is one decision that counts for no tenant."""
        return Report(self._tenants, self._decision_ns.tolist(), _median_ns(decide), _median_ns(None))


def _median_ns(call: Callable[[], object] | None) -> float:
    """Median time of `call`, or of nothing, between two clock readings."""
    times = []
    for _ in range(SAMPLES):
        began = monotonic_ns()
        if call is not None:
            call()
        times.append(monotonic_ns() - began)
    return median(times)
