"""What every store promises, whatever the algorithm."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from ratelimit_guard import Limiter, Policy, Quota

if TYPE_CHECKING:
    from ratelimit_guard import MemoryStore, SharedStore, Store
    from ratelimit_guard.testing import ManualClock

QUOTAS = ("100/minute", "100/minute; burst=100", "100/minute; algorithm=sliding-window")
MOST = 2**36 - 1

every_quota = pytest.mark.parametrize("quota", QUOTAS)


def taken(limiter: Limiter, key: str, attempts: int, cost: int = 1) -> int:
    """How many of `attempts` were admitted."""
    return sum(bool(limiter.acquire(key, cost)) for _ in range(attempts))


@every_quota
def test_acquire_admits_exactly_the_limit(store: Store, quota: str) -> None:
    """At one instant the limit is admitted, then nothing."""
    assert taken(Limiter(quota, store), "alice", 250) == 100


@every_quota
def test_acquire_counts_each_key_for_itself(store: Store, quota: str) -> None:
    """One key's use is nobody else's."""
    limiter = Limiter(quota, store)
    assert taken(limiter, "alice", 101) == 100
    assert limiter.peek("bob").remaining == 100


@every_quota
def test_result_tells_what_is_left(store: Store, quota: str) -> None:
    """Limit, remaining and policy are those of the quota."""
    result = Limiter(quota, store).acquire("alice", 40)
    assert (result.allowed, result.limit, result.remaining, result.retry_after) == (True, 100, 60, 0.0)
    assert result.policy == str(Quota.parse(quota))
    assert [each.policy for each in result.results] == [result.policy]


@every_quota
def test_refusal_takes_nothing(store: Store, quota: str) -> None:
    """A cost that does not fit leaves the rest for one that does."""
    limiter = Limiter(quota, store)
    limiter.acquire("alice", 60)
    refused = limiter.acquire("alice", 41)
    assert not refused
    assert refused.remaining == 40
    assert limiter.acquire("alice", 40)


@every_quota
def test_cost_zero_is_allowed_and_free(store: Store, quota: str) -> None:
    """Nothing is always there to take, even from an exhausted key."""
    limiter = Limiter(quota, store)
    assert limiter.acquire("alice", 0).remaining == 100
    limiter.acquire("alice", 100)
    assert limiter.acquire("alice", 0).remaining == 0


@every_quota
@pytest.mark.parametrize("cost", [101, 2**32, 2**63, 2**64, 2**70])
def test_cost_above_the_limit_is_refused_for_ever(store: Store, quota: str, cost: int) -> None:
    """No waiting helps, and the answer says so."""
    limiter = Limiter(quota, store)
    result = limiter.acquire("alice", cost)
    assert (result.allowed, result.retry_after, result.remaining) == (False, inf, 100)
    assert limiter.peek("alice", cost).retry_after == inf


@every_quota
def test_peek_answers_like_acquire_and_writes_nothing(store: MemoryStore | SharedStore, quota: str) -> None:
    """Looking is free and takes no cell of the table."""
    limiter = Limiter(quota, store)
    for _ in range(3):
        assert limiter.peek("alice", 100).allowed
        assert not limiter.peek("alice", 101)
    assert store.stats()["live"] == 0
    assert limiter.acquire("alice", 100)
    assert not limiter.peek("alice")


@every_quota
def test_reset_forgets_the_key(store: Store, quota: str) -> None:
    """After a reset everything is free again; a second one finds nothing."""
    limiter = Limiter(quota, store)
    assert not limiter.reset("alice")
    limiter.acquire("alice", 100)
    limiter.acquire("bob", 1)
    assert limiter.reset("alice")
    assert not limiter.reset("alice")
    assert (limiter.peek("alice").remaining, limiter.peek("bob").remaining) == (100, 99)


@every_quota
def test_reset_forgets_however_often_it_is_done(store: Store, clock: ManualClock, quota: str) -> None:
    """What was used many resets ago, in an earlier part of the window, does not come back."""
    limiter = Limiter(quota, store)
    limiter.acquire("alice", 50)
    clock.advance(61 if "sliding" in quota else 10)
    for _ in range(40):
        assert limiter.acquire("alice", limiter.peek("alice").remaining)
        assert limiter.reset("alice")
        assert limiter.peek("alice").remaining == 100


@every_quota
def test_reset_after_is_when_all_is_free(store: Store, clock: ManualClock, quota: str) -> None:
    """Waiting `reset_after` without use gives the whole limit back."""
    limiter = Limiter(quota, store)
    clock.advance(7.3)
    result = limiter.acquire("alice", 33)
    assert 0 < result.reset_after <= 120
    clock.advance(result.reset_after)
    assert limiter.peek("alice").remaining == 100


@every_quota
@pytest.mark.parametrize("pause", [0.0, 3.1, 7.5, 20.0, 59.0])
def test_retry_after_is_truthful(store: Store, clock: ManualClock, quota: str, pause: float) -> None:
    """Waiting that long makes the same acquire succeed; waiting clearly less does not."""
    limiter = Limiter(quota, store)
    limiter.acquire("alice", 70)
    clock.advance(pause)
    limiter.acquire("alice", limiter.peek("alice").remaining)
    refused = limiter.acquire("alice", 25)
    assert not refused
    start = clock.now()
    clock.advance(refused.retry_after * 0.99)
    assert not limiter.acquire("alice", 25)
    clock.set(start)
    clock.advance(refused.retry_after)
    assert limiter.acquire("alice", 25)


@pytest.mark.parametrize("options", ["", "; burst=10M", "; algorithm=sliding-window"])
def test_ten_million_tokens_a_minute_stay_exact(store: Store, clock: ManualClock, options: str) -> None:
    """Costs of model calls add up to the unit."""
    limiter = Limiter(f"10M tokens/minute{options}", store)
    assert limiter.acquire("alice", 9_999_999).remaining == 1
    assert not limiter.acquire("alice", 2)
    assert limiter.acquire("alice", 1).remaining == 0
    clock.advance(120)
    assert limiter.acquire("alice", 10_000_000)


@pytest.mark.parametrize("burst", [None, MOST])
def test_costs_beyond_32_bits_are_counted(store: Store, clock: ManualClock, burst: int | None) -> None:
    """The largest limit takes costs of more than 2**32 without losing a unit."""
    limiter = Limiter(Quota(MOST, 86_400.0, burst), store)
    assert limiter.acquire("alice", 2**33 + 1).remaining == MOST - 2**33 - 1
    clock.advance(0.001)
    rest = limiter.peek("alice").remaining
    assert not limiter.acquire("alice", rest + 1)
    assert limiter.acquire("alice", rest)


def test_limiters_of_one_namespace_and_policy_share_counters(store: Store) -> None:
    """What one limiter takes is gone for the other; another namespace is another world."""
    Limiter("10/minute", store, namespace="api").acquire("alice", 4)
    assert Limiter("10/minute", store, namespace="api").peek("alice").remaining == 6
    assert Limiter("10/minute", store, namespace="web").peek("alice").remaining == 10


@pytest.mark.parametrize("options", ["", "; burst={}", "; algorithm=sliding-window"])
@pytest.mark.parametrize(("limit", "remaining"), [(20, 14), (8, 2), (5, 0)])
def test_changed_limit_keeps_the_units_used(store: Store, options: str, limit: int, remaining: int) -> None:
    """A policy is known by its name: new numbers go on where the old ones were."""
    Limiter(Policy("p", "10/minute" + options.format(10)), store).acquire("alice", 6)
    changed = Limiter(Policy("p", f"{limit}/minute" + options.format(limit)), store)
    assert changed.peek("alice").remaining == remaining
    assert taken(changed, "alice", 30) == remaining


@pytest.mark.parametrize("options", ["", "; algorithm=sliding-window"])
def test_limit_of_the_newer_worker_holds_for_the_older_too(store: Store, clock: ManualClock, options: str) -> None:
    """While old and new workers run side by side, a key has the later limit, and each charge counts once."""
    old, new = (Limiter(Policy("p", f"{limit}/minute{options}"), store) for limit in (100, 200))
    old.acquire("alice", 20)
    clock.advance(61 if options else 10)
    used = 100 - old.peek("alice").remaining
    for limiter in (new, old) * 20:
        used += 1
        assert limiter.acquire("alice").remaining == 200 - used


def test_changed_window_keeps_the_units_used(store: Store) -> None:
    """Another window under the same name starts with what was used."""
    Limiter(Policy("p", "10/minute"), store).acquire("alice", 6)
    assert taken(Limiter(Policy("p", "10/hour"), store), "alice", 30) == 4


def test_renamed_policy_starts_afresh(store: Store) -> None:
    """A new name is a new counter."""
    Limiter(Policy("old", "10/minute"), store).acquire("alice", 10)
    assert Limiter(Policy("new", "10/minute"), store).peek("alice").remaining == 10
