"""Eight worker processes, one limit: how many requests get in."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import peers
from ours import shared_directory
from report import Check, Section, Table, command, number

from ratelimit_guard import Limiter, SharedStore

if TYPE_CHECKING:
    from pathlib import Path

METHOD = """\
Eight forked processes start together on one key and attempt as fast as they can; every process opens the store
itself after the fork, as the workers of a web server do. Least and most admitted over the trials. limits keeps
its counters in the memory of each process, as every in-memory Python limiter does, so the limit is multiplied
by the number of workers."""

PROCESSES = 8
KEY = "user:8675309"
fork = multiprocessing.get_context("fork")

Prepare = Callable[[], Callable[[str], object]]


def admitted_by_processes(prepare: Prepare, attempts_each: int) -> int:
    """Sum of what the processes counted; `prepare` runs in each of them."""
    barrier = fork.Barrier(PROCESSES)
    reader, writer = os.pipe()
    workers = [fork.Process(target=_work, args=(prepare, attempts_each, barrier, writer)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    os.close(writer)
    with os.fdopen(reader) as counts:
        lines = counts.read().split()
    if len(lines) != PROCESSES:
        raise RuntimeError(f"{PROCESSES - len(lines)} of {PROCESSES} workers died: see their tracebacks above")
    return sum(int(line) for line in lines)


def _work(prepare: Prepare, attempts: int, barrier: multiprocessing.synchronize.Barrier, writer: int) -> None:
    allow = prepare()
    barrier.wait()
    count = sum(1 for _ in range(attempts) if allow(KEY))
    os.write(writer, f"{count}\n".encode())


def open_ours(path: Path, quota: str) -> Prepare:
    return lambda: Limiter(quota, SharedStore(path)).acquire


def trial_ours(limit: int, attempts_each: int, form: str = "{}/hour") -> int:
    with shared_directory() as directory:
        return admitted_by_processes(open_ours(directory / "table", form.format(limit)), attempts_each)


def trial_limits(limit: int, attempts_each: int) -> int:
    return admitted_by_processes(lambda: peers.LimitsFixed(limit).allow, attempts_each)


def run(quick: bool) -> Section:
    """One limit over eight processes."""
    trials = 2 if quick else 10
    rows, checks = [], []
    for name, trial, limit, each in _cases(quick):
        counts = [trial(limit, each) for _ in range(trials)]
        least, most = number(min(counts)), number(max(counts))
        rows.append([name, number(limit), number(PROCESSES * each), least, most, f"{max(counts) / limit:g}x"])
        if name.startswith("ours"):
            checks.append(Check.exactly(f"{name}, limit {limit:,}", limit, min(counts), max(counts)))
    columns = ("limiter", "limit", "attempts", "least", "most", "most / limit")
    return Section("Worker processes", METHOD, [Table("Admitted requests", columns, rows)], checks)


def _cases(quick: bool) -> list[tuple[str, Callable[[int, int], int], int, int]]:
    large = 10_000 if quick else 100_000
    return [
        ("ours strict, shared", trial_ours, 1_000, 2_000),
        ("ours strict, shared, contended", trial_ours, large, large // 4),
        ("limits fixed window, memory", trial_limits, 1_000, 2_000),
    ]


if __name__ == "__main__":
    command(run)
