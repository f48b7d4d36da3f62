"""The worker processes: start them on one port, wait until each accepts, collect the reports, leave none behind."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.ledger import Report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
PROJECT_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fleet:
    """Workers that accept connections on `port` of the loopback address."""

    port: int
    processes: list[Process]

    @property
    def pids(self) -> list[int]:
        """Process ids, in the order of the workers' numbers."""
        return [process.pid for process in self.processes]

    async def finish(self) -> list[Report]:
        """End every worker and return what they wrote down."""
        outputs = await asyncio.gather(*(_end(process) for process in self.processes))
        for number, (process, output) in enumerate(zip(self.processes, outputs, strict=True)):
            if process.returncode != 0 or not output:
                raise DemoError(f"worker {number} ended with exit code {process.returncode} and no report")
        return [Report.from_json(output) for output in outputs]


@asynccontextmanager
async def running_fleet(count: int, table: Path) -> AsyncIterator[Fleet]:
    """Start `count` workers over the counters in `table`; whatever happens, all of them have ended on leaving."""
    listeners = _bind(count)
    fleet = Fleet(listeners[0].getsockname()[1], [])
    try:
        for index, listener in enumerate(listeners):
            fleet.processes.append(await _spawn(index, listener, table))
            listener.close()
        async with asyncio.TaskGroup() as group:
            for index, process in enumerate(fleet.processes):
                group.create_task(_ready(index, process))
        yield fleet
    finally:
        for listener in listeners:
            listener.close()
        left = [process for process in fleet.processes if process.returncode is None]
        await asyncio.gather(*(_end(process) for process in left), return_exceptions=True)


def _bind(count: int) -> list[socket.socket]:
    """One socket per worker, all on the same free port: the kernel spreads new connections by their hash.

    A single listening socket would do, but there the first idle worker takes every connection of a burst.
    """
    port = 0
    listeners = []
    for _ in range(count):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        listeners.append(listener)
    return listeners


async def _spawn(index: int, listener: socket.socket, table: Path) -> Process:
    command = [sys.executable, "-m", "demo.worker", "--index", str(index), "--fd", str(listener.fileno())]
    return await asyncio.create_subprocess_exec(
        *command,
        "--table",
        str(table),
        stdin=PIPE,
        stdout=PIPE,
        cwd=PROJECT_ROOT,
        pass_fds=[listener.fileno()],
        process_group=0,  # Ctrl-C reaches the demo only, which then ends its workers in order
    )


async def _ready(index: int, process: Process) -> None:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
    if line.strip() != b"ready":
        raise DemoError(f"worker {index} ended before it accepted connections: see its message above")


async def _end(process: Process) -> bytes:
    """Close the worker's stdin and read the rest of its output; kill it when it does not end in time."""
    try:
        output, _ = await asyncio.wait_for(process.communicate(b""), STOP_TIMEOUT_S)
        return output
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
