"""The worker processes: start them on one port, wait until each accepts, hear what they say, leave none behind."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demo.access_log import Restricted
from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    Hear = Callable[[Restricted | str], None]

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
PROJECT_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Home:
    """Files of a run: the tier file, and where each worker writes its log."""

    tiers: Path
    logs: tuple[Path, ...]


@dataclass(frozen=True)
class Fleet:
    """Workers that accept connections on `port` of the loopback address."""

    port: int
    processes: list[Process] = field(default_factory=list[Process])
    ears: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def pids(self) -> list[int]:
        """Process ids, in the order of the workers' numbers."""
        return [process.pid for process in self.processes]

    async def finish(self) -> None:
        """End every worker, and hear all that they had to say."""
        await asyncio.gather(*(_end(process) for process in self.processes))
        await asyncio.gather(*self.ears)
        for number, process in enumerate(self.processes):
            if process.returncode != 0:
                raise DemoError(f"worker {number} ended with exit code {process.returncode}: see its message above")


@asynccontextmanager
async def running_fleet(home: Home, hear: Hear) -> AsyncGenerator[Fleet]:
    """Start a worker for each log; whatever happens, all of them have ended on leaving.

    `hear` gets what they tell of restricted requests, and what they log.
    """
    listeners = _bind(len(home.logs))
    fleet = Fleet(listeners[0].getsockname()[1])
    try:
        for log, listener in zip(home.logs, listeners, strict=True):
            fleet.processes.append(await _spawn(listener, home.tiers, log))
            listener.close()
        async with asyncio.TaskGroup() as group:
            for number, process in enumerate(fleet.processes):
                group.create_task(_ready(number, process))
        fleet.ears.extend(asyncio.create_task(_listen(process, hear)) for process in fleet.processes)
        yield fleet
    finally:
        for listener in listeners:
            listener.close()
        await asyncio.gather(*(_end(process) for process in fleet.processes), return_exceptions=True)
        for ear in fleet.ears:
            ear.cancel()


def _bind(count: int) -> list[socket.socket]:
    """One socket per worker, all on the same free port: the kernel spreads new connections by their hash.

    A single listening socket would do, but there the first idle worker takes every connection of a burst.
    """
    port = 0
    listeners: list[socket.socket] = []
    for _ in range(count):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        listeners.append(listener)
    return listeners


async def _spawn(listener: socket.socket, tiers: Path, log: Path) -> Process:
    command = ["-m", "demo.worker", "--fd", str(listener.fileno()), "--tiers", str(tiers), "--log", str(log)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=PIPE,
        stdout=PIPE,
        cwd=PROJECT_ROOT,
        pass_fds=[listener.fileno()],
        process_group=0,  # Ctrl-C reaches the demo only, which then ends its workers in order
    )


async def _ready(number: int, process: Process) -> None:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
    if line.strip() != b"ready":
        raise DemoError(f"worker {number} ended before it accepted connections: see its message above")


async def _listen(process: Process, hear: Hear) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        hear(Restricted.from_json(line) if line.startswith(b"{") else line.decode().rstrip())


async def _end(process: Process) -> None:
    """Close the worker's stdin and wait; kill it when it does not end in time."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
