"""One worker process: uvicorn on an inherited socket. Prints `ready`, serves until its stdin closes, prints its report.

The end of stdin as the signal to stop means that no worker outlives the demo, not even a demo that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from demo.app import LimitedApp
from demo.scenario import QUOTA, TABLE_CAPACITY
from ratelimit_guard import Limiter, MemoryStore, SharedStore


class AnnouncingServer(uvicorn.Server):
    """Says on stdout when it accepts connections, so that nobody has to guess."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        print("ready", flush=True)

    def stop(self) -> None:
        """Let uvicorn answer what it has accepted and end."""
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.should_exit = True


def build_app(index: int, table: Path) -> LimitedApp:
    """The app with its two limiters: one table for all workers, and one that only this process knows."""
    shared = Limiter(QUOTA, store=SharedStore(table, capacity=TABLE_CAPACITY))
    private = Limiter(QUOTA, store=MemoryStore(TABLE_CAPACITY))
    return LimitedApp(index, shared, private)


async def serve(app: LimitedApp, listener: socket.socket) -> None:
    """Serve on `listener` until stdin ends."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = AnnouncingServer(config)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), server.stop)
    await server.serve([listener])


def main() -> None:
    """Read the command line, serve, report."""
    parser = argparse.ArgumentParser(prog="python -m demo.worker")
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--table", type=Path, required=True)
    options = parser.parse_args()
    app = build_app(options.index, options.table)
    asyncio.run(serve(app, socket.socket(fileno=options.fd)))
    report = app.ledger.report(lambda: app.shared.acquire(f"worker {options.index}"))
    print(report.to_json(), flush=True)


if __name__ == "__main__":
    main()
