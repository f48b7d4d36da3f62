"""Real servers with several workers, started on a port of the kernel's choice and stopped by their own id."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
READY_S = 40.0
STOPPED_S = 3.0

SERVERS: dict[str, list[str]] = {
    "uvicorn": ["-m", "uvicorn", "{app}", "--port", "{port}", "--workers", "{workers}", "--log-level", "warning"],
    "granian-asgi": ["-m", "granian", "{app}", "--interface", "asgi", "--port", "{port}", "--workers", "{workers}"],
    "granian-wsgi": ["-m", "granian", "{app}", "--interface", "wsgi", "--port", "{port}", "--workers", "{workers}"],
    "upstream": ["-m", "{app}", "{port}"],  # tests/proxy: no web server, for it breaks rules
    "gunicorn-sync": ["-m", "gunicorn", "{app}", "--bind", "127.0.0.1:{port}", "--workers", "{workers}"],
    "gunicorn-gthread": [
        "-m", "gunicorn", "{app}", "--bind", "127.0.0.1:{port}", "--workers", "{workers}",
        "--worker-class", "gthread", "--threads", "4", "--preload",
    ],
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(server: str, app: str, log: Path, workers: int = 4, **environment: str) -> Iterator[int]:
    """The port of a running server; it and all its workers are gone afterwards."""
    port = free_port()
    arguments = [part.format(app=app, port=port, workers=workers) for part in SERVERS[server]]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            _wait(process, port, log)
            yield port
        finally:
            process.terminate()  # the master alone: it ends its workers
            with contextlib.suppress(subprocess.TimeoutExpired):  # granian forgets workers that are just starting
                process.wait(STOPPED_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if get(port, "/health")[0] == 200:
                return
        time.sleep(0.05)
    msg = f"server did not start:\n{log.read_text()}"
    raise AssertionError(msg)


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def hammer(port: int, path: str, requests: int, clients: int = 8, headers: dict[str, str] | None = None) -> list[int]:
    """Statuses of many requests at once, each on a connection of its own, so that every worker gets some."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: get(port, path, headers)[0], range(requests)))


def vanish(port: int, path: str) -> None:
    """Read the beginning of a response and drop the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell


def send_raw(port: int, request: bytes) -> None:
    """Send what no client library would; the server may answer or hang up as it likes."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
        connection.sendall(request)
        connection.recv(1_000)
