"""The wire: batches to the server and answers back, blocking or on a loop, within the budget."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException

from ratelimit_guard.errors import StoreError
from ratelimit_guard.stores.redis.deadline import DEADLINE
from ratelimit_guard.stores.redis.keeper import probe
from ratelimit_guard.stores.redis.script import DECIDE, arguments
from ratelimit_guard.stores.redis.wire import caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ratelimit_guard._core.remote import RemoteBatch
    from ratelimit_guard.stores.redis.state import State

TROUBLES = (redis.RedisError, RedisClusterException, OSError, StoreError)
"""What a server, its network or something between may do to a call."""
IN_FLIGHT = 2
"""Batches of a tag under way: while the server works on one, this process reads or writes the other."""
PROBED_S = 1.0
"""The longest that a probe takes to connect and to bring the script: more than any decision may."""


class SyncLine:
    """Asks from threads; each waits on a connection of its own. Nothing bounds the look-up of a host's name."""

    def __init__(self, state: State) -> None:
        """Nothing is connected yet."""
        self._state = state
        self._client: Any = None
        self._lock = threading.Lock()

    def call(self, tag: int, batch: RemoteBatch) -> list[Any] | None:
        """The answers; None when there are none, which the breaker hears of."""
        if self._state.breakers[tag].is_open:
            return None
        return self._call(tag, batch, self._state.budget_s)

    def probe(self, tag: int, batch: RemoteBatch) -> bool:
        """Does a server that was away answer within the budget, once it is connected and has the script?"""
        return self._call(tag, batch, PROBED_S, tells=False) is not None and (
            self._call(tag, batch, self._state.budget_s) is not None
        )

    def _call(self, tag: int, batch: RemoteBatch, within_s: float, *, tells: bool = True) -> list[Any] | None:
        state = self._state
        try:
            with DEADLINE.within(within_s):
                client = self._client or self._connect()
                args = arguments(batch, state.now_us())
                way = at_node(client, args)
                try:
                    reply = client.execute_command(*DECIDE.call(*args), **way)
                except NoScriptError:
                    reply = client.execute_command(*DECIDE.whole(*args), **way)
            answers = state.read(batch, reply)
        except Exception as error:  # noqa: BLE001  whatever a server or its client does: it is no answer, and no more
            state.failed(tag, error)
            return None
        if tells:
            state.breakers[tag].succeeded()
        return answers

    def _connect(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = caller(self._state.address, self._state.budget_s)
            return self._client

    def forget(self) -> None:
        """After a fork: the connections are the parent's."""
        self._client, self._lock = None, threading.Lock()

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
        self._opening: dict[int, asyncio.Task[Any]] = {}
        self._is_ended = False

    def noted(self, tag: int) -> RemoteBatch:
        """A new batch, with what was noted for the server meanwhile."""
        return self._state.batch(tag)

    async def call(self, tag: int, batch: RemoteBatch) -> list[Any] | None:
        """The answers; None when there are none, which the breaker hears of."""
        state = self._state
        breaker = state.breakers[tag]
        if breaker.is_open:
            return None
        was_open = tag in self._opening and self._opening[tag].done()
        try:
            client = await self._opened(tag)
            asked = _asked(client, arguments(batch, state.now_us()))
            # Who waited for a new connection has little time left, and must not cost it.
            answers = state.read(batch, await (asked if was_open else asyncio.shield(asked)))
        except asyncio.CancelledError:
            if was_open:  # a connection less
                self._opening.pop(tag, None)
            raise
        except Exception as error:  # noqa: BLE001  whatever a server or its client does: it is no answer, and no more
            if not self._is_ended:  # else it is the loop's doing, and not the server's
                state.failed(tag, error)
            self._opening.pop(tag, None)
            return None
        breaker.succeeded()
        return answers

    def lost(self, notes: int) -> None:
        """Notes went with a batch that had no answer."""
        self._state.outbox.lost += notes

    def timed_out(self, tag: int) -> None:
        """A batch had no answer within the budget."""
        opening = self._opening.get(tag)
        if opening is not None and not opening.done():  # connecting has a time of its own
            self._state.failures += 1
            return
        self._state.failed(tag, TimeoutError(f"no answer within {self.budget_s * 1_000:g} ms"))

    async def _opened(self, tag: int) -> Any:
        """The client, connected. Connecting goes on when the budget of those who wait for it is used up."""
        opening = self._opening.get(tag)
        if opening is None:
            opening = self._opening[tag] = self.loop.create_task(self._open(tag))
            opening.add_done_callback(lambda task: self._heard(tag, task))
        return opening.result() if opening.done() else await asyncio.shield(opening)

    def _heard(self, tag: int, opening: asyncio.Task[Any]) -> None:
        error = None if opening.cancelled() else opening.exception()
        if error is not None:
            self._opening.pop(tag, None)
        if isinstance(error, (TimeoutError, redis.TimeoutError)):  # of others those hear who wait for it
            self._state.failed(tag, error, at_once=isinstance(error, TimeoutError))

    async def _open(self, tag: int) -> Any:
        """Go the way of decisions on as many connections as they use."""
        if self._client is None:
            self._is_ended = False
            self._client = self._state.address.client_async(self.budget_s)
            # What a loop's end closes are its asynchronous generators: this one closes the connections.
            self._keeper = self._kept(self._client)
            await anext(self._keeper)
        client, commands = (
            self._client,
            [arguments(probe(tag), self._state.now_us()) for _ in range(IN_FLIGHT)],
        )
        async with asyncio.timeout(PROBED_S):
            await asyncio.gather(*(_asked(client, args, brings=True) for args in commands))
        return client

    async def _kept(self, client: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._client, self._opening, self._is_ended = None, {}, True
            with contextlib.suppress(*TROUBLES, RuntimeError):
                await end(client)

    async def close(self) -> None:
        """End the connections now."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.aclose()


async def _asked(client: Any, args: tuple[Any, ...], *, brings: bool = False) -> Any:
    if _is_cluster(client):
        await client.initialize()
    way = at_node(client, args)
    if not brings:
        with contextlib.suppress(NoScriptError):
            return await client.execute_command(*DECIDE.call(*args), **way)
    return await client.execute_command(*DECIDE.whole(*args), **way)


def at_node(client: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    """Of a cluster the node of the first key: redis-py sends scripts to any, and after some redirections ends all
    connections.
    """
    return {"target_nodes": client.get_node_from_key(args[1])} if _is_cluster(client) else {}


def _is_cluster(client: Any) -> bool:
    return isinstance(client, (RedisCluster, redis.asyncio.RedisCluster))


def end_now(client: Any) -> None:
    """Close all connections of a client that blocks."""
    with contextlib.suppress(*TROUBLES):
        if isinstance(client, RedisCluster):
            client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
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
