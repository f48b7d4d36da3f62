"""Hostile and mistaken arguments: typed errors, no crash, no second counter for one key."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, Limiter, MemoryStore, SharedStore, UsageError
from ratelimit_guard._core import MAX_KEY_BYTES
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from conftest import MakeStore
    from ratelimit_guard import Store

KEYS: list[str | bytes] = [
    "", "a", "\0", "a\0", "ключ", "\ud800", "a\udfffb", b"\xff\xfe",
    "k" * MAX_KEY_BYTES, b"k" * (MAX_KEY_BYTES - 1),
]  # fmt: skip


def test_keys_of_every_kind_have_a_counter_each(store: Store) -> None:
    """Empty, NUL, lone surrogates, bytes that are no text, 64 KB: all are keys, all different."""
    limiter = Limiter("1/minute", store)
    assert all(limiter.acquire(key) for key in KEYS)
    assert not any(limiter.acquire(key) for key in [*KEYS, b"", b"a"])


@given(st.text(st.characters()))
def test_text_and_its_utf8_bytes_are_one_key(key: str) -> None:
    """A key read as text in one place and as bytes in another has one count."""
    limiter = Limiter("1/minute", MemoryStore(10))
    assert limiter.acquire(key)
    assert not limiter.acquire(key.encode())


@pytest.mark.parametrize("method", ["acquire", "peek", "reset", "permit"])
@pytest.mark.parametrize("key", [None, 5, 1.5, ["a"], bytearray(b"a"), memoryview(b"a"), object()])
def test_key_of_another_type_is_a_usage_error(store: Store, method: str, key: Any) -> None:
    """Only str and bytes are keys, and the text says so."""
    limiter = Limiter("1 concurrent-requests" if method == "permit" else "1/minute", store)
    with pytest.raises(UsageError, match="str or bytes"):
        getattr(limiter, method)(key)


@pytest.mark.parametrize("key", ["k" * (MAX_KEY_BYTES + 1), b"k" * (MAX_KEY_BYTES + 1), "é" * (MAX_KEY_BYTES // 2 + 1)])
def test_key_that_is_too_long_is_a_usage_error(store: Store, key: str | bytes) -> None:
    """Hashing is bounded: longer keys are refused, not truncated."""
    limiter = Limiter("1/minute", store)
    with pytest.raises(UsageError, match=r"65[_,]?536"):
        limiter.acquire(key)


@pytest.mark.parametrize("cost", [-1, -(2**70), 1.0, 0.5, "1", None, [1], inf])
def test_cost_that_is_no_count_is_a_usage_error(store: Store, cost: Any) -> None:
    """Negative and broken costs are refused and charge nothing."""
    limiter = Limiter("5/minute", store)
    with pytest.raises(UsageError, match="cost"):
        limiter.acquire("alice", cost)
    with pytest.raises(UsageError, match="cost"):
        limiter.peek("alice", cost)
    assert limiter.peek("alice").remaining == 5


def test_cost_may_be_any_integer_like(store: Store) -> None:
    """True is 1, and so is whatever has `__index__`."""

    class Two:
        def __index__(self) -> int:
            return 2

    limiter = Limiter("5/minute", store)
    assert limiter.acquire("alice", True).remaining == 4
    assert limiter.acquire("alice", Two()).remaining == 2  # type: ignore[arg-type]


def test_arguments_that_do_not_exist_are_a_type_error(store: Store) -> None:
    """A misspelt argument is not swallowed."""
    limiter = Limiter("5/minute", store)
    with pytest.raises(TypeError):
        limiter.acquire("alice", costs=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        limiter.acquire()  # type: ignore[call-arg]


@pytest.mark.parametrize("cost", [-(10**50), pytest.param(-(10**5_000), id="unwritable")])
def test_cost_too_long_to_write_is_a_usage_error(cost: int) -> None:
    """A number that Python refuses to write is said in words."""
    with pytest.raises(UsageError, match=r"cost must be .* more than 40 digits"):
        Limiter("5/minute").acquire("alice", cost)


@pytest.mark.parametrize("capacity", [0, -1, 2**31 + 1, 10**50, 1.5, "10", None])
def test_capacity_that_is_no_count_is_a_config_error(make_store: MakeStore, capacity: Any) -> None:
    """A table has 1 to 2**31 keys."""
    with pytest.raises(ConfigError, match="capacity"):
        make_store(capacity)


@pytest.mark.parametrize("namespace", [5, None, b"api", "a\ud800"])
def test_namespace_that_is_no_text_is_a_config_error(store: Store, namespace: Any) -> None:
    """Two namespaces are never taken for one because a character was lost."""
    with pytest.raises(ConfigError, match="namespace"):
        Limiter("1/minute", store, namespace=namespace)


UNIX_TIME = 1_795_000_000.0


@pytest.mark.parametrize("seconds", [-1.0, inf, -inf, float("nan"), UNIX_TIME, 1e300, 10**400, "5", None])
def test_clock_refuses_impossible_times(seconds: Any) -> None:
    """A clock shows seconds from zero up to what counters can hold, and stands still after an error."""
    clock = ManualClock()
    with pytest.raises(UsageError, match="clock"):
        clock.set(seconds)
    with pytest.raises(UsageError, match="clock"):
        ManualClock(seconds)
    assert clock.now() == 1_000_000.0


@pytest.mark.parametrize("seconds", [inf, -inf, float("nan"), UNIX_TIME, 1e300, 10**400])
def test_clock_refuses_impossible_moves(seconds: float) -> None:
    """It cannot be moved to where it cannot be set, and says what it was probably given."""
    clock = ManualClock(5.0)
    with pytest.raises(UsageError, match=r"start of the recording.*not Unix time"):
        clock.advance(seconds)
    assert clock.now() == 5.0


@pytest.mark.parametrize("quota", ["2/minute", "2/minute; burst=2", "2/minute; algorithm=sliding-window"])
def test_counters_work_until_the_clock_s_end(make_store: MakeStore, quota: str) -> None:
    """The last instants of the clock are like any other."""
    last = 24 * 365.25 * 86_400
    clock = ManualClock(last)
    limiter = Limiter(quota, make_store(clock=clock))
    for _ in range(3):
        assert [bool(limiter.acquire("alice")) for _ in range(3)] == [True, True, False]
        clock.advance(120)


def test_clock_moves_only_when_told_to() -> None:
    """It advances, steps back, and stops at zero."""
    clock = ManualClock(5.0)
    assert clock.now() == 5.0
    clock.advance(0.5)
    assert clock.now() == 5.5
    clock.advance(-5.0)
    assert clock.now() == 0.5
    clock.advance(-100.0)
    assert clock.now() == 0.0
    clock.advance(-1e300)
    assert clock.now() == 0.0
    clock.set(7.25)
    assert clock.now() == 7.25


def test_exceptions_belong_to_one_family() -> None:
    """Every error can be caught as one, and wrong configuration is a ValueError too."""
    from ratelimit_guard import RateLimitGuardError

    with pytest.raises(RateLimitGuardError):
        Limiter("nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        Limiter("nonsense")
    with pytest.raises(RateLimitGuardError):
        Limiter("1/second").acquire(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["data/table", "./table", "../table", "redis://localhost"])
def test_a_store_path_is_the_same_file_for_every_worker(path: str) -> None:
    """A relative path would depend on the directory in which a worker was started."""
    with pytest.raises(ConfigError, match="absolute path"):
        SharedStore(path)


@pytest.mark.parametrize("store", ["my-app", 5, SharedStore, MemoryStore, object()])
def test_what_is_no_store(store: object) -> None:
    """A name or a class where a store belongs."""
    with pytest.raises(ConfigError, match="is no store: build one"):
        Limiter("1/second", store)  # type: ignore[arg-type]
