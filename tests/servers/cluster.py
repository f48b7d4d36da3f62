"""A cluster of real servers, put together by hand: every step is a command that any server of the family knows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from servers.server import BUS, HOST, Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.engines import Engine

SLOTS = 16_384
NODE_TIMEOUT_MS = 1_000
"""A node that is silent for so long is taken to be dead, and its replica takes over."""

CLUSTER = (
    "cluster-enabled yes",
    f"cluster-node-timeout {NODE_TIMEOUT_MS}",
    "cluster-replica-validity-factor 0",  # however long ago: a replica is better than none
)
OLD_CLUSTER = (*CLUSTER[:-1], "cluster-slave-validity-factor 0")


class Cluster:
    """Primaries, each with an equal share of the slots, and the replica of each, if any."""

    def __init__(self, primaries: list[Server], replicas: list[Server]) -> None:
        self.primaries = primaries
        self.replicas = replicas

    @property
    def nodes(self) -> list[Server]:
        """All of them, dead or alive."""
        return [*self.primaries, *self.replicas]

    @property
    def url(self) -> str:
        """Of one node, which knows the others."""
        return self.primaries[0].url

    def form(self) -> None:
        """Give every primary its slots, introduce all to all, attach replicas; return when all agree that it works."""
        share = SLOTS // len(self.primaries) + 1
        for epoch, node in enumerate(self.nodes, 1):
            _command(node, "SET-CONFIG-EPOCH", epoch)
        for number, node in enumerate(self.primaries):
            _command(node, "ADDSLOTS", *range(number * share, min((number + 1) * share, SLOTS)))
        for node in self.nodes[1:]:
            _command(self.nodes[0], "MEET", HOST, node.port, node.port + BUS)
        wait_until(lambda: all(_known(node) == len(self.nodes) for node in self.nodes), what="introductions")
        for primary, node in zip(self.primaries, self.replicas, strict=False):
            _command(node, "REPLICATE", _id(primary))
        self.wait()

    def wait(self) -> None:
        """Return when every node that runs says that all slots are served, and replicas are up to date."""
        wait_until(lambda: all(_well(node) for node in self.nodes if node.runs), what="a cluster that works")

    def owner(self, key: str) -> Server:
        """The node that a key belongs to now."""
        return self._served_by(self.slot(key))

    def slot(self, key: str) -> int:
        """Where a key lives."""
        return int(_command(self._alive(), "KEYSLOT", key))

    def fail_over(self, replica: Server) -> None:
        """A replica takes over in agreement with its primary: nothing is lost."""
        _command(replica, "FAILOVER")
        self.wait_for_primary(replica)

    def wait_for_primary(self, node: Server) -> None:
        """Return when a replica has taken over and all that run know it."""
        name = _id(node)
        wait_until(lambda: node.info("replication")["role"] == "master", what="the new primary")
        wait_until(lambda: all(_serves(other, name) for other in self.nodes if other.runs), what="news of it")
        self.wait()

    def begin_move(self, slot: int, to: Server) -> Server:
        """Open a slot for its way to another node: what is asked for now is redirected by ASK once it has moved."""
        source = self._served_by(slot)
        _command(to, "SETSLOT", slot, "IMPORTING", _id(source))
        _command(source, "SETSLOT", slot, "MIGRATING", _id(to))
        return source

    def end_move(self, slot: int, source: Server, to: Server) -> None:
        """Carry the keys over and give the slot away."""
        while keys := _command(source, "GETKEYSINSLOT", slot, 100):
            with source.client() as client:
                client.execute_command("MIGRATE", HOST, to.port, "", 0, 1_000, "KEYS", *keys)
        for node in (to, source):  # these two tell the others
            _command(node, "SETSLOT", slot, "NODE", _id(to))

    def move(self, slot: int, to: Server) -> None:
        """Move a slot with all its keys while traffic goes on."""
        self.end_move(slot, self.begin_move(slot, to), to)

    def _alive(self) -> Server:
        return next(node for node in self.nodes if node.runs)

    def _served_by(self, slot: int) -> Server:
        for first, last, (_, port, *_), *_ in _command(self._alive(), "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(slot)


@contextlib.contextmanager
def cluster(primaries: int = 3, *lines: str, replicas: bool = False, engine: Engine = "valkey-9") -> Iterator[Cluster]:
    """Nodes that have formed a cluster, each primary with a replica if asked."""
    with contextlib.ExitStack() as stack:
        made: list[Server] = []
        for _ in range(primaries * (1 + replicas)):
            server = Server(*(OLD_CLUSTER if engine == "redis-6" else CLUSTER), *lines, engine=engine)
            stack.callback(server.close)
            server.start()
            made.append(server)
        for server in made:
            server.wait()
        whole = Cluster(made[:primaries], made[primaries:])
        whole.form()
        yield whole


def _command(node: Server, *words: str | int) -> Any:
    """The bare answer of a command about the cluster."""
    with node.client(decode_responses=True, protocol=2) as client:
        return client.execute_command("CLUSTER", *words)


def _id(node: Server) -> str:
    return str(_command(node, "MYID"))


def _seen(node: Server) -> list[list[str]]:
    """What a node knows of every node: name, address, flags, ..."""
    return [line.split() for line in _command(node, "NODES").splitlines()]


def _known(node: Server) -> int:
    return sum("handshake" not in flags and link == "connected" for _, _, flags, _, _, _, _, link, *_ in _seen(node))


def _serves(node: Server, name: str) -> bool:
    return any(seen[0] == name and "master" in seen[2] and len(seen) > 8 for seen in _seen(node))


def _well(node: Server) -> bool:
    said = dict(line.split(":", 1) for line in _command(node, "INFO").splitlines() if ":" in line)
    return (
        said["cluster_state"] == "ok"
        and int(said["cluster_slots_ok"]) == SLOTS
        and node.info("replication").get("master_link_status", "up") == "up"
    )
