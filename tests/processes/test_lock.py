"""Waiting for the lock under which a table is made: nobody else stands still, and signals do no harm."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# The helper gives the lock back only after it has run while the main thread waits for it: whoever keeps the interpreter
# to himself meanwhile waits for ever.
SCRIPT = """
import fcntl, os, signal, sys, threading
from ratelimit_guard import SharedStore
from ratelimit_guard._core import RESERVED_SUFFIXES

path, signals = sys.argv[1], int(sys.argv[2])
lock = os.open(path + RESERVED_SUFFIXES[0], os.O_CREAT | os.O_RDWR, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
heard, told = os.pipe()
os.set_blocking(told, False)
begun, rang = threading.Event(), []

def give_back():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    begun.wait()
    for _ in range(signals):
        os.read(heard, 1)
    os.close(lock)

helper = threading.Thread(target=give_back)
helper.start()
signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
signal.set_wakeup_fd(told, warn_on_full_buffer=False)
if signals:
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
sys.setswitchinterval(1_000.0)
begun.set()
store = SharedStore(path, capacity=100_000)
signal.setitimer(signal.ITIMER_REAL, 0.0)
helper.join()
assert bool(rang) == bool(signals)
print(store.capacity)
"""


@pytest.mark.parametrize("signals", [0, 40])
def test_waiting_for_the_lock_stops_nobody(tmp_path: Path, signals: int) -> None:
    """Other threads go on while the opening waits, and handlers of signals that arrive meanwhile run."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "table"), str(signals)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("100000\n", "")


RAISES = """
import fcntl, os, signal, sys
from ratelimit_guard import SharedStore
from ratelimit_guard._core import RESERVED_SUFFIXES

lock = os.open(sys.argv[1] + RESERVED_SUFFIXES[0], os.O_CREAT | os.O_RDWR, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    SharedStore(sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_may_end_the_wait(tmp_path: Path) -> None:
    """What a handler raises is raised, as Ctrl-C is while another process holds the lock and stands still."""
    command = [sys.executable, "-c", RAISES, str(tmp_path / "table")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
