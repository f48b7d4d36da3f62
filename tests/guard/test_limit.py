"""`@guard.limit` and `Depends(guard.dependency())`: the guard's policies on single handlers and functions."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient, WebSocketDenialResponse

from guard.helpers import http_scope
from ratelimit_guard import AccessBlocked, ConfigError, Identity, RateLimitExceeded, UsageError
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.limit import find_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard import Guard

    Make = Callable[..., Guard]

TWO: dict[str, Any] = {
    "policies": {"few": {"quota": "3/minute"}, "dear": {"quota": "1/minute"}},
    "tiers": {"anonymous": {"policies": ["few"]}},
}


def test_a_function_by_tenant(make_guard: Make) -> None:
    guard = make_guard(TWO)

    @guard.limit(tenant=lambda who, _: who, cost=lambda _, size: size)
    def work(who: str, size: int) -> str:
        return f"{who} {size}"

    assert work("acme", 2) == "acme 2"
    with pytest.raises(RateLimitExceeded) as caught:
        work("acme", 2)
    assert (caught.value.result.policy, caught.value.result.remaining) == ("few", 1)
    assert caught.value.decision is not None
    assert json.loads(guard.refusal(caught.value.decision).body)["status"] == 429
    assert work("initech", 3) == "initech 3"


async def test_named_policies_and_accounts(make_guard: Make) -> None:
    guard = make_guard(TWO)

    @guard.limit("dear", tenant=lambda _: "acme", account=lambda name: name)
    async def work(name: str) -> str:
        return name

    assert [await work("a"), await work("b")] == ["a", "b"]
    with pytest.raises(RateLimitExceeded):
        await work("a")


def test_functions_of_one_route_policy(make_guard: Make) -> None:
    guard = make_guard({"policies": {"few": {"quota": "1/minute", "per": "route"}}})

    @guard.limit(tenant=lambda: "acme")
    def first() -> None: ...

    @guard.limit(tenant=lambda: "acme")
    def second() -> None: ...

    first()
    second()
    with pytest.raises(RateLimitExceeded):
        first()


def test_who_is_blocked(make_guard: Make) -> None:
    guard = make_guard({"access": [{"when": {"country": "XX"}, "block": True}]})

    @guard.limit(tenant=lambda: Identity("acme", attributes={"country": "XX"}))
    def work() -> None: ...

    with pytest.raises(AccessBlocked):
        work()


def test_a_request_is_found(make_guard: Make) -> None:
    guard = make_guard(TWO)

    @guard.limit("dear")
    def handler(request: StarletteRequest) -> str:
        return "ok"

    assert handler(StarletteRequest(http_scope())) == "ok"
    with pytest.raises(RateLimitExceeded):
        handler(request=StarletteRequest(http_scope()))
    assert handler(StarletteRequest(http_scope(client=("192.0.2.2", 1)))) == "ok"


@pytest.mark.parametrize(
    "lie",
    [
        SimpleNamespace(META={"REMOTE_ADDR": "198.51.100.7"}),
        SimpleNamespace(META={"REMOTE_ADDR": "198.51.100.7"}, build_absolute_uri="x"),
        SimpleNamespace(scope={"type": "http"}),
        SimpleNamespace(scope={"type": "http", "headers": {}}),
        SimpleNamespace(scope={"type": "http", "headers": [], "client": ["198.51.100.7", 1]}),
        SimpleNamespace(scope={"type": "http", "headers": [], "query_string": ""}),
        SimpleNamespace(scope={"type": "http", "headers": [["a", "b"]]}),
        SimpleNamespace(scope={"type": "http", "headers": [5]}),
        SimpleNamespace(scope={"type": ["http"], "headers": []}),
    ],
)
def test_a_body_is_no_request(lie: Any) -> None:
    """Else a client would choose his address by a field of his JSON."""
    assert find_request((lie,), {}) is None
    real = StarletteRequest(http_scope(headers=[(b"host", b"example.org")]))
    found = find_request((lie,), {"request": real})
    assert found is not None
    assert found.peer == "192.0.2.1"


def test_a_request_of_django_is_found() -> None:
    django = SimpleNamespace(META={"REMOTE_ADDR": "192.0.2.1"}, build_absolute_uri=lambda: "http://localhost/")
    found = find_request((django,), {})
    assert found is not None
    assert found.peer == "192.0.2.1"


def test_what_is_wrong(make_guard: Make) -> None:
    guard = make_guard(TWO)
    with pytest.raises(ConfigError, match="no policy 'deer'"):
        guard.limit("deer")
    with pytest.raises(ConfigError, match="needs tenant"):
        guard.limit(account=lambda: "a")
    with pytest.raises(ConfigError, match="no policy 'deer'"):
        guard.dependency("deer")

    @guard.limit()
    def handler() -> None: ...

    with pytest.raises(UsageError, match=r"write limit\(tenant="):
        handler()


def fastapi(guard: Guard) -> TestClient:
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, guard=guard)

    @app.get("/dear/{number}", dependencies=[Depends(guard.dependency("dear"))])
    async def dear(number: int) -> int:
        return number

    @app.websocket("/ws")
    async def ws(websocket: WebSocket, _: Any = Depends(guard.dependency("dear"))) -> None:
        await websocket.accept()
        await websocket.close()

    return TestClient(app)


def test_a_dependency(make_guard: Make) -> None:
    client = fastapi(make_guard(TWO))
    first = client.get("/dear/1")
    assert first.status_code == 200
    assert first.headers.get_list("ratelimit-policy") == ['"dear";q=1;w=60', '"few";q=3;w=60']
    second = client.get("/dear/2")
    assert (second.status_code, second.json()["violated-policies"]) == (429, ["dear"])
    assert client.get("/absent").status_code == 404


def test_a_response_of_the_handler_s_own(make_guard: Make) -> None:
    """FastAPI drops what a dependency adds; the middleware's fields are there."""
    guard, app = make_guard(TWO), FastAPI()

    @app.get("/", dependencies=[Depends(guard.dependency("dear", cost=0))])
    async def handler() -> PlainTextResponse:
        return PlainTextResponse("ok")

    assert "ratelimit-policy" not in TestClient(app).get("/").headers
    found = TestClient(RateLimitMiddleware(app, guard)).get("/").headers
    assert found.get_list("ratelimit-policy") == ['"few";q=3;w=60']


