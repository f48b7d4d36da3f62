"""The ASGI middleware on routes whose prompts are read: what it adds, and all that it must leave as it is."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from guard.helpers import Message, call, fields, http_scope, plain, status
from live.helpers import Scene, headers, post, question, seen, values
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.payment import peek

EVENTS = (b"content-type", b"text/event-stream")


def scope(path: str = "/v1/chat", method: str = "POST", **more: str) -> dict[str, Any]:
    return http_scope(path, method, headers=headers("org-a", "new", **more))


def body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


async def send_body(app: Any, content: bytes | list[bytes], **more: Any) -> list[Message]:
    pieces = [content] if isinstance(content, bytes) else content
    messages = [body(piece, more=place + 1 < len(pieces)) for place, piece in enumerate(pieces)]
    return await call(app, more.pop("scope", None) or scope(**more), messages)


class Echo:
    """Keeps what it got; answers with a status, in so many pieces."""

    def __init__(self, code: int = 200, pieces: int = 1, kind: tuple[bytes, bytes] = EVENTS) -> None:
        self.code, self.pieces, self.kind = code, pieces, kind
        self.scopes: list[Any] = []
        self.got: list[Message] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        more = True
        while more:
            self.got.append(await receive())
            more = self.got[-1].get("more_body", False)
        await send({"type": "http.response.start", "status": self.code, "headers": [self.kind]})
        for place in range(self.pieces):
            data = b'data: {"choices":[{"delta":{"content":"word %d "}}]}\n\n' % place
            await send({"type": "http.response.body", "body": data, "more_body": place + 1 < self.pieces})

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.got)


async def test_nothing_is_changed_for_who_is_not_restricted() -> None:
    """The app gets scope and messages as they came; the answer has the limits' fields besides and no others."""
    scene, app = Scene(), Echo(pieces=3)
    asked = scope()
    messages = [body(question()[:10], more=True), body(question()[10:])]
    sent = await call(RateLimitMiddleware(app, scene.guard), asked, messages)
    assert app.scopes[0] is asked
    assert app.got == messages
    assert fields(sent).keys() == {"content-type", "ratelimit-policy", "ratelimit"}
    assert len(sent) == 4
    assert seen(scene) == 1
    assert len(scene.events) == 1


@pytest.mark.parametrize("code", [200, 201, 204, 299, 301, 400, 404, 429, 500, 503])
async def test_what_was_answered_is_observed(code: int) -> None:
    """Once, and only a success."""
    scene = Scene()
    await send_body(RateLimitMiddleware(Echo(code), scene.guard), question())
    assert seen(scene) == (1 if 200 <= code < 300 else 0)


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"not json", {}),
        (b"", {}),
        (b"\xff\xfe\x00", {}),
        (b"[" * 5_000, {}),
        (b'{"messages": []}', {}),
        (gzip.compress(question())[:20], {"content_encoding": "gzip"}),
        (b'{"messages": [' + b" " * 2_000_000 + b"]}", {}),
    ],
)
async def test_bodies_that_hold_no_prompt(content: bytes, more: dict[str, str]) -> None:
    """Are the app's matter: it gets every byte, and one request is charged."""
    scene, app = Scene(), Echo()
    sent = await send_body(RateLimitMiddleware(app, scene.guard), [content[:7], content[7:]], **more)
    assert (status(sent), app.body) == (200, content)
    assert fields(sent)["ratelimit"].startswith('"few";r=99')
    assert seen(scene) == 0
    assert len(scene.events) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "nonsense \xff"])
