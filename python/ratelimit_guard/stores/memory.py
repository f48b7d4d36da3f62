"""Counters of one process and of the children that it forks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard._core import DEFAULT_CAPACITY, Table
from ratelimit_guard.stores._table import TableStore

if TYPE_CHECKING:
    from ratelimit_guard._core import ManualClock


class MemoryStore(TableStore):
    """Counters in anonymous memory, gone when the last process that shares them ends.

    Children forked after it was made share its counters; processes that start afresh do not: use `SharedStore` there.
    `capacity` counters fit, one for each key and policy in use; memory is taken page by page as keys arrive and never
    grows past the table.

    >>> MemoryStore(1_000).capacity >= 1_000
    True
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY, *, clock: ManualClock | None = None) -> None:
        """`ConfigError` for a capacity outside 1..2**31; `clock` is for tests and replays."""
        super().__init__(Table.memory(capacity, clock))

    def __repr__(self) -> str:
        """Class and capacity."""
        return f"MemoryStore(capacity={self.capacity})"
