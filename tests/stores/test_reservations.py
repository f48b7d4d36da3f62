"""Reservations: one decision for tokens, slots and requests; topped up, settled, and given back whatever happens."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore, Policy, UsageError
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from conftest import MakeStore
    from ratelimit_guard import Reservation, SharedStore

POLICIES = [
    Policy("calls", "10/hour"),
    Policy("tokens", "1000 tokens/hour"),
    Policy("output", "500 output-tokens/hour; burst=500"),
    Policy("at-once", "2 concurrent-requests; lease=30s"),
]


def left(limiter: Limiter, key: str = "alice") -> list[int]:
    """What remains under each policy."""
    return [result.remaining for result in limiter.peek(key, 0).results]


def fail_after(reservation: Reservation, output_tokens: int) -> None:
    """What a model's client may do."""
    reservation.spend(output_tokens)
    raise ZeroDivisionError


def test_reservation_is_paid_by_unit(store: MemoryStore | SharedStore) -> None:
    """A call takes its cost of calls, input and output of tokens, and a slot."""
    limiter = Limiter(POLICIES, store)
    reservation = limiter.reserve("alice", cost=2, input_tokens=100, output_tokens=256)
    assert reservation
    assert left(limiter) == [8, 644, 244, 1]
    assert left(limiter, "bob") == [10, 1000, 500, 2]


def test_reservation_takes_nothing_when_one_policy_refuses(store: MemoryStore | SharedStore) -> None:
    """All pay or none pays; the refusal says which and how long to wait, and does nothing afterwards."""
    limiter = Limiter(POLICIES, store)
    refused = limiter.reserve("alice", cost=11, input_tokens=10, output_tokens=10)
    assert (bool(refused), refused.result.policy, refused.result.retry_after) == (False, "calls", float("inf"))
    held = [limiter.reserve("alice"), limiter.reserve("alice")]
    refused = limiter.reserve("alice", input_tokens=10, output_tokens=10)
    assert (bool(refused), refused.result.policy) == (False, "at-once")
    assert refused.spend(1_000)
    refused.settle(500, 500)
    refused.release()
    assert left(limiter) == [8, 1000, 500, 0]
    assert all(held)


def test_output_is_reserved_as_far_as_it_fits(store: MemoryStore | SharedStore) -> None:
    """Of the output wanted as much as all policies have room for, down to the least that must fit."""
    limiter = Limiter(POLICIES, store)
    first = limiter.reserve("alice", input_tokens=200, output_tokens=10_000)
    assert left(limiter) == [9, 300, 0, 1]
    first.settle(200, 490)
    assert not limiter.reserve("alice", output_tokens=100, least=11)
    second = limiter.reserve("alice", output_tokens=100, least=10)
    assert second
    assert left(limiter) == [8, 300, 0, 1]


def test_wait_of_a_refusal_is_that_of_the_least(store: MemoryStore | SharedStore, clock: ManualClock) -> None:
    """Not of all the output that was wanted."""
    limiter = Limiter("100 tokens/minute; burst=100", store)
    limiter.reserve("alice", input_tokens=95).settle()
    refused = limiter.reserve("alice", input_tokens=10, output_tokens=90, least=5)
    assert refused.result.retry_after == pytest.approx(6.0, rel=0.01)
    clock.advance(refused.result.retry_after)
    assert limiter.reserve("alice", input_tokens=10, output_tokens=90, least=5)


def test_spending_tops_up_by_slices(store: MemoryStore | SharedStore) -> None:
    """The reserve is used first; then the missing and a slice are charged, as far as it fits, then it is a debt."""
    limiter = Limiter(POLICIES, store)
    stream = limiter.reserve("alice", input_tokens=100, output_tokens=50)
    assert stream.spend(50, 200)
    assert left(limiter)[1:3] == [850, 450]
    assert stream.spend(10, 200)
    assert left(limiter)[1:3] == [640, 240]
    assert stream.spend(200, 500)
    assert stream.spend(200, 500)
    assert left(limiter)[1:3] == [400, 0]
    assert (stream.spent, stream.spend(40, 500)) == (460, True)
    assert not stream.spend(1, 500)
    assert left(limiter)[1:3] == [399, 0]
    assert not stream.spend(1, 500)
    stream.settle()
    assert left(limiter) == [9, 398, 0, 2]


