"""A cluster: policies whose counters lie on several servers, slots that move, primaries that die."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from fleet.helpers import SOON_S, WAYS, Caller, kinds, policy, recovered, store_at
from ratelimit_guard import Policy, StoreError
from ratelimit_guard._core import remote
from ratelimit_guard.stores.redis import RedisStore
from servers.cluster import cluster
from servers.server import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.cluster import Cluster
    from servers.server import Server

PATIENCE_S = 5.0
UNCLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""redis-py drops the connections to a node that is none any more without closing them."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Three primaries for tests that leave them as they were."""
    with cluster() as nodes:
        yield nodes


@pytest.fixture(params=WAYS)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Threads, or tasks of a loop."""
    with Caller(request.param) as caller:
        yield caller


@pytest.fixture
def store(nodes: Cluster) -> Iterator[RedisStore]:
    """At the cluster, with nothing in it."""
    for node in nodes.primaries:
        with node.client() as client:
            client.flushall()
    with store_at(url(nodes), PATIENCE_S) as (store, _):
        yield store


def url(nodes: Cluster) -> str:
    """Of all primaries."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes.primaries)


def passed(results: list[Any]) -> int:
    """How many were allowed."""
    return sum(map(bool, results))


def owner(nodes: Cluster, key: str) -> Server:
    """The server of a key's counters."""
    return nodes.owner(f"{{{remote.RemotePolicies.tag(key):02}}}")


def is_owner(nodes: Cluster, key: str, node: Server) -> bool:
    """Does a node know that it has a key's counters?"""
    return owner(nodes, key) is node


def keys_at(nodes: Cluster, node: Server, begin: str, count: int = 3) -> list[str]:
    """Keys whose counters a node has."""
    owned = {tag: nodes.owner(f"{{{tag:02}}}") is node for tag in range(remote.TAGS)}
    named = (f"{begin}:{number}" for number in range(10_000))
    found = (key for key in named if owned[remote.RemotePolicies.tag(key)])
    return [next(found) for _ in range(count)]


def test_limits_are_exact(store: RedisStore, caller: Caller) -> None:
    """Each key by itself, wherever it lies."""
    limiter = caller.limiter("10/hour", store)
    assert [passed(caller.take(limiter, 20, f"user-{number}")) for number in range(12)] == [10] * 12


@pytest.mark.parametrize(
    "quota", ["10/hour", "10/hour; burst=10", "10/hour; algorithm=sliding-window", "10 tokens/hour"]
)
def test_what_one_key_refuses_no_other_one_pays(store: RedisStore, caller: Caller, nodes: Cluster, quota: str) -> None:
    """Three keys on three servers: all pay or none does, whichever is exhausted."""
    policies = [Policy(name, quota) for name in ("tenant", "account", "address")]
    limiter = caller.limiter(policies, store)._bound
    keys = tuple(
        keys_at(nodes, node, f"{each.name}:x", 1)[0] for node, each in zip(nodes.primaries, policies, strict=True)
    )
    single = [caller.limiter(each, store)._bound for each in policies]

    def call(name: str, bound: Any, *arguments: Any) -> Any:
        method = getattr(bound, name + ("_async" if caller.is_async else ""))
        return caller.run(lambda: method(*arguments))

    for exhausted, (bound, key) in enumerate(zip(single, keys, strict=True)):
        call("reset", bound, key)
        for other, beside in zip(single, keys, strict=True):
            call("reset", other, beside)
        assert call("acquire", bound, key, 8)
        assert call("acquire_each", limiter, keys, 2)
        for _ in range(3):
            refused = call("acquire_each", limiter, keys, 1)
            assert not refused
            assert [each.remaining for each in refused.results] == [
                0 if place == exhausted else 8 for place in range(3)
            ]
        left = [call("peek", other, beside).remaining for other, beside in zip(single, keys, strict=True)]
        assert left == [0 if place == exhausted else 8 for place in range(3)]


def test_order_is_the_same_for_all_so_that_nobody_waits_for_nobody() -> None:
    """Of keys on several servers what most draw on is charged first, in whatever order they are named."""
    policies = remote.RemotePolicies("", [(name, Policy(name, "1/hour").quota) for name in "abc"])
    keys = ("address:1", "tenant:x", "account:y")
    order = [indices for _, indices in policies.groups(keys)]
    assert order == [[1], [2], [0]]
    turned = [indices for _, indices in policies.groups(keys[::-1])]
    assert [[2 - index for index in part] for part in turned] == order