def test_a_dependency_of_a_websocket(make_guard: Make) -> None:
    """Refused before it is accepted, so the handshake is answered with the whole refusal."""
    client = fastapi(make_guard({**TWO, "policies": {**TWO["policies"], "few": {"quota": "100/minute"}}}))
    with client.websocket_connect("/ws"):
        pass
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/ws"):
        pass
    assert (denied.value.status_code, denied.value.json()["violated-policies"]) == (429, ["dear"])


def test_methods_of_every_kind(make_guard: Make) -> None:
    """On either side of `classmethod` and `staticmethod`, as `@rate_limit` has it; a class is no function."""
    guard = make_guard({"policies": {"few": {"quota": "1/minute", "per": "route"}}})

    class Model:
        @guard.limit(tenant=lambda *_: "acme")
        @classmethod
        def outside(cls) -> str:
            return cls.__name__

        @classmethod
        @guard.limit(tenant=lambda *_: "acme")
        def inside(cls) -> str:
            return cls.__name__

        @guard.limit(tenant=lambda *_: "acme")
        @staticmethod
        def static() -> str:
            return "static"

    assert [Model.outside(), Model.inside(), Model.static()] == ["Model", "Model", "static"]
    for method in (Model.outside, Model.inside, Model.static):
        with pytest.raises(RateLimitExceeded):
            method()
    with pytest.raises(ConfigError, match="only a function or method"):
        guard.limit("few")(Model)
