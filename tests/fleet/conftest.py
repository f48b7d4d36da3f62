"""A server for the tests of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.hosts import KEY
from live.helpers import SECRET
from ratelimit_guard.fleet import SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from servers.server import Server


@pytest.fixture
def client(redis_server: Server) -> Iterator[Redis]:
    """Looks at what stands at the server, and changes it."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def server(redis_server: Server, client: Redis) -> Server:
    """It knows the secret of other tests, so that the same comes out each time."""
    client.set(KEY + "secret", SECRET[:SECRET_BYTES])
    return redis_server
