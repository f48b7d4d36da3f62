"""Defects found by review, each as the smallest case that shows it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore, Policy, UsageError
from ratelimit_guard._core import remote as _remote
from ratelimit_guard.stores import Bill
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.stores.redis.lane import MAX_BATCH
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.cluster import Cluster
    from servers.server import Server

PATIENCE_S = 5.0
BUDGET_S = 0.025
LEASE_US = 100_000
LEASE_OVER_S = 0.3
RACE_S = 5.0
DAMAGE = b"\x9e" + b"\xa1x" * 14
"""As many values as a strict window has, all of them texts."""

OLD_ARGUMENT = pytest.mark.filterwarnings("ignore:.*cluster_error_retry_attempts:DeprecationWarning")
Opens: TypeAlias = "Callable[..., RedisStore]"


@pytest.fixture
def opens(redis_url: str) -> Iterator[Opens]:
    """Makes stores that end with the test."""
    made: list[RedisStore] = []

    def make(url: str = redis_url, budget_s: float = PATIENCE_S, **more: Any) -> RedisStore:
        made.append(RedisStore(url, budget_s=budget_s, **more))
        return made[-1]

    yield make
    for store in made:
        store.close()


def apart(number: int) -> tuple[str, ...]:
    """Keys whose counters are at different places of a cluster."""
    found: dict[int, str] = {}
    for name in range(1_000):
        found.setdefault(_remote.RemotePolicies.tag(f"account:{name}"), f"account:{name}")
    return tuple(list(found.values())[:number])


# --- lanes and loops


def test_batch_that_expires_before_it_was_sent_leaves_its_place(opens: Opens) -> None:
    """A loop that was busy for longer than the budget cancels a task that never began."""
    store = opens(budget_s=BUDGET_S)
    limiter = AsyncLimiter("1000/hour", store)

    async def go() -> None:
        await limiter.acquire("alice")
        asked = asyncio.create_task(limiter.acquire("alice"))
        await asyncio.sleep(0)
        time.sleep(2 * BUDGET_S)  # noqa: ASYNC251  the app's own doing
        await asked
        await asyncio.sleep(0)
        assert store.lane(0)._under_way == 0

    asyncio.run(go())


def test_loops_that_ended_are_forgotten(opens: Opens) -> None:
    """One for each `asyncio.run`, as in a thread that calls async code."""
    store = opens()
    limiter = AsyncLimiter("1000/hour", store)

    async def once() -> None:
        await limiter.acquire("alice")

    for _ in range(5):
        asyncio.run(once())
    gc.collect()
    assert len(store._lines) <= 1


def test_gate_holds_across_the_end_of_a_batch(opens: Opens) -> None:
    """A request's bills stay together, however full the batch is."""
    store = opens(refusal_cache_s=0)
    one, watching = store.bind("", [Policy("one", "1/hour")]), store.bind("", [Policy("watching", "9/hour")])
    other = store.bind("", [Policy("other", "1000000/hour")])

    async def go() -> int:
        await one.acquire_async("alice")
        others = [asyncio.create_task(other.acquire_async("bob")) for _ in range(MAX_BATCH - 1)]
        bills = [Bill(one, ("alice",), 1), Bill(watching, ("alice",), 1)]
        [refused] = await asyncio.create_task(store.pay_async(bills, gate=True))
        await asyncio.gather(*others)
        assert not refused
        return (await watching.peek_async("alice", 0)).results[0].remaining

    assert asyncio.run(go()) == 9


def test_namespaces_of_one_batch_are_apart(opens: Opens) -> None:
    """Equal policies and keys of two namespaces, asked at the same time."""
    store = opens()
    first, second = (AsyncLimiter(Policy("p", "10/hour"), store, namespace=name) for name in "ab")

    async def go() -> tuple[int, int]:
        await asyncio.gather(first.acquire("alice", 3), second.acquire("alice", 4))
        return (await first.peek("alice")).remaining, (await second.peek("alice")).remaining

    assert asyncio.run(go()) == (7, 6)


# --- the keeper


