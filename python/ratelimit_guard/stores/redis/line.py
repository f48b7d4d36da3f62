"""The wire: batches to the server and answers back, blocking or on a loop, within the budget."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import redis
from redis.exceptions import NoScriptError, RedisClusterException

from ratelimit_guard.errors import StoreError
from ratelimit_guard.stores.redis.script import DECIDE, arguments
from ratelimit_guard.stores.redis.wire import caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ratelimit_guard._core.remote import RemoteBatch
    from ratelimit_guard.stores.redis.state import State

TROUBLES = (redis.RedisError, RedisClusterException, OSError, asyncio.TimeoutError, StoreError)
"""What a server, its network or something between may do to a call."""


class SyncLine:
    """Asks from threads; each has a connection of its own while it waits."""

    def __init__(self, state: State) -> None:
        """Nothing is connected yet."""
        self._state = state
        self._client: Any = None

    def call(self, tag: int, batch: RemoteBatch, *, probes: bool = False) -> list[Any] | None:
        """The answers; None when there are none, which the breaker hears of."""
        state = self._state
        breaker = state.breakers[tag]
        if breaker.is_open and not probes:
            return None
        try:
            if self._client is None:
                self._client = caller(state.address, state.budget_s)
            args = arguments(batch, state.now_us())
            try:
                reply = self._client.execute_command(*DECIDE.call(*args))
            except NoScriptError:
                reply = self._client.execute_command(*DECIDE.whole(*args))
            answers = state.read(batch, reply)
        except TROUBLES as error:
            state.failed(tag, error)
            return None
        breaker.succeeded()
        return answers

    def forget(self) -> None:
        """After a fork: the connections are the parent's."""
        self._client = None

    def close(self) -> None:
        """End the connections."""
        client, self._client = self._client, None
        if client is not None:
            end_now(client)


class AsyncLine:
    """Asks from one loop. Its connections end with the loop, without anybody's doing."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing is connected yet."""
        self._state, self.loop, self.budget_s = state, loop, state.budget_s
        self._client: Any = None
        self._keeper: AsyncGenerator[None, None] | None = None

    def noted(self, tag: int) -> RemoteBatch:
        """A new batch, with what was noted for the server meanwhile."""
        return self._state.outbox.batch(tag)

    async def call(self, tag: int, batch: RemoteBatch) -> list[Any] | None:
        """The answers; None when there are none, which the breaker hears of."""
        state = self._state
        breaker = state.breakers[tag]
        if breaker.is_open:
            return None
        try:
            client = self._client if self._client is not None else await self._connect()
            args = arguments(batch, state.now_us())
            try:
                reply = await client.execute_command(*DECIDE.call(*args))
            except NoScriptError:
                reply = await client.execute_command(*DECIDE.whole(*args))
            answers = state.read(batch, reply)
        except TROUBLES as error:
            state.failed(tag, error)
            return None
        breaker.succeeded()
        return answers

    def timed_out(self, tag: int) -> None:
        """A batch had no answer within the budget."""
        self._state.failed(tag, TimeoutError(f"no answer within {self.budget_s * 1_000:g} ms"))

    async def _connect(self) -> Any:
        self._client = self._state.address.client_async(self.budget_s)
        # What a loop's end closes are its asynchronous generators: this one closes the connections.
        self._keeper = self._kept(self._client)
        await anext(self._keeper)
        return self._client

    async def _kept(self, client: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._client = None
            with contextlib.suppress(*TROUBLES, RuntimeError):
                await end(client)

    async def close(self) -> None:
        """End the connections now."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.aclose()


def end_now(client: Any) -> None:
    """Close all connections of a client that blocks."""
    with contextlib.suppress(*TROUBLES):
        client.close()
        pool = getattr(client, "connection_pool", None)
        if pool is None:
            return
        pool.disconnect()
        manager = getattr(pool, "sentinel_manager", None)
        for sentinel in manager.sentinels if manager is not None else ():
            end_now(sentinel)


async def end(client: Any) -> None:
    """Close all connections of an asynchronous client, those to sentinels too."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return
    await pool.disconnect()
    manager = getattr(pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose()


def monotonic() -> float:
    """Seconds for breakers and caches."""
    return time.monotonic()
