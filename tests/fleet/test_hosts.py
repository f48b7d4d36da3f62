"""Two hosts of four processes each, callers that block and callers on loops: exactly the limit."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from conftest import PATIENCE_S
from ratelimit_guard import AsyncLimiter, Limiter
from ratelimit_guard.stores.redis import RedisStore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PROCESSES = 8
ATTEMPTS = 250
QUOTA = "1000/hour"
ASIDE = "700/hour; burst=700"


def host(url: str, number: int, pipe: Connection) -> None:
    """A process with a store of its own: ready, go, how many of each quota it got and how many calls had no answer."""
    store = RedisStore(url, budget_s=PATIENCE_S, refusal_cache_s=0)
    work = _on_loop if number % 2 else _in_threads
    pipe.send("ready")
    pipe.recv()
    pipe.send((work(store, QUOTA), work(store, ASIDE), store.state.failures))
    store.close()


def _on_loop(store: RedisStore, quota: str) -> int:
    async def ask() -> int:
        limiter = AsyncLimiter(quota, store)
        return sum(map(bool, await asyncio.gather(*(limiter.acquire("everyone") for _ in range(ATTEMPTS)))))

    return asyncio.run(ask())


def _in_threads(store: RedisStore, quota: str) -> int:
    limiter = Limiter(quota, store)
    with ThreadPoolExecutor(4) as threads:
        return sum(map(bool, threads.map(limiter.acquire, ["everyone"] * ATTEMPTS)))


def test_processes_of_two_hosts_get_exactly_the_limit(redis_url: str) -> None:
    """Two thousand attempts at once; the server is the only thing that the processes share."""
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(PROCESSES):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=host, args=(redis_url, number, theirs))
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        assert [pipe.recv() for pipe in pipes] == ["ready"] * PROCESSES
        for pipe in pipes:
            pipe.send("go")
        told = [pipe.recv() for pipe in pipes]
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(30)
            process.kill()
    strict, bucket, failures = (sum(column) for column in zip(*told, strict=True))
    assert (strict, failures) == (1000, 0)
    assert 700 <= bucket <= 705  # one comes back every five seconds
