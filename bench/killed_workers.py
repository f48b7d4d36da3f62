"""Workers that note every decision in shared memory before and after it: made to be killed at any instruction."""

from __future__ import annotations

import mmap
import os
import random
import signal
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING, NoReturn

from ratelimit_guard import Limiter, Policy, SharedStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_LIMIT, SHORT_LIMIT, SHORT_NS = 400, 20, 50_000_000
HOUR = Policy("hour", f"{HOUR_LIMIT}/hour")
SHORT = Policy("short", f"{SHORT_LIMIT}/50ms")
KEYS_AT_A_TIME = 2_048
TIMED_EVERY = 64
LOG_ENTRIES = 1 << 18

WORD = 8
STARTED, FINISHED, LOGGED, HEAD_WORDS = 0, 1, 2, 8
ENTRY_WORDS = 3


@dataclass(frozen=True)
class Admission:
    """The limiter said yes between `before_ns` and `after_ns`."""

    key: int
    before_ns: int
    after_ns: int


class Diary:
    """What the workers of one slot began, finished and admitted; every 64th key with times. One writer at a time."""

    def __init__(self, keys: int) -> None:
        self.keys = keys
        self.log_start = HEAD_WORDS + keys
        self._map = mmap.mmap(-1, WORD * (self.log_start + ENTRY_WORDS * LOG_ENTRIES))
        self.words = memoryview(self._map).cast("q")

    def in_flight(self) -> int:
        """Decisions that were begun and not noted as finished."""
        return self.words[STARTED] - self.words[FINISHED]

    def forget_in_flight(self) -> None:
        self.words[FINISHED] = self.words[STARTED]

    def admitted(self, key: int) -> int:
        return self.words[HEAD_WORDS + key]

    def admissions(self) -> Iterator[Admission]:
        for entry in range(self.words[LOGGED]):
            start = self.log_start + ENTRY_WORDS * entry
            yield Admission(*self.words[start : start + ENTRY_WORDS])


def key_name(key: int) -> str:
    return f"user:{key}"


def open_limiter(path: Path, policies: list[Policy]) -> Limiter:
    return Limiter(policies, SharedStore(path, capacity=131_072))


def start_worker(path: Path, diary: Diary, first_key: int, seed: int) -> int:
    """Fork a worker that opens the store itself; returns its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            work(path, diary, first_key, seed)
        finally:
            os._exit(1)
    return pid


def work(path: Path, diary: Diary, first_key: int, seed: int) -> NoReturn:
    """Ask for random keys for ever. The count of log entries moves last, so a half-written entry is never read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limiter, chance, words = open_limiter(path, [HOUR, SHORT]), random.Random(seed), diary.words
    keys = [first_key + chance.randrange(KEYS_AT_A_TIME) for _ in range(1024)]
    names = [(key, key_name(key)) for key in keys]
    while True:
        for key, name in names:
            words[STARTED] += 1
            before = monotonic_ns()
            if limiter.acquire(name):
                words[HEAD_WORDS + key] += 1
                if key % TIMED_EVERY == 0:
                    start = diary.log_start + ENTRY_WORDS * words[LOGGED]
                    words[start], words[start + 1], words[start + 2] = key, before, monotonic_ns()
                    words[LOGGED] += 1
            words[FINISHED] += 1
