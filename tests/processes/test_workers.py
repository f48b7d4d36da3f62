"""Real worker processes on one table: exact together, and after any of them is killed at any instant."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from processes.worker import ATTEMPTS, CAPACITY, KEYS, LIMIT, NOTES, POLICIES, Diary, key
from ratelimit_guard import Limiter, SharedStore

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 8
SURVIVORS = 3  # beside the one that is killed
LAST_ATTEMPT = ATTEMPTS * LIMIT * KEYS


class Worker:
    """A worker process and its page of the diary."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        """Start it; it is ready when it says so."""
        self.diary = Diary(folder / "diary", number)
        tests = Path(__file__).parents[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "processes.worker", folder / "table", folder / "diary", str(number), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tests)},
        )

    def pipe(self, name: str) -> IO[str]:
        """One of its pipes."""
        pipe: IO[str] | None = getattr(self.process, name)
        assert pipe is not None
        return pipe

    def say(self, line: str) -> None:
        """Give it a command."""
        self.pipe("stdin").write(line + "\n")
        self.pipe("stdin").flush()

    def hear(self) -> str:
        """Wait for its answer."""
        return self.pipe("stdout").readline().strip()

    def stop(self) -> None:
        """End it and wait until it is gone."""
        self.process.kill()
        self.process.communicate()


class Team:
    """Workers on one table."""

    def __init__(self, folder: Path, size: int) -> None:
        """Start them all, then wait for all."""
        self.folder, self.started = folder, size
        (folder / "diary").write_bytes(bytes(NOTES * size))
        self.workers = [Worker(folder, number, number) for number in range(size)]
        for worker in self.workers:
            assert worker.hear() == "ready"

    def replace(self, number: int) -> None:
        """Put a new worker in the place of one that was killed."""
        self.workers[number] = Worker(self.folder, number, self.started)
        self.started += 1
        assert self.workers[number].hear() == "ready"

    def admitted(self, index: int) -> int:
        """Admissions of a key that any worker noted."""
        return sum(worker.diary.read(1 + index) for worker in self.workers)


@pytest.fixture
def team(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Team]:
    """As many workers as the test asks for; every one of them is gone afterwards."""
    team = Team(tmp_path, request.param)
    yield team
    for worker in team.workers:
        worker.stop()


@pytest.mark.parametrize("team", [WORKERS], indirect=True)
def test_workers_share_one_limit_exactly(team: Team) -> None:
    """Eight processes, 16,000 attempts, "1000/hour": 1,000 admissions."""
    for worker in team.workers:
        worker.say("take alice 2000")
    assert sum(int(worker.hear()) for worker in team.workers) == 1_000


@pytest.mark.parametrize("team", [1 + SURVIVORS], indirect=True)
def test_workers_killed_under_load_never_let_more_through(team: Team) -> None:
    """Twenty sudden deaths: no key gets more than its limit, and none loses more than the charge in flight."""
    kill_rounds(team, 20)


@pytest.mark.soak
@pytest.mark.parametrize("team", [1 + SURVIVORS], indirect=True)
def test_workers_killed_a_thousand_times_never_let_more_through(team: Team) -> None:
    """The same a thousand times."""
    kill_rounds(team, 1_000)


def kill_rounds(team: Team, rounds: int) -> None:
    """Kill one worker a round at a random attempt; the others finish the round."""
    dice = random.Random(rounds)  # noqa: S311  not a secret
    for number in range(rounds):
        victim = dice.randrange(len(team.workers))
        fatal = int(LAST_ATTEMPT * dice.random() ** 3)  # mostly early, while there is something to charge
        for worker in team.workers:
            worker.diary.clear()
        for worker in team.workers:
            worker.say(f"round {number}")
        while team.workers[victim].diary.read(0) < fatal:
            os.sched_yield()
        team.workers[victim].stop()
        for worker in team.workers:
            assert worker is team.workers[victim] or int(worker.hear()) == LAST_ATTEMPT
        check_round(team)
        team.replace(victim)
    check_table(team.folder, rounds)


def check_round(team: Team) -> None:
    """Every key was used up: to the limit, less the one charge that the victim may not have noted."""
    admitted = [team.admitted(index) for index in range(KEYS)]
    assert max(admitted) <= LIMIT
    assert sum(admitted) >= KEYS * LIMIT - 1


def check_table(folder: Path, rounds: int) -> None:
    """The table still knows who is exhausted, and serves new keys exactly."""
    limiter = Limiter(POLICIES, SharedStore(folder / "table", capacity=CAPACITY))
    assert not any(limiter.acquire(key(rounds - 1, index)) for index in range(KEYS))
    assert sum(bool(limiter.acquire("afterwards")) for _ in range(2 * LIMIT)) == LIMIT
