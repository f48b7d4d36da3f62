"""Memory per live key: a fresh process makes a million keys and reads what it grew by."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import peers
from ours import Ours
from report import Check, Section, Table, command, number

if TYPE_CHECKING:
    from collections.abc import Callable

METHOD = """\
One hit each on 1,048,576 new keys (the default capacity of our table, which is then three quarters full), each
limiter in a fresh process of its own. Growth of the process's resident pages from `/proc/self/status`:
anonymous (heaps) and shared (our tables are shared mappings, in memory or in a file, and count page by page
when first touched). The keys themselves are not kept by the benchmark. Median of three processes."""

NOTES = (
    "Our table never grows: beyond its capacity the stated policy decides. The peers' tables grow with every new key.",
    "throttled-py and pyrate-limiter keep entries until evicted or disposed of; limits frees counters of idle keys.",
    "A policy has a counter of its own: three policies on a key take three times the figure, here as with the peers.",
)
HOUR_LIMIT = 1000
MAKERS: dict[str, Callable[[], peers.Contender]] = {
    "ours strict, memory": lambda: Ours(f"{HOUR_LIMIT}/hour"),
    "ours strict, shared": lambda: Ours(f"{HOUR_LIMIT}/hour", shared=True),
    "ours token bucket, memory": lambda: Ours(f"{HOUR_LIMIT}/hour; burst={HOUR_LIMIT}"),
    "limits fixed window": lambda: peers.LimitsFixed(HOUR_LIMIT),
    "limits moving window": lambda: peers.LimitsMoving(HOUR_LIMIT),
    "throttled-py GCRA": lambda: peers.ThrottledGcra(HOUR_LIMIT),
    "pyrate-limiter GCRA": lambda: peers.PyrateGcra(HOUR_LIMIT),
}
PAGE = 4096


def resident() -> dict[str, int]:
    """Bytes of resident pages by kind."""
    status = Path("/proc/self/status").read_text()
    return {
        kind: int(kib) * 1024 for kind, kib in re.findall(r"^Rss(Anon|File|Shmem):\s+(\d+) kB", status, re.MULTILINE)
    }


def grow(name: str, count: int) -> None:
    """Child's part: print the growth and how many keys the limiter admitted and holds."""
    contender = MAKERS[name]()
    contender.allow("warm-up")
    before = resident()
    admitted = sum(contender.allow(f"user:{number}") for number in range(count))
    after = resident()
    live = contender.store.stats()["live"] - 1 if isinstance(contender, Ours) else admitted
    contender.close()
    print(*(after[kind] - before[kind] for kind in ("Anon", "File", "Shmem")), live)


def measure(name: str, count: int) -> tuple[int, ...]:
    child = [sys.executable, __file__, "--child", name, str(count)]
    answer = subprocess.run(child, check=True, capture_output=True, text=True)
    return tuple(int(word) for word in answer.stdout.split())


def run(quick: bool) -> Section:
    """Memory per live key."""
    count = 1_048_576
    rows, checks = [], []
    for name in MAKERS:
        runs = [measure(name, count) for _ in range(1 if quick else 3)]
        anon, file, shmem, live = (int(median(column)) for column in zip(*runs, strict=True))
        per_key = (anon + file + shmem) / live
        rows.append(
            [
                name,
                number(per_key, 1),
                number(anon / 2**20, 1),
                number((file + shmem) / 2**20, 1),
                number((anon + file + shmem) / PAGE),
                number(live),
            ]
        )
        if name.startswith("ours"):
            checks.append(Check.at_most(f"{name}: bytes per live key at 75 % fill", 64, per_key, digits=1))
            # The stated policy: fewer than one newcomer in 100,000 finds no place.
            checks.append(Check.at_most(f"{name}: of a million keys without a place at 75 % fill", 10, count - live))
    columns = ("limiter", "B per key", "heap MiB", "mapped MiB", "pages", "live keys")
    return Section("Memory per key", METHOD, [Table("Growth after 1,048,576 new keys", columns, rows)], checks, NOTES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        grow(sys.argv[2], int(sys.argv[3]))
    else:
        command(run)
