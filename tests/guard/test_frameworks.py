"""Inside real frameworks: mounts, background tasks, lifespan, other middleware and error pages stay as they are."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.middleware import DefineMiddleware
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request  # noqa: TC002  FastAPI reads the annotation
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ratelimit_guard import Guard, RateLimitExceeded, rate_limit
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.wsgi import RateLimitMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Make = Callable[..., Guard]

TWO: dict[str, Any] = {
    "policies": {"few": {"quota": "9/minute"}, "dear": {"quota": "1/minute"}},
    "tiers": {"anonymous": {"policies": ["few"]}},
}


def dear(guard: Guard, *, sync: bool = False) -> Any:
    """A handler with a limit of its own."""
    if sync:

        @guard.limit("dear")
        def handler(request: Request) -> Response:
            return PlainTextResponse("ok")

        return handler

    @guard.limit("dear")
    async def async_handler(request: Request) -> Response:
        return PlainTextResponse("ok")

    return async_handler


def answers(client: TestClient, path: str, times: int = 3) -> list[tuple[int, list[str]]]:
    found = [client.get(path) for _ in range(times)]
    return [(one.status_code, one.json()["violated-policies"] if one.status_code == 429 else []) for one in found]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_a_refusal_in_a_mounted_app(make_guard: Make, sync: bool, debug: bool) -> None:
    """The mounted app makes an error page of what it does not know; the caller still gets the refusal."""
    guard = make_guard(TWO)
    inner = Starlette(routes=[Route("/dear", dear(guard, sync=sync))], debug=debug)
    outer = Starlette(routes=[Mount("/sub", Starlette(routes=[Mount("/sub", inner)]))])
    client = TestClient(RateLimitMiddleware(outer, guard))
    assert answers(client, "/sub/sub/dear") == [(200, []), (429, ["dear"]), (429, ["dear"])]


def test_an_error_page_is_left_alone(make_guard: Make) -> None:
    """Only a refusal that is being handled takes the place of a page, not any other error."""
    guard = make_guard(TWO)

    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    @rate_limit("1/minute")
    def elsewhere() -> None: ...

    def foreign(_: Request) -> Response:
        elsewhere()
        return PlainTextResponse("ok")

    def own_page(request: Request) -> Response:
        try:
            return handler(request)  # type: ignore[no-any-return]
        except RateLimitExceeded:
            return PlainTextResponse("busy", 503)

    handler = dear(guard, sync=True)
    routes = [Route("/broken", broken), Route("/foreign", foreign), Route("/own", own_page)]
    app = RateLimitMiddleware(Starlette(routes=[Mount("/sub", Starlette(routes=routes))]), guard)
    client = TestClient(app, raise_server_exceptions=False)
    broken_page = client.get("/sub/broken")
    assert (broken_page.status_code, broken_page.text) == (500, "Internal Server Error")
    assert "ratelimit" in broken_page.headers
    assert [client.get("/sub/foreign").status_code for _ in range(2)] == [200, 500]
    assert [client.get("/sub/own").status_code for _ in range(2)] == [200, 503]
    with pytest.raises(ZeroDivisionError):
        TestClient(app).get("/sub/broken")


def test_as_a_middleware_of_the_app(make_guard: Make) -> None:
    guard = make_guard(TWO)
    app = Starlette(routes=[Route("/dear", dear(guard))], middleware=[Middleware(RateLimitMiddleware, guard=guard)])
    assert answers(TestClient(app), "/dear") == [(200, []), (429, ["dear"]), (429, ["dear"])]


def test_with_a_middleware_between(make_guard: Make) -> None:
    guard = make_guard(TWO)

    async def passing(request: Request, call_next: Any) -> Response:
        return await call_next(request)  # type: ignore[no-any-return]

    between = [Middleware(RateLimitMiddleware, guard=guard), Middleware(BaseHTTPMiddleware, dispatch=passing)]
    app = Starlette(routes=[Route("/dear", dear(guard))], middleware=between)
    assert answers(TestClient(app), "/dear") == [(200, []), (429, ["dear"]), (429, ["dear"])]


def test_background_tasks_run(make_guard: Make) -> None:
    """After a response that was let through, and not after a refusal; what they raise is not answered twice."""
    guard, ran = make_guard({}), list[str]()

    @guard.limit("few", tenant=lambda: "mailer", cost=2)
    def task() -> None:
        ran.append("task")

    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("ok", background=BackgroundTask(task)))])
    client = TestClient(RateLimitMiddleware(app, guard))
    assert client.get("/").text == "ok"
    assert ran == ["task"]
    with pytest.raises(RateLimitExceeded):
        client.get("/")
    with pytest.raises(RateLimitExceeded):
        client.get("/")
    assert client.get("/").status_code == 429
    assert ran == ["task"]


def test_lifespan_and_its_state(make_guard: Make) -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, str]]:
        steps.append("up")
        yield {"who": "the app"}
        steps.append("down")

    def answer(request: Request) -> Response:
        return PlainTextResponse(request.state.who)

    app = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
    with TestClient(RateLimitMiddleware(app, make_guard({}))) as client:
        assert (steps, client.get("/").text) == (["up"], "the app")
    assert steps == ["up", "down"]


def test_a_decorated_handler_of_fastapi(make_guard: Make) -> None:
    guard = make_guard(TWO)
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, guard=guard)

    @app.get("/item/{number}")
    @guard.limit("dear", cost=lambda request, number: number)
    async def item(request: Request, number: int) -> int:
        return number

    client = TestClient(app)
    assert client.get("/item/1").json() == 1
    assert answers(client, "/item/1", 1) == [(429, ["dear"])]
    assert client.get("/item/zero").status_code == 422
    assert client.get("/item/0").json() == 0


def test_a_decorated_handler_of_litestar(make_guard: Make) -> None:
    """Litestar makes an error page inside of its middleware; the caller gets the refusal."""
    guard = make_guard(TWO)

    @get("/dear")
    @guard.limit("dear")
    async def handler(request: LitestarRequest[Any, Any, Any]) -> str:
        return "ok"

    middleware = [DefineMiddleware(RateLimitMiddleware, guard=guard)]
    with LitestarClient(Litestar([handler], middleware=middleware, logging_config=None)) as client:
        found = [client.get("/dear") for _ in range(2)]
    assert [one.status_code for one in found] == [200, 429]
    assert found[1].json()["violated-policies"] == ["dear"]


def test_a_decorated_handler_of_flask(make_guard: Make) -> None:
    guard = make_guard(TWO)
    flask = Flask(__name__)
    flask.wsgi_app = WsgiMiddleware(flask.wsgi_app, guard)  # type: ignore[method-assign]

    @flask.errorhandler(RateLimitExceeded)
    def refused(error: RateLimitExceeded) -> Any:
        assert error.decision is not None
        status, headers, body = guard.refusal(error.decision)
        return body, status, [(name.decode(), value.decode()) for name, value in headers]

    @flask.get("/dear")
    @guard.limit("dear")
    def handler() -> str:
        return "ok"

    client = flask.test_client()
    assert client.get("/dear").status_code == 200
    second = client.get("/dear")
    assert (second.status_code, second.get_json()["violated-policies"]) == (429, ["dear"])
    assert [item.split(";")[0] for item in second.headers.getlist("ratelimit")] == ['"dear"', '"few"']
