"""Users of the server who may do the least that is needed: everything works for them, and nothing of it is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from guard.servers import ROOT
from ratelimit_guard import Limiter, MemoryStore, Policy, StoreError
from ratelimit_guard.exchange import Exchange
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.stores.redis.permissions import CAMPAIGNS, CLUSTER, DATABASE, DOCTOR, NEEDED, STATS, rules
from servers.cluster import cluster
from servers.engines import ENGINES, Engine
from servers.server import HOST, Server, valkey
from stores.test_conformance import (  # noqa: F401  collected here: they run as this user
    test_acquire_admits_exactly_the_limit,
    test_acquire_counts_each_key_for_itself,
    test_refusal_takes_nothing,
    test_reset_after_is_when_all_is_free,
    test_reset_forgets_the_key,
    test_result_tells_what_is_left,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard.testing import ManualClock

USER, SECRET = "app", "secret"
BUDGET_S = 5.0


def allow(server: Server, *commands: str) -> None:
    """Let the user run these and nothing else, on an empty server that knows no script."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{SECRET}", *rules(*commands).split())
        client.flushall()
        client.script_flush()


def url(server: Server, scheme: str = "redis", database: int = 0) -> str:
    return f"{scheme}://{USER}:{SECRET}@{HOST}:{server.port}/{database or ''}"


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with valkey(engine=request.param) as one:
        yield one


@pytest.fixture
def make_store(server: Server) -> Iterator[Callable[..., RedisStore]]:
    """One store of that user for each test."""
    made: list[RedisStore] = []

    def make(capacity: int = 1_000, clock: ManualClock | None = None) -> RedisStore:
        allow(server, *NEEDED, *STATS)
        fallback = MemoryStore(capacity, clock=clock)
        made.append(RedisStore(url(server), budget_s=BUDGET_S, clock=clock, fallback=fallback))
        return made[-1]

    yield make
    for store in made:
        assert store.state.failures == 0
        store.close()


def work(where: str) -> int:
    """All that a worker does at its server; how often the server failed it."""
    store = RedisStore(where, budget_s=BUDGET_S, refusal_cache_s=0)
    try:
        requests = Limiter([Policy("strict", "5/minute"), Policy("bucket", "5/minute; burst=5")], store)
        requests.acquire("alice")
        requests.reset("alice")
        tokens = Limiter("1_000 tokens/minute", store)
        with tokens.reserve("alice", output_tokens=900) as first:
            second = tokens.reserve("alice", output_tokens=900, least=900)
            assert (first and not second) or store.state.failures
        store.flush()
        return store.state.failures
    finally:
        store.close()


def fails(where: str) -> bool:
    try:
        return work(where) > 0
    except StoreError:
        return True


def test_the_least_is_enough(server: Server) -> None:
    allow(server, *NEEDED)
    assert work(url(server)) == 0


@pytest.mark.parametrize("command", NEEDED)
def test_nothing_of_the_least_is_too_much(server: Server, command: str) -> None:
    """Without any one of the commands something fails, at the start or by the failure policy."""
    allow(server, *(each for each in NEEDED if each != command))
    assert fails(url(server))


def test_it_reaches_no_other_keys(server: Server) -> None:
    allow(server, *NEEDED)
    with server.client(username=USER, password=SECRET) as client, pytest.raises(NoPermissionError):
        client.set("session:alice", "stolen")


def test_another_database_has_to_be_selected(server: Server) -> None:
    allow(server, *NEEDED)
    assert fails(url(server, database=3))
    allow(server, *NEEDED, *DATABASE)
    assert work(url(server, database=3)) == 0


def test_counts_of_keys_need_their_own(server: Server) -> None:
    """Workers may do without."""
    allow(server, *NEEDED)
    store = RedisStore(url(server), budget_s=BUDGET_S)
    with pytest.raises(StoreError, match="server's ACL"):
        store.stats()
    allow(server, *NEEDED, *STATS)
    assert store.stats()["live"] == store.leases()["live"] == 0
    store.close()


def exchange(server: Server) -> None:
    """All that a host tells the others and hears of them. Raises what the server forbids."""
    with server.client(username=USER, password=SECRET) as client:
        host = Exchange(client, "default", "me")
        host.agree(b"secret")
        assert host.lead(is_due=True).who == "new"
        assert host.lead(is_due=True).who == "mine"
        host.send(b"records", 1)
        [batch] = host.read((0, 0))
        assert host.end() == batch.place
        assert host.publish("1", b"verdicts")
        assert host.keep(b"state", batch.place)
        assert host.verdicts("") == ("1", b"verdicts")
        assert host.memory()["state"] > 0
        assert host.state_age() < 60
        host.leave()


def test_campaigns_over_hosts_need_some_more(server: Server) -> None:
    allow(server, *NEEDED, *CAMPAIGNS)
    exchange(server)
    for command in CAMPAIGNS:
        allow(server, *NEEDED, *(each for each in CAMPAIGNS if each != command))
        with pytest.raises(ResponseError):
            exchange(server)


@pytest.mark.filterwarnings("ignore:.*cluster_error_retry_attempts:DeprecationWarning")
@pytest.mark.parametrize("engine", ["valkey-9", "redis-6"])
def test_a_cluster_needs_two_more(engine: Engine) -> None:
    with cluster(3, engine=engine) as nodes:
        where = url(nodes.primaries[0], "redis+cluster")

        def allowed(*commands: str) -> None:
            for node in nodes.nodes:
                allow(node, *commands)

        allowed(*NEEDED, *CLUSTER)
        assert work(where) == 0
        for command in CLUSTER:
            allowed(*NEEDED, *(each for each in CLUSTER if each != command))
            assert fails(where)


@pytest.mark.parametrize("commands", [NEEDED, CLUSTER, DATABASE, CAMPAIGNS, STATS, DOCTOR])
def test_the_docs_have_the_same_lists(commands: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / "fleet.md").read_text().replace("\\|", "|")
    assert " ".join(f"+{command}" for command in commands) in text
    assert rules(*NEEDED) in text
