"""Permits: slots in flight that come back, whatever happens to their holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import TABLES
from ratelimit_guard import AsyncLimiter, Limiter, Policy, UsageError

if TYPE_CHECKING:
    from conftest import MakeStore
    from ratelimit_guard import Store
    from ratelimit_guard.testing import ManualClock

TWO = "2 concurrent-requests; lease=30s"
ONE = "1 concurrent-requests; lease=30s"


def test_permit_is_refused_when_all_slots_are_taken(store: Store) -> None:
    """The third of two slots is a falsy permit with a reason."""
    limiter = Limiter(TWO, store)
    held = [limiter.permit("alice"), limiter.permit("alice")]
    refused = limiter.permit("alice")
    assert all(held)
    assert not refused
    assert (refused.result.allowed, refused.result.limit, refused.result.remaining) == (False, 2, 0)
    assert 0 < refused.result.retry_after <= 30 * 9 / 8
    assert limiter.permit("bob")


def test_permit_is_free_after_release(store: Store) -> None:
    """A released slot is taken by the next; releasing it twice frees nothing else."""
    limiter = Limiter(ONE, store)
    first = limiter.permit("alice")
    assert first.release()
    second = limiter.permit("alice")
    assert second
    assert not first.release()
    assert not limiter.permit("alice")


def test_permit_is_released_at_the_end_of_the_block(store: Store) -> None:
    """`with` frees the slot, also after an exception; a refused permit frees nothing."""
    limiter = Limiter(ONE, store)
    with limiter.permit("alice") as permit:
        assert permit
        with limiter.permit("alice") as refused:
            assert not refused
        assert not limiter.permit("alice")
    with pytest.raises(ZeroDivisionError), limiter.permit("alice"):
        raise ZeroDivisionError
    assert limiter.permit("alice")


def test_permit_lease_ends_by_itself(store: Store, clock: ManualClock) -> None:
    """The slot of a holder that died comes back; its release then frees nobody else's."""
    limiter = Limiter(ONE, store)
    lost = limiter.permit("alice")
    clock.advance(29.9)
    assert not limiter.permit("alice")
    clock.advance(30 / 8 + 0.2)
    assert limiter.permit("alice")
    assert not lost.release()
    assert not limiter.permit("alice")


def test_permit_renewed_in_time_keeps_its_slot(store: Store, clock: ManualClock) -> None:
    """A renewed lease counts from the renewal."""
    limiter = Limiter(ONE, store)
    permit = limiter.permit("alice")
    for _ in range(10):
        clock.advance(20)
        assert permit.renew()
        assert not limiter.permit("alice")
    assert permit.release()
    assert limiter.permit("alice")


def test_permit_cannot_be_renewed_when_it_is_gone(store: Store, clock: ManualClock) -> None:
    """After release, refusal or the end of the lease there is nothing to renew."""
    limiter = Limiter(ONE, store)
    permit = limiter.permit("alice")
    refused = limiter.permit("alice")
    assert not refused.renew()
    assert not refused.release()
    clock.advance(60)
    assert not permit.renew()
    again = limiter.permit("alice")
    assert again.release()
    assert not again.renew()


def test_permit_pays_the_other_policies_or_nothing(store: Store) -> None:
    """A slot costs a request too; a refused one costs nothing, and a released one gives no request back."""
    limiter = Limiter([Policy("flight", ONE), Policy("hour", "2/hour")], store)
    plain = Limiter(Policy("hour", "2/hour"), store)
    first = limiter.permit("alice")
    assert not limiter.permit("alice")
    assert plain.peek("alice").remaining == 1
    first.release()
    assert plain.peek("alice").remaining == 1
    with limiter.permit("alice") as second:
        assert second
    refused = limiter.permit("alice")
    assert (bool(refused), refused.result.policy) == (False, "hour")
    assert plain.reset("alice")
    assert limiter.permit("alice")


def test_permit_and_acquire_refuse_each_other_s_limits(store: Store) -> None:
    """Slots are given back, units are not: the wrong method says which is right."""
    with pytest.raises(UsageError, match="permit"):
        Limiter(ONE, store).acquire("alice")
    with pytest.raises(UsageError, match="concurrent"):
        Limiter("1/hour", store).permit("alice")


@TABLES
def test_permit_allowed_uncounted_holds_no_slot(make_store: MakeStore, clock: ManualClock) -> None:
    """Where a full table lets keys pass uncounted there is nothing to renew and nothing to free."""
    store = make_store(1, clock)
    limiter = Limiter(ONE, store, on_full="allow")
    permits = [limiter.permit(f"key-{number}") for number in range(100)]
    counted = store.stats()["live"]
    assert all(permits)
    assert counted < len(permits)
    assert sum(permit.renew() for permit in permits) == counted
    assert sum(permit.release() for permit in permits) == counted


async def test_async_permit_is_taken_once(store: Store) -> None:
    """A second entry would forget the first permit and hold its slot until the lease ends."""
    limiter = AsyncLimiter(TWO, store)
    pending = limiter.permit("alice")
    async with pending as permit:
        assert permit
        with pytest.raises(UsageError, match="once"):
            async with pending:
                pass
        with pytest.raises(UsageError, match="once"):
            await pending
        assert (await limiter.permit("alice")).result.remaining == 0
    assert not await permit.release()


async def test_async_permit_is_held_inside_the_block(store: Store) -> None:
    """`async with` takes the slot and frees it."""
    limiter = AsyncLimiter(ONE, store)
    pending = limiter.permit("alice")
    async with limiter.permit("alice") as permit:
        assert permit
        assert permit.result.allowed
        async with pending as refused:
            assert not refused
    again = await limiter.permit("alice")
    assert again
    assert await again.renew()
    assert await again.release()
    assert not await again.release()
