"""A thread for each process: sends what was noted, renews what is held, and probes a server that was away."""

from __future__ import annotations

import logging
import os
import random
import threading
import weakref
from typing import TYPE_CHECKING, TypeVar

from ratelimit_guard._core import Quota
from ratelimit_guard._core import remote as _remote

if TYPE_CHECKING:
    from ratelimit_guard.stores.redis.store import RedisStore

T = TypeVar("T")
log = logging.getLogger("ratelimit_guard.store")

GATHER_S = 0.02
"""Notes are gathered for so long, unless a question takes them along sooner."""
ROUND_S = 1.0
"""Between two rounds while something is held."""
PROBE_S = 0.05
"""Between two looks whether a probe is due."""


class Keeper:
    """Starts its thread when there is something to do, and again in a forked child."""

    def __init__(self, store: RedisStore) -> None:
        """No thread runs yet."""
        self._store = weakref.ref(store)
        self._process = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def wake(self) -> None:
        """There is something to do."""
        if self._process != os.getpid():
            self._start()
        self._wake.set()

    def _start(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._wake = threading.Event()
            name = "ratelimit-guard-store"
            self._thread = threading.Thread(target=run, args=(self._store, self._wake), name=name, daemon=True)
            self._thread.start()
            self._process = os.getpid()

    def forget(self) -> None:
        """After a fork: the thread is the parent's."""
        self._lock, self._wake, self._process, self._thread = threading.Lock(), threading.Event(), 0, None

    def stop(self, wait_s: float = 0.0) -> None:
        """Let the thread end, and wait so long for it."""
        thread, self._thread = self._thread, None
        self._wake.set()
        if thread is not None and wait_s and thread is not threading.current_thread():
            thread.join(wait_s)


def run(reference: weakref.ref[RedisStore], wake: threading.Event) -> None:
    """Rounds until the store is gone."""
    pause: float | None = ROUND_S
    while True:
        wake.wait(pause)
        is_woken = wake.is_set()
        wake.clear()
        store = reference()
        if store is None or store.is_closed:
            return
        if is_woken and not store.is_down:
            wake.wait(GATHER_S)
            if store.is_closed:
                return
            wake.clear()
        try:
            pause = store.round()
        except Exception:  # the next round may do better; without any nothing would ever be renewed or recover
            log.exception("keeper of %r", store)
            pause = ROUND_S
        del store


def probe(number: int) -> _remote.RemoteBatch:
    """A charge that means nothing, for the whole way to a counter of a tag."""
    policies, batch = _remote.RemotePolicies("probe", [("probe", PROBE)]), _remote.RemoteBatch()
    batch.acquire(policies, probe_key(number))
    return batch


PROBE = Quota.parse("1000000/second")


def probe_key(tag: int) -> str:
    """A key whose counters have this tag."""
    return next(key for key in map(str, range(10_000)) if _remote.RemotePolicies.tag(key) == tag)


def snapshot(items: weakref.WeakSet[T]) -> list[T]:
    """What is in a set to which other threads add."""
    while True:
        try:
            return list(items)
        except RuntimeError:  # one was added just now
            continue


def jitter() -> float:
    """0..1, so that processes do not probe in step."""
    return random.random()  # noqa: S311  no secret
