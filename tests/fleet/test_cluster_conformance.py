"""What every store promises, promised by a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conftest import CAPACITY, PATIENCE_S
from ratelimit_guard import MemoryStore
from ratelimit_guard.stores.redis import RedisStore
from servers.cluster import Cluster, cluster
from stores.test_algorithms import *  # noqa: F403
from stores.test_conformance import *  # noqa: F403
from stores.test_permits import *  # noqa: F403
from stores.test_policies import *  # noqa: F403
from stores.test_reservations import *  # noqa: F403

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeStore
    from ratelimit_guard.testing import ManualClock


del test_permit_allowed_uncounted_holds_no_slot  # noqa: F821  of tables, which can be full


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Three primaries."""
    with cluster() as nodes:
        yield nodes


@pytest.fixture(params=["cluster"])
def kind(request: pytest.FixtureRequest) -> str:
    """The only one here."""
    return str(request.param)


@pytest.fixture
def make_store(nodes: Cluster) -> Iterator[MakeStore]:
    """Makes stores at the cluster, which is empty at the start of a test."""
    for node in nodes.primaries:
        with node.client() as client:
            client.flushall()
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes.primaries)
    made: list[RedisStore] = []

    def redis(capacity: int = CAPACITY, clock: ManualClock | None = None) -> Any:
        fallback = MemoryStore(capacity, clock=clock)
        made.append(RedisStore(url, clock=clock, budget_s=PATIENCE_S, fallback=fallback))
        return made[-1]

    yield redis
    for store in made:
        store.close()
