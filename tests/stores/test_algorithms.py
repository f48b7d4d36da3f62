"""What each algorithm promises over time, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ratelimit_guard import Limiter, Quota

if TYPE_CHECKING:
    from ratelimit_guard import Store
    from ratelimit_guard.testing import ManualClock

QUOTAS = ("100/minute", "100/minute; burst=100", "100/minute; algorithm=sliding-window")


@pytest.mark.parametrize("start", [0.0, 1.0, 7.4999, 7.5, 59.9999])
def test_strict_never_admits_more_in_any_window(store: Store, clock: ManualClock, start: float) -> None:
    """A drained key gets nothing for a whole window, wherever on the clock it started."""
    limiter = Limiter("100/minute", store)
    clock.advance(start)
    limiter.acquire("alice", 100)
    begin = clock.now()
    for second in range(1, 60):
        clock.set(begin + second)
        assert not limiter.acquire("alice")
    clock.set(begin + 59.999_999)
    assert not limiter.acquire("alice")


@pytest.mark.parametrize("start", [0.0, 1.0, 7.4999, 7.5, 59.9999])
def test_strict_is_free_after_nine_eighths_of_a_window(store: Store, clock: ManualClock, start: float) -> None:
    """Strict may refuse early by an eighth of the window, not more."""
    limiter = Limiter("100/minute", store)
    clock.advance(start)
    limiter.acquire("alice", 100)
    clock.advance(60 * 9 / 8)
    assert limiter.acquire("alice", 100)


def test_strict_has_no_double_burst_at_a_boundary(store: Store, clock: ManualClock) -> None:
    """The classic hole of fixed windows, the limit before and again after the full minute, is closed."""
    limiter = Limiter("100/minute", store)
    clock.set(1_000_019.9)
    admitted = sum(bool(limiter.acquire("alice")) for _ in range(150))
    clock.set(1_000_020.1)
    admitted += sum(bool(limiter.acquire("alice")) for _ in range(150))
    assert admitted == 100


def test_sliding_window_lets_the_previous_window_fade(store: Store, clock: ManualClock) -> None:
    """Half-way through the next window half of the previous one still counts."""
    limiter = Limiter("100/minute; algorithm=sliding-window", store)
    clock.set(1_000_020.0)
    limiter.acquire("alice", 100)
    clock.set(1_000_080.0)
    assert limiter.peek("alice").remaining == 0
    clock.set(1_000_110.0)
    assert limiter.peek("alice").remaining == 50


def test_token_bucket_refills_with_time(store: Store, clock: ManualClock) -> None:
    """An empty bucket gains limit / window tokens a second, up to the burst."""
    limiter = Limiter("60/minute; burst=10", store)
    limiter.acquire("alice", 10)
    assert limiter.acquire("alice").retry_after == pytest.approx(1.0, rel=1e-6)
    clock.advance(3.001)
    assert limiter.peek("alice").remaining == 3
    clock.advance(3_600)
    assert limiter.peek("alice").remaining == 10


def test_token_bucket_never_exceeds_burst_plus_rate(store: Store, clock: ManualClock) -> None:
    """Hammered for ten minutes, a bucket gives burst + rate x time and not one more."""
    limiter = Limiter("60/minute; burst=10", store)
    admitted = 0
    for _ in range(6_000):
        while limiter.acquire("alice"):
            admitted += 1
        clock.advance(0.1)
    assert 608 <= admitted <= 610


@pytest.mark.parametrize("quota", QUOTAS)
def test_clock_that_steps_back_gives_nothing(store: Store, clock: ManualClock, quota: str) -> None:
    """An exhausted key stays exhausted when the clock goes back, and is free at its old time."""
    limiter = Limiter(quota, store)
    limiter.acquire("alice", 100)
    free_at = clock.now() + limiter.peek("alice", 100).retry_after
    for back in (0.001, 1.0, 59.0, 600.0, 86_400.0):
        clock.advance(-back)
        assert not limiter.acquire("alice")
    clock.set(free_at)
    assert limiter.acquire("alice", 100)


@pytest.mark.parametrize("quota", QUOTAS)
@pytest.mark.parametrize("days", [1, 365, 3_650])
def test_clock_that_jumps_gives_the_limit_once(store: Store, clock: ManualClock, quota: str, days: int) -> None:
    """After years without use a key has its limit, no more."""
    limiter = Limiter(quota, store)
    limiter.acquire("alice", 100)
    clock.advance(days * 86_400.0)
    assert sum(bool(limiter.acquire("alice")) for _ in range(250)) == 100


@pytest.mark.parametrize("burst", [None, 7])
@pytest.mark.parametrize("window_s", [0.001, 0.1, 366 * 86_400.0])
def test_shortest_and_longest_windows_work(
    store: Store, clock: ManualClock, window_s: float, burst: int | None
) -> None:
    """A millisecond and a leap year are windows like any other."""
    limiter = Limiter(Quota(7, window_s, burst), store)
    assert sum(bool(limiter.acquire("alice")) for _ in range(20)) == 7
    clock.advance(window_s / 2)
    admitted = sum(bool(limiter.acquire("alice")) for _ in range(20))
    assert admitted == (0 if burst is None else 3)
    clock.advance(window_s * 9 / 8 + 1e-6)
    assert limiter.acquire("alice", 7)
