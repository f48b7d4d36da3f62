"""Servers as fixtures: one that tests share, and those that a test may ruin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from servers.cluster import Cluster, cluster
from servers.proxy import Proxy
from servers.sentinel import Sentinels, sentinel
from servers.server import Server, valkey

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for all tests that leave it as they found it."""
    with valkey() as server:
        yield server


@pytest.fixture
def redis_url(shared_server: Server) -> str:
    """Of the shared server, with nothing in it."""
    with shared_server.client() as client:
        client.flushall()
    return shared_server.url


@pytest.fixture
def redis_server() -> Iterator[Server]:
    """A server of the test's own, to pause, kill and restart."""
    with valkey() as server:
        yield server


@pytest.fixture
def redis_proxy(redis_server: Server) -> Iterator[Proxy]:
    """A network of the test's own in front of that server."""
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def redis_cluster() -> Iterator[Cluster]:
    """Three primaries with a replica each, of the test's own."""
    with cluster(replicas=True) as nodes:
        yield nodes


@pytest.fixture
def redis_sentinels() -> Iterator[Sentinels]:
    """A primary, a replica and one sentinel, of the test's own."""
    with sentinel() as servers:
        yield servers
