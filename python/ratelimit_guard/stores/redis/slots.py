"""Permits at the server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ratelimit_guard.stores.redis.asking import Ask, ask, ask_async
from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.part import Due

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores.redis.asking import Way
    from ratelimit_guard.stores.redis.limiter import RedisLimiter
    from ratelimit_guard.stores.redis.part import Part


class RedisSlot:
    """A permit at the server."""

    def __init__(
        self, limiter: RedisLimiter, part: Part, result: LimitResult, held: list[tuple[int, Any, int, int]]
    ) -> None:
        """`held`: place, key, mark and life of each slot."""
        self._limiter, self._part, self.result, self._held = limiter, part, result, held
        self._process = os.getpid()

    def release(self) -> bool:
        """Free the slot. True when it was still held."""
        return ask(self._limiter.store, self._release())

    async def release_async(self) -> bool:
        """`release` without blocking the loop."""
        return await ask_async(self._limiter.store, self._release())

    def renew(self) -> bool:
        """Start the lease anew. False when the slot is gone."""
        return ask(self._limiter.store, self._renew())

    async def renew_async(self) -> bool:
        """`renew` without blocking the loop."""
        return await ask_async(self._limiter.store, self._renew())

    def give_up(self) -> None:
        """Free the slot without waiting for it."""
        held, self._held = self._held, []
        if held and self._process == os.getpid():
            self._limiter.note(self._part, [Due(place, [(mark, born, 1)]) for place, _, mark, born in held])

    def _release(self) -> Way[bool]:
        if not self._held or self._process != os.getpid():
            return False
        held, self._held = self._held, []
        dues = [Due(place, [(mark, born, 1)]) for place, _, mark, born in held]
        [answer] = yield Ask(self._part.tag, (self._part.settle(dues),))
        if answer is FAILED:
            self._limiter.note(self._part, dues)
            return False
        return bool(answer)

    def _renew(self) -> Way[bool]:
        if not self._held or self._process != os.getpid():
            return False
        puts = tuple(self._part.renew(place, key, mark, born) for place, key, mark, born in self._held)
        answers = yield Ask(self._part.tag, puts)
        if FAILED in answers:
            return False
        both = zip(self._held, answers, strict=True)
        self._held = [(place, key, mark, born) for (place, key, _, born), mark in both if mark is not None]
        if None in answers:
            yield from self._release()
            return False
        return True
