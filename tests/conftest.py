"""Stores and clocks for every test: one suite, every store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import settings

from ratelimit_guard import MemoryStore, SharedStore
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["servers.fixtures"]

SOAK = os.environ.get("RLG_SOAK") == "1"
STORES = ("memory", "shared", "redis")
TABLES = pytest.mark.parametrize("kind", ["memory", "shared"])
"""Of tests about tables, which can be full."""
CAPACITY = 1_000
PATIENCE_S = 5.0
"""Budget of stores at a server in tests that are not about it: a busy machine must not fail them."""

# No deadline: how fast the machine is says nothing about a promise. Fixed seeds: a red run can be repeated.
settings.register_profile("test", deadline=None, derandomize=True, max_examples=200, stateful_step_count=50)
settings.register_profile("soak", deadline=None, max_examples=5_000, stateful_step_count=200)
settings.load_profile("soak" if SOAK else "test")


class MakeStore(Protocol):
    """Makes a store of the kind under test."""

    def __call__(self, capacity: int = CAPACITY, clock: ManualClock | None = None) -> MemoryStore | SharedStore: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long tests out unless asked for."""
    for item in items:
        if item.get_closest_marker("soak") and not SOAK:
            item.add_marker(pytest.mark.skip(reason="takes minutes: make soak"))


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when told to."""
    return ManualClock()


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    """Which store; tests of what only some have are parametrised by it."""
    return str(request.param)


@pytest.fixture
def make_store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Makes new stores of one kind, each with counters of its own."""
    made: list[Path] = []

    def memory(capacity: int = CAPACITY, clock: ManualClock | None = None) -> MemoryStore:
        return MemoryStore(capacity, clock=clock)

    def shared(capacity: int = CAPACITY, clock: ManualClock | None = None) -> SharedStore:
        made.append(tmp_path / f"table-{len(made)}")
        return SharedStore(made[-1], capacity=capacity, clock=clock)

    if kind == "redis":
        make: MakeStore = request.getfixturevalue("make_redis")
        return make
    return memory if kind == "memory" else shared


@pytest.fixture
def make_redis(redis_url: str) -> Iterator[MakeStore]:
    """Makes stores at one server, each with a database of its own."""
    from ratelimit_guard.stores.redis import RedisStore

    made: list[RedisStore] = []

    def redis(capacity: int = CAPACITY, clock: ManualClock | None = None) -> Any:
        fallback = MemoryStore(capacity, clock=clock)
        store = RedisStore(f"{redis_url}/{len(made)}", clock=clock, budget_s=PATIENCE_S, fallback=fallback)
        made.append(store)
        return store

    yield redis
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: MakeStore, clock: ManualClock) -> MemoryStore | SharedStore:
    """A store with a clock that moves only when told to."""
    return make_store(clock=clock)
