"""Several policies, one decision: all pay or none pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ratelimit_guard import Limiter, Policy

if TYPE_CHECKING:
    from ratelimit_guard import Store
    from ratelimit_guard.testing import ManualClock

POLICIES = [Policy("burst", "5/second; burst=5"), Policy("hour", "8/hour"), Policy("day", "12/day")]


def remaining(limiter: Limiter) -> list[int]:
    """What each policy has left for alice."""
    return [result.remaining for result in limiter.peek("alice").results]


def test_policies_are_charged_together(store: Store) -> None:
    """An admitted call pays every policy."""
    limiter = Limiter(POLICIES, store)
    assert limiter.acquire("alice", 2)
    assert remaining(limiter) == [3, 6, 10]


def test_policies_that_are_refused_by_one_charge_none(store: Store, clock: ManualClock) -> None:
    """Whichever policy refuses, first or last, the others keep their units."""
    limiter = Limiter(POLICIES, store)
    limiter.acquire("alice", 5)
    assert not limiter.acquire("alice", 1)
    assert remaining(limiter) == [0, 3, 7]
    clock.advance(10)
    assert not limiter.acquire("alice", 4)
    assert remaining(limiter) == [5, 3, 7]
    clock.advance(3_600 * 2)
    assert limiter.acquire("alice", 5)
    clock.advance(10)
    assert not limiter.acquire("alice", 3)
    assert remaining(limiter) == [5, 3, 2]


def test_refusal_names_the_policy_that_takes_longest(store: Store, clock: ManualClock) -> None:
    """Waiting for the named policy is what makes the call succeed."""
    limiter = Limiter(POLICIES, store)
    limiter.acquire("alice", 5)
    assert limiter.acquire("alice").policy == "burst"
    clock.advance(10)
    limiter.acquire("alice", 3)
    refused = limiter.acquire("alice", 3)
    assert refused.policy == "hour"
    assert [each.policy for each in refused.results] == ["burst", "hour", "day"]
    assert [each.allowed for each in refused.results] == [False, False, True]
    assert refused.retry_after == max(each.retry_after for each in refused.results)
    clock.advance(refused.retry_after)
    assert limiter.acquire("alice", 3)


def test_admission_names_the_policy_with_the_least_left(store: Store) -> None:
    """The answer's own numbers are those of the tightest policy."""
    result = Limiter(POLICIES, store).acquire("alice")
    assert (result.policy, result.remaining, result.limit) == ("burst", 4, 5)


def test_cost_above_one_limit_is_refused_for_ever(store: Store) -> None:
    """One policy that can never admit it is enough, and none is charged."""
    limiter = Limiter(POLICIES, store)
    refused = limiter.acquire("alice", 9)
    assert refused.retry_after == float("inf")
    assert remaining(limiter) == [5, 8, 12]


def test_reset_forgets_every_policy(store: Store) -> None:
    """One reset is enough."""
    limiter = Limiter(POLICIES, store)
    limiter.acquire("alice", 5)
    assert limiter.reset("alice")
    assert remaining(limiter) == [5, 8, 12]


@pytest.mark.parametrize("count", [1, 16])
def test_sixteen_policies_are_the_most(store: Store, count: int) -> None:
    """As many as sixteen are charged as one."""
    limiter = Limiter([Policy(f"p{number}", f"{number + 3}/hour") for number in range(count)], store)
    assert sum(bool(limiter.acquire("alice")) for _ in range(9)) == 3
    assert {each.remaining for each in limiter.peek("alice").results} == set(range(count))
