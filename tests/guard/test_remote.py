"""A guard whose counters are at a server: one round trip for a request, and never a blocked loop."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from guard import test_asgi, test_guard, test_wsgi
from guard.helpers import call, complete, http_scope, plain, request, status
from guard.server import Server
from guard.test_websocket import HELLO, echo, websocket
from ratelimit_guard import ConfigError, Guard, RateLimitExceeded, UsageError
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.compiled import open_store
from ratelimit_guard.config_file import from_dict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ratelimit_guard.config import Config
    from ratelimit_guard.testing import ManualClock

    Make = Callable[..., Guard]

ONE = {"policies": {"few": {"quota": "1/hour"}}}
FIVE: dict[str, Any] = {
    "policies": {
        **{name: {"quota": "2/hour"} for name in ("a", "b", "c")},
        **{name: {"quota": "1/hour", "mode": "shadow"} for name in ("d", "e")},
    }
}
REDIS = {"kind": "redis", "url": "redis://localhost"}

# The suites of the guard once more; the fixture below gives them a server.
for _suite in (test_asgi, test_guard, test_wsgi):
    globals().update({name: test for name, test in vars(_suite).items() if name.startswith("test_")})


@pytest.fixture(autouse=True, scope="module")
def server() -> Iterator[None]:
    """Guards count at a server."""

    def opened(config: Config, clock: ManualClock | None = None) -> Server:
        return Server(clock, config.store.capacity)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ratelimit_guard.guard.open_store", opened)
        yield


def asked(guard: Guard) -> list[str]:
    store: Any = guard.store
    words = list(store.asked)
    store.asked.clear()
    return words


async def test_five_policies_are_one_round_trip(make_guard: Make) -> None:
    """What is refused counts for none of those that only watch."""
    guard = make_guard(FIVE)
    app = RateLimitMiddleware(plain, guard)
    codes = []
    for _ in range(3):
        codes.append(status(await call(app, http_scope())))
        assert asked(guard) == ["pay"]
    assert codes == [200, 200, 429]
    refused = await guard.check_async(request())
    assert (refused.allowed, refused.shadow) == (False, ())
    other = await guard.check_async(request(peer="192.0.2.9"))
    assert (other.allowed, len(other.shadow), other.would_refuse) == (True, 2, ())


async def test_policies_that_only_watch_are_one_round_trip(make_guard: Make) -> None:
    guard = make_guard({"policies": {name: {"quota": "1/hour", "mode": "shadow"} for name in "de"}})
    decisions = [await guard.check_async(request()) for _ in range(2)]
    assert [one.would_refuse for one in decisions] == [(), ("d", "e")]
    assert asked(guard) == ["pay", "pay"]


async def test_who_has_no_policy_or_is_blocked_asks_nobody(make_guard: Make) -> None:
    guard = make_guard({"tiers": {"anonymous": {"policies": []}}})
    assert (await guard.check_async(request())).allowed
    blocked = make_guard({"access": [{"when": {"x": 1}, "block": True}]}, lookup=lambda _: _blocked())
    assert not (await blocked.check_async(request())).allowed
    assert (asked(guard), asked(blocked)) == ([], [])


def _blocked() -> Any:
    from ratelimit_guard import Identity

    return Identity("acme", attributes={"x": 1})


async def test_a_restricted_request_is_one_round_trip() -> None:
    """Its budget is paid with its account's policies."""
    from live.helpers import Scene, values

    scene = Scene(values(policies=FIVE["policies"], tiers={"anonymous": {"policies": list("abcde")}})).learn()
    one = scene.attack()
    plan = scene.guard.plan(scene_request := _post(one))
    assert plan is not None
    seen = scene.guard.call(scene_request, plan)
    assert seen is not None
    asked(scene.guard)
    checked = await seen.check_async(one.body)
    assert checked.decision.restriction is not None
    assert checked.decision.result is not None
    assert [result.policy for result in checked.decision.result.results][-1].startswith("campaign:")
    assert len(checked.decision.shadow) == 2
    assert asked(scene.guard) == ["pay"]


def _post(one: Any) -> Any:
    from live.helpers import post

    return post(one.tenant, one.account)


async def test_a_sync_question_does_not_block_the_loop(make_guard: Make) -> None:
    guard = make_guard(ONE)
    with pytest.raises(UsageError):
        guard.check(request())
    assert (await asyncio.to_thread(guard.check, request())).allowed
    assert not (await guard.check_async(request())).allowed


async def test_functions(make_guard: Make) -> None:
    """Async ones await, sync ones wait, and not on a loop."""
    guard = make_guard(ONE)
    limited = guard.limit("few", tenant=lambda who: who)

    @limited
    async def coroutine(who: str) -> str:
        return who

    @limited
    async def generator(who: str) -> AsyncIterator[str]:
        yield who

    @limited
    def function(who: str) -> str:
        return who

    assert await coroutine("a") == "a"
    assert [one async for one in generator("b")] == ["b"]
    for again in ("a", "b"):
        with pytest.raises(RateLimitExceeded):
            await coroutine(again)
    with pytest.raises(UsageError):
        function("c")
    assert await asyncio.to_thread(function, "c") == "c"
    assert asked(guard) == ["pay"] * 5


