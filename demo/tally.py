"""What became of the requests: counts by kind of tenant while they come, and what the end asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.scenario import CAMPAIGN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.access_log import Restricted
    from ratelimit_guard.simulate import Account, Result

SERVED, REFUSED = 200, (403, 429)


@dataclass
class Row:
    """Counts of a kind. Latencies in seconds, as the client saw them."""

    requests: int = 0
    ok: int = 0
    refused: int = 0
    restricted: int = 0
    degraded: int = 0
    latencies: list[float] = field(default_factory=list[float])

    @property
    def median_ms(self) -> float:
        """0 without any."""
        return 1_000 * median(self.latencies) if self.latencies else 0.0


@dataclass(frozen=True)
class Attack:
    """A request of a campaign that was meant to be learned from."""

    time: float
    served: bool


@dataclass
class Tally:
    """Everything about one simulated day. Grows with its requests, of which there are some thousands."""

    kinds: dict[str, str]
    rows: dict[str, Row]
    attacks: dict[str, Attack] = field(default_factory=dict[str, Attack])
    restricted: dict[str, Restricted] = field(default_factory=dict[str, "Restricted"])
    hurt: set[str] = field(default_factory=set[str])  # honest requests, by their names

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Tally:
        """Nothing yet. The guard calls an account by its tenant's name too."""
        kinds = {f"{one.tenant}/{one.name}": one.kind for one in accounts}
        return cls(kinds, {kind: Row() for kind in dict.fromkeys(kinds.values())})

    def result(self, result: Result) -> None:
        """Count an answer, from the driver."""
        call, status = result.call, result.status
        if status is None or status not in (SERVED, *REFUSED):
            raise DemoError(f"a worker answered {status} to {call.id}: {result.error or 'see its message above'}")
        row = self.rows[call.kind]
        row.requests += 1
        row.ok += status == SERVED
        row.refused += status in REFUSED
        row.latencies.append(result.seconds)
        is_degraded = "guard-degraded" in result.headers
        row.degraded += is_degraded
        if is_degraded and not call.kind.startswith(CAMPAIGN):
            self.hurt.add(call.id)
        if call.attack:
            self.attacks[call.id] = Attack(call.time, status == SERVED)

    def restriction(self, restricted: Restricted) -> None:
        """Count a restricted request, from a worker."""
        kind = self.kinds[restricted.account]
        self.rows[kind].restricted += 1
        self.restricted[restricted.request] = restricted
        if restricted.enforced and restricted.status != SERVED and not kind.startswith(CAMPAIGN):
            self.hurt.add(restricted.request)

    @property
    def requests(self) -> int:
        """Answered so far."""
        return sum(row.requests for row in self.rows.values())

    @property
    def honest(self) -> int:
        """Of these, those of honest tenants."""
        return sum(row.requests for kind, row in self.rows.items() if not kind.startswith(CAMPAIGN))

    @property
    def paid(self) -> dict[str, Restricted]:
        """Requests that drew on a campaign's budget, or found it empty."""
        return {name: one for name, one in self.restricted.items() if one.campaign and one.enforced}
