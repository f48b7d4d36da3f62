"""How often the server is asked: once for a whole request, once for many tasks, not at all for what is known."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore, Policy, UsageError
from ratelimit_guard._core import remote
from ratelimit_guard.spending import Ask
from ratelimit_guard.stores import Bill
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.lane import Lane
from ratelimit_guard.stores.redis.line import IN_FLIGHT
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.proxy import Proxy

PATIENCE_S = 5.0
STALLED_S = 0.1
"""How long a handler that does not await stops a loop."""
FIVE = [Policy(f"p{number}", f"{10 + number}/hour") for number in range(5)]
KEYS = ("global:", "route:/v1", "tenant:acme", "account:alice", "address:10.0.0.1")


@pytest.fixture
def store(redis_proxy: Proxy) -> Iterator[RedisStore]:
    """A store behind a proxy that counts."""
    store = RedisStore(redis_proxy.url, budget_s=PATIENCE_S)
    yield store
    store.close()


def test_request_with_five_policies_takes_one_round_trip(store: RedisStore, redis_proxy: Proxy) -> None:
    """Whatever keys they have, of a single server."""
    bound = store.bind("", FIVE)
    bound.acquire_each(KEYS)
    before = redis_proxy.round_trips
    result = bound.acquire_each(KEYS)
    assert redis_proxy.round_trips == before + 1
    assert [each.remaining for each in result.results] == [8, 9, 10, 11, 12]


def test_whole_request_takes_one_round_trip(store: RedisStore, redis_proxy: Proxy) -> None:
    """Enforced policies, two that only watch, and a reservation of tokens are paid together."""
    requests, watching = store.bind("", FIVE), store.bind("", [Policy("watching", "1/hour")])
    tokens = store.bind("", [Policy("tokens", "1000 tokens/hour")])
    bills = [
        Bill(requests, KEYS, 1),
        Bill(watching, ("account:alice",), 1),
        Bill(tokens, ("account:alice",), 1, ask=Ask(input=100, output=50, least=1), account="alice"),
    ]
    store.pay(bills, gate=True)
    before = redis_proxy.round_trips
    enforced, watched, held = store.pay(bills, gate=True)
    assert redis_proxy.round_trips == before + 1
    # The first reservation was dropped, and settled as spent.
    assert (enforced.allowed, watched.allowed, held.result.remaining) == (True, False, 750)


def test_closed_gate_keeps_what_is_behind_it_from_paying(store: RedisStore) -> None:
    """A refused request does not count for policies that are tried out."""
    requests, watching = store.bind("", [Policy("one", "1/hour")]), store.bind("", [Policy("watching", "9/hour")])
    bills = [Bill(requests, ("alice",), 1), Bill(watching, ("alice",), 1)]
    assert [answer.allowed for answer in store.pay(bills, gate=True)] == [True, True]
    assert [answer.allowed for answer in store.pay(bills, gate=True)] == [False]
    assert watching.peek("alice", 0).remaining == 8
    assert [answer.allowed for answer in store.pay(bills, gate=False)] == [False, True]


async def test_tasks_that_ask_at_once_share_round_trips(store: RedisStore, redis_proxy: Proxy) -> None:
    """Two calls for all, and each gets an answer of its own."""
    limiter = AsyncLimiter("100/hour", store)
    await limiter.acquire("warm")
    before = redis_proxy.round_trips
    results = await asyncio.gather(*(limiter.acquire("alice") for _ in range(64)))
    assert redis_proxy.round_trips <= before + 2
    assert sorted(result.remaining for result in results) == list(range(36, 100))


async def test_more_tasks_than_fit_into_a_batch_are_all_answered(store: RedisStore) -> None:
    """Batches are bounded; what does not fit goes with the next."""
    limiter = AsyncLimiter("700/hour", store)
    results = await asyncio.gather(*(limiter.acquire("alice") for _ in range(1_000)))
    assert sum(map(bool, results)) == 700


async def test_wrong_question_fails_alone(store: RedisStore) -> None:
    """A key that is none is told to its caller; the others in the batch are answered."""
    limiter = AsyncLimiter("10/hour", store)
    asked = [limiter.acquire("alice"), limiter.acquire(7), limiter.acquire("alice", -1), limiter.acquire("alice")]  # type: ignore[arg-type]
    first, no_key, no_cost, last = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(no_key, UsageError)
    assert isinstance(no_cost, UsageError)
    assert (first.remaining, last.remaining) == (9, 8)  # type: ignore[union-attr]


async def test_cancelled_task_does_not_disturb_others(store: RedisStore) -> None:
    """Its question may have been answered; nobody else's answer is lost or mixed up."""
    limiter = AsyncLimiter("100/hour", store)
    tasks = [asyncio.ensure_future(limiter.acquire(f"key-{number}", number + 1)) for number in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    rest = [result.remaining for result in results if not isinstance(result, BaseException)]
    assert isinstance(results[3], asyncio.CancelledError)
    assert rest == [99, 98, 97, 95, 94, 93, 92, 91, 90]


async def test_loop_that_stood_still_asks_again(redis_proxy: Proxy) -> None:
    """What expires before its first step takes no place among the batches under way."""
    store = RedisStore(redis_proxy.url, budget_s=STALLED_S)
    limiter = AsyncLimiter(Policy("calls", "100/hour", on_store_failure="closed"), store)
    assert await limiter.acquire("alice")
    for _ in range(IN_FLIGHT):
        asked = asyncio.ensure_future(limiter.acquire("alice"))
        await asyncio.sleep(0)
        time.sleep(STALLED_S)  # noqa: ASYNC251  this is what stops a loop
        await asked
    assert await limiter.acquire("alice")
    await store.aclose()
    store.close()


async def test_answer_after_the_budget_is_for_nobody() -> None:
    """Whoever asked has been told already; the next batch may go."""
    loop, wrong = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    line = LateLine(loop)
    lane = Lane(line, 0)  # type: ignore[arg-type]
    told = [await lane.ask(id) for _ in range(IN_FLIGHT + 1)]
    await asyncio.sleep(0)
    gc.collect()  # a task tells when it is forgotten that nobody asked how it ended
    assert (told, line.calls, wrong) == ([FAILED] * (IN_FLIGHT + 1), IN_FLIGHT + 1, [])


class LateLine:
    """Answers when it is cancelled."""

    budget_s = 0.001

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.calls = loop, 0

    def noted(self, tag: int) -> remote.RemoteBatch:
        """Nothing was."""
        del tag
        return remote.RemoteBatch()

    def lost(self, count: int) -> None:
        """Of no interest."""

    def timed_out(self, tag: int) -> None:
        """Of no interest."""

    async def call(self, tag: int, batch: remote.RemoteBatch) -> list[Any]:
        """The answer, too late."""
        del tag, batch
        self.calls += 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return ["late"]


async def test_blocking_call_on_a_loop_is_a_usage_error(store: RedisStore) -> None:
    """It would stop every other task; the text says what to use."""
    limiter, slots = Limiter("10/hour", store), Limiter("1 concurrent-requests; lease=30s", store)
    for wrong in (limiter.acquire, limiter.peek, limiter.reset, slots.permit, slots.reserve):
        with pytest.raises(UsageError, match="AsyncLimiter"):
            wrong("alice")
    assert await asyncio.to_thread(limiter.acquire, "alice")


def test_refusal_is_remembered(redis_proxy: Proxy) -> None:
    """For a second, the wait it tells gets shorter, and nobody is asked; a reset forgets it."""
    clock = ManualClock()
    store = RedisStore(redis_proxy.url, budget_s=PATIENCE_S, clock=clock)
    limiter = Limiter("1/hour", store)
    limiter.acquire("alice")
    told = limiter.acquire("alice")
    before = redis_proxy.round_trips
    clock.advance(0.5)
    again = limiter.acquire("alice")
    assert not again
    assert again.retry_after == pytest.approx(told.retry_after - 0.5)
    assert limiter.acquire("bob")
    assert redis_proxy.round_trips == before + 1
    clock.advance(0.5)
    assert not limiter.acquire("alice")
    assert redis_proxy.round_trips == before + 2
    assert limiter.reset("alice")
    assert limiter.acquire("alice")
    store.close()


def test_refused_request_is_remembered_with_what_is_behind_its_gate(store: RedisStore, redis_proxy: Proxy) -> None:
    """A guard's refused caller costs no round trip either."""
    requests, watching = store.bind("", [Policy("one", "1/hour")]), store.bind("", [Policy("watching", "9/hour")])
    bills = [Bill(requests, ("alice",), 1), Bill(watching, ("alice",), 1)]
    for _ in range(2):
        store.pay(bills, gate=True)
    before = redis_proxy.round_trips
    assert [answer.allowed for answer in store.pay(bills, gate=True)] == [False]
    assert [answer.allowed for answer in store.pay(bills[:1], gate=True)] == [False]
    assert redis_proxy.round_trips == before


def test_refusal_of_what_may_come_back_is_not_remembered(store: RedisStore) -> None:
    """Tokens and slots are given back at any time."""
    limiter = Limiter("100 tokens/hour", store)
    held = limiter.reserve("alice", input_tokens=100)
    assert not limiter.acquire("alice", 50)
    held.settle(10, 0)
    assert limiter.acquire("alice", 50)


def test_allotment_saves_round_trips_and_gives_the_rest_back(redis_proxy: Proxy) -> None:
    """A hot key is decided here; in the end the server knows exactly what was used."""
    clock = ManualClock()
    store = RedisStore(redis_proxy.url, budget_s=PATIENCE_S, clock=clock, allotment=50)
    other = Limiter("1000/hour", RedisStore(redis_proxy.url, budget_s=PATIENCE_S, clock=clock))
    limiter = Limiter("1000/hour", store)
    limiter.acquire("alice")
    before = redis_proxy.round_trips
    remaining = [limiter.acquire("alice").remaining for _ in range(299)]
    assert remaining == list(range(998, 699, -1))
    assert redis_proxy.round_trips - before < 100
    assert 650 <= other.peek("alice").remaining <= 700
    clock.advance(1.0)
    assert limiter.acquire("alice")
    store.close()
    assert other.peek("alice").remaining == 699
    other.store.close()  # type: ignore[attr-defined]


def test_allotments_never_admit_more_than_the_limit_at_once(redis_url: str) -> None:
    """What is taken ahead is charged: two processes' worth of stores admit the limit together, to the last unit."""
    stores = [RedisStore(redis_url, budget_s=PATIENCE_S, allotment=64) for _ in range(2)]
    limiters = [Limiter("1000/hour", store) for store in stores]
    admitted = [sum(bool(limiter.acquire("hot")) for _ in range(600)) for limiter in limiters]
    assert sum(admitted) <= 1_000
    assert sum(admitted) >= 1_000 - 64
    for store in stores:
        store.close()


def test_store_that_is_forgotten_leaves_nothing_open(redis_url: str) -> None:
    """Without `close`, its connections end with it: pytest makes an error of every warning."""
    Limiter("1/hour", RedisStore(redis_url, fallback=MemoryStore(10))).acquire("alice")
