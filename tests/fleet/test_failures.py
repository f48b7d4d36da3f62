"""A server that goes away, in every manner: policies hold, nobody waits long, nothing is raised, it comes back."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from fleet.helpers import (
    SOON_S,
    TROUBLES,
    WAYS,
    Caller,
    Impostor,
    Trouble,
    dripping,
    kinds,
    policy,
    recovered,
    store_at,
)
from ratelimit_guard import AsyncLimiter, Limiter
from ratelimit_guard.stores.redis import RedisStore
from servers.server import wait_until
from servers.tls import secured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.proxy import Proxy
    from servers.sentinel import Sentinels
    from servers.server import Server


@pytest.fixture(params=WAYS)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Threads, or tasks of a loop."""
    with Caller(request.param) as caller:
        yield caller


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest, redis_server: Server, redis_proxy: Proxy) -> Trouble:
    """One of them."""
    return Trouble(request.param, redis_server, redis_proxy)


def passed(results: list[Any]) -> int:
    """How many were allowed."""
    return sum(map(bool, results))


def test_each_policy_holds_while_the_server_is_away(caller: Caller, trouble: Trouble, redis_proxy: Proxy) -> None:
    """`open` passes, `closed` refuses, `local` counts on this host; then the server's counters are the truth again."""
    with store_at(redis_proxy.url) as (store, events):
        modes = {mode: caller.limiter(policy(mode), store) for mode in ("open", "closed", "local")}
        recovered(caller, store, modes["closed"])
        for limiter in modes.values():
            assert passed(caller.take(limiter, 4)) == 4
        trouble.begin()
        began = time.monotonic()
        told = {mode: caller.take(limiter, 12) for mode, limiter in modes.items()}
        assert time.monotonic() - began < SOON_S
        assert {mode: passed(results) for mode, results in told.items()} == {"open": 12, "closed": 0, "local": 10}
        assert all(0 < result.retry_after <= 1 for result in told["closed"])
        wait_until(lambda: caller.take(modes["open"]) and store.is_down, what="the breaker")
        trouble.end()
        for limiter in modes.values():
            recovered(caller, store, limiter)
        # Whether a charge without an answer was taken nobody knows: three at a time may have been under way.
        assert all(passed(caller.take(limiter, 12)) <= 10 - (trouble.name != "kill") * 4 for limiter in modes.values())
        assert {*kinds(events)} == {"down", "up"}


def test_restart_empty_costs_one_further_limit_at_most(caller: Caller, redis_server: Server) -> None:
    """Whatever is asked before, meanwhile and after: what passes is two limits."""
    with store_at(redis_server.url, refusal_cache_s=0) as (store, _):
        limiter = caller.limiter(policy("closed"), store)
        before = passed(caller.take(limiter, 20))
        redis_server.kill()
        meanwhile = passed(caller.take(limiter, 20))
        redis_server.start()
        redis_server.wait()
        recovered(caller, store, limiter)
        assert (before, meanwhile, passed(caller.take(limiter, 20))) == (10, 0, 10)


def test_cut_connections_cost_no_more_than_what_was_under_way(caller: Caller, redis_proxy: Proxy) -> None:
    """Resets at any time: no exception, never more than the limit of the server and of this host."""
    with store_at(redis_proxy.url) as (store, _):
        limiter = caller.limiter(policy("local", "200/hour"), store)
        got = 0
        for _ in range(10):
            got += passed(caller.take(limiter, 20))
            redis_proxy.cut()
        assert 200 - 2 * store.state.failures * 20 <= got <= 200
        recovered(caller, store, limiter)
        assert got + passed(caller.take(limiter, 400)) <= 400


def test_one_ended_connection_is_no_outage(caller: Caller, redis_server: Server) -> None:
    """`CLIENT KILL` and the server's own timeout: who was about to use the connection may fail, no other one."""
    with store_at(redis_server.url) as (store, events), redis_server.client() as operator:
        limiter = caller.limiter(policy("closed", "1000/hour"), store)
        assert passed(caller.take(limiter, 1)) == 1
        for _ in range(3):
            operator.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            wait_until(lambda: passed(caller.take(limiter)), what="a decision")
        operator.config_set("timeout", 1)
        wait_until(lambda: len(operator.client_list()) == 1, what="the end of idle connections")
        wait_until(lambda: passed(caller.take(limiter)), what="a decision")
        assert not events


