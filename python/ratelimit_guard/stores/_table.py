"""What both table stores do: bind policies to a fixed-size table and tell how full it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard._core import Table, TableLimiter
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.stores import OnFull


class TableStore:
    """A store over one table."""

    def __init__(self, table: Table) -> None:
        """Keep the table; nothing else is held."""
        self._table = table

    @property
    def capacity(self) -> int:
        """Counters that fit, one for each key and policy in use."""
        return self._table.capacity

    def bind(self, namespace: str, policies: Sequence[Policy], on_full: OnFull = "refuse") -> TableLimiter:
        """Give the policies their counters. `ConfigError` for none, more than 16, or two of one name."""
        return self._table.limiter(namespace, [(policy.name, policy.quota) for policy in policies], on_full)

    def leases(self) -> dict[str, int]:
        """`live`, `reclaimed` and `unlisted`: what reservations hold, for operators. Cheap."""
        return self._table.leases()

    def keep(self) -> int:
        """Renew this process's leases and take back those of dead ones, now; how many.

        For tests with a `ManualClock`: otherwise a thread does so each second.
        """
        return self._table.keep()

    def stats(self) -> dict[str, int]:
        """`cells`, `live`, `full_refused` and `full_allowed`, for operators.

        Walks the whole table, about 2 ns per cell while other threads go on, and touches each of its pages, so a
        `MemoryStore` then takes its whole size.
        """
        return self._table.stats()
