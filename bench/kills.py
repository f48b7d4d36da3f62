"""A thousand SIGKILLs among workers that share one table: never over the limit, nearly nothing lost, nothing stuck."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from killed_workers import (
    HOUR,
    HOUR_LIMIT,
    KEYS_AT_A_TIME,
    SHORT_LIMIT,
    SHORT_NS,
    STARTED,
    Admission,
    Diary,
    key_name,
    open_limiter,
    start_worker,
)
from ours import shared_directory
from report import Check, Section, Table, command, number

if TYPE_CHECKING:
    from pathlib import Path

METHOD = """\
Four workers are alive at any time on one shared table, each asking as fast as it can for random keys out of 2,048
under two policies at once, 400 an hour and 20 in 50 ms, so that charges, refusals and roll-backs all happen. After
a random 0 to 20 ms one of them is killed with SIGKILL and another is forked, which opens the table anew; every
hundred kills the keys are replaced by fresh ones. Workers write to shared memory before and after every decision,
so it is known how many decisions were cut. When all are dead, a new process drains every key: what was admitted and
what is left must together not pass the limit, and what is missing was charged by a worker that died before it could
say so (or even before it had its answer)."""

SLOTS = 4
KILLS_PER_GENERATION = 100


@dataclass
class Tally:
    """What came of it. `cut` counts the decisions that a kill interrupted."""

    keys: int
    diaries: list[Diary]
    kills: int = 0
    cut: int = 0
    seconds: float = 0.0
    drained: Counter[int] = field(default_factory=Counter)

    def admitted(self, key: int) -> int:
        return sum(diary.admitted(key) for diary in self.diaries)


def kill_workers(path: Path, kills: int) -> Tally:
    """Run the whole slaughter; returns what the diaries of the dead say."""
    keys = (kills // KILLS_PER_GENERATION + 1) * KEYS_AT_A_TIME
    tally, chance, began = Tally(keys, [Diary(keys) for _ in range(SLOTS)]), random.Random(23), time.monotonic()
    workers = [start_worker(path, diary, 0, slot) for slot, diary in enumerate(tally.diaries)]
    try:
        while tally.kills < kills:
            time.sleep(chance.uniform(0, 0.020))
            slot = chance.randrange(SLOTS)
            _kill(workers[slot], tally.diaries[slot], tally)
            first_key = tally.kills // KILLS_PER_GENERATION * KEYS_AT_A_TIME
            workers[slot] = start_worker(path, tally.diaries[slot], first_key, SLOTS + tally.kills)
    finally:
        for pid, diary in zip(workers, tally.diaries, strict=True):
            _kill(pid, diary, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _kill(pid: int, diary: Diary, tally: Tally) -> None:
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("a worker died by itself: see its traceback above")
    tally.kills += 1
    tally.cut += diary.in_flight()
    diary.forget_in_flight()


def drain(path: Path, tally: Tally) -> None:
    """Take what is left of the hour (same policy name, hence same counters), and all of one new key."""
    limiter = open_limiter(path, [HOUR])
    for key in range(tally.keys + 1):
        while tally.drained[key] <= HOUR_LIMIT and limiter.acquire(key_name(key)):
            tally.drained[key] += 1


def worst_short_window(admissions: list[Admission]) -> int:
    """The most admissions of one key that surely fell into one 50 ms: asked and answered inside it."""
    worst = 0
    by_key: dict[int, list[Admission]] = {}
    for admission in sorted(admissions, key=lambda each: each.before_ns):
        by_key.setdefault(admission.key, []).append(admission)
    for row in by_key.values():
        for position, first in enumerate(row):
            near = row[position : position + 4 * SHORT_LIMIT]
            worst = max(worst, sum(1 for each in near if each.after_ns - first.before_ns < SHORT_NS))
    return worst


def run(quick: bool) -> Section:
    """A thousand kills."""
    with shared_directory() as directory:
        tally = kill_workers(directory / "table", 100 if quick else 1_000)
        drain(directory / "table", tally)
    keys = range(tally.keys)
    totals = [tally.admitted(key) + tally.drained[key] for key in keys]
    missing = sum(HOUR_LIMIT - total for total in totals)
    rows = [
        ["workers killed", number(tally.kills)],
        ["of these in the middle of a decision", number(tally.cut)],
        ["seconds", number(tally.seconds, 1)],
        ["decisions", number(sum(diary.words[STARTED] for diary in tally.diaries))],
        ["admitted", number(sum(tally.admitted(key) for key in keys))],
        ["keys", number(tally.keys)],
        ["keys whose limit was used up", number(sum(1 for key in keys if tally.drained[key] == 0))],
        ["still to be had afterwards", number(sum(tally.drained[key] for key in keys))],
        ["charged by the dead and not admitted (or not noted)", number(missing)],
    ]
    checks = [*_checks(tally, totals), _left_over(tally, missing)]
    return Section("Killed workers", METHOD, [Table("Kills", ("what", "count"), rows)], checks)


def _checks(tally: Tally, totals: list[int]) -> list[Check]:
    short = worst_short_window([each for diary in tally.diaries for each in diary.admissions()])
    return [
        Check.at_most("most admitted per key and hour, drain included", HOUR_LIMIT, max(totals)),
        Check.at_most("most admitted per key in any 50 ms", SHORT_LIMIT, short),
        Check.exactly("a key never seen before, after the last kill", HOUR_LIMIT, tally.drained[tally.keys]),
    ]


def _left_over(tally: Tally, missing: int) -> Check:
    what = "units left charged, at most one per decision cut"
    return Check(what, f"≤ {number(tally.cut)}", number(missing), 0 <= missing <= tally.cut)


if __name__ == "__main__":
    command(run)