def test_forgotten_scripts_and_counters_are_no_failure(caller: Caller, redis_server: Server) -> None:
    """`SCRIPT FLUSH` costs a round trip, `FLUSHALL` the counters."""
    with store_at(redis_server.url) as (store, events), redis_server.client() as operator:
        limiter = caller.limiter(policy("closed"), store)
        assert passed(caller.take(limiter, 20)) == 10
        operator.script_flush()
        assert passed(caller.take(limiter, 20)) == 0
        store.refusals.clear()
        operator.flushall()
        assert passed(caller.take(limiter, 20)) == 10
        assert (events, store.state.failures) == ([], 0)


def test_answer_that_drips_is_cut_at_the_budget(caller: Caller) -> None:
    """A byte now and then keeps no caller beyond the budget, while connecting or later."""
    with Impostor(dripping) as impostor:
        began = time.monotonic()
        with store_at(impostor.url) as (store, events):
            limiter = caller.limiter(policy("local"), store)
            store.state.breakers[0].succeeded()  # as if it had answered
            assert passed(caller.take(limiter, 12)) == 10
            assert time.monotonic() - began < SOON_S
            assert kinds(events)[0] == "down"


def test_tls_that_is_never_finished_is_cut_at_the_budget(caller: Caller, redis_server: Server, tmp_path: Path) -> None:
    """A server that does not answer the first word of TLS; then it does."""
    with (
        secured(redis_server, tmp_path) as (proxy, trusted),
        store_at(f"{proxy.url}?ssl_ca_certs={trusted}", 0.5) as (store, _),
    ):
        limiter = caller.limiter(policy("closed"), store)
        assert passed(caller.take(limiter, 2)) == 2
        proxy.cut()
        proxy.freeze()
        began = time.monotonic()
        assert passed(caller.take(limiter, 12)) == 0
        assert time.monotonic() - began < SOON_S
        proxy.restore()
        recovered(caller, store, limiter)
        assert 1 <= passed(caller.take(limiter, 12)) <= 8


def test_way_that_is_slow_to_connect_is_used(redis_proxy: Proxy) -> None:
    """Greetings take longer than the budget, decisions do not: connecting goes on while the first ones fail."""
    with Caller("async") as caller, store_at(redis_proxy.url, 0.15) as (store, _):
        redis_proxy.delay(0.04)
        limiter = caller.limiter(policy("closed", "1000/hour"), store)
        recovered(caller, store, limiter)
        assert passed(caller.take(limiter, 5)) == 5


def test_far_server_is_not_taken_for_one_that_answers(caller: Caller, redis_proxy: Proxy) -> None:
    """Its probes take as long as its decisions: it does not come and go."""
    with store_at(redis_proxy.url) as (store, events):
        limiter = caller.limiter(policy("open", "1000/hour"), store)
        redis_proxy.delay(0.15)
        wait_until(lambda: caller.take(limiter) and store.is_down, what="the breaker")
        probes = redis_proxy.round_trips
        wait_until(lambda: redis_proxy.round_trips > probes + 6, what="probes")
        assert kinds(events) == ["down"]


def test_stalled_loop_is_not_the_servers_failure(redis_server: Server) -> None:
    """An app that keeps its loop busy beyond the budget finds the answers that came meanwhile."""
    with store_at(redis_server.url) as (store, events):
        limiter = AsyncLimiter(policy("closed"), store)

        async def stall() -> None:
            assert await limiter.acquire("alice")
            for _ in range(5):
                asked = asyncio.ensure_future(limiter.acquire("alice"))
                for _ in range(5):  # until it is on its way
                    await asyncio.sleep(0)
                time.sleep(0.15)  # noqa: ASYNC251  what is tested
                assert await asked

        asyncio.run(stall())
        assert (events, store.state.failures) == ([], 0)


