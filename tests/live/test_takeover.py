"""The elected process is killed again and again while four work: no request fails, and verdicts go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from live.helpers import Scene, spin
from ratelimit_guard import Guard
from ratelimit_guard.config_file import load

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
WITHIN_S = 1.0
WORKERS = 4
QUOTA = 50
TIERS = """
version = 1
store.path = "{folder}/store"
store.capacity = 10000
policies.few.quota = "100000/hour"
tiers.anonymous.policies = ["few"]
routes = [{{ match = "/v1/chat", body = true }}]
campaign.quota = "{quota}/hour"

[detector]
mode = "enforce"
delay_s = 0
quota = "{quota}/hour"
"""


def tiers(folder: Path, quota: int = QUOTA) -> Path:
    path = folder / "limits.toml"
    path.write_text(TIERS.format(folder=folder, quota=quota))
    return path


def start(path: Path, mode: str, number: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "live.worker", str(path), str(path.with_name("log")), mode, str(number)]
    places = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": ":".join(places)}, cwd=TESTS)


class Crew:
    """The workers, and what the shared memory says of them."""

    def __init__(self, folder: Path) -> None:
        self.path = tiers(folder)
        self.live: Any = Guard.from_file(self.path, reload_every=None).live
        self.workers = [start(self.path, "load", number) for number in range(WORKERS)]

    @property
    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.live.stats()
        return stats

    def kill(self) -> tuple[float, float]:
        """Kill the elected one; seconds until another one was, and until it folded something. A new one comes."""
        before = self.stats
        elected = [one for one in self.workers if one.pid == before["leader"]]
        if not elected:
            msg = f"process {before['leader']} is none of ours"
            raise AssertionError(msg)
        elected[0].kill()
        began = time.monotonic()
        elected[0].wait()
        spin(lambda: self.stats["terms"] > before["terms"])
        took = time.monotonic() - began
        folded = self.stats["folded"]
        spin(lambda: self.stats["folded"] > folded)
        folding = time.monotonic() - began
        place = self.workers.index(elected[0])
        self.workers[place] = start(self.path, "load", place)
        return took, folding

    def log(self) -> list[str]:
        path = self.path.with_name("log")
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    made = Crew(folder)
    try:
        spin(lambda: made.stats["folded"] > 0, "nobody folds")
        yield made
    finally:
        for worker in made.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in made.workers:
            worker.wait(10)


def play(folder: Path, seconds: float, every: float) -> list[tuple[float, float]]:
    """Kill for so long; then all must be as promised."""
    with crew(folder) as made:
        figures: list[tuple[float, float]] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every)
            figures.append(made.kill())
        spin(lambda: made.stats["convicted"], "nobody was convicted")
        spin(lambda: len(made.log()) >= QUOTA - len(figures), "the budget was never used up")
        stats, workers = made.stats, list(made.workers)
        assert all(worker.poll() is None for worker in workers), "a worker ended by itself"
    assert {worker.returncode for worker in workers} <= {0, -signal.SIGTERM}  # one that was just starting
    lines = made.log()
    assert not [line for line in lines if line.startswith(("FAILED", " ", "Trace"))], "\n".join(lines[-30:])
    admitted = Counter(lines)
    print(f"\n{len(figures)} kills, {stats}, admitted {dict(admitted)}")  # noqa: T201  the figures are what it is for
    for label, times in zip(("elected", "folding"), zip(*figures, strict=True), strict=True):
        ordered = sorted(times)
        print(f"{label}: median {ordered[len(ordered) // 2]:.3f} s, longest {ordered[-1]:.3f} s")  # noqa: T201
    assert max(folding for _, folding in figures) < WITHIN_S
    assert stats["terms"] >= len(figures) + 1
    assert stats["dropped"] == 0
    assert all(count <= QUOTA for name, count in admitted.items() if name != "None")
    assert admitted["C1"] >= QUOTA - len(figures)
    return figures


def test_elected_process_is_killed_every_second(tmp_path: Path) -> None:
    """For eight seconds."""
    assert len(play(tmp_path, 8.0, 1.0)) >= 6


@pytest.mark.soak
def test_elected_process_is_killed_for_a_minute(tmp_path: Path) -> None:
    """Every five seconds."""
    assert len(play(tmp_path, 60.0, 5.0)) >= 11


def test_processes_share_a_budget(tmp_path: Path) -> None:
    """Exactly the quota passes, whichever worker is asked, and however many accounts ask."""
    path = tiers(tmp_path)
    scene = Scene(load(path)).learn()
    scene.live.stop()
    workers = [start(path, "attack", 120) for _ in range(3)]
    assert [one.wait(30) for one in workers] == [0, 0, 0]
    assert Counter(path.with_name("log").read_text().split()) == {"C1": QUOTA}
