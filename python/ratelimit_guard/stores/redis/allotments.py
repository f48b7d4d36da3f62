"""Allotments: of a key that is asked for all the time, a process takes some units ahead, and decides by itself.

What is taken is charged at once, so nobody is admitted twice for it. But it may be used up to `HELD_S` later than it
was charged: in any window at most the limit and one allotment for each process are admitted. The rest goes back.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.stores.redis.part import Due

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores.redis.limiter import RedisLimiter
    from ratelimit_guard.stores.redis.part import Part

HELD_S = 1.0
"""Units are given back when they were not used for so long."""
HOT = 8
"""Questions for one key within `HELD_S` from which on it is worth taking ahead."""
MAX_WATCHED = 16_384
"""Keys whose questions are counted; when there are more, all counts begin anew: the hot ones are soon back."""

Key = tuple[int, Any]


@dataclass(slots=True)
class Allotment:
    """Units of one key that are charged and not used."""

    limiter: RedisLimiter
    part: Part
    result: LimitResult
    receipts: list[tuple[int, int, int]]
    left: int
    at: float


class Allotments:
    """Of one process. Thread-safe."""

    def __init__(self, size: int, now: Callable[[], float]) -> None:
        """`size`: units that are taken ahead at most."""
        self._size, self._now = size, now
        self._held: dict[Key, Allotment] = {}
        self._asked: dict[Key, int] = {}
        self._since = now()
        self._lock = threading.Lock()

    def take(self, limiter: RedisLimiter, keys: Any, cost: int) -> LimitResult | None:
        """The answer by what is held; None: ask."""
        if not self._held or type(cost) is not int or cost <= 0:
            return None
        held = self._held.get((limiter.number, keys))
        if held is None:
            return None
        with self._lock:
            now = self._now()
            if held.left < cost or not held.at <= now < held.at + HELD_S:
                return None
            held.left -= cost
            left = held.left
        return _remote.aged(held.result, now - held.at, left)

    def wanted(self, limiter: RedisLimiter, keys: Any) -> int:
        """Units to take ahead with this question: 0, unless the key is hot and nobody else of this process asks."""
        key, now = (limiter.number, keys), self._now()
        if not self._since <= now < self._since + HELD_S or len(self._asked) >= MAX_WATCHED:
            self._asked.clear()
            self._since = now
        count = self._asked.get(key, 0) + 1
        self._asked[key] = count
        return self._size if count % HOT == 0 else 0

    def got(self, limiter: RedisLimiter, part: Part, answer: tuple[LimitResult, int, Any]) -> LimitResult:
        """Keep what was taken ahead, and give back what is left of the one before."""
        result, extra, receipts = answer
        if extra == 0:
            return result
        fresh = Allotment(limiter, part, result, receipts, extra, self._now())
        with self._lock:
            before = self._held.pop((limiter.number, part.keys), None)
            self._held[limiter.number, part.keys] = fresh
        if before is not None:
            _give_back(before)
        return _remote.aged(result, 0.0, extra)

    def give_back(self, *, everything: bool = False) -> bool:
        """Give back what is too old, or all. True when something is still held."""
        now = self._now()
        with self._lock:
            old = [key for key, held in self._held.items() if everything or not held.at <= now < held.at + HELD_S]
            given = [self._held.pop(key) for key in old]
        for held in given:
            _give_back(held)
        return bool(self._held)

    def forget(self) -> None:
        """After a fork: what is held is the parent's."""
        self._lock = threading.Lock()
        self._held.clear()
        self._asked.clear()


def _give_back(held: Allotment) -> None:
    left, held.left = held.left, 0
    if left > 0:
        dues = [Due(place, [(mark, born, left)]) for place, (_, mark, born) in enumerate(held.receipts)]
        held.limiter.note(held.part, dues)
