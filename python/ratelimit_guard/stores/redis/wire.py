"""A connection for each thread, kept: half of what a call through a pool costs is the pool."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from ratelimit_guard.stores.redis.address import Address


def caller(address: Address, timeout_s: float) -> Any:
    """What has `execute_command` and `close`, for threads: redis-py's own client only where it has to find the node."""
    client = address.client(timeout_s)
    return client if address.is_cluster else ThreadConnections(client)


class ThreadConnections:
    """Commands over a connection of the calling thread. Errors are redis-py's."""

    def __init__(self, client: Any) -> None:
        """Connections are made as the client's pool would make them, and belong to none: they end with the thread."""
        self._client, self._pool = client, client.connection_pool
        self._own = threading.local()
        self._all: weakref.WeakSet[Any] = weakref.WeakSet()

    def execute_command(self, *arguments: Any) -> Any:
        """Send a command and read its answer; a connection that failed is ended."""
        connection = self._connection()
        try:
            connection.send_command(*arguments)
            return connection.read_response()
        except redis.ResponseError:
            raise
        except BaseException:  # half of an answer may still come: nobody else may read it
            connection.disconnect()
            raise

    def _connection(self) -> Any:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            connection.connect()
            self._own.connection = connection
            self._all.add(connection)
        elif _is_ended(connection):
            connection.disconnect()
            connection.connect()
        return connection

    def close(self) -> None:
        """End all connections."""
        for connection in list(self._all):
            with contextlib.suppress(redis.RedisError, OSError):
                connection.disconnect()
        self._own = threading.local()
        self._client.close()
        self._pool.disconnect()


def _is_ended(connection: Any) -> bool:
    """Nothing was asked: what there is to be read is the server's farewell, or a mistake."""
    try:
        return bool(connection.can_read(0))
    except (redis.RedisError, OSError):
        return True