def test_settling_makes_usage_true(store: MemoryStore | SharedStore) -> None:
    """Less than was charged is given back, more is charged; a second call changes nothing."""
    limiter = Limiter(POLICIES, store)
    low, high = (limiter.reserve("alice", input_tokens=100, output_tokens=100) for _ in range(2))
    low.settle(80, 30)
    assert left(limiter) == [8, 690, 370, 1]
    high.settle(150, 200)
    assert left(limiter) == [8, 540, 270, 2]
    low.settle(0, 0)
    high.release()
    assert high.spend(1_000)
    assert left(limiter) == [8, 540, 270, 2]


def test_settling_beyond_the_limit_is_a_debt(store: MemoryStore | SharedStore, clock: ManualClock) -> None:
    """A window counts all that was used, so it is as long in debt as that counts."""
    limiter = Limiter("100 tokens/minute; algorithm=sliding-window", store)
    clock.set(1_200_000)
    limiter.reserve("alice", input_tokens=10).settle(300)
    clock.advance(60 + 40)
    assert limiter.peek("alice", 0).remaining == 0
    clock.advance(10)
    assert limiter.peek("alice", 0).remaining == 50


def test_release_gives_back_tokens_and_slots(store: MemoryStore | SharedStore) -> None:
    """A call that never reached the model used nothing, but it was a request."""
    limiter = Limiter(POLICIES, store)
    reservation = limiter.reserve("alice", input_tokens=100, output_tokens=50)
    reservation.spend(60)
    reservation.release()
    assert left(limiter) == [9, 1000, 500, 2]


def test_block_settles_what_was_spent(store: MemoryStore | SharedStore) -> None:
    """`with` ends it, also after an exception; what was settled inside stays."""
    limiter = Limiter(POLICIES, store)
    with pytest.raises(ZeroDivisionError), limiter.reserve("alice", input_tokens=10, output_tokens=50) as reservation:
        fail_after(reservation, 20)
    assert left(limiter) == [9, 970, 480, 2]
    with limiter.reserve("alice", input_tokens=10, output_tokens=50) as reservation:
        reservation.settle(5, 5)
    assert left(limiter) == [8, 960, 475, 2]


def test_dropped_reservation_is_settled_as_spent(store: MemoryStore | SharedStore) -> None:
    """A cancelled task forgets its reservation; its slot and its reserve come back."""
    limiter = Limiter(POLICIES, store)
    reservation = limiter.reserve("alice", input_tokens=10, output_tokens=50)
    reservation.spend(20)
    assert store.leases()["live"] == 1
    del reservation
    gc.collect()
    assert left(limiter) == [9, 970, 480, 2]
    assert store.leases() == {"live": 0, "reclaimed": 0, "unlisted": 0}


def test_slot_is_renewed_as_long_as_the_call_runs(store: MemoryStore | SharedStore, clock: ManualClock) -> None:
    """The keeper renews it; without one it is free when its lease has ended."""
    limiter = Limiter("1 concurrent-requests; lease=30s", store)
    running = limiter.reserve("alice")
    for _ in range(20):
        clock.advance(14)
        assert store.keep() == 0
        assert not limiter.reserve("alice")
    clock.advance(60)
    other = limiter.reserve("alice")
    assert other
    running.settle()
    assert not limiter.reserve("alice")


def test_more_requests_are_charged_to_a_reservation(store: MemoryStore | SharedStore) -> None:
    """The messages of a connection cost requests, all or none, and no tokens or slots."""
    limiter = Limiter(POLICIES, store)
    hold = store.bind("", limiter.policies).reserve(("alice",) * 4, 1, 10, 10)
    assert hold.charge(4)
    assert not hold.charge(6)
    assert left(limiter) == [5, 980, 490, 1]
    hold.release()
    assert not hold.charge(6)
    assert left(limiter) == [5, 1000, 500, 2]


def test_every_policy_may_have_a_key_of_its_own(store: MemoryStore | SharedStore) -> None:
    """One reservation of a caller's quota and the quota of all; the number of keys must be that of the policies."""
    bound = store.bind("", [Policy("own", "100 tokens/hour"), Policy("all", "150 tokens/hour")])
    reservations = [bound.reserve((key, "all"), 1, 0, 80) for key in ("alice", "bob")]
    remaining = [result.remaining for result in bound.peek_each(("bob", "all"), 0).results]
    assert all(reservations)
    assert remaining == [30, 0]
    with pytest.raises(UsageError, match="keys"):
        bound.reserve(("alice",))


