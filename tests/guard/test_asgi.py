"""The ASGI middleware: what it adds, what it refuses, and everything that it must leave as it is."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import Message, call, fields, http_scope, plain, status
from ratelimit_guard import ConfigError, Guard
from ratelimit_guard.asgi import RateLimitMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ratelimit_guard.testing import ManualClock

    Make = Callable[..., Guard]

REFUSED = {
    "ratelimit-policy",
    "ratelimit",
    "retry-after",
    "retry-after-ms",
    "content-type",
    "content-length",
    "cache-control",
    "x-request-id",
}


async def test_fields_on_every_response(make_guard: Make) -> None:
    app = RateLimitMiddleware(plain, make_guard({}))
    answers = [await call(app, http_scope()) for _ in range(4)]
    assert [status(sent) for sent in answers] == [200, 200, 200, 429]
    assert fields(answers[0]) == {
        "content-type": "text/plain",
        "ratelimit-policy": '"few";q=3;w=60',
        "ratelimit": '"few";r=2;t=65',
    }
    assert set(fields(answers[3])) == {*REFUSED, "x-should-retry"}


async def test_a_refusal(make_guard: Make, clock: ManualClock) -> None:
    app = RateLimitMiddleware(plain, make_guard({"policies": {"few": {"quota": "1/second"}}}))
    await call(app, http_scope())
    sent = await call(app, http_scope())
    head, body = fields(sent), json.loads(sent[1]["body"])
    assert (head["content-type"], head["retry-after"]) == ("application/problem+json", "2")
    assert 1_000 <= int(head["retry-after-ms"]) <= 1_125
    assert head["ratelimit"] == '"few";r=0;t=2'
    assert int(head["content-length"]) == len(sent[1]["body"])
    assert (body["status"], body["violated-policies"], body["error"]["code"]) == (429, ["few"], "rate_limit_exceeded")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    clock.advance(int(head["retry-after-ms"]) / 1000)
    assert status(await call(app, http_scope())) == 200


async def test_legacy_fields_and_none(make_guard: Make) -> None:
    legacy = RateLimitMiddleware(plain, make_guard({"response": {"legacy_headers": True}}))
    head = fields(await call(legacy, http_scope()))
    assert (head["x-ratelimit-limit"], head["x-ratelimit-remaining"]) == ("3", "2")
    silent = RateLimitMiddleware(plain, make_guard({"response": {"headers": False}}))
    assert set(fields(await call(silent, http_scope()))) == {"content-type"}


async def test_a_cost_beyond_the_limit_never_fits(make_guard: Make) -> None:
    app = RateLimitMiddleware(plain, make_guard({"routes": [{"match": "/v1/chat", "cost": 4}]}))
    sent = await call(app, http_scope())
    head = fields(sent)
    assert (status(sent), head["x-should-retry"]) == (429, "false")
    assert not {"retry-after", "retry-after-ms"} & set(head)
    assert "never fits" in json.loads(sent[1]["body"])["detail"]


async def test_who_is_blocked(make_guard: Make) -> None:
    from ratelimit_guard import Identity

    values = {"access": [{"when": {"country": "XX"}, "block": True}]}
    guard = make_guard(values, lookup=lambda _: Identity("acme", attributes={"country": "XX"}))
    sent = await call(RateLimitMiddleware(plain, guard), http_scope())
    assert (status(sent), json.loads(sent[1]["body"])["error"]["code"]) == (403, "access_blocked")


async def test_a_responder_changes_the_refusal(make_guard: Make) -> None:
    guard = make_guard(
        {"policies": {"few": {"quota": "1/day"}}},
        responder=lambda decision, refused: refused._replace(status=503, body=decision.reason.encode()),
    )
    app = RateLimitMiddleware(plain, guard)
    await call(app, http_scope())
    sent = await call(app, http_scope())
    assert (status(sent), sent[1]["body"]) == (503, b"limit 'few' exceeded")


@pytest.mark.parametrize("kind", ["lifespan", "something-new"])
async def test_other_scopes_pass_untouched(make_guard: Make, kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, receive, send])

    scope, receive, send = {"type": kind}, object(), object()
    await RateLimitMiddleware(app, make_guard({}))(scope, receive, send)  # type: ignore[arg-type]
    assert [first is second for first, second in zip(seen, [scope, receive, send], strict=True)] == [True] * 3


async def test_the_app_gets_its_own_receive(make_guard: Make) -> None:
    """Nothing is read or buffered: the very same callable, with every message left in it."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        while (message := await receive())["type"] != "http.disconnect":
            seen.append(message)
        await plain(scope, receive, send)

    scope = http_scope()
    parts: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]
    await call(RateLimitMiddleware(app, make_guard({})), scope, parts)
    assert seen[0] is scope
    assert seen[1:] == parts


