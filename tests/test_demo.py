"""The demo runs for real: four uvicorn processes, one limit, nothing left behind."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("uvicorn")
pytest.importorskip("rich")

ROOT = Path(__file__).resolve().parents[1]
TABLES = Path("/dev/shm")  # noqa: S108  where the demo keeps its table
TIMEOUT_S = 60


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """A demo with three seconds of load, its output in a pipe."""
    command = [sys.executable, "-m", "demo", "--seconds", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that judges a run."""
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("demo.audit")


def test_demo_holds_one_limit_over_four_processes(demo: subprocess.Popen[str]) -> None:
    """Four workers admit a heavy tenant no more than the limit, where a limiter per process would admit more."""
    output, errors = demo.communicate(timeout=TIMEOUT_S)
    assert (demo.returncode, errors) == (0, "")
    conclusion = " ".join(output.split())
    found = re.search(
        r"no tenant was admitted more than (\d+) times in any 5 s \(with a limiter per process: (\d+)", conclusion
    )
    assert found is not None, output
    shared, private = int(found[1]), int(found[2])
    assert shared <= 200 < private
    assert "and 0 of 240 requests of the 40 small tenants were refused" in conclusion
    assert leftovers(demo.pid) == []


def test_demo_leaves_nothing_behind_when_interrupted(demo: subprocess.Popen[str]) -> None:
    """Ctrl-C ends the demo with 130, its workers with it, and removes the table."""
    assert demo.stdout is not None
    pids = [int(pid) for pid in re.findall(r"\d+", demo.stdout.readline().partition("(pids ")[2].partition(")")[0])]
    assert len(pids) == 4
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=TIMEOUT_S)
    assert (demo.returncode, errors) == (130, "")
    assert [pid for pid in pids if is_running(pid)] == []
    assert leftovers(demo.pid) == []


def test_audit_finds_the_fullest_window(audit: Any) -> None:
    """Decisions exactly one window apart do not share a window, all nearer ones do."""
    assert audit.busiest([(at, at) for at in (0, 3, 9, 10, 12, 19)], window_ns=10) == 4
    assert audit.busiest([(0, 0), (10, 10), (20, 20)], window_ns=10) == 1
    assert audit.busiest([], window_ns=10) == 0


def test_audit_gives_a_paused_worker_the_benefit_of_the_doubt(audit: Any) -> None:
    """A decision whose time is not known well enough to lie in the window does not count for it."""
    assert audit.busiest([(0, 2), (1, 10), (3, 4)], window_ns=10) == 2


def leftovers(pid: int) -> list[Path]:
    """Folders that the demo with this process id has not removed."""
    return list(TABLES.glob(f"ratelimit-guard-demo-{pid}-*"))


def is_running(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