async def test_a_coding_that_the_body_has_not(coding: str) -> None:
    """Hides no prompt: the app may parse the body without looking at the header."""
    scene, app = Scene(), Echo()
    sent = await send_body(RateLimitMiddleware(app, scene.guard), question(), content_encoding=coding)
    assert (status(sent), app.body, seen(scene)) == (200, question(), 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_methods_without_a_body(method: str) -> None:
    scene = Scene()
    asked = http_scope("/v1/chat", method)
    sent = await call(RateLimitMiddleware(plain, scene.guard), asked)
    assert status(sent) == 200
    assert seen(scene) == 0


@pytest.mark.parametrize(("version", "closes"), [("1.1", True), ("1.0", True), ("2", False), ("3", False)])
async def test_a_body_that_does_not_come(version: str, closes: bool) -> None:
    """408 in time, nothing charged, and the app is not called."""
    scene, app = Scene(values(detector={"body_timeout_s": 0.05})), Echo()
    sent: list[Message] = []

    async def receive() -> Message:
        if not sent and not getattr(receive, "begun", False):
            receive.begun = True  # type: ignore[attr-defined]
            return body(b"{", more=True)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await RateLimitMiddleware(app, scene.guard)({**scope(), "http_version": version}, receive, send)
    assert (status(sent), "connection" in fields(sent)) == (408, closes)
    assert not app.scopes
    assert fields(await send_body(RateLimitMiddleware(app, scene.guard), question()))["ratelimit"].startswith(
        '"few";r=99'
    )


async def test_a_client_that_leaves_in_the_body() -> None:
    """The app gets the beginning and the farewell."""
    scene = Scene()
    got: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.extend([await receive(), await receive()])

    await call(RateLimitMiddleware(app, scene.guard), scope(), [body(b'{"mess', more=True)])
    assert got == [body(b'{"mess', more=True), {"type": "http.disconnect"}]
    assert seen(scene) == 0


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_client_that_leaves_in_the_answer(after: int) -> None:
    """What he got so far counts once; the server's error reaches the app and comes out as it was."""
    scene, sent = Scene(), list[Message]()

    async def send(message: Message) -> None:
        if len(sent) == after:
            raise ConnectionResetError
        sent.append(message)

    async def receive() -> Message:
        return body(question())

    with pytest.raises(ConnectionResetError):
        await RateLimitMiddleware(Echo(pieces=5), scene.guard)(scope(), receive, send)
    assert seen(scene) == (1 if after else 0)


@pytest.mark.parametrize("begun", [False, True])
async def test_apps_that_raise(begun: bool) -> None:
    scene = Scene()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await send_body(RateLimitMiddleware(app, scene.guard), question())
    assert seen(scene) == int(begun)


async def test_a_cancelled_request_is_observed_once() -> None:
    """As a server does it with a client that hung up."""
    scene, started = Scene(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(send_body(RateLimitMiddleware(app, scene.guard), question()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen(scene) == 1


async def test_a_refusal_before_the_body() -> None:
    """Reads nothing, charges nothing, and is one event."""
    scene = Scene(values(policies={"few": {"quota": "1/hour"}}))
    app = RateLimitMiddleware(Echo(), scene.guard)
    await send_body(app, question())

    async def receive() -> Message:
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    before = str(peek(scene.guard.plan(post("org-a", "new"))))  # type: ignore[arg-type]
    await app(scope(), receive, send)
    assert status(sent) == 429
    assert json.loads(sent[1]["body"])["error"]["code"] == "rate_limit_exceeded"
    assert str(peek(scene.guard.plan(post("org-a", "new")))) == before  # type: ignore[arg-type]
    assert [event.decision.action for event in scene.events] == ["allow", "refuse"]
    assert seen(scene) == 1


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_the_app_gets_what_is_left(coding: str) -> None:
    """A valid body of the stated length, plain; the caller's scope is not changed, and the stream streams."""
    scene, app = Scene(values(detector={"degrade": {"max_tokens": 64}})).learn(), Echo(pieces=3)
    scene.climb("degrade")
    content = json.dumps(json.loads(scene.attack().body) | {"n": 3, "stream": True}).encode()
    packed = gzip.compress(content) if coding == "gzip" else content
    asked = scope(content_encoding=coding, content_length=str(len(packed)), x_other="stays")
    sent = await send_body(RateLimitMiddleware(app, scene.guard), [packed[:50], packed[50:]], scope=asked)
    assert json.loads(app.body) == json.loads(content) | {"n": 1, "max_tokens": 64}
    got = dict(app.scopes[0]["headers"])
    assert got[b"content-length"] == str(len(app.body)).encode()
    assert b"content-encoding" not in got
    assert got[b"x-other"] == b"stays"
    assert dict(asked["headers"])[b"content-length"] == str(len(packed)).encode()
    assert (status(sent), fields(sent)["guard-degraded"]) == (200, "max_tokens=64, n=1")
    assert [len(message["body"]) > 0 for message in sent[1:]] == [True] * 3
    assert [event.decision.action for event in scene.events] == ["degrade"]


async def test_a_refused_member_over_http() -> None:
    """The app does not hear of it, and nothing is observed."""
    scene, app = Scene().learn(), Echo()
    guarded = RateLimitMiddleware(app, scene.guard)
    told = seen(scene)
    answers = [await send_body(guarded, one.body) for one in scene.attacks(7)]
    assert [status(sent) for sent in answers] == [200] * 5 + [429] * 2
    assert json.loads(answers[-1][1]["body"])["error"]["code"] == "abnormal_usage_detected"
    assert len(app.scopes) == 5
    assert seen(scene) == told + 5
    assert len(scene.events) == 7


async def test_a_handler_with_a_limit_of_its_own() -> None:
    """Its refusal is the answer; what was not answered is not observed."""
    scene = Scene(values(policies={"few": {"quota": "9/hour"}, "dear": {"quota": "1/hour"}}))

    @scene.guard.limit("dear", tenant=lambda *_: "acme")
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain(scope, receive, send)

    answers = [await send_body(RateLimitMiddleware(app, scene.guard), question()) for _ in range(2)]
    assert [status(sent) for sent in answers] == [200, 429]
    assert seen(scene) == 1


async def test_websockets_and_lifespan_go_as_before() -> None:
    """A websocket has no body to be read; other scopes are not ours."""
    scene = Scene().learn()
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(scope)
        await receive()
        await send({"type": "websocket.accept"})

    guarded = RateLimitMiddleware(app, scene.guard)
    sent = await call(guarded, {**scope(), "type": "websocket"}, [{"type": "websocket.connect"}])
    assert dict(sent[0]["headers"])[b"ratelimit"].startswith(b'"few";r=99')
    lifespan = {"type": "lifespan"}
    await call(guarded, lifespan, [{"type": "lifespan.startup"}])
    assert got[1] is lifespan


async def test_a_framework_with_mounts_and_background_tasks() -> None:
    """Each request is observed once, its tasks run, and its own errors are its own."""
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse, StreamingResponse
    from starlette.routing import Mount, Route

    done: list[str] = []

    async def answer(request: Any) -> Any:
        said = await request.json()
        return JSONResponse(said, background=BackgroundTask(done.append, "task"))

    async def stream(request: Any) -> Any:
        said = [chunk async for chunk in request.stream()]
        return StreamingResponse(iter(said), media_type="text/event-stream")

    scene = Scene(values(routes=[{"match": "/sub/{path:path}", "body": True}]))
    routes = [Mount("/sub", routes=[Route("/a", answer, methods=["POST"]), Route("/s", stream, methods=["POST"])])]
    app = Starlette(routes=routes, middleware=[Middleware(RateLimitMiddleware, guard=scene.guard)])
    for path, code in (("/sub/a", 200), ("/sub/s", 200), ("/sub/none", 404)):
        sent = await send_body(app, question(), scope={**scope(path), "asgi": {"spec_version": "2.4"}})
        assert status(sent) == code
        if code == 200:
            assert json.loads(b"".join(message["body"] for message in sent[1:])) == json.loads(question())
    assert done == ["task"]
    assert seen(scene) == 2


async def test_many_at_once() -> None:
    """A hundred requests of one account, with bodies in pieces: exactly the quota, each told once."""
    scene = Scene(values(policies={"few": {"quota": "60/hour"}}))
    app = RateLimitMiddleware(Echo(pieces=2), scene.guard)
    content = question()
    answers = await asyncio.gather(*[send_body(app, [content[:9], content[9:]]) for _ in range(100)])
    assert sorted(map(status, answers)) == [200] * 60 + [429] * 40
    assert seen(scene) == 60
    assert len(scene.events) == 100


async def test_answers_are_read_while_they_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and tokens of a stream; the pieces are the app's own objects."""
    scene = Scene()
    told: list[Any] = []

    def observe(*_: Any, answer: Any, **__: Any) -> None:
        told.append((answer.text(), answer.tokens()))

    monkeypatch.setattr(scene.live, "observe", observe)
    await send_body(RateLimitMiddleware(Echo(pieces=3), scene.guard), question())
    assert told == [("word 0 word 1 word 2 ", None)]
