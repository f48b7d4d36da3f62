"""A worker process of the tests: does what its standard input says and answers each line with one.

`take KEY ATTEMPTS`: acquire that often; answers how often it was admitted.
`round NUMBER`: try every key of the round in an order of its own; notes each attempt before, each admission after it.
"""

from __future__ import annotations

import mmap
import random
import sys
from pathlib import Path

from ratelimit_guard import Limiter, Policy, SharedStore, rate_limit

KEYS = 64
LIMIT = 50
ATTEMPTS = 2  # times the limit, per worker and key: two workers alone exhaust every key
POLICIES = [Policy("burst", f"{LIMIT}/hour; burst={LIMIT}"), Policy("window", f"{LIMIT}/hour"), Policy("day", "1M/day")]
CAPACITY = 300_000  # a thousand rounds of new keys under three policies
WORD = 4
NOTES = (1 + KEYS) * WORD  # attempts of the round, then admissions per key


def key(number: int, index: int) -> str:
    """A key of one round: nobody used it before."""
    return f"round-{number}-{index}"


class Diary:
    """What one worker did, in memory that outlives it."""

    def __init__(self, path: Path, worker: int) -> None:
        """Map the page of this worker."""
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 0)).cast("I")
        self._start = worker * NOTES // WORD

    def add(self, place: int) -> None:
        """Count one: place 0 is attempts, place 1 + n admissions of key n."""
        self._words[self._start + place] += 1

    def read(self, place: int) -> int:
        """What was counted."""
        return self._words[self._start + place]

    def clear(self) -> None:
        """Begin a round."""
        for place in range(1 + KEYS):
            self._words[self._start + place] = 0


def play(limiter: Limiter, diary: Diary, number: int, seed: int) -> int:
    """One round."""
    order = list(range(KEYS)) * (ATTEMPTS * LIMIT)
    random.Random(seed * 1_000_003 + number).shuffle(order)  # noqa: S311  not a secret
    for index in order:
        diary.add(0)
        if limiter.acquire(key(number, index)):
            diary.add(1 + index)
    return len(order)


@rate_limit("1/hour")
def refused() -> None:
    """What a process pool runs: every call but the first is refused."""


def main() -> None:
    """Serve until standard input ends."""
    path, diary_path, worker, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    store = SharedStore(path, capacity=CAPACITY)
    plain, several, diary = Limiter("1000/hour", store), Limiter(POLICIES, store), Diary(diary_path, worker)
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "take":
            answer = sum(bool(plain.acquire(arguments[0])) for _ in range(int(arguments[1])))
        else:
            answer = play(several, diary, int(arguments[0]), seed)
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
