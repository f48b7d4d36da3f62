"""Connections that the server ends while nobody asks: by `timeout`, a restart, a proxy that tires of idle ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from live.helpers import spin
from ratelimit_guard import AsyncLimiter, Limiter
from ratelimit_guard.stores.redis import RedisStore

if TYPE_CHECKING:
    from servers.server import Server

BUDGET_S = 1.0


def test_thread_whose_idle_connection_was_ended_connects_again(redis_server: Server) -> None:
    """Nobody sees it: there is no failure, and the next call is counted."""
    store = RedisStore(redis_server.url, budget_s=BUDGET_S)
    limiter = Limiter("100/hour", store)
    for used in range(3):
        assert limiter.acquire("alice").remaining == 99 - used
        end_all(redis_server)
    assert store.stats()["failures"] == 0
    store.close()


async def test_loop_whose_idle_connections_were_ended_connects_again(redis_server: Server) -> None:
    """The same for tasks."""
    store = RedisStore(redis_server.url, budget_s=BUDGET_S)
    limiter = AsyncLimiter("100/hour", store)
    for used in range(3):
        assert (await limiter.acquire("alice")).remaining == 99 - used
        end_all(redis_server)
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(store.stats))["failures"] == 0
    await store.aclose()
    store.close()


def test_every_outage_ends(redis_server: Server) -> None:
    """Also the second one, where the thread that probes has a connection from the first."""
    store = RedisStore(redis_server.url, budget_s=BUDGET_S)
    limiter = Limiter("100/hour", store)
    for _ in range(3):
        redis_server.stop()
        limiter.acquire("alice")
        assert store.is_down
        redis_server.start()
        spin(lambda: not store.is_down, "the store did not see that the server is back")
    store.close()


def end_all(server: Server) -> None:
    """End everybody's connection."""
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