async def test_a_stream_passes_piece_by_piece(make_guard: Make) -> None:
    """What the app sends is on its way before it sends more, extra messages and trailers included."""
    sent: list[Any] = []
    messages: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
        {"type": "http.response.body", "body": b"1", "more_body": True},
        {"type": "http.response.body", "body": b"2", "more_body": True},
        {"type": "http.response.body", "body": b""},
        {"type": "http.response.trailers", "headers": []},
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for number, message in enumerate(messages, 1):
            await send(message)
            assert len(sent) == number

    async def send(message: Any) -> None:
        sent.append(message)

    await RateLimitMiddleware(app, make_guard({}))(http_scope(), None, send)  # type: ignore[arg-type]
    assert [one for one in sent if one["type"] == "http.response.start"] == sent[:1]
    assert sent[1:] == messages[1:]
    assert messages[0]["headers"] == []  # the app's own message is not changed


async def test_apps_that_raise(make_guard: Make) -> None:
    """Before or after the start of a response: the same exception, nothing sent besides."""
    for before in (True, False):

        async def app(scope: Any, receive: Any, send: Any, before: bool = before) -> None:
            if not before:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ZeroDivisionError

        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        with pytest.raises(ZeroDivisionError):
            await RateLimitMiddleware(app, make_guard({}))(http_scope(), None, send)  # type: ignore[arg-type]
        assert len(sent) == (0 if before else 1)


async def test_a_response_without_start_stays_wrong(make_guard: Make) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"?"})

    sent = await call(RateLimitMiddleware(app, make_guard({})), http_scope())
    assert sent == [{"type": "http.response.body", "body": b"?"}]


async def test_a_start_without_headers(make_guard: Make) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})

    assert "ratelimit" in fields(await call(RateLimitMiddleware(app, make_guard({})), http_scope()))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer \x00\x01\r\nx: y")],
        [(b"authorization", b"\xff" * 1_000_000)],
        [(b"x-forwarded-for", b"\xff,\x00," * 100_000)],
        [(b"", b"")] * 1_000,
    ],
    ids=["control", "megabyte", "forwarded", "many"],
)
async def test_hostile_headers(make_guard: Make, headers: list[tuple[bytes, bytes]]) -> None:
    guard = make_guard({"identity": {"trusted_proxies": ["192.0.2.0/24"]}})
    sent = await call(RateLimitMiddleware(plain, guard), http_scope(headers=headers))
    assert status(sent) == 200
    assert not any(b"\r" in value or b"\n" in value for _, value in sent[0]["headers"])


@pytest.mark.parametrize("more", [{"client": None}, {"path": "/\ud800"}, {"path": "*"}, {"headers": ()}])
async def test_odd_scopes(make_guard: Make, more: dict[str, Any]) -> None:
    guard = make_guard({"routes": [{"match": "/{a}/{b:path}"}]})
    assert status(await call(RateLimitMiddleware(plain, guard), http_scope(**more))) == 200


async def test_a_handler_with_a_limit_of_its_own(make_guard: Make) -> None:
    policies = {"few": {"quota": "9/minute"}, "dear": {"quota": "1/minute"}}
    guard = make_guard({"policies": policies, "tiers": {"anonymous": {"policies": ["few"]}}})

    @guard.limit("dear", tenant=lambda scope, receive, send: "acme")
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain(scope, receive, send)

    wrapped = RateLimitMiddleware(app, guard)
    assert status(await call(wrapped, http_scope())) == 200
    sent = await call(wrapped, http_scope())
    assert (status(sent), json.loads(sent[1]["body"])["violated-policies"]) == (429, ["dear"])


