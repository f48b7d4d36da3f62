"""What a limit adds to a request inside the server process: Starlette and Flask, ours beside the peers' middlewares."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any

import harness
from flask import Flask
from ours import shared_directory
from report import Check, Section, Table, command
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.wsgi import RateLimitMiddleware as WsgiRateLimitMiddleware

METHOD = """\
Microseconds per request, the app called in the process: no socket, no parser. One route that answers "ok", 40
clients by address, limits never reached. Ours: `SharedStore`, two policies (a strict window and a token bucket)
in one decision, fields on every response, the default event hook, a credential that the file knows in `key`
rows. Peers as their documentation shows, with headers where they have them, counters in the memory of the one
process. `added` is the difference to the bare app inside a round, and the median over the rounds is given."""

NOTES = (
    "slowapi and flask-limiter count per process and with one policy here; ours counts two over all workers.",
    "asgi-ratelimit sends no fields at all.",
)
BURST, HOUR = "1000000/second; burst=1000000", "1000000000/hour"
CLIENTS = [f"192.0.2.{last}" for last in range(40)]
TOKEN = "sk-bench"  # of nobody


def starlette(_: object) -> Any:
    async def answer(__: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/v1/chat", answer, methods=["POST"])])


def guard(directory: Any) -> Guard:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return Guard.from_dict(
        {
            "version": 1,
            "store": {"path": str(directory / "table"), "capacity": 100_000},
            "identity": {"keys": [{"sha256": digest, "tenant": "acme"}], "default_tier": "anonymous"},
            "policies": {"burst": {"quota": BURST}, "hour": {"quota": HOUR}},
            "tiers": {"anonymous": {"policies": ["burst", "hour"]}},
            "tenants": [{"id": "acme", "tier": "anonymous"}],
            "routes": [{"match": "/health", "exempt": True}, {"match": "/v1/images/{kind}", "cost": 5}],
        }
    )


def ours(directory: Any) -> Any:
    return RateLimitMiddleware(starlette(directory), guard(directory))


def asgi_ratelimit(_: object) -> Any:
    from ratelimit import RateLimitMiddleware as Peer
    from ratelimit import Rule
    from ratelimit.backends.simple import MemoryBackend

    async def client_address(scope: Any) -> tuple[str, str]:
        return scope["client"][0], "default"

    return Peer(starlette(_), client_address, MemoryBackend(), {r"^/v1": [Rule(hour=1_000_000_000)]})


def slowapi(_: object) -> Any:
    from slowapi import Limiter
    from slowapi.middleware import SlowAPIASGIMiddleware
    from slowapi.util import get_remote_address

    app = starlette(_)
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=[HOUR], headers_enabled=True)
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


def flask(_: object) -> Any:
    app = Flask("bench")
    app.add_url_rule("/v1/chat", "chat", lambda: "ok", methods=["POST"])
    return app


def flask_ours(directory: Any) -> Any:
    app = flask(directory)
    app.wsgi_app = WsgiRateLimitMiddleware(app.wsgi_app, guard(directory))
    return app


def flask_limiter(_: object) -> Any:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    app = flask(_)
    Limiter(get_remote_address, app=app, default_limits=[HOUR], headers_enabled=True, storage_uri="memory://")
    return app


def drive_asgi(app: Any, requests: int, headers: list[tuple[bytes, bytes]]) -> float:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    base = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/chat", "raw_path": b"/v1/chat", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"user-agent", b"bench"), (b"accept", b"*/*"), *headers],
    }  # fmt: skip
    scopes = [{**base, "client": (CLIENTS[number % len(CLIENTS)], 4711)} for number in range(requests)]

    async def all_of_them() -> float:
        start = perf_counter_ns()
        for scope in scopes:
            await app(scope, receive, send)
        return (perf_counter_ns() - start) / requests / 1_000

    return asyncio.run(all_of_them())


def drive_wsgi(app: Any, requests: int, headers: list[tuple[bytes, bytes]]) -> float:
    more = {f"HTTP_{name.decode().upper()}": value.decode() for name, value in headers}

    def start_response(*_: Any) -> None:
        pass

    def environ(number: int) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/v1/chat", "SCRIPT_NAME": "", "QUERY_STRING": "",
            "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost",
            "HTTP_USER_AGENT": "bench", "HTTP_ACCEPT": "*/*", "REMOTE_ADDR": CLIENTS[number % len(CLIENTS)],
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), **more,
        }  # fmt: skip

    environs = [environ(number) for number in range(requests)]
    start = perf_counter_ns()
    for one in environs:
        pieces = app(one, start_response)
        b"".join(pieces)
        getattr(pieces, "close", bool)()
    return (perf_counter_ns() - start) / requests / 1_000


Make = Callable[[Any], Any]
KEY = [(b"authorization", f"Bearer {TOKEN}".encode())]
STARLETTE: dict[str, tuple[Make, list[tuple[bytes, bytes]]]] = {
    "Starlette alone": (starlette, []),
    "ours, by address": (ours, []),
    "ours, by key": (ours, KEY),
    "asgi-ratelimit": (asgi_ratelimit, []),
    "slowapi": (slowapi, []),
}
FLASK: dict[str, tuple[Make, list[tuple[bytes, bytes]]]] = {
    "Flask alone": (flask, []),
    "ours in Flask, by address": (flask_ours, []),
    "ours in Flask, by key": (flask_ours, KEY),
    "flask-limiter": (flask_limiter, []),
}


def measure(make: Make, drive: Any, headers: list[tuple[bytes, bytes]], requests: int) -> dict[str, float]:
    with shared_directory() as directory:
        app = make(directory)
        drive(app, requests // 10, headers)
        gc.collect()
        gc.disable()
        try:
            return {"us": drive(app, requests, headers)}
        finally:
            gc.enable()


def _added(taken: dict[str, list[harness.Figures]], name: str, bare: str) -> float:
    return median(one["us"] - base["us"] for one, base in zip(taken[name], taken[bare], strict=True))


def run(quick: bool) -> Section:
    """What a limit adds to a request."""
    requests, rounds = (2_000, 3) if quick else (10_000, 11)
    taken: dict[str, list[harness.Figures]] = {}
    for family, drive in ((STARLETTE, drive_asgi), (FLASK, drive_wsgi)):
        contenders = {
            name: lambda make=make, headers=headers, drive=drive: measure(make, drive, headers, requests)
            for name, (make, headers) in family.items()
        }
        taken |= harness.interleave(contenders, rounds)
    rows, checks = [], []
    for bare, family in (("Starlette alone", STARLETTE), ("Flask alone", FLASK)):
        for name in family:
            added = _added(taken, name, bare)
            rows.append([name, f"{harness.middle(taken[name], 'us'):.1f}", "" if name == bare else f"{added:.1f}"])
            if name.startswith("ours"):
                bound = 4 if family is STARLETTE else 6
                checks.append(Check.at_most(f"added per request, {name}", bound, added, " µs", 1))
    return Section(
        "A request", METHOD, [Table("Microseconds per request", ("app", "in all", "added"), rows)], checks, NOTES
    )


if __name__ == "__main__":
    command(run)