def test_limiter_of_requests_alone_may_reserve(store: MemoryStore | SharedStore) -> None:
    """Output is then without limit, and nothing is listed."""
    limiter = Limiter("2/hour", store)
    reservation = limiter.reserve("alice", input_tokens=10**6, output_tokens=10**6)
    assert reservation.spend(10**9)
    assert store.leases()["live"] == 0
    reservation.release()
    assert limiter.peek("alice").remaining == 1


@pytest.mark.parametrize("wrong", [-1, "1", 1.5, None])
def test_wrong_numbers_of_tokens_are_usage_errors(store: MemoryStore | SharedStore, wrong: object) -> None:
    """And say what was given."""
    limiter = Limiter(POLICIES, store)
    with pytest.raises(UsageError, match="number of tokens"):
        limiter.reserve("alice", input_tokens=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="number of tokens"):
        limiter.reserve("alice").spend(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_numbers_as_large_as_they_come_are_counted(store: MemoryStore | SharedStore) -> None:
    """What an upstream says of itself cannot overflow anything."""
    limiter = Limiter(POLICIES, store)
    reservation = limiter.reserve("alice", input_tokens=10**30, output_tokens=10**30)
    assert not reservation.spend(10**30, 10**30)
    reservation.settle(10**30, 10**30)
    assert left(limiter) == [9, 0, 0, 2]


async def test_async_reservation_is_made_once(store: MemoryStore | SharedStore) -> None:
    """`async with` reserves and settles; `await` leaves it to the caller."""
    limiter = AsyncLimiter(POLICIES, store)
    pending = limiter.reserve("alice", input_tokens=100, output_tokens=50)
    assert (await limiter.peek("alice", 0)).results[1].remaining == 1000
    async with pending as reservation:
        assert reservation
        assert await reservation.spend(20)
        with pytest.raises(UsageError, match="once"):
            await pending
    assert (await limiter.peek("alice", 0)).results[1].remaining == 880
    other = await limiter.reserve("alice", input_tokens=100)
    await other.release()
    assert other.spent == 0
    assert (await limiter.peek("alice", 0)).results[1].remaining == 880


def test_reservation_belongs_to_the_process_that_made_it(make_store: MakeStore) -> None:
    """A child's copy changes nothing, and a child has a keeper of its own; both under the machine's clock."""
    store = make_store()
    limiter = Limiter(POLICIES, store)
    held = limiter.reserve("alice", input_tokens=100, output_tokens=50)
    pid = os.fork()
    if pid == 0:
        try:
            held.settle(0, 0)
            held.release()
            own = limiter.reserve("bob", output_tokens=10)
            wrong = not held.spend(10_000) or left(limiter)[1] != 850 or store.leases()["live"] != 2
            own.release()
            del held, own
            os._exit(int(wrong or store.leases()["live"] != 1))
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert left(limiter) == [9, 850, 450, 1]
    held.release()
    assert left(limiter) == [9, 1000, 500, 2]


CALLS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 300), st.integers(0, 200)), min_size=1, max_size=12)


@given(st.sampled_from(["", "; algorithm=sliding-window"]), st.integers(1, 300), CALLS)
def test_first_call_of_a_small_key_is_not_refused_for_what_others_reserve(
    algorithm: str, own: int, calls: list[tuple[int, int, int]]
) -> None:
    """Only what was used refuses it, by its own policy or the shared one."""
    shared = 1_000
    store = MemoryStore(1_000, clock=ManualClock())
    policies = [Policy("own", f"{own} tokens/hour"), Policy("all", f"{shared} tokens/hour{algorithm}")]
    bound = store.bind("", policies)
    streams, used = [], 0
    for number, (input_tokens, output_tokens, spent) in enumerate(calls):
        key, least = f"account-{number}", min(1, output_tokens)
        stream = bound.reserve((key, "all"), 1, input_tokens, output_tokens, least=least, account=key)
        paid = min(input_tokens, own - least)  # what one quota cuts off an estimate, the other is not charged either
        assert bool(stream) == (used + paid + least <= shared)
        if stream:
            assert stream.spend(min(spent, least), 0)
            used += paid + stream.spent
            streams.append(stream)
    for stream in streams:
        stream.settle()
    assert bound.peek("all", 0).results[1].remaining == shared - used
