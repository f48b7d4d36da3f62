"""One worker process: uvicorn on an inherited socket. Prints `ready`, then a line for each request that was restricted,
and what the guard logs.

It serves until its stdin closes: so no worker outlives the demo, not even a demo that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from demo.stage import build

if TYPE_CHECKING:
    from demo.access_log import Restricted


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


def tell(restricted: Restricted) -> None:
    """To the demo, which reads all the time."""
    print(restricted.to_json(), flush=True)


async def serve(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve on `listener` until stdin ends."""
    server = AnnouncingServer(config)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), server.stop)
    await server.serve([listener])


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m demo.worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--tiers", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    with options.log.open("wb") as log:
        app = build(options.tiers, log, tell)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        asyncio.run(serve(config, socket.socket(fileno=options.fd)))


if __name__ == "__main__":
    main()
