"""What became of a simulation: counts of each kind, and their table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import floor, log
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.simulate.call import Account
    from ratelimit_guard.simulate.client import Result

STEP = 1.05
"""Ratio between two bins of latency: a median is right within five percent."""

LEAST = 1e-6
"""Seconds of the first bin."""

REFUSED = (403, 429)


@dataclass(slots=True)
class Row:
    """Counts of a kind."""

    accounts: int = 0
    requests: int = 0
    ok: int = 0
    refused: int = 0
    errors: int = 0
    degraded: int = 0
    latencies: Counter[int] = field(default_factory=Counter[int])

    @property
    def median(self) -> float | None:
        """Seconds that half of the answers took, None without any."""
        half, passed = sum(self.latencies.values()) / 2, 0
        for place in sorted(self.latencies):
            passed += self.latencies[place]
            if passed >= half:
                return float(LEAST * STEP ** (place + 0.5))
        return None


class Tally:
    """Counts of all kinds. Memory does not grow with the requests."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.rows: dict[str, Row] = {}
        for one in accounts:
            self.rows.setdefault(one.kind, Row()).accounts += 1

    def sent(self, kind: str) -> None:
        """Count a call that was written to a log."""
        self.rows[kind].requests += 1

    def result(self, result: Result) -> None:
        """Count what a server did with a call."""
        row = self.rows[result.call.kind]
        row.requests += 1
        if result.status is None:
            row.errors += 1
            return
        row.latencies[floor(log(max(result.seconds, LEAST) / LEAST, STEP))] += 1
        row.degraded += "guard-degraded" in result.headers
        if 200 <= result.status < 300:
            row.ok += 1
        elif result.status in REFUSED:
            row.refused += 1
        else:
            row.errors += 1

    def table(self, *, answered: bool) -> Table:
        """A line for each kind; what a server did only if one was `answered` by."""
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        names = ("accounts", "requests", *(("ok", "refused", "errors", "degraded", "median ms") if answered else ()))
        table.add_column("kind", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right")
        for kind, row in self.rows.items():
            cells = [row.accounts, row.requests]
            if answered:
                cells += [row.ok, row.refused, row.errors, row.degraded]
            median = [f"{row.median * 1_000:.1f}" if row.median else "-"] if answered else []
            table.add_row(kind, *(f"{cell:,}" for cell in cells), *median)
        return table