async def test_it_takes_a_guard_or_a_file(tmp_path: Path, make_guard: Make) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        'version = 1\nstore.kind = "memory"\npolicies.a.quota = "1/day"\ntiers.anonymous.policies = ["a"]\n'
    )
    app = RateLimitMiddleware(plain, config=path)
    assert [status(await call(app, http_scope())) for _ in range(2)] == [200, 429]
    for arguments in ({}, {"guard": make_guard({}), "config": path}):
        with pytest.raises(ConfigError, match="guard or the path"):
            RateLimitMiddleware(plain, **arguments)  # type: ignore[arg-type]


async def test_mounts_and_prefixes_change_nothing(make_guard: Make) -> None:
    """Path and route are those of the server, wherever the app is mounted."""
    guard = make_guard({"routes": [{"match": "/sub/v1/chat", "cost": 3}]})
    app = RateLimitMiddleware(plain, guard)
    scope = http_scope("/sub/v1/chat", root_path="/sub")
    assert [status(await call(app, scope)) for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_client_who_vanishes(make_guard: Make, after: int) -> None:
    """The server's error reaches the app wherever the stream breaks, and the app's own way out is taken."""
    sent: list[Any] = []
    closed: list[type[BaseException] | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(9):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            closed.append(sys.exc_info()[0])

    async def send(message: Any) -> None:
        if len(sent) == after:
            raise ConnectionResetError
        sent.append(message)

    with pytest.raises(ConnectionResetError):
        await RateLimitMiddleware(app, make_guard({}))(http_scope(), None, send)  # type: ignore[arg-type]
    assert (len(sent), closed) == (after, [ConnectionResetError])


async def test_a_cancelled_request(make_guard: Make) -> None:
    started, ended = asyncio.Event(), list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    task = asyncio.create_task(call(RateLimitMiddleware(app, make_guard({})), http_scope()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cleaned up"]


async def test_a_refusal_reads_no_body(make_guard: Make) -> None:
    """The caller need not send what nobody will read (Expect: 100-continue)."""
    app = RateLimitMiddleware(plain, make_guard({"routes": [{"match": "/v1/chat", "cost": 4}]}))

    async def receive() -> Message:
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http_scope(), receive, send)
    assert status(sent) == 429


async def test_nothing_stays_behind(make_guard: Make) -> None:
    """Made-up paths, headers and peers leave nothing in the guard; objects of a request go with it."""
    guard = make_guard({"routes": [{"match": "/{a}", "policies": ["few"]}]})
    app = RateLimitMiddleware(plain, guard)

    async def some(first: int) -> int:
        for number in range(first, first + 300):
            headers = [(b"authorization", b"Bearer %d" % number), (b"x-forwarded-for", b"%d" % number)]
            await call(app, http_scope(f"/{number}", headers=headers))
        gc.collect()
        return len(gc.get_objects())

    await some(0)
    before = await some(1_000)
    assert await some(2_000) - before < 50


async def test_a_bucket_is_described_by_its_rate(make_guard: Make) -> None:
    policies = {"a": {"quota": "100/minute; burst=20"}, "b": {"quota": "20/second; burst=40"}}
    sent = await call(RateLimitMiddleware(plain, make_guard({"policies": policies})), http_scope())
    assert fields(sent)["ratelimit-policy"] == '"a";q=20;w=12, "b";q=40;w=2'


async def test_no_spelling_reaches_a_handler_by_a_cheaper_route(make_guard: Make) -> None:
    """What Starlette takes for the route, the guard takes for it too."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(
        routes=[Route("/v1/images", answer, methods=["POST"]), Mount("/files", Route("/{rest:path}", answer))]
    )
    routes = [{"match": "/v1/images", "cost": 4}, {"match": "/files/{rest:path}", "cost": 4}]
    guarded = RateLimitMiddleware(app, make_guard({"routes": routes}))
    for path in ("/v1/images", "/v1/images\n", "/files/", "/files/a"):
        assert status(await call(guarded, http_scope(path))) == 429


def test_a_wrong_file_is_heard_of_even_if_the_server_swallows_the_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("version = 7")
    with pytest.raises(ConfigError):
        RateLimitMiddleware(plain, config=path)
    assert "no request can be served" in caplog.text
    assert "version" in caplog.text
