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

HOUR_LIMIT, SHORT_LIMIT, SHORT_NS = 200, 20, 50_000_000
HOUR = Policy("hour", f"{HOUR_LIMIT}/hour")
SHORT = Policy("short", f"{SHORT_LIMIT}/50ms")
KEYS_AT_A_TIME = 64
LOG_ENTRIES = 1 << 17

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
    """One slot of workers: what they began, what they finished, what was admitted. One writer at a time."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, WORD * (HEAD_WORDS + ENTRY_WORDS * LOG_ENTRIES))
        self.words = memoryview(self._map).cast("q")

    def in_flight(self) -> int:
        """Decisions that were begun and not noted as finished."""
        return self.words[STARTED] - self.words[FINISHED]

    def forget_in_flight(self) -> None:
        self.words[FINISHED] = self.words[STARTED]

    def admissions(self) -> Iterator[Admission]:
        for entry in range(self.words[LOGGED]):
            start = HEAD_WORDS + ENTRY_WORDS * entry
            yield Admission(*self.words[start : start + ENTRY_WORDS])


def key_name(key: int) -> str:
    return f"user:{key}"


def open_limiter(path: Path, policies: list[Policy]) -> Limiter:
    return Limiter(policies, SharedStore(path, capacity=65_536))


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
    order = [first_key + chance.randrange(KEYS_AT_A_TIME) for _ in range(4096)]
    names = [(key, key_name(key)) for key in order]
    while True:
        for key, name in names:
            words[STARTED] += 1
            before = monotonic_ns()
            if limiter.acquire(name):
                start = HEAD_WORDS + ENTRY_WORDS * words[LOGGED]
                words[start], words[start + 1], words[start + 2] = key, before, monotonic_ns()
                words[LOGGED] += 1
            words[FINISHED] += 1