def test_cancelled_task_costs_its_own_charge_at_most(redis_server: Server) -> None:
    """Half of the tasks that share a call are cancelled while it is under way: the others have their answers."""
    with store_at(redis_server.url) as (store, events):
        limiter = AsyncLimiter(policy("closed", "100/hour"), store)

        async def main() -> list[Any]:
            await limiter.acquire("alice")
            tasks = [asyncio.ensure_future(limiter.acquire("alice")) for _ in range(40)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        told = asyncio.run(main())
        assert passed(told[1::2]) == 20
        assert all(isinstance(each, asyncio.CancelledError) for each in told[::2])
        assert 100 - 41 <= Limiter(policy("closed", "100/hour"), store).peek("alice").remaining <= 100 - 21
        assert not events


def test_loop_that_ends_with_work_under_way_leaves_nothing(redis_server: Server, redis_proxy: Proxy) -> None:
    """Loop after loop, each ended while it asks: no exception, no connection, no loop that is remembered."""
    with store_at(redis_proxy.url) as (store, _):
        limiter = AsyncLimiter(policy("open", "1M/hour"), store)
        loops: list[weakref.ref[Any]] = []
        left: list[Any] = []

        async def ask_and_leave() -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            assert await limiter.acquire("alice")
            left.extend(asyncio.ensure_future(limiter.acquire("alice")) for _ in range(10))
            await asyncio.sleep(0)
            left.clear()

        for _ in range(5):
            asyncio.run(ask_and_leave())
        asyncio.run(ask_and_leave())
        gc.collect()
        assert sum(loop() is not None for loop in loops) <= 1
        with redis_server.client() as operator:
            wait_until(lambda: len(operator.client_list()) <= 2 + 1, what="the end of connections")


def test_many_threads_with_loops_of_their_own(redis_server: Server) -> None:
    """Eight loops and eight threads at once, exactly the limit."""
    with store_at(redis_server.url, 5.0) as (store, events):
        limiters = Limiter("100/hour", store), AsyncLimiter("100/hour", store)
        got: list[int] = []

        async def ask() -> int:
            return passed(await asyncio.gather(*(limiters[1].acquire("alice") for _ in range(20))))

        threads = [threading.Thread(target=lambda: got.append(asyncio.run(ask()))) for _ in range(8)]
        threads += [
            threading.Thread(target=lambda: got.append(passed([limiters[0].acquire("alice") for _ in range(20)])))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(got), sum(got), events) == (16, 100, [])


def test_hook_that_raises_hurts_nobody(caller: Caller, redis_server: Server) -> None:
    """Whatever an operator's hook does when the server goes and comes."""

    def hook(event: object) -> None:
        told.append(event)
        raise ZeroDivisionError

    told: list[object] = []
    store = RedisStore(redis_server.url, budget_s=0.1, on_event=hook)
    limiter = caller.limiter(policy("local"), store)
    redis_server.kill()
    assert passed(caller.take(limiter, 12)) == 10
    redis_server.start()
    redis_server.wait()
    recovered(caller, store, limiter)
    assert len(told) == 2
    store.close()


def child_of(work: Any) -> int:
    """Fork; the exit status of a child that does this: 0 when it gives True."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return pid


def test_fork_in_the_middle_of_traffic(redis_server: Server) -> None:
    """Parent and children go on, on connections of their own; together they get the limit, exactly."""
    with store_at(redis_server.url, 5.0) as (store, events):
        limiter, asked = Limiter("1000/hour", store), AsyncLimiter("1000/hour", store)

        async def main() -> int:
            got = passed(await asyncio.gather(*(asked.acquire("alice") for _ in range(100))))
            busy = [asyncio.ensure_future(asked.acquire("alice")) for _ in range(50)]
            await asyncio.sleep(0)
            pids = [child_of(in_child) for _ in range(3)]
            got += passed(await asyncio.gather(*busy))
            got += passed(await asyncio.gather(*(asked.acquire("alice") for _ in range(50))))
            for pid in pids:
                _, status = await asyncio.to_thread(os.waitpid, pid, 0)
                assert status == 0
            return got + passed(await asyncio.gather(*(asked.acquire("alice") for _ in range(500))))

        def in_child() -> bool:
            results: list[Any] = []
            thread = threading.Thread(target=lambda: results.extend(limiter.acquire("alice") for _ in range(100)))
            thread.start()
            thread.join()
            return passed(results) == 100

        assert asyncio.run(main()) == 700
        assert (events, store.state.failures) == ([], 0)


def test_child_of_a_process_whose_server_is_away_recovers_too(redis_server: Server) -> None:
    """The thread that probes is the parent's; the child has one of its own."""
    with store_at(redis_server.url) as (store, _), Caller("sync") as caller:
        limiter = Limiter(policy("closed"), store)
        redis_server.kill()
        assert passed(caller.take(limiter, 3)) == 0
        ready, go = os.pipe()

        def in_child() -> bool:
            os.close(go)
            os.read(ready, 1)
            recovered(caller, store, limiter)
            return bool(limiter.acquire("alice"))

        pid = child_of(in_child)
        redis_server.start()
        redis_server.wait()
        os.close(go)
        assert os.waitpid(pid, 0)[1] == 0
        os.close(ready)


def test_ends_of_calls_wait_for_the_server(redis_proxy: Proxy) -> None:
    """What is told while it is away is told when it is back, once, whatever is asked meanwhile."""
    with store_at(redis_proxy.url) as (store, _), Caller("sync") as caller:
        limiter = Limiter("1000 tokens/hour", store)
        held = [limiter.reserve("alice", output_tokens=50) for _ in range(10)]
        assert limiter.peek("alice", 0).remaining == 500
        redis_proxy.refuse()
        wait_until(lambda: limiter.acquire("bob", 0) is not None and store.is_down, what="the breaker")
        for each in held:
            each.settle(output_tokens=20)
        caller.take(limiter, 20, "bob", 0)
        redis_proxy.restore()
        recovered(caller, store, limiter)
        wait_until(lambda: limiter.peek("alice", 0).remaining == 800, what="the ends")
        assert store.stats()["lost"] == 0


def test_ends_that_may_be_lost_are_told(redis_proxy: Proxy) -> None:
    """What was under way when the server fell silent is not told twice; the operator hears how much it is."""
    with store_at(redis_proxy.url) as (store, events), Caller("sync") as caller:
        limiter = Limiter("1000 tokens/hour", store)
        held = [limiter.reserve("alice", output_tokens=50) for _ in range(10)]
        redis_proxy.freeze()
        for each in held:
            each.release()
        wait_until(lambda: store.state.outbox.lost, what="the loss")
        wait_until(lambda: caller.take(limiter, 1, "bob", 0) and store.is_down, what="the breaker")
        redis_proxy.restore()
        wait_until(lambda: "lost" in kinds(events), what="the news")
        assert kinds(events)[:3] == ["down", "up", "lost"]
        assert f"{store.state.outbox.lost} ends" in events[2].text


def test_more_threads_than_connections_are_no_outage(redis_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none gets the failure policy; the others go on."""
    monkeypatch.setattr("ratelimit_guard.stores.redis.address.MAX_CONNECTIONS", 2)
    with store_at(redis_proxy.url, 1.0) as (store, events), Caller("sync") as caller:
        limiter = Limiter(policy("open", "1M/hour"), store)
        redis_proxy.delay(0.01)
        assert passed(caller.take(limiter, 40)) == 40
        assert store.state.failures > 0
        assert not events


def test_keeper_goes_on_while_calls_begin(redis_server: Server) -> None:
    """What is held is looked through while other threads take more."""
    with store_at(redis_server.url, 5.0) as (store, _):
        limiter, over = Limiter("1M tokens/hour", store), threading.Event()
        held: list[Any] = []

        def take() -> None:
            while not over.is_set():
                held.append(limiter.reserve("alice", output_tokens=1))
                del held[:-500]

        threads = [threading.Thread(target=take) for _ in range(2)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(held) >= 500, what="reservations")
            for _ in range(300):
                store.keep()
        finally:
            over.set()
            sys.setswitchinterval(interval)
            for thread in threads:
                thread.join()


def test_key_that_cannot_be_asked_loses_no_ends(redis_server: Server) -> None:
    """A key too long raises for its caller; what others have told goes on its way."""
    from ratelimit_guard import UsageError

    with store_at(redis_server.url, 5.0) as (store, _):
        limiter = Limiter("1000 tokens/hour", store)
        for _ in range(20):
            held = limiter.reserve("alice", output_tokens=50)
            held.settle(output_tokens=0)
            with pytest.raises(UsageError):
                limiter.acquire("x" * 100_000)
        wait_until(lambda: limiter.peek("alice", 0).remaining == 1000, what="the ends")


def test_sentinel_fails_over(caller: Caller, redis_sentinels: Sentinels) -> None:
    """An ordered failover: policies hold meanwhile, then the new primary counts, with what was copied to it."""
    from servers.sentinel import NAME

    hosts = ",".join(f"{host}:{port}" for host, port in redis_sentinels.addresses)
    with store_at(f"redis+sentinel://{hosts}/{NAME}") as (store, _):
        limiter = caller.limiter(policy("closed"), store)
        assert passed(caller.take(limiter, 4)) == 4
        before = redis_sentinels.primary
        with before.client() as operator:
            operator.wait(1, 1_000)
        redis_sentinels.fail_over()
        caller.take(limiter, 3)
        recovered(caller, store, limiter)
        assert passed(caller.take(limiter, 20)) <= 6


def test_sentinels_primary_dies(caller: Caller, redis_sentinels: Sentinels) -> None:
    """Killed: refused while nobody counts, and by itself at the new primary, never more than twice the limit."""
    from servers.sentinel import NAME

    hosts = ",".join(f"{host}:{port}" for host, port in redis_sentinels.addresses)
    with store_at(f"redis+sentinel://{hosts}/{NAME}") as (store, events):
        limiter = caller.limiter(policy("closed"), store)
        assert passed(caller.take(limiter, 4)) == 4
        first = redis_sentinels.primary
        first.kill()
        began = time.monotonic()
        assert passed(caller.take(limiter, 12)) == 0
        assert time.monotonic() - began < SOON_S
        redis_sentinels.wait_for_other(first)
        recovered(caller, store, limiter)
        assert 6 <= passed(caller.take(limiter, 20)) <= 10
        assert {*kinds(events)} == {"down", "up"}
