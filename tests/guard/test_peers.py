"""Defects of other packages, reproduced against ours: each of these fails there."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from guard.helpers import call, http_scope, plain, request, status
from ratelimit_guard import Limiter, MemoryStore
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.wsgi import RateLimitMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ratelimit_guard import Guard
    from ratelimit_guard.testing import ManualClock

    Make = Callable[..., Guard]


async def test_a_stream_starts_once(make_guard: Make) -> None:
    """R1 (slowapi): a stream of three pieces sends its start four times."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    app = Starlette(routes=[Route("/", lambda _: StreamingResponse(pieces()))])
    sent = await call(RateLimitMiddleware(app, make_guard({})), http_scope("/", "GET"))
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert b"".join(message.get("body", b"") for message in sent) == b"012"


def app_of(guard: Guard) -> TestClient:
    def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    inner = Starlette(routes=[Route("/item/{number}", answer)])
    app = Starlette(routes=[Mount("/sub", inner), Route("/item/{number}", answer)])
    return TestClient(RateLimitMiddleware(app, guard))


def test_a_mounted_app_is_limited(make_guard: Make) -> None:
    """R2 (slowapi): handlers of a mounted app are not found and so exempt."""
    client = app_of(make_guard({}))
    assert [client.get("/sub/item/1").status_code for _ in range(6)] == [200] * 3 + [429] * 3


def test_paths_with_parameters_share(make_guard: Make) -> None:
    """R3 (slowapi): the default key is the raw path, so /item/0 … /item/5 are six limits."""
    client = app_of(make_guard({}))
    assert [client.get(f"/item/{number}").status_code for number in range(6)] == [200] * 3 + [429] * 3


def test_clients_do_not_share(make_guard: Make) -> None:
    """R4 (fastapi-limiter): five addresses share one bucket; no Retry-After."""
    guard = make_guard({"policies": {"few": {"quota": "2/minute"}}})
    decisions = [guard.check(request(peer=f"192.0.2.{last}")) for last in range(5)]
    assert all(decision.allowed for decision in decisions)


def test_an_exhausted_key_is_not_forgotten(clock: ManualClock) -> None:
    """R5 (throttled-py): forgotten after 1,024 other keys. Here: after a million, in a table of 10,000."""
    limiter = Limiter("1/hour", MemoryStore(10_000, clock=clock))
    assert limiter.acquire("victim")
    for number in range(1_000_000):
        limiter.acquire(f"other:{number}")
    assert not limiter.acquire("victim")


def test_threads_do_not_exceed(clock: ManualClock) -> None:
    """R6 (limits): up to twice the limit under forced preemption."""
    limiter, admitted = Limiter("100/minute", MemoryStore(1_000, clock=clock)), list[bool]()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda: admitted.extend(bool(limiter.acquire("key")) for _ in range(50)))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert admitted.count(True) == 100


def test_no_thread_walks_the_keys() -> None:
    """R7 (limits): a timer thread walks all keys every 10 ms of traffic. Here there is no thread at all."""
    before = threading.active_count()
    limiter = Limiter("100/minute", MemoryStore(10_000))
    for number in range(1_000):
        limiter.acquire(str(number))
    assert threading.active_count() == before


async def test_fields_by_default(make_guard: Make) -> None:
    """R9 (slowapi, flask-limiter): a refusal without Retry-After or any limit field."""
    app = RateLimitMiddleware(plain, make_guard({"policies": {"few": {"quota": "1/minute"}}}))
    await call(app, http_scope())
    names = {name for name, _ in (await call(app, http_scope()))[0]["headers"]}
    assert {b"ratelimit", b"ratelimit-policy", b"retry-after"} <= names


def test_fields_by_default_in_flask(make_guard: Make) -> None:
    flask = Flask(__name__)
    flask.wsgi_app = WsgiMiddleware(flask.wsgi_app, make_guard({"policies": {"few": {"quota": "1/minute"}}}))  # type: ignore[method-assign]
    flask.add_url_rule("/", "root", lambda: "ok")
    client = flask.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    names = {name.lower() for name, _ in client.get("/").headers}
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= names


@pytest.mark.parametrize("quota", ["100/second", "100/second; burst=100"])
@pytest.mark.parametrize("start_s", [0.0, 0.5, 0.85, 0.93])
def test_no_window_exceeds(quota: str, start_s: float, clock: ManualClock) -> None:
    """Peers' benchmark, section 4: fixed windows admit 200 of 100 in a window, asgi-ratelimit 183,506."""
    limiter, admitted = Limiter(quota, MemoryStore(1_000, clock=clock)), list[float]()
    clock.advance(start_s)
    for _ in range(3_000):
        if limiter.acquire("key"):
            admitted.append(clock.now())
        clock.advance(0.001)
    worst = max(sum(first <= other < first + 1 for other in admitted) for first in admitted)
    assert worst <= (100 if "burst" not in quota else 200)


def test_a_refusal_does_not_count(make_guard: Make, clock: ManualClock) -> None:
    """envoyproxy/ratelimit#185, litellm#39309: refused calls keep counting, or are charged by the other policy."""
    policies = {"second": {"quota": "1/second"}, "day": {"quota": "100/day"}}
    guard = make_guard({"policies": policies})
    for _ in range(50):
        guard.check(request())
    clock.advance(2)
    result = guard.check(request()).result
    assert result is not None
    assert [one.remaining for one in result.results] == [0, 98]


async def test_the_body_reaches_the_app(make_guard: Make) -> None:
    """starlette#495, #847: middleware that reads the body leaves the app waiting for it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200 if body == b"prompt" else 500, "headers": []})

    sent = await call(
        RateLimitMiddleware(app, make_guard({})), http_scope(), [{"type": "http.request", "body": b"prompt"}]
    )
    assert status(sent) == 200
