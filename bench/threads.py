"""Eight threads in one process: the exact count, and what threads cost or gain."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

import harness
import peers
from harness import Figures
from ours import Ours
from report import Check, Section, Table, command, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

METHOD = """\
Count: eight Python threads make 2,000 attempts each on one key with 1,000 an hour, also with the interpreter
switching threads every 10 µs. Throughput: the same number of decisions by one thread and by eight (decisions
per second, wall time from the first start to the last end, ratio inside each round). Native: the Rust core
without Python, one thread against two, by `cargo run --release --example native_threads`."""

THREADS = 8
ROOT = Path(__file__).resolve().parents[1]
NATIVE = ("cargo", "run", "--release", "--quiet", "-p", "ratelimit-guard-core", "--example", "native_threads")


def in_threads(works: Sequence[Callable[[], None]]) -> int:
    """Nanoseconds from the first start to the last end."""
    barrier, spans = threading.Barrier(len(works)), []

    def body(work: Callable[[], None]) -> None:
        barrier.wait()
        start = perf_counter_ns()
        work()
        spans.append((start, perf_counter_ns()))

    threads = [threading.Thread(target=body, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)


@contextmanager
def switch_interval(seconds: float) -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def admitted(make: Callable[[], peers.Contender], switch_s: float) -> int:
    contender, counts = make(), []
    with switch_interval(switch_s):
        in_threads([lambda: counts.append(sum(contender.allow("user:8675309") for _ in range(2_000)))] * THREADS)
    contender.close()
    return sum(counts)


def throughput(make: Callable[[], peers.Contender], keys: Sequence[str]) -> Figures:
    """Decisions per second of one thread and of eight over the same keys."""
    figures = {}
    for threads in (1, THREADS):
        contender, share = make(), len(keys) // threads
        contender.drive(keys)  # or else it is page faults that are compared
        parts = [keys[part * share : (part + 1) * share] for part in range(threads)]
        elapsed = in_threads([partial(contender.drive, part) for part in parts])
        figures[f"{threads}"] = len(keys) / elapsed * 1e9
        contender.close()
    return figures


def native() -> dict[str, float] | None:
    """What the Rust example prints; None where there is no cargo or no example."""
    if shutil.which("cargo") is None:
        return None
    answer = subprocess.run(NATIVE, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        print(answer.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(answer.stdout.strip().splitlines()[-1])


LIMITERS: dict[str, Callable[[int], peers.Contender]] = {
    "ours strict, memory": lambda limit: Ours(f"{limit}/hour"),
    "ours strict, shared": lambda limit: Ours(f"{limit}/hour", shared=True),
    "limits fixed window": peers.LimitsFixed,
    "throttled-py GCRA": peers.ThrottledGcra,
}


def run(quick: bool) -> Section:
    """Threads."""
    counts, count_checks = _counting(1 if quick else 5)
    speeds, speed_checks = _speeding(3 if quick else 9, 40_000 if quick else 400_000)
    figures, what = native(), "two native threads against one"
    unknown = Check(what, "≥ 1.5x", "no cargo or no example", None)
    checks = [*count_checks, *speed_checks, Check.times(what, 1.5, figures["ratio"]) if figures else unknown]
    notes = [f"native: {json.dumps(figures)}"] if figures else []
    return Section("Threads", METHOD, [counts, speeds], checks, notes)


def _counting(trials: int) -> tuple[Table, list[Check]]:
    rows, checks = [], []
    for name, make in LIMITERS.items():
        for switch_s, label in ((0.005, "5 ms"), (1e-5, "10 µs")):
            counts = [admitted(partial(make, 1_000), switch_s) for _ in range(trials)]
            rows.append([name, label, number(min(counts)), number(max(counts))])
            if name.startswith("ours"):
                what = f"{name}, eight threads, switching every {label}"
                checks.append(Check.exactly(what, 1_000, min(counts), max(counts)))
    columns = ("limiter", "switching every", "least", "most")
    return Table("Admitted of 16,000 attempts, limit 1,000", columns, rows), checks


def _speeding(rounds: int, count: int) -> tuple[Table, list[Check]]:
    rows, checks = [], []
    for label, keys in (("one key", harness.hot_keys(count)), ("100,000 keys", harness.uniform_keys(count // 4) * 4)):
        contenders = {name: partial(throughput, partial(make, 10**9), keys) for name, make in LIMITERS.items()}
        for name, figures in harness.interleave(contenders, rounds).items():
            one, eight = harness.middle(figures, "1"), harness.middle(figures, "8")
            gain = harness.middle([{"ratio": figure["8"] / figure["1"]} for figure in figures], "ratio")
            rows.append([f"{name}, {label}", number(one), number(eight), f"{gain:.2f}x"])
            if name.startswith("ours"):
                checks.append(Check.times(f"{name}, {label}: eight threads against one", 0.9, gain))
    return Table("Decisions per second", ("limiter", "1 thread", "8 threads", "ratio"), rows), checks


if __name__ == "__main__":
    command(run)
