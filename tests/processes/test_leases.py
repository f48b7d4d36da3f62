"""What a killed process held comes back: by those that live, else by the next one; no keeper outlives its table."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ratelimit_guard import Limiter, MemoryStore, Policy, SharedStore

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = [Policy("tokens", "1000 tokens/hour"), Policy("at-once", "2 concurrent-requests; lease=1h")]
HOLDER = """
import sys
from ratelimit_guard import Limiter, Policy, SharedStore
policies = [Policy("tokens", "1000 tokens/hour"), Policy("at-once", "2 concurrent-requests; lease=1h")]
limiter = Limiter(policies, SharedStore(sys.argv[1]))
held = limiter.reserve("alice", input_tokens=100, output_tokens=50)
held.spend(70, 100)
print("ready", flush=True)
sys.stdin.readline()
"""
PATIENCE_S = 20.0  # a round is a second; the machine may be busy


def left(limiter: Limiter) -> list[int]:
    """What remains under each policy."""
    return [result.remaining for result in limiter.peek("alice", 0).results]


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that holds a slot, 170 tokens used and 100 not."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def keepers() -> int:
    """Threads of this process that keep leases."""
    return sum(name.read_text().startswith("ratelimit-guard") for name in Path("/proc/self/task").glob("*/comm"))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for the keeper."""
    start, tick = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - start < PATIENCE_S
        tick.wait(0.01)


@pytest.mark.parametrize("is_reaped", [False, True], ids=["zombie", "gone"])
def test_survivor_takes_back_what_a_killed_process_held(tmp_path: Path, is_reaped: bool) -> None:
    """Its slot and the rest of its slice, within a round of the keeper; what it used stays charged."""
    limiter = Limiter(POLICIES, SharedStore(tmp_path / "table"))
    victim = hold(tmp_path / "table")
    own = limiter.reserve("alice")
    assert left(limiter) == [730, 0]
    victim.send_signal(signal.SIGKILL)
    if is_reaped:
        victim.wait()
    wait_until(lambda: left(limiter) == [830, 1])
    victim.communicate()
    own.settle()
    assert left(limiter) == [830, 2]


def test_next_process_takes_back_what_the_last_one_held(tmp_path: Path) -> None:
    """When nobody survived, it is back before the next one's first decision."""
    victim = hold(tmp_path / "table")
    victim.kill()
    victim.communicate()
    store = SharedStore(tmp_path / "table")
    limiter = Limiter(POLICIES, store)
    assert left(limiter) == [830, 2]
    assert store.leases() == {"live": 0, "reclaimed": 1, "unlisted": 0}


def test_ledger_of_a_table_that_was_deleted_is_worthless(tmp_path: Path) -> None:
    """Whoever deletes the table need not know of the files beside it."""
    victim = hold(tmp_path / "table")
    victim.kill()
    victim.communicate()
    (tmp_path / "table").unlink()
    store = SharedStore(tmp_path / "table")
    limiter = Limiter(POLICIES, store)
    held = limiter.reserve("alice", output_tokens=10)
    assert store.leases() == {"live": 1, "reclaimed": 0, "unlisted": 0}
    held.release()
    assert left(limiter) == [1000, 2]


def test_keeper_ends_with_its_table() -> None:
    """One thread for a table with reservations, none for others, none afterwards."""
    before = keepers()
    store = MemoryStore(1_000)
    limiter = Limiter(POLICIES, store)
    assert keepers() == before
    for _ in range(3):
        limiter.reserve("alice").settle()
    wait_until(lambda: keepers() == before + 1)
    del limiter, store
    gc.collect()
    wait_until(lambda: keepers() == before)


EXITS = HOLDER.replace("sys.stdin.readline()", "")


def test_keeper_lets_the_interpreter_exit(tmp_path: Path) -> None:
    """With a reservation open; it is settled on the way out."""
    command = [sys.executable, "-c", EXITS, str(tmp_path / "table")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert left(Limiter(POLICIES, SharedStore(tmp_path / "table"))) == [830, 2]
