"""A primary, its replica, and the sentinels that watch them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from servers.server import HOST, Server, replica, valkey, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.engines import Engine

NAME = "limits"
"""What clients ask the sentinels for."""

DOWN_MS = 500
HEARD_MS = 10_000
"""Sentinels ask this often; one that has never asked says a number much larger."""


class Sentinels:
    """Two servers of which one is the primary, and those who decide which."""

    def __init__(self, servers: list[Server], watchers: list[Server]) -> None:
        self.servers = servers
        self.watchers = watchers

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """What `redis.sentinel.Sentinel` wants."""
        return [(HOST, watcher.port) for watcher in self.watchers]

    @property
    def primary(self) -> Server:
        """The server that the sentinels name now."""
        port = int(_ask(self._alive(), "GET-MASTER-ADDR-BY-NAME", NAME)[1])
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self) -> Server:
        """The other one."""
        primary = self.primary
        return next(server for server in self.servers if server is not primary)

    def fail_over(self) -> Server:
        """Order a failover, and return the new primary when it takes writes. The next would have to wait long."""
        before = self.primary
        _ask(self._alive(), "FAILOVER", NAME)
        return self.wait_for_other(before)

    def wait_for_other(self, before: Server) -> Server:
        """Return the new primary when every sentinel names it and it takes writes."""
        after = next(server for server in self.servers if server is not before)
        wait_until(lambda: all(_named(watcher) == after.port for watcher in self.watchers if watcher.runs), what="news")
        wait_until(lambda: after.info("replication")["role"] == "master", what="the new primary")
        return after

    def wait(self) -> None:
        """Return when every sentinel has heard from the replica and of all the others: none can act before."""
        wait_until(lambda: all(self._ready(watcher) for watcher in self.watchers), what="introductions")

    def _ready(self, watcher: Server) -> bool:
        seen = _facts(_ask(watcher, "MASTER", NAME))
        copies = [_facts(each) for each in _ask(watcher, "REPLICAS", NAME)]
        return int(seen["num-other-sentinels"]) == len(self.watchers) - 1 and any(
            copy["flags"] == "slave" and copy["master-link-status"] == "ok" and int(copy["info-refresh"]) < HEARD_MS
            for copy in copies
        )

    def _alive(self) -> Server:
        return next(watcher for watcher in self.watchers if watcher.runs)


@contextlib.contextmanager
def sentinel(watchers: int = 1, *, engine: Engine = "valkey-9", password: str | None = None) -> Iterator[Sentinels]:
    """A primary, a replica of it, and sentinels that act after half a second of silence."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(valkey(engine=engine, password=password))
        copy = stack.enter_context(replica(primary, engine=engine))
        lines = [
            f"sentinel monitor {NAME} {HOST} {primary.port} {watchers // 2 + 1}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 3000",
            *([f"sentinel auth-pass {NAME} {password}"] if password else []),
        ]
        watching = [stack.enter_context(Server(*lines, engine=engine, mode="--sentinel")) for _ in range(watchers)]
        whole = Sentinels([primary, copy], watching)
        whole.wait()
        yield whole


def _ask(watcher: Server, *words: str) -> Any:
    """The bare answer of a sentinel."""
    with watcher.client(decode_responses=True, protocol=2) as client:
        return client.execute_command("SENTINEL", *words)


def _facts(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _named(watcher: Server) -> int:
    return int(_ask(watcher, "GET-MASTER-ADDR-BY-NAME", NAME)[1])
