"""Real servers, each in a process and a directory of its own, which end with the test whatever happens to it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from servers.engines import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.engines import Engine

HOST = "127.0.0.1"
READY_S = 20.0
STOPPED_S = 3.0
POLL_S = 0.005
CLIENT_S = 1.0

PORTS = range(11_000, 21_000)
"""With its bus at port + 10,000, below those that the kernel gives to outgoing connections: nobody takes the port of a
server while it is down."""

BUS = 10_000
LEASH = ("setpriv", "--pdeathsig", "KILL")
"""The kernel ends a server whose starter is gone, even by SIGKILL. It means the thread: start none in a short one."""

COMMON = ("save ''", "appendonly no", "daemonize no", "repl-diskless-sync yes", "repl-diskless-sync-delay 0")
AWAKE = (b"+PONG", b"-NOAUTH", b"-NOPERM")


def wait_until(condition: Callable[[], object], seconds: float = READY_S, what: str = "the servers") -> None:
    """Return as soon as `condition` is true; what it raises because a server is away counts as false."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionError, TimeoutError, OSError):
            if condition():
                return
        if time.monotonic() > deadline:
            msg = f"not within {seconds} s: {what}"
            raise AssertionError(msg)
        time.sleep(POLL_S)


def free_port() -> int:
    """A port whose bus is free too."""
    while True:
        port = random.choice(PORTS)  # noqa: S311  no secret: helpers at work at the same time should rarely meet
        with socket.socket() as server, socket.socket() as bus, contextlib.suppress(OSError):
            server.bind((HOST, port))
            bus.bind((HOST, port + BUS))
            return port


class Server:
    """One server. Its configuration is in lines of its own language, which come after ours and win."""

    def __init__(
        self, *lines: str, engine: Engine = "valkey-9", password: str | None = None, unix: bool = False, mode: str = ""
    ) -> None:
        self.port = free_port()
        self.password = password
        self.directory = Path(tempfile.mkdtemp(prefix="rlg-"))  # short: the path of a socket has 107 bytes
        self.socket = self.directory / "socket" if unix else None
        configuration = self.directory / "server.conf"
        self._command = [str(program(engine)), str(configuration), *([mode] if mode else [])]
        self._process: subprocess.Popen[bytes] | None = None
        where = [f"bind {HOST}", f"port {self.port}", f"dir {self.directory}"]
        secret = [f"requirepass {password}", f"masterauth {password}"] if password else []
        own = where if mode else [*where, *COMMON, *secret]
        configuration.write_text("\n".join([*own, *([f"unixsocket {self.socket}"] if unix else []), *lines]) + "\n")

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What a user writes in a configuration."""
        secret = f":{self.password}@" if self.password else ""
        return f"unix://{secret}{self.socket}?db=0" if self.socket else f"redis://{secret}{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it said so far."""
        return (self.directory / "log").read_text(errors="replace")

    @property
    def runs(self) -> bool:
        """False once it has ended, however it did."""
        return self._process is not None and self._process.poll() is None

    def client(self, **more: Any) -> Redis:
        """A client that gives up soon and tries nothing twice."""
        quick = {"socket_timeout": CLIENT_S, "socket_connect_timeout": CLIENT_S, "retry": Retry(NoBackoff(), 0)}
        where = {"unix_socket_path": str(self.socket)} if self.socket else {"host": HOST, "port": self.port}
        return Redis(**{**quick, **where, "password": self.password, **more})

    def info(self, section: str) -> dict[str, Any]:
        """What it says about itself."""
        with self.client() as client:
            said: dict[str, Any] = client.info(section)
            return said

    def start(self) -> None:
        """Start the process; `wait` until it answers."""
        leash = LEASH if shutil.which(LEASH[0]) else ()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([*leash, *self._command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self) -> None:
        """Return when it answers."""
        wait_until(lambda: not self.runs or self._answers(), what=f"a start:\n{self.log}")
        if not self.runs:
            msg = f"the server ended:\n{self.log}"
            raise AssertionError(msg)

    def stop(self) -> None:
        """Ask it to end; insist after a while."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop its time: the kernel still accepts connections and bytes, but nobody answers."""
        assert self.runs
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let it go on; nothing happens to one that runs."""
        if self.runs:
            os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, empty: bool = True) -> None:
        """End it and start it on the same port: with nothing in it, or as it was."""
        if not empty:
            with self.client() as client:
                client.save()
        self.stop()
        if empty:
            (self.directory / "dump.rdb").unlink(missing_ok=True)
        self.start()
        self.wait()

    def close(self) -> None:
        """End it and remove all that it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self.resume()  # a stopped process cannot be asked
        self._process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPPED_S)
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.create_connection((HOST, self.port), timeout=CLIENT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100).startswith(AWAKE)


def valkey(
    *lines: str, engine: Engine = "valkey-9", password: str | None = None, unix: bool = False
) -> contextlib.AbstractContextManager[Server]:
    """A server alone: `valkey("maxmemory 3mb", "user app on >secret ~rlg:* +@all")`."""
    return Server(*lines, engine=engine, password=password, unix=unix)


def redis62(*lines: str, password: str | None = None) -> contextlib.AbstractContextManager[Server]:
    """The oldest server that is supported."""
    return Server(*lines, engine="redis-6", password=password)


@contextlib.contextmanager
def replica(of: Server, *lines: str, engine: Engine = "valkey-9") -> Iterator[Server]:
    """A copy of a server, up to date from the start; it refuses to be written to."""
    with Server(f"replicaof {HOST} {of.port}", *lines, engine=engine, password=of.password) as copy:
        wait_until(lambda: copy.info("replication")["master_link_status"] == "up", what="the link of a replica")
        yield copy
