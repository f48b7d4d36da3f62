"""What callers see of a server's troubles: `python -m fleet.outage [kind…]`.

500 decisions a second of a third each of policies that are `open`, `closed` and `local`, by a process of its own, with
the default budget. Each trouble lasts two seconds, or until somebody has taken over. Milliseconds are of decisions that
began meanwhile; a recovery is the time from the trouble's end to the last decision that was not the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from fleet.helpers import TROUBLES, WAYS, Trouble, policy
from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore
from ratelimit_guard._core import remote
from ratelimit_guard.stores.redis import RedisStore
from servers.cluster import cluster
from servers.proxy import Proxy
from servers.sentinel import NAME, sentinel
from servers.server import valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard.policy import OnStoreFailure

PER_SECOND, THREADS = 500, 10
BEFORE_S, DURING_S, AFTER_S = 1.0, 2.0, 4.0
QUOTA, MARK = "10M/hour", 1_000_000
"""Taken of the fallback at first, so that an answer tells by what is left whether the server gave it."""
MODES: tuple[OnStoreFailure, ...] = ("open", "closed", "local")


class Told(NamedTuple):
    """A decision: when it began, its seconds, its policy, whether the server made it, its outcome."""

    began: float
    took: float
    mode: str
    by_server: bool
    allowed: bool


class Load:
    """Asks until standard input ends, then prints what it was told."""

    def __init__(self, way: str, url: str) -> None:
        fallback = MemoryStore()
        assert Limiter(policy("local", QUOTA), fallback).acquire("alice", MARK)
        self.store = RedisStore(url, fallback=fallback)
        self.told: list[Told] = []
        self.raised: list[str] = []
        self.over = threading.Event()
        kind = AsyncLimiter if way == "async" else Limiter
        self.limiters: dict[str, Any] = {mode: kind(policy(mode, QUOTA), self.store) for mode in MODES}

    def listen(self) -> None:
        """Wait for the end."""
        sys.stdin.read()
        self.over.set()

    def note(self, began: float, mode: str, result: Any) -> None:
        """One decision."""
        by_server = result.limit - MARK < result.remaining < result.limit
        self.told.append(Told(began, time.monotonic() - began, mode, by_server, bool(result)))

    async def on_loop(self) -> None:
        """A task for each decision, whatever becomes of those before."""
        tasks: set[asyncio.Task[None]] = set()
        due, number = time.monotonic(), 0
        while not self.over.is_set():
            due, number = due + 1 / PER_SECOND, number + 1
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(self._one(MODES[number % 3]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, mode: str) -> None:
        began = time.monotonic()
        try:
            self.note(began, mode, await self.limiters[mode].acquire("alice"))
        except Exception as error:  # noqa: BLE001  there must be none
            self.raised.append(repr(error))

    def in_threads(self) -> None:
        """Each thread at its own share of the pace; who is late does not make up for it."""
        threads = [threading.Thread(target=self._thread, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _thread(self, number: int) -> None:
        while not self.over.wait(THREADS / PER_SECOND):
            number += 1
            mode, began = MODES[number % 3], time.monotonic()
            try:
                self.note(began, mode, self.limiters[mode].acquire("alice"))
            except Exception as error:  # noqa: BLE001  there must be none
                self.raised.append(repr(error))


def load(way: str, url: str) -> None:
    """What the process that asks does."""
    logging.disable()
    asker = Load(way, url)
    print("ready", flush=True)  # noqa: T201
    threading.Thread(target=asker.listen, daemon=True).start()
    asyncio.run(asker.on_loop()) if way == "async" else asker.in_threads()
    print(json.dumps([asker.told, asker.raised]), flush=True)  # noqa: T201


def measure(way: str, url: str, begin: Callable[[], None], end: Callable[[], None]) -> str:
    """A row of the table."""
    command = [sys.executable, "-m", "fleet.outage", "--load", way, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(BEFORE_S)
        started = time.monotonic()
        begin()
        time.sleep(max(0.0, DURING_S + started - time.monotonic()))
        end()
        ended = time.monotonic()
        time.sleep(AFTER_S)
        rows, raised = json.loads(process.communicate("")[0])
    return _row([Told(*row) for row in rows], raised, started, ended)


def _row(told: list[Told], raised: list[str], started: float, ended: float) -> str:
    during = [each for each in told if started <= each.began < ended]
    times = sorted(each.took * 1_000 for each in during)
    by_policy = [each for each in during if not each.by_server]
    kept = all(each.allowed == (each.mode != "closed") for each in by_policy)
    late = [each.began - ended for each in told if each.began >= ended and not each.by_server]
    parts = [times[int(len(times) * share)] for share in (0.5, 0.99)]
    return (
        f"{len(during):>9} {parts[0]:>6.1f} {parts[1]:>6.1f} {times[-1]:>6.1f} {len(during) - len(by_policy):>7} "
        f"{len(by_policy):>7} {'yes' if kept else 'NO':>5} {max(late, default=0.0):>8.2f} {len(raised):>6}"
    )


@contextlib.contextmanager
def place(kind: str) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """A url, and a trouble's begin and end."""
    if kind == "cluster":
        with cluster(replicas=True) as nodes:
            url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes.primaries)
            dies = nodes.owner(f"{{{remote.RemotePolicies.tag('alice'):02}}}")
            heir = nodes.replicas[nodes.primaries.index(dies)]
            yield url, dies.kill, lambda: nodes.wait_for_primary(heir)
    elif kind == "sentinel":
        with sentinel() as servers:
            first = servers.primary
            url = f"redis+sentinel://127.0.0.1:{servers.watchers[0].port}/{NAME}"
            yield url, first.kill, lambda: _ignored(servers.wait_for_other(first))
    else:
        with valkey() as server, Proxy(server.port) as proxy:
            if kind in {"drip", "cut"}:
                begin = proxy.drip if kind == "drip" else _repeated(proxy.cut)
                yield proxy.url, begin, proxy.restore
            else:
                trouble = Trouble(kind, server, proxy)
                yield proxy.url, trouble.begin, trouble.end


def _repeated(cut: Callable[[], None]) -> Callable[[], None]:
    def begin() -> None:
        until = time.monotonic() + DURING_S
        while time.monotonic() < until:
            cut()
            time.sleep(0.1)

    return begin


def _ignored(_: object) -> None:
    """What was waited for is enough."""


def main(kinds: list[str]) -> None:
    """Print the table."""
    columns = "decisions    p50    p99    max  server  policy  kept  recovery raised"
    print(f"{'trouble':<10} {'way':<6} {columns}")  # noqa: T201
    for kind in kinds or [*TROUBLES, "cut", "drip", "sentinel", "cluster"]:
        for way in WAYS:
            with place(kind) as (url, begin, end):
                print(f"{kind:<10} {way:<6} {measure(way, url, begin, end)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    load(sys.argv[2], sys.argv[3]) if sys.argv[1:2] == ["--load"] else main(sys.argv[1:])
