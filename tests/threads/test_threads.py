"""Threads are the normal case: every limiter is shared, and exact."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TYPE_CHECKING

import pytest

from conftest import SOAK
from ratelimit_guard import Limiter, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import MakeStore
    from ratelimit_guard.testing import ManualClock

THREADS = 8
ATTEMPTS = 200_000 if SOAK else 2_000
QUOTAS = ("1000/hour", "1000/hour; burst=1000", "1000/hour; algorithm=sliding-window")


def together(work: Callable[[int], int]) -> int:
    """Run `work` in all threads at once and add up what it returns."""
    barrier = Barrier(THREADS)

    def run(number: int) -> int:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, range(THREADS)))


@pytest.mark.parametrize("quota", QUOTAS)
def test_threads_share_one_limit_exactly(make_store: MakeStore, clock: ManualClock, quota: str) -> None:
    """Eight threads, sixteen times the limit: the limit."""
    limiter = Limiter(quota, make_store(clock=clock))
    assert together(lambda _: sum(bool(limiter.acquire("alice")) for _ in range(ATTEMPTS))) == 1_000


def test_threads_share_several_policies_exactly(make_store: MakeStore, clock: ManualClock) -> None:
    """A policy that refuses gives the others their units back."""
    policies = [Policy("a", "1000/hour"), Policy("b", "2000/hour; burst=700"), Policy("c", "900/day")]
    limiter = Limiter(policies, make_store(clock=clock))
    assert together(lambda _: sum(bool(limiter.acquire("alice")) for _ in range(ATTEMPTS))) == 700
    assert [each.remaining for each in limiter.peek("alice").results] == [300, 0, 200]


def test_threads_find_one_cell_per_key(make_store: MakeStore, clock: ManualClock) -> None:
    """Threads that meet at new keys never give a key two counters."""
    limiter = Limiter("1/hour", make_store(4_000, clock))
    assert together(lambda _: sum(bool(limiter.acquire(f"key-{number}")) for number in range(2_000))) == 2_000


def test_threads_never_hold_more_permits_than_slots(make_store: MakeStore, clock: ManualClock) -> None:
    """At no instant are more permits held than there are slots, and all come back."""
    limiter = Limiter("3 concurrent-requests", make_store(clock=clock))
    lock, held, most = Lock(), 0, 0

    def work(_: int) -> int:
        nonlocal held, most
        granted = 0
        for _ in range(ATTEMPTS):
            with limiter.permit("alice") as permit:
                if not permit:
                    continue
                with lock:
                    held += 1
                    most = max(most, held)
                granted += 1
                with lock:
                    held -= 1
        return granted

    assert together(work) > 0
    assert 1 <= most <= 3
    assert limiter.permit("alice").result.remaining == 2


def test_threads_with_a_moving_clock_stay_within_the_limit(make_store: MakeStore, clock: ManualClock) -> None:
    """While time passes and windows roll, eight threads get at most what the windows allow."""
    limiter = Limiter("80/second", make_store(clock=clock))

    def work(number: int) -> int:
        got = 0
        for _ in range(2_000):
            got += bool(limiter.acquire("alice"))
            if number == 0:
                clock.advance(0.005)
        return got

    assert together(work) <= 80 * 11