def test_a_dependency_awaits(make_guard: Make) -> None:
    guard = make_guard(ONE)
    app = FastAPI()

    @app.get("/", dependencies=[Depends(guard.dependency("few"))])
    async def answer() -> str:
        return "ok"

    client = TestClient(RateLimitMiddleware(app, make_guard({"tiers": {"anonymous": {"policies": []}}})))
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    assert asked(guard) == ["pay", "pay"]


@pytest.mark.parametrize("metered", [False, True])
async def test_a_websocket_is_asked_for_each_message(make_guard: Make, metered: bool) -> None:
    """One that holds a slot charges what it holds, those that only watch besides."""
    policies: dict[str, Any] = {"few": {"quota": "4/minute"}, "watch": {"quota": "9/minute", "mode": "shadow"}}
    if metered:
        policies["slots"] = {"quota": "1 concurrent-requests"}
    guard = make_guard({"policies": policies, "routes": [{"match": "/v1/realtime", "message_cost": 1}]})
    sent = await call(RateLimitMiddleware(echo, guard), websocket(), HELLO)
    assert [message["type"] for message in sent] == ["websocket.accept", *["websocket.send"] * 3, "websocket.close"]
    assert asked(guard) == (["pay", *["charge"] * 7] if metered else ["pay"] * 5)
    store: Any = guard.store
    assert store.table.leases()["live"] == 0


async def test_what_nobody_holds_is_free_at_once(make_guard: Make) -> None:
    guard = make_guard({"policies": {"slots": {"quota": "1 concurrent-requests"}}})
    assert [(await guard.check_async(request())).allowed for _ in range(3)] == [True] * 3
    store: Any = guard.store
    assert store.table.leases()["live"] == 0


def test_policies_say_what_holds_without_the_server(clock: ManualClock) -> None:
    """Also the budgets of campaigns that come from them."""
    policies = {"a": {"quota": "9/hour", "on_store_failure": "closed"}, "b": {"quota": "9/day"}}
    values = {
        "store": REDIS,
        "policies": policies,
        "routes": [{"match": "/v1/chat", "body": True}],
        "detector": {},
    }
    guard = Guard.from_dict(complete(values), clock=clock)
    store: Any = guard.store
    told = {name: policy.on_store_failure for name, policy in store.policies.items()}
    assert told == {
        "a": "closed", "b": "local", "campaign:a": "closed", "campaign:b": "local", "account:*": "local",
    }  # fmt: skip


@pytest.mark.parametrize("named", ["url", "url_env"])
def test_the_store_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, named: str) -> None:
    """Its address may be in the environment; beside it there is a table for this host."""
    made: dict[str, Any] = {}

    def opened(url: str, **options: Any) -> str:
        made.update(url=url, **options)
        return "store"

    monkeypatch.setattr("ratelimit_guard.stores.shared.SHM_ROOT", tmp_path)
    monkeypatch.setitem(sys.modules, "ratelimit_guard.stores.redis", SimpleNamespace(RedisStore=opened))
    monkeypatch.setenv("COUNTERS", "redis://:secret@localhost")
    where = {"url": "redis://:secret@localhost"} if named == "url" else {"url_env": "COUNTERS"}
    section = {"kind": "redis", "capacity": 1_000, "budget_ms": 40, "refusal_cache_s": 0, "allotment": 7, **where}
    config = from_dict(complete({"namespace": "shop", "store": section}))
    opened_store: Any = open_store(config)
    assert opened_store == "store"
    assert made["url"] == "redis://:secret@localhost"
    assert (made["budget_s"], made["refusal_cache_s"], made["allotment"]) == (0.04, 0, 7)
    assert made["fallback"].path.name == "shop-fallback"
    monkeypatch.setenv("COUNTERS", "")
    if named == "url_env":
        with pytest.raises(ConfigError, match="no COUNTERS"):
            open_store(config)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"kind": "redis"}, "store: give either url or url_env"),
        ({**REDIS, "url_env": "X"}, "store: give either url or url_env"),
        ({**REDIS, "path": "here"}, 'store: path is for kind = "shared" only'),
        ({"url": "redis://localhost"}, 'store: url is for kind = "redis" only'),
        ({"kind": "memory", "budget_ms": 9}, 'store: budget_ms is for kind = "redis" only'),
        ({"kind": "redis", "url_env": "not a name"}, "store.url_env: "),
        ({**REDIS, "budget_ms": 0}, "store.budget_ms: "),
        ({**REDIS, "budget_ms": float("nan")}, "store.budget_ms: "),
        ({**REDIS, "allotment": -1}, "store.allotment: "),
        ({**REDIS, "refusal_cache_s": float("inf")}, "store.refusal_cache_s: "),
    ],
)
def test_what_a_store_at_a_server_may_not_say(store: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(complete({"store": store}))
    assert said in str(caught.value)


def test_an_address_with_a_password_is_not_repeated() -> None:
    """What is wrong with it is said without it."""
    with pytest.raises(ConfigError) as caught:
        from_dict(complete({"store": {"kind": "redis", "url": "redis://:secret@x" * 999}}))
    with pytest.raises(ConfigError) as named:
        from_dict(complete({"store": {"kind": "redis", "url_env": "redis://:secret@x"}}))
    assert "secret" not in str(caught.value) + str(named.value)


def test_only_a_server_can_fail_to_answer() -> None:
    with pytest.raises(ConfigError, match="on_store_failure"):
        from_dict(complete({"policies": {"few": {"quota": "1/hour", "on_store_failure": "open"}}}))
