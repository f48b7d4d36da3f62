"""What the load generator saw: the clients' side of the count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.scenario import WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class TenantTally:
    """Answers to one tenant, or to several when added up."""

    admitted: list[int] = field(default_factory=lambda: [0] * WORKERS)  # by worker
    refused: int = 0
    private: int = 0

    @property
    def sent(self) -> int:
        """Requests that got an answer."""
        return sum(self.admitted) + self.refused


@dataclass
class Tally:
    """Answers by tenant."""

    tenants: dict[str, TenantTally] = field(default_factory=dict)

    def count(self, tenant: str, worker: int, admitted: bool, private: bool) -> None:
        """Count one answer; `private` tells what the worker's own limiter would have said."""
        entry = self.tenants.setdefault(tenant, TenantTally())
        if admitted:
            entry.admitted[worker] += 1
        else:
            entry.refused += 1
        entry.private += private

    def total(self, tenants: Iterable[str]) -> TenantTally:
        """The sum over `tenants`."""
        total = TenantTally()
        for name in tenants:
            entry = self.tenants.get(name, TenantTally())
            total.admitted = [had + more for had, more in zip(total.admitted, entry.admitted, strict=True)]
            total.refused += entry.refused
            total.private += entry.private
        return total
