"""Callers that block and callers on a loop, troubles for their server, and servers that are none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from ratelimit_guard import AsyncLimiter, Limiter, Policy
from ratelimit_guard.stores.redis import RedisStore
from servers.server import HOST, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard import LimitResult
    from ratelimit_guard.policy import OnStoreFailure
    from ratelimit_guard.stores.redis.state import StoreEvent
    from servers.proxy import Proxy
    from servers.server import Server

WAYS = ("sync", "async")
BUDGET_S = 0.1
"""Of stores that lose their server: long enough for a busy machine, short enough to wait for."""
SOON_S = 5.0
"""More than any number of decisions of these tests takes while budgets hold, far less than they take if one hangs."""
THREADS = 4


class Caller:
    """Asks the same in threads, or in tasks of one loop that runs as long as the caller lives."""

    def __init__(self, way: str) -> None:
        self.is_async = way == "async"
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        await self._over.wait()

    def limiter(self, *arguments: Any, **options: Any) -> Any:
        """Of the kind that this caller asks."""
        return (AsyncLimiter if self.is_async else Limiter)(*arguments, **options)

    def take(self, limiter: Any, times: int = 1, key: str = "alice", cost: int = 1) -> list[LimitResult]:
        """So many acquires, side by side."""
        if self.is_async:
            gathered = _gathered([limiter.acquire(key, cost) for _ in range(times)])
            return asyncio.run_coroutine_threadsafe(gathered, self._loop).result()
        with ThreadPoolExecutor(THREADS) as threads:
            return [each.result() for each in [threads.submit(limiter.acquire, key, cost) for _ in range(times)]]

    def run(self, call: Callable[[], Any]) -> Any:
        """What a limiter's method gives: a result, or that of a coroutine."""
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result() if self.is_async else call()


async def _gathered(calls: list[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls))


@contextlib.contextmanager
def store_at(url: str, budget_s: float = BUDGET_S, **options: Any) -> Iterator[tuple[RedisStore, list[StoreEvent]]]:
    """A store, and what it told its operator."""
    events: list[StoreEvent] = []
    store = RedisStore(url, budget_s=budget_s, on_event=events.append, **options)
    try:
        yield store, events
    finally:
        store.close()


def kinds(events: list[StoreEvent]) -> list[str]:
    """Of events."""
    return [event.kind for event in events]


def policy(mode: OnStoreFailure, quota: str = "10/hour") -> Policy:
    """Named after what it does while the server is away."""
    return Policy(mode, quota, mode)


def recovered(caller: Caller, store: RedisStore, limiter: Any) -> None:
    """Wait until decisions are the server's again: on the caller's own connections, which are not the probe's."""

    def answers() -> bool:
        failures = store.state.failures
        caller.take(limiter, 1, "probing", 0)
        return not store.is_down and store.state.failures == failures

    wait_until(answers, what="recovery")


class Trouble:
    """What happens to the server or the way to it, and its end."""

    def __init__(self, name: str, server: Server, proxy: Proxy) -> None:
        self.name, self._server, self._proxy = name, server, proxy

    def begin(self) -> None:
        """It is there when this returns."""
        begins: dict[str, Callable[[], object]] = {
            "kill": self._server.kill,
            "pause": self._server.pause,
            "freeze": self._proxy.freeze,
            "blackhole": self._proxy.blackhole,
            "refuse": self._proxy.refuse,
            "far": lambda: self._proxy.delay(1.0),
        }
        begins[self.name]()

    def end(self) -> None:
        """It is gone."""
        if self.name == "kill":
            self._server.start()
            self._server.wait()
        self._server.resume()
        self._proxy.restore()


TROUBLES = ("kill", "pause", "freeze", "blackhole", "refuse", "far")


class Impostor:
    """Listens like a server, and says to each connection what it was told to say."""

    def __init__(self, speak: Callable[[socket.socket, threading.Event], object]) -> None:
        """`speak` has the connection, and an event that is set at the end."""
        self._speak = speak
        self._over = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.url = f"redis://{HOST}:{self._listener.getsockname()[1]}/0?protocol=2"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(0.05)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._speak(connection, self._over)


def saying(reply: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """The same to whatever it is asked."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                asked = connection.recv(65_536)
                if not asked:
                    return
                connection.sendall(reply)

    return speak


def commands(asked: bytes) -> int:
    """How many begin in these bytes: arrays of bulk strings, none of which begins a line like one."""
    return asked.count(b"\r\n*") + asked.startswith(b"*")


def answering(answer: Callable[[bytes], bytes]) -> Callable[[socket.socket, threading.Event], None]:
    """What `answer` has for what is asked; without any as a server would to greetings."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                asked = connection.recv(65_536)
                if not asked:
                    return
                connection.sendall(answer(asked) or b"+OK\r\n" * commands(asked))

    return speak


def dripping(connection: socket.socket, over: threading.Event) -> None:
    """An answer that never ends, a byte at a time, each soon enough for a timeout of its own."""
    connection.sendall(b"$1000000\r\n")
    while not over.wait(BUDGET_S / 5):
        connection.sendall(b"x")