def test_keeper_survives_holds_that_begin_meanwhile(opens: Opens) -> None:
    """Threads reserve while it looks at what is held."""
    store = opens()
    bound = store.bind("", [Policy("t", "100000000 tokens/hour")])
    until, died = time.monotonic() + RACE_S, threading.Event()

    def reserve() -> None:
        held = []
        while time.monotonic() < until and not died.is_set():
            held.append(bound.reserve(("alice",), 1, 0, 10, least=1))
            del held[:-1_500]

    told, threading.excepthook = threading.excepthook, lambda _: died.set()
    try:
        threads = [threading.Thread(target=reserve) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = told
    assert not died.is_set()


def test_end_during_a_top_up_during_a_renewal(opens: Opens) -> None:
    """The keeper still holds the renewal's answer when the top-up has told the end."""
    store = opens()
    bound = store.bind("", [Policy("t", "1000 tokens/hour"), Policy("c", "5 concurrent-requests; lease=30s")])
    hold = bound.reserve(("alice", "alice"), 1, 0, 10, least=1)
    hold.spend_later(20, 5)
    way = hold._top_up(5)
    asked = next(way)
    renewals = hold.renewals(store.state.now_s() + 60)
    hold.settle(0, 20)
    with pytest.raises(StopIteration):
        way.send(store.ask(asked))
    for _, put, share in renewals:
        hold.kept(share, store.ask_one(put), 0.0)
    hold.keep_ends()
    store.flush()
    assert [each.remaining for each in bound.peek_each(("alice", "alice"), 0).results] == [980, 5]


# --- what is held


def test_what_was_spent_before_a_top_up_is_not_given_back(opens: Opens) -> None:
    """The lease lapses while its owner lives, as after an outage."""
    store = opens()
    bound = store.bind("", [Policy("t", "1000 tokens/hour")])
    bound.lease_us = LEASE_US
    hold = bound.reserve(("alice",), 1, 0, 900, least=1)
    assert hold.spend(950, 0)
    time.sleep(LEASE_OVER_S)
    bound.reserve(("alice",), 1, 0, 60, least=60, account="bob").release()  # looks who is gone
    hold.settle(0, 950)
    store.flush()
    assert bound.peek("alice", 0).remaining == 50


def test_what_a_long_call_holds_of_a_bucket_comes_back(opens: Opens) -> None:
    """A list must live as long as what is listed: buckets may take longer than their window to fill up."""
    store = opens()
    bound = store.bind("", [Policy("t", "100 tokens/second; burst=100000")])
    bound.lease_us = LEASE_US
    hold = bound.reserve(("alice",), 1, 0, 50_000, least=1)
    time.sleep(2.5)  # the window, an eighth of it and a second
    hold.settle(0, 0)
    store.flush()
    assert bound.peek("alice", 0).remaining > 99_000


def test_end_during_a_top_up_gives_back_all_that_it_took(opens: Opens) -> None:
    """A caller hangs up while more is reserved: what the first end has unlisted is not lost to the second."""
    store = opens()
    bound = store.bind("", [Policy("t", "1000 tokens/hour")])
    hold = bound.reserve(("alice",), 1, 10, 10, least=1)
    hold.spend_later(14, 10)
    way = hold._top_up(10)
    answers = store.ask(next(way))
    hold.settle(10, 35)
    with pytest.raises(StopIteration):
        way.send(answers)
    store.flush()
    assert bound.peek("alice", 0).remaining == 1_000 - 45


def test_bucket_gives_back_what_is_not_used_after_top_ups(opens: Opens) -> None:
    """What time drains of a full bucket is not taken from every receipt anew: as in memory."""
    clock, left = ManualClock(1_000.0), []
    for store in (opens(clock=clock), MemoryStore(clock=clock)):
        clock.set(1_000.0)
        bound = store.bind("", [Policy("t", "100 tokens/second; burst=100000")])
        other, hold = bound.reserve(("alice",), 1, 60_000, 0), bound.reserve(("alice",), 1, 0, 1_000, least=1)
        for _ in range(8):
            clock.advance(1)
            assert hold.spend(1_000, 1_000)
        hold.settle(0, 0)
        left.append(bound.peek("alice", 0).remaining)
        other.settle()
    assert left[0] == left[1]


@OLD_ARGUMENT
def test_refused_reservation_leaves_nothing_in_a_cluster(opens: Opens, redis_cluster: Cluster) -> None:
    """What an earlier part listed would be given back a second time when its lease is over."""
    store = opens(f"redis+cluster://127.0.0.1:{redis_cluster.primaries[0].port}", refusal_cache_s=0)
    shared, own = apart(2)
    pool, large = Policy("pool", "1000 tokens/hour"), Policy("own", "10 tokens/hour")
    alone, both = store.bind("", [pool]), store.bind("", [pool, large])
    both.lease_us = LEASE_US
    alone.reserve((shared,), 1, 0, 500, least=500).settle(0, 500)
    for _ in range(5):
        assert not both.reserve((shared, own), 1, 0, 90, least=90, account="mallory").result
    time.sleep(LEASE_OVER_S)
    assert not alone.reserve((shared,), 1, 0, 700, least=700, account="zoe").result
    assert alone.peek(shared, 0).remaining == 500


@OLD_ARGUMENT
def test_more_is_charged_of_every_part_in_a_cluster(opens: Opens, redis_cluster: Cluster) -> None:
    """A connection's messages pay all policies of requests, wherever their counters are."""
    store = opens(f"redis+cluster://127.0.0.1:{redis_cluster.primaries[0].port}")
    policies = [Policy("one", "100/hour"), Policy("two", "100/hour"), Policy("t", "1000 tokens/hour")]
    bound, keys = store.bind("", policies), apart(3)
    hold = bound.reserve(keys, 1, 0, 10, least=1)
    assert hold.charge(7)
    assert [each.remaining for each in bound.peek_each(keys, 0).results][:2] == [92, 92]
    assert not hold.charge(99)


@OLD_ARGUMENT
def test_cluster_never_blocks_the_loop(opens: Opens, redis_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies that are split anew are not entered by a call that blocks."""
    store = opens(f"redis+cluster://127.0.0.1:{redis_cluster.primaries[0].port}")
    bound = store.bind("", [Policy(f"p{number}", "1000/hour") for number in range(3)])
    blocked: list[object] = []
    monkeypatch.setattr(store.server, "register", blocked.append)
    asyncio.run(bound.acquire_each_async(apart(3)))
    assert blocked == []


# --- quotas that change


@pytest.mark.parametrize(("old", "new"), [("100/hour", "50/second"), ("100/hour; burst=100", "10/second; burst=10")])
def test_changed_quota_admits_when_it_says(opens: Opens, old: str, new: str) -> None:
    """A full window of the old quota is not carried over anew with every question."""
    clock = ManualClock(1_000_000.5)
    store = opens(clock=clock, refusal_cache_s=0)
    Limiter(Policy("p", old), store).acquire("alice", 100)
    clock.advance(1)
    limiter = Limiter(Policy("p", new), store)
    clock.advance(limiter.acquire("alice").retry_after + 0.001)
    assert limiter.acquire("alice")


@pytest.mark.parametrize("is_long", [False, True])
def test_later_quota_holds_within_one_batch(opens: Opens, is_long: bool) -> None:
    """Both ways of the script agree about a key that is asked for under two quotas."""
    clock = ManualClock(1_000_000.5)
    store = opens(clock=clock)
    before = store.bind("", [Policy("p", "100/hour")])
    clock.advance(1)
    after, batch = store.bind("", [Policy("p", "5/hour")]), _remote.RemoteBatch()
    for bound in (before, after):
        batch.acquire(bound.remote, "alice", 1)
    if is_long:
        batch.peek(before.remote, "bob", 1)
    answers = store._sync.call(0, batch)
    assert answers is not None
    assert (answers[1].limit, answers[1].remaining) == (5, 3)


# --- what others write there


def test_counter_of_texts_harms_nobody_else(opens: Opens, redis_server: Server) -> None:
    """As many values as ours, but no numbers: others of the batch are answered."""
    store = opens(redis_server.url)
    bound, batch = store.bind("", [Policy("p", "100/hour")]), _remote.RemoteBatch()
    bound.acquire("mallory")
    with redis_server.client() as client:
        [key] = [key for key in client.keys("rlg1::*") if not key.endswith(b":policies")]
        client.set(key, DAMAGE)
    for name in ("alice", "mallory"):
        batch.acquire(bound.remote, name, 1)
    answers = store._sync.call(0, batch)
    assert answers is not None
    assert (bool(answers[0]), answers[1]) == (True, NotImplemented)


@pytest.mark.parametrize("is_hash", [False, True])
def test_damaged_list_of_holds_harms_nobody_else(opens: Opens, redis_server: Server, is_hash: bool) -> None:
    """A text in the place of the list, or within it."""
    store = opens(redis_server.url)
    bound = store.bind("", [Policy("t", "100 tokens/hour")])
    hold = bound.reserve(("mallory",), 1, 0, 60, least=1)
    with redis_server.client() as client:
        [key] = client.keys("*:h")
        client.hset(key, "1", "x") if is_hash else client.set(key, "x")
    batch = _remote.RemoteBatch()
    batch.acquire(bound.remote, "alice", 1)
    asked: dict[str, Any] = {"surely": 0, "least": 60, "firm": False, "account": "eve"}
    asked |= {"number": 5, "lease_us": 30_000_000}
    batch.reserve(bound.remote, ("mallory",), 1, 0, 60, **asked)
    answers = store._sync.call(0, batch)
    assert answers is not None
    assert answers[0]
    assert hold.is_open


# --- what callers get wrong


def test_negative_cost_adds_nothing_to_an_allotment(opens: Opens) -> None:
    """It is refused as without one."""
    limiter = Limiter("1000/hour", opens(allotment=10))
    for _ in range(9):
        limiter.acquire("alice")
    with pytest.raises(UsageError):
        limiter.acquire("alice", -500)


def test_wrong_key_is_told_as_such_once_refusals_are_known(opens: Opens) -> None:
    """One that cannot be hashed too."""
    limiter = Limiter("1/hour", opens())
    for _ in range(2):
        limiter.acquire("alice")
    with pytest.raises(UsageError, match="key must be"):
        limiter.acquire(bytearray(b"alice"))  # type: ignore[arg-type]


# --- outages


def test_ends_noted_while_the_server_is_away_are_kept(opens: Opens) -> None:
    """Decisions that are not even sent take no notes along."""
    store = opens()
    bound = store.bind("", [Policy("t", "1000 tokens/hour")])
    holds = [bound.reserve(("alice",), 1, 0, 10, least=1) for _ in range(5)]
    store.state.breakers[0].is_open = True
    for hold in holds:
        hold.settle(0, 0)
    bound.acquire("bob")
    store.state.breakers[0].is_open = False
    store.flush()
    assert bound.peek("alice", 0).remaining == 1_000
