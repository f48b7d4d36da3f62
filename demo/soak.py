"""The demo's traffic for a long time: `python -m demo.soak --minutes 30`.

Exit code 1 when a heavy tenant was restricted or refused, an observation was lost, or memory grew.

A simulated day takes as long as in the demo, so half an hour is two months of the same people and one campaign.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from demo.fleet import running_fleet
from demo.home import learn, prepare
from demo.load import url
from demo.scenario import CONCURRENCY, HEAVY, PLAYS
from demo.stage import GUARDED
from ratelimit_guard.operate import Desk
from ratelimit_guard.simulate import accounts, drive, generate

if TYPE_CHECKING:
    from demo.fleet import Fleet
    from ratelimit_guard.simulate import Result

LOOK_EVERY_S = 60.0
GROWTH = 1.15  # of the workers' memory from half of the time on: allocators wander a little
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def memory_mb(fleet: Fleet) -> list[float]:
    """Resident memory of each worker without what they share."""
    pages = [Path(f"/proc/{pid}/statm").read_text().split() for pid in fleet.pids]
    return [(int(resident) - int(shared)) * PAGE_KB / 1024 for _, resident, shared, *_ in pages]


async def watch(fleet: Fleet, desk: Desk, statuses: Counter[tuple[str, int | None]], seen: list[float]) -> None:
    """A line each minute."""
    began = monotonic()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        each, stats = memory_mb(fleet), desk.stats()
        seen.append(sum(each))
        heavy = {status: count for (kind, status), count in statuses.items() if kind == HEAVY}
        told = {name: stats[name] for name in ("folded", "dropped", "torn", "convicted", "terms", "saved")}
        megabytes = " ".join(f"{one:6.1f}" for one in each)
        print(f"{monotonic() - began:5.0f} s  {megabytes} MB  heavy {heavy}  {told}", flush=True)


async def run(minutes: float) -> int:
    """Drive, watch, judge; the exit code."""
    day = PLAYS["demo"]
    play = replace(day, scenario=replace(day.scenario, days=minutes * 60 / day.seconds + 1))
    statuses, seen = Counter[tuple[str, int | None]](), list[float]()

    def note(result: Result) -> None:
        statuses[result.call.kind, result.status] += 1

    prefix = f"ratelimit-guard-soak-{os.getpid()}-"
    with TemporaryDirectory(prefix=prefix, dir="/dev/shm") as shared, TemporaryDirectory(prefix=prefix) as folder:
        baseline = learn(day, Path(folder))
        home = prepare(play, baseline, Path(shared), Path(folder))
        async with running_fleet(home, lambda said: print(said, flush=True)) as fleet:
            desk = Desk(home.tiers)
            watching = asyncio.create_task(watch(fleet, desk, statuses, seen))
            calls, to = generate(play.scenario, play.seed), url(fleet.port, GUARDED)
            await drive(calls, to, speed=day.speed, concurrency=CONCURRENCY, timeout=minutes * 60, on_result=note)
            watching.cancel()
            found, stats = await asyncio.to_thread(desk.findings), desk.stats()
            await fleet.finish()
    return _judge(play, statuses, seen, found.accounts, stats)


def _judge(play, statuses, seen, found, stats) -> int:
    names = {f"{one.tenant}/{one.name}" for one in accounts(play.scenario, play.seed) if one.kind == HEAVY}
    heavy = [one for one in found if one.account in names]
    if len(heavy) != len(names):
        print(f"{len(names)} heavy tenants, of whom the detector knows {len(heavy)}")
        return 1
    kinds = {f"{one.tenant}/{one.name}": one.kind for one in accounts(play.scenario, play.seed)}
    touched = Counter(kinds.get(one.account, "?") for one in found if one.level == "throttle" or one.restricted)
    print(f"accounts with restricted requests: {dict(touched)}")
    restricted = [one.account for one in heavy if one.level == "throttle" or one.restricted]
    refused = sum(count for (kind, status), count in statuses.items() if kind == HEAVY and status != 200)
    grown = max(seen[len(seen) // 2 :]) / seen[len(seen) // 2] if len(seen) > 3 else 1.0
    lost = stats["dropped"] + stats["torn"]
    print(f"answers: {dict(sorted(statuses.items(), key=str))}")
    print(f"heavy tenants restricted: {len(restricted)}, refused: {refused}; observations lost: {lost}")
    print(f"memory in the second half: {grown:.2f} times as much")
    return 1 if restricted or refused or lost or grown > GROWTH else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    return asyncio.run(run(parser.parse_args().minutes))


if __name__ == "__main__":
    sys.exit(main())
