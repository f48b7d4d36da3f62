"""Refusals that are remembered: who has used up a quota of requests is refused here, without asking again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ratelimit_guard._core import remote as _remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores.redis.limiter import RedisLimiter

MAX_REFUSALS = 65_536
"""Remembered at a time, 20 to 60 MB. They are of use for a second; when there are more, all are forgotten."""
MAX_KEYS_LENGTH = 512
"""Of a question whose refusal is remembered, in all: names of accounts, tenants and routes, and no whole documents."""

SLACK_S = 0.001
"""By which it is forgotten early: who waits as told must not be refused by a rounding."""


class Refusals:
    """By limiter, key and cost. Sound, because requests never come back before their time: only a reset or a raised
    limit at another host is seen so much later.
    """

    def __init__(self, now: Callable[[], float], longest_s: float) -> None:
        """`longest_s`: how long one is remembered at most; 0: none is."""
        self._now, self._longest_s = now, longest_s
        self._known: dict[tuple[int, Any, int], tuple[float, float, LimitResult]] = {}

    def get(self, limiter: RedisLimiter, keys: Any, cost: int) -> LimitResult | None:
        """The refusal, with the wait that is left; None: ask."""
        if not self._known:
            return None
        try:
            found = self._known.get((limiter.number, keys, cost))
        except TypeError:  # no key, or no cost: whoever counts will say so
            return None
        if found is None:
            return None
        told_at, until, result = found
        now = self._now()
        if not told_at <= now < until:
            self._known.pop((limiter.number, keys, cost), None)
            return None
        return _remote.aged(result, now - told_at)

    def put(self, limiter: RedisLimiter, keys: Any, cost: int, result: LimitResult) -> None:
        """Remember."""
        wait = min(result.retry_after, self._longest_s) - SLACK_S
        texts = cast("tuple[str | bytes, ...]", keys if isinstance(keys, tuple) else (keys,))
        if wait <= 0 or sum(map(len, texts)) > MAX_KEYS_LENGTH:
            return
        if len(self._known) >= MAX_REFUSALS:
            self._known.clear()
        now = self._now()
        self._known[limiter.number, keys, cost] = (now, now + wait, result)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
