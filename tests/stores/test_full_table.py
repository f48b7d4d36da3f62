"""A full table: nobody who is exhausted is forgotten, and unknown keys follow the stated policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from conftest import TABLES
from ratelimit_guard import Limiter

if TYPE_CHECKING:
    from conftest import MakeStore
    from ratelimit_guard.testing import ManualClock

pytestmark = TABLES
KEYS = [f"key-{number}" for number in range(2_000)]
LUCK = 2
"""Newcomers that may find no place before a table is full. Seeds are secret and random, and each newcomer is turned
away with a chance below one in 100,000 (0.2 % of tables of 1,000 turn one away); three at once were never seen.
"""


@pytest.mark.parametrize("capacity", [1, 10, 1_000])
def test_capacity_keys_fit(make_store: MakeStore, capacity: int) -> None:
    """As many keys as were asked for get a counter each, but for bad luck that is rare in a large table."""
    limiter = Limiter("1/hour", make_store(capacity))
    turned_away = sum(not limiter.acquire(key) for key in KEYS[:capacity])
    assert turned_away <= (LUCK if capacity > 10 else 0)


@pytest.mark.parametrize("on_full", ["refuse", "allow"])
def test_exhausted_keys_stay_refused_in_a_full_table(
    make_store: MakeStore, clock: ManualClock, on_full: Literal["refuse", "allow"]
) -> None:
    """However many keys follow, a key that used up its limit is not forgotten."""
    store = make_store(20, clock)
    limiter = Limiter("1/hour", store, on_full=on_full)
    exhausted = [key for key in KEYS[:20] if limiter.acquire(key) and not limiter.acquire(key)]
    assert len(exhausted) >= 20 - LUCK
    for key in KEYS:
        limiter.acquire(key)
    clock.advance(3_599)
    assert not any(limiter.acquire(key) for key in exhausted)


def test_full_table_refuses_unknown_keys(make_store: MakeStore, clock: ManualClock) -> None:
    """`refuse` admits no key that it could not count, and counts the refusals."""
    store = make_store(20, clock)
    limiter = Limiter("1/hour", store, on_full="refuse")
    admitted = sum(bool(limiter.acquire(key)) for key in KEYS)
    stats = store.stats()
    assert admitted == stats["live"] <= stats["cells"]
    assert stats["full_refused"] == len(KEYS) - admitted
    assert not any(limiter.acquire(key) for key in KEYS)


def test_full_table_allows_unknown_keys_when_told_to(make_store: MakeStore, clock: ManualClock) -> None:
    """`allow` lets uncounted keys pass, and counts them."""
    store = make_store(20, clock)
    limiter = Limiter("1/hour", store, on_full="allow")
    assert all(limiter.acquire(key) for key in KEYS)
    stats = store.stats()
    assert stats["full_allowed"] == len(KEYS) - stats["live"]


def test_peek_does_not_look_whether_a_new_key_has_room(make_store: MakeStore, clock: ManualClock) -> None:
    """A key without a counter used nothing, which is what `peek` says; only `acquire` needs the room."""
    limiter = Limiter("1/hour", make_store(20, clock))
    refused = [key for key in KEYS if not limiter.acquire(key)]
    assert all(limiter.peek(key).remaining == 1 for key in refused)


def test_full_table_refusal_is_worth_retrying(make_store: MakeStore, clock: ManualClock) -> None:
    """A key without a cell is told a finite time."""
    limiter = Limiter("1/hour", make_store(20, clock))
    refusals = [result for key in KEYS if not (result := limiter.acquire(key))]
    assert refusals
    assert all(0 < result.retry_after <= 3_600 * 9 / 8 for result in refusals)


def test_full_table_admits_again_when_windows_end(make_store: MakeStore, clock: ManualClock) -> None:
    """Expired counters make room without any sweeper."""
    limiter = Limiter("1/hour", make_store(20, clock))
    for key in KEYS:
        limiter.acquire(key)
    clock.advance(2 * 3_600)
    assert sum(bool(limiter.acquire(f"late-{number}")) for number in range(20)) >= 20 - LUCK


def test_unconfirmed_keys_fill_only_half(make_store: MakeStore, clock: ManualClock) -> None:
    """A flood of keys that nobody vouched for leaves half of the table to the others."""
    store = make_store(100, clock)
    limiter = Limiter("1/hour", store)
    flood = sum(bool(limiter.acquire(key, 1, confirmed=False)) for key in KEYS)
    cells = store.stats()["cells"]
    assert flood <= cells / 2
    tenants = sum(bool(limiter.acquire(f"tenant-{number}")) for number in range(cells))
    assert tenants >= cells / 2


def test_key_is_one_key_whether_confirmed_or_not(make_store: MakeStore, clock: ManualClock) -> None:
    """Vouching for a key does not give it a second quota."""
    limiter = Limiter("1/hour", make_store(100, clock))
    admitted = [(key, bool(n % 2)) for n, key in enumerate(KEYS[:50]) if limiter.acquire(key, confirmed=bool(n % 2))]
    assert len(admitted) >= 50 - LUCK
    assert not any(limiter.acquire(key, confirmed=not confirmed) for key, confirmed in admitted)
