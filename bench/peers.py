"""Adapters to the peers, each called as its documentation shows, one attribute access and one call per decision."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import limits
import pyrate_limiter
import throttled
from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS_ITEMS = {1: limits.RateLimitItemPerSecond, 60: limits.RateLimitItemPerMinute, 3600: limits.RateLimitItemPerHour}
THROTTLED_QUOTAS = {1: throttled.per_sec, 60: throttled.per_min, 3600: throttled.per_hour}


class Contender:
    """One limiter with fresh state: `limit` decisions per `window_s` and key."""

    def allow(self, key: str) -> bool:
        raise NotImplementedError

    def drive(self, keys: Sequence[str]) -> None:
        """One decision per key in a tight loop, results dropped."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the interpreter would not."""


class Noop(Contender):
    """What the loop and a method call cost by themselves."""

    def acquire(self, key: str) -> bool:  # noqa: ARG002
        return True

    def drive(self, keys: Sequence[str]) -> None:
        limiter = self
        for key in keys:
            limiter.acquire(key)


class Limits(Contender):
    strategy: type[limits.strategies.RateLimiter]

    def __init__(self, limit: int, window_s: int = 3600) -> None:
        self.storage = limits.storage.MemoryStorage()
        self.limiter = self.strategy(self.storage)
        self.item = LIMITS_ITEMS[window_s](limit)

    def allow(self, key: str) -> bool:
        return self.limiter.hit(self.item, key)

    def drive(self, keys: Sequence[str]) -> None:
        limiter, item = self.limiter, self.item
        for key in keys:
            limiter.hit(item, key)

    def close(self) -> None:
        self.storage.reset()


class LimitsFixed(Limits):
    strategy = limits.strategies.FixedWindowRateLimiter


class LimitsSliding(Limits):
    strategy = limits.strategies.SlidingWindowCounterRateLimiter


class LimitsMoving(Limits):
    strategy = limits.strategies.MovingWindowRateLimiter


class ThrottledGcra(Contender):
    def __init__(self, limit: int, window_s: int = 3600) -> None:
        # its default store holds 1,024 keys and forgets the oldest: every row here would measure evictions
        store = throttled.MemoryStore(options={"MAX_SIZE": 4_000_000})
        quota = THROTTLED_QUOTAS[window_s](limit)
        self.limiter = throttled.Throttled(using=throttled.RateLimiterType.GCRA.value, quota=quota, store=store)

    def allow(self, key: str) -> bool:
        return not self.limiter.limit(key).limited

    def drive(self, keys: Sequence[str]) -> None:
        limiter = self.limiter
        for key in keys:
            limiter.limit(key)


class _Buckets(pyrate_limiter.BucketFactory):
    """One bucket per key, without its background leak thread, which would only cost it time here."""

    def __init__(self, rate: pyrate_limiter.Rate) -> None:
        self.rates = [rate]
        self.clock = pyrate_limiter.MonotonicClock()
        self.by_name: dict[str, pyrate_limiter.AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> pyrate_limiter.RateItem:
        return pyrate_limiter.RateItem(name, self.clock.now(), weight=weight)

    def get(self, item: pyrate_limiter.RateItem) -> pyrate_limiter.AbstractBucket:
        bucket = self.by_name.get(item.name)
        if bucket is None:
            bucket = self.by_name[item.name] = pyrate_limiter.StateBucket(self.rates)
        return bucket


class PyrateGcra(Contender):
    def __init__(self, limit: int, window_s: int = 3600) -> None:
        self.limiter = pyrate_limiter.Limiter(_Buckets(pyrate_limiter.Rate(limit, window_s * 1000)))

    def allow(self, key: str) -> bool:
        return bool(self.limiter.try_acquire(key, blocking=False))

    def drive(self, keys: Sequence[str]) -> None:
        limiter = self.limiter
        for key in keys:
            limiter.try_acquire(key, blocking=False)


class Aiolimiter(Contender):
    """Keeps no keys: the caller's dict of limiters does. It waits and never refuses."""

    def __init__(self, limit: int, window_s: int = 3600) -> None:
        self.limit, self.window_s = limit, window_s
        self.by_key: dict[str, AsyncLimiter] = {}
        self.runner = asyncio.Runner()

    def drive(self, keys: Sequence[str]) -> None:
        self.runner.run(self._drive(keys))

    async def _drive(self, keys: Sequence[str]) -> None:
        by_key, limit, window_s = self.by_key, self.limit, self.window_s
        for key in keys:
            limiter = by_key.get(key)
            if limiter is None:
                limiter = by_key[key] = AsyncLimiter(limit, window_s)
            await limiter.acquire()

    def close(self) -> None:
        self.runner.close()