def test_many_charges_of_several_servers_end(store: RedisStore, nodes: Cluster) -> None:
    """Tasks that charge the same keys from both ends: exact, and no two wait for each other."""
    names = [keys_at(nodes, node, "account:x", 1)[0] for node in nodes.primaries]
    with Caller("async") as caller:
        limiter = caller.limiter([Policy(name, "50/hour") for name in "abc"], store)._bound

        async def storm() -> int:
            orders = [tuple(names), tuple(names[::-1])]
            calls = [limiter.acquire_each_async(orders[number % 2]) for number in range(200)]
            return passed(await asyncio.wait_for(asyncio.gather(*calls), 30))

        got = caller.run(storm)
        left = caller.run(lambda: limiter.peek_each_async(tuple(names))).remaining
    assert got <= 100  # two sets of counters: a policy of each order has its own
    assert got == 2 * (50 - left) or got >= 50


def test_new_combination_of_keys_does_not_block_the_loop() -> None:
    """While the cluster is silent a loop goes on, whatever keys are asked for together for the first time."""
    with cluster() as own, store_at(url(own), 0.1) as (store, _), Caller("async") as caller:
        limiter = caller.limiter([Policy(name, "50/hour", "open") for name in "abc"], store)._bound
        keys = tuple(keys_at(own, node, "account:x", 1)[0] for node in own.primaries)
        for node in own.primaries:
            node.pause()

        async def main() -> float:
            task = asyncio.ensure_future(limiter.acquire_each_async(keys))
            longest = 0.0
            while not task.done():
                began = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - began)
            assert task.result()
            return longest

        assert caller.run(main) < 0.5


@UNCLOSED
@pytest.mark.parametrize("way", WAYS)
def test_slots_move_in_the_middle_of_traffic(nodes: Cluster, way: str) -> None:
    """Redirections are followed; what is lost is told as failures, and the limit holds."""
    with store_at(url(nodes), PATIENCE_S) as (store, _), Caller(way) as caller:
        limiter = caller.limiter(policy("closed", "300/hour"), store, namespace=f"move-{way}")
        key = f"mover-{way}"
        slot = nodes.slot(f"{{{remote.RemotePolicies.tag(key):02}}}")
        got: list[int] = []
        over = threading.Event()

        def traffic() -> None:
            while not over.is_set():
                got.append(passed(caller.take(limiter, 8, key)))

        thread = threading.Thread(target=traffic)
        thread.start()
        first = nodes.owner(f"{{{remote.RemotePolicies.tag(key):02}}}")
        for _ in range(2):
            for to in [node for node in nodes.primaries if node is not first] + [first]:
                nodes.move(slot, to)
                wait_until(partial(is_owner, nodes, key, to), what="the news")
        over.set()
        thread.join()
        recovered(caller, store, limiter)
        store.refusals.clear()
        total = sum(got) + passed(caller.take(limiter, 400, key))
        assert total <= 300
        assert store.state.failures > 0 or total == 300


def test_wrong_password_is_told_at_the_start() -> None:
    """By a cluster's nodes as by a single server."""
    with cluster() as own:
        for node in own.primaries:
            with node.client() as client:
                client.config_set("requirepass", "correct")
        with pytest.raises(StoreError, match="user and password"):
            RedisStore(f"redis+cluster://:wrong@127.0.0.1:{own.primaries[0].port}")
        RedisStore(f"redis+cluster://:correct@127.0.0.1:{own.primaries[0].port}").close()


@UNCLOSED
@pytest.mark.parametrize("way", WAYS)
def test_primary_that_dies_is_replaced(way: str) -> None:
    """Its keys get the failure policy, others go on; the replica takes over: never more than twice the limit."""
    with cluster(replicas=True) as nodes, store_at(url(nodes)) as (store, events), Caller(way) as caller:
        limiter = caller.limiter(policy("closed"), store)
        dying, *others = nodes.primaries
        lost, kept = keys_at(nodes, dying, "a", 1)[0], keys_at(nodes, others[0], "a", 1)[0]
        before = passed(caller.take(limiter, 4, lost)) + passed(caller.take(limiter, 4, kept))
        assert before == 8
        dying.kill()
        began = time.monotonic()
        assert passed(caller.take(limiter, 12, lost)) == 0
        assert time.monotonic() - began < SOON_S
        nodes.wait_for_primary(nodes.replicas[0])
        wait_until(lambda: not store.is_down, what="probes")
        wait_until(
            lambda: caller.take(limiter, 1, lost, 0)[0].limit and passed(caller.take(limiter, 1, lost)), what="it"
        )
        assert passed(caller.take(limiter, 30, lost)) <= 9
        wait_until(lambda: passed(caller.take(limiter, 1, kept)) or store.state.failures == 0, what="the others")
        assert passed(caller.take(limiter, 30, kept)) <= 5
        assert store.state.failures > 0
        assert {*kinds(events)} <= {"down", "up"}  # one call that fails is no outage yet
