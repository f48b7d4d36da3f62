"""Where the server is: one URL for every kind of it, and clients that never wait longer than told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ratelimit_guard.errors import ConfigError

try:
    import redis
    import redis.asyncio.cluster
    import redis.asyncio.connection
    from redis.backoff import NoBackoff
    from redis.cluster import ClusterNode, RedisCluster
    from redis.connection import parse_url as _parse_url  # pyright: ignore
    from redis.retry import Retry
    from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection
except ModuleNotFoundError as missing:
    if missing.name != "redis":
        raise
    text = "a store at a server needs redis-py: pip install 'ratelimit-guard[redis]'"
    raise ImportError(text) from missing

from ratelimit_guard.stores.redis.deadline import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMS = (
    "redis://host:6379/0, rediss://… (TLS), unix:///path, redis+cluster://host:6379,host:6379 or "
    "redis+sentinel://host:26379,host:26379/service"
)
CLIENT_NAME = "ratelimit-guard"
MAX_CONNECTIONS = 256
"""Of one process: each thread that asks at the same moment has one."""


class Address(NamedTuple):
    """A server's address, read. `options` hold the password, so it is never shown."""

    kind: str
    nodes: tuple[tuple[str, int], ...]
    service: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL. `ConfigError` for one that names no server; the text never shows it, for the password in it."""
        try:
            return cls._parse(url)
        except (ValueError, TypeError, AttributeError) as error:
            msg = f"store url: write {FORMS}, with nothing but options of redis-py after a ?"
            raise ConfigError(msg) from error

    @classmethod
    def _parse(cls, url: str) -> Address:
        split = urlsplit(url)
        scheme, _, kind = split.scheme.partition("+")
        if scheme not in {"redis", "rediss", "unix"} or kind not in {"", "cluster", "sentinel"}:
            raise ValueError(scheme)
        if not kind:
            options = _options(url)
            if not options.get("host") and not options.get("path"):
                options["host"] = "localhost"
            address = cls("server", (), "", options)
            address.client(1.0).connection_pool.make_connection()  # TypeError for an option that there is not
            return address
        user, at, hosts = split.netloc.rpartition("@")
        nodes = tuple(_node(host, 26379 if kind == "sentinel" else 6379) for host in hosts.split(","))
        service, _, database = split.path.strip("/").partition("/")
        if kind == "sentinel" and not service:
            raise ValueError(kind)
        path = f"/{database}" if kind == "sentinel" and database else ""
        plain = SplitResult(scheme, f"{user}{at}{nodes[0][0]}:{nodes[0][1]}", path, split.query, "")
        options = _options(plain.geturl())
        for name in ("host", "port"):
            options.pop(name, None)
        if options.pop("connection_class", None) is not None:
            options["ssl"] = True
        return cls(kind, nodes, service, options)

    @property
    def is_cluster(self) -> bool:
        """Are its keys spread over servers?"""
        return self.kind == "cluster"

    def __repr__(self) -> str:
        """The kind and place of the server, without credentials."""
        if self.kind != "server":
            return f"{self.kind} {','.join(f'{host}:{port}' for host, port in self.nodes)} {self.service}".rstrip()
        path = self.options.get("path")
        return path or f"{self.options.get('host')}:{self.options.get('port', 6379)}/{self.options.get('db', 0)}"

    def client(self, timeout_s: float) -> Any:
        """A client that blocks, `timeout_s` at each step at most, and not beyond `DEADLINE`. A cluster's connects."""
        options = self._bounded(timeout_s)
        is_secured = options.pop("ssl", False)
        connection = options.pop("connection_class", redis.SSLConnection if is_secured else redis.Connection)
        if self.kind == "sentinel":
            managed = SentinelManagedSSLConnection if is_secured else SentinelManagedConnection
            options["connection_class"] = bounded(managed)
            watchers: Any = Sentinel([], **options)  # type: ignore[no-untyped-call]
            times = self._times(timeout_s)
            pools = [redis.ConnectionPool(bounded(redis.Connection), host=h, port=p, **times) for h, p in self.nodes]
            watchers.sentinels = [redis.Redis(connection_pool=pool) for pool in pools]
            return watchers.master_for(self.service)
        if self.kind == "cluster":
            (host, port), *others = self.nodes
            nodes = [ClusterNode(*node) for node in others]  # type: ignore[no-untyped-call]
            options["connection_class"] = bounded(connection)
            return RedisCluster(url=f"redis://{_quoted(host)}:{port}", startup_nodes=nodes, **options)
        return redis.Redis(connection_pool=redis.ConnectionPool(bounded(connection), **options))

    def client_async(self, timeout_s: float) -> Any:
        """A client for the running loop."""
        options = self._bounded(timeout_s)
        if self.kind == "cluster":
            nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in self.nodes]
            return redis.asyncio.RedisCluster(startup_nodes=nodes, **options)
        if self.kind == "sentinel":
            times = self._times(timeout_s)
            watchers: Any = redis.asyncio.Sentinel(list(self.nodes), sentinel_kwargs=times, **options)  # type: ignore[no-untyped-call]
            return watchers.master_for(self.service)
        connection = _async_connection(options.pop("connection_class", None))
        return redis.asyncio.Redis(connection_pool=redis.asyncio.ConnectionPool(connection, **options))

    def _times(self, timeout_s: float) -> dict[str, Any]:
        # A charge that may have been taken must not be sent twice; who asks again is the breaker's probe.
        retry = Retry(NoBackoff(), 0)
        return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "retry": retry}

    def _bounded(self, timeout_s: float) -> dict[str, Any]:
        options: dict[str, Any] = {
            "client_name": CLIENT_NAME,
            **self.options,
            **self._times(timeout_s),
            "max_connections": MAX_CONNECTIONS,
            "decode_responses": False,
            # By the third one redis-py 8 waits for news of maintenance, and does not see that a connection has ended.
            "protocol": 2,
        }
        if self.kind == "cluster":
            options.pop("db", None)
        return options


def _options(url: str) -> dict[str, Any]:
    return dict(_parse_url(url))  # type: ignore[no-untyped-call]


def _quoted(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _node(text: str, port: int) -> tuple[str, int]:
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, number = text, str(port)
    if not host or not 0 < int(number) < 65_536:
        raise ValueError(text)
    return host.strip("[]"), int(number)


def _async_connection(connection: Any) -> Any:
    named = {None: "Connection", redis.SSLConnection: "SSLConnection"}
    name = named.get(connection, "UnixDomainSocketConnection")
    return getattr(redis.asyncio, name, None) or getattr(redis.asyncio.connection, name)
