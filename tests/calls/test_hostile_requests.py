"""Callers and handlers that do what they like: bodies, websockets, guards in guards, reloads, forks."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.helpers import CHAT, POLICIES, ROUTES, Scene, ask, chunk, event_of, usage
from calls.hostile import EVENTS, JSON, Memory, Server, balanced, exchange, part, replying, start
from calls.test_hostile import MIB, bomb
from guard.helpers import Message, call, complete, http_scope, table
from ratelimit_guard import Guard, RateLimitExceeded
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

REALTIME = "/v1/realtime"
SOCKET_ROUTES = [*ROUTES, {"match": REALTIME, "message_cost": 1}]
DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
CONNECT = {"type": "websocket.connect"}
LENGTHS = (b"0", b"1", b"-1", b"+5", b"1e9", b"\xb2", b"", b"9" * 18, b"9" * 5_000, b" 7", b"7, 7")


@given(
    body=st.one_of(st.binary(max_size=60), st.sampled_from((b"[" * 5_000, b'{"max_tokens":' + b"9" * 5_000 + b"}"))),
    length=st.sampled_from(LENGTHS), coding=st.sampled_from((b"", b"gzip", b"zstd", b"\xff")),
)  # fmt: skip
def test_any_request_passes(body: bytes, length: bytes, coding: bytes) -> None:
    """Whatever the body is, and whatever is said about it, through both."""
    scene = Scene(ManualClock())
    scene.app.app = replying(start(JSON), part(b"{}", more=False))
    asyncio.run(exchange(scene, body, headers=[(b"content-length", length), (b"content-encoding", coding)]))
    assert (table(scene.guard).leases()["live"], scene.left("slots")) == (0, 2)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]

    texts = {"CONTENT_LENGTH": length.decode("latin-1"), "HTTP_CONTENT_ENCODING": coding.decode("latin-1")}
    Server(scene, app).post(body, **texts)
    assert (table(scene.guard).leases()["live"], scene.left("slots")) == (0, 2)


@pytest.mark.parametrize(
    "field",
    [{"max_tokens": value} for value in (10**40, -1, "9", [9], 0.5)] + [{"n": 10**40}, {"n": -1}, {"model": ["m"]}],
)
@pytest.mark.parametrize("reserve", ["slice", "max-tokens"])
async def test_hostile_parameters(clock: ManualClock, field: dict[str, Any], reserve: str) -> None:
    scene = Scene(clock, {"tokens": {"reserve": reserve, "max_tokens": 50}})
    scene.upstream.document({"usage": usage(4, 5)})
    reply = await scene.post(ask(**field))
    assert reply.status in {200, 429}
    balanced(scene)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
async def test_a_bomb_in_a_request_stays_packed(clock: ManualClock, coding: bytes) -> None:
    scene = Scene(clock)
    scene.app.app = replying(start(JSON), part(b"{}", more=False))
    packed = bomb(coding.decode(), 256 * MIB, b'{"prompt":        ')
    headers = [(b"content-encoding", coding), (b"content-length", b"%d" % len(packed))]
    with Memory() as memory:
        sent = await exchange(scene, packed, headers=headers)
    assert (sent[0]["status"], memory.grown < 48 * MIB) == (200, True)
    assert (table(scene.guard).leases()["live"], scene.left("slots")) == (0, 2)


async def test_a_long_request_is_not_gathered(clock: ManualClock) -> None:
    """Beyond its cap a body is replayed as it came."""
    scene, got = Scene(clock), bytearray()
    messages: list[Message] = [{"type": "http.request", "body": b"x" * 4_096, "more_body": True}] * 2_560

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            got.extend(message["body"])
        await replying(start(JSON), part(b"{}", more=False))(scope, partial(_empty), send)

    scene.app.app = app
    with Memory() as memory:
        await call(scene.app, http_scope(CHAT), list(messages))
    assert (len(got), memory.grown < 32 * MIB) == (10 * MIB, True)
    balanced(scene)


async def _empty() -> Message:
    return {"type": "http.request", "body": b""}


async def test_a_slow_body_is_given_up_with_nothing_reserved(clock: ManualClock) -> None:
    scene = Scene(clock, {"tokens": {"body_timeout_s": 0.01}})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await scene.app(http_scope(CHAT), asyncio.Event().wait, send)
    assert sent[0]["status"] == 408
    assert (scene.left("calls"), scene.used) == (100, [])
    balanced(scene)


@pytest.mark.parametrize("name", ["m\r\nX-Evil: 1", "m\x00", "m\u2028", "x" * 100_000, "\ud800", '"; drop'])
@pytest.mark.parametrize("limit", [1, 10_000])
async def test_a_model_name_gets_into_no_header_field(clock: ManualClock, name: str, limit: int) -> None:
    scene = Scene.of(clock, {"tokens": f"{limit} tokens/hour", "slots": "2 concurrent-requests"})
    scene.app.app = replying(start(EVENTS), part(event_of(chunk("x", model=name))), part(b"", more=False))
    sent = await exchange(scene, {**ask("word " * 50, stream=True), "model": name})
    for field, value in sent[0]["headers"]:
        assert not set(field + value) & set(b"\r\n\0")
        assert b"vil" not in field + value
        assert len(value) < 1_000
    balanced(scene, limit)


class Talk:
    """A websocket whose app stays until it is told to go."""

    def __init__(self, clock: ManualClock, failing: bool = False, **policies: Any) -> None:
        self.scene = Scene(clock, {"routes": SOCKET_ROUTES, "policies": {**POLICIES, **policies}})
        self.scene.app.app = self
        self.failing, self.open, self.go = failing, asyncio.Event(), asyncio.Event()
        self.heard: list[Message] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.open.set()
        await self.go.wait()
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message)
            if self.failing:
                raise LookupError

    def connect(self, messages: int = 3) -> asyncio.Task[list[Message]]:
        incoming: list[Message] = [CONNECT, *[{"type": "websocket.receive", "text": "hi"}] * messages]
        scope = {**http_scope(REALTIME, **DENIAL), "type": "websocket"}
        return asyncio.create_task(call(self.scene.app, scope, incoming))


async def test_a_websocket_holds_its_slot_while_it_is_open(clock: ManualClock) -> None:
    """And takes no tokens; the one too many is denied and holds nothing."""
    talk = Talk(clock)
    tasks = [talk.connect() for _ in range(2)]
    await talk.open.wait()
    await asyncio.sleep(0)
    assert (talk.scene.left("slots"), talk.scene.left("tokens")) == (0, 10_000)
    assert (await talk.connect())[0]["status"] == 429
    talk.go.set()
    await asyncio.gather(*tasks)
    assert (len(talk.heard), talk.scene.left("calls")) == (6, 100 - 8)
    balanced(talk.scene)


@pytest.mark.parametrize("end", ["crash", "cancel", "refusal"])
async def test_a_websocket_frees_its_slot_however_it_ends(clock: ManualClock, end: str) -> None:
    talk = Talk(clock, failing=end == "crash", calls={"quota": "2/minute" if end == "refusal" else "100/minute"})
    task = talk.connect()
    await talk.open.wait()
    if end == "cancel":
        task.cancel()
    talk.go.set()
    with suppress(LookupError, asyncio.CancelledError):
        await task
    assert len(talk.heard) == {"crash": 1, "cancel": 0, "refusal": 1}[end]
    balanced(talk.scene)


@pytest.mark.parametrize("began", [False, True])
async def test_a_handlers_own_limit_behind_a_metered_route(clock: ManualClock, began: bool) -> None:
    """Its refusal is answered if nothing is on the way; what was reserved comes back in either case."""
    scene = Scene(
        clock,
        {"policies": {**POLICIES, "own": {"quota": "1/hour"}}, "tiers": {"anonymous": {"policies": list(POLICIES)}}},
    )

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        if began:
            await send(start(EVENTS))
            await send(part(event_of(chunk("words " * 50))))
        await limited(scope)

    @scene.guard.limit("own", tenant=lambda _: "me")
    async def limited(scope: Any) -> None: ...

    scene.app.app = handler
    with suppress(RateLimitExceeded):
        await exchange(scene, ask())
    with pytest.raises(RateLimitExceeded) if began else nullcontext():
        sent = await exchange(scene, ask())
        assert sent[0]["status"] == 429
    balanced(scene)


@pytest.mark.parametrize(("outer", "inner"), [(300, 10_000), (10_000, 300), (300, 300), (10_000, 10_000)])
async def test_a_guard_in_a_guard(clock: ManualClock, outer: int, inner: int) -> None:
    """Whichever cuts, both are even afterwards; usage that both asked for is taken out once."""
    scenes = [Scene.of(clock, {"tokens": f"{n} tokens/hour", "slots": "2 concurrent-requests"}) for n in (outer, inner)]
    pieces = [part(event_of(chunk("some words of an answer "))) for _ in range(100)]
    told = part(event_of({"choices": [], "usage": usage(9, 500)}))
    scenes[1].app.app = replying(start(EVENTS), *pieces, told, part(b"", more=False))
    scenes[0].app.app = scenes[1].app
    sent = await exchange(scenes[0], ask(stream=True))
    body = b"".join(message["body"] for message in sent[1:])
    assert (sent[-1]["more_body"], b"prompt_tokens" in body) == (False, False)
    assert bool(body.count(b"rate_limit_exceeded")) is (min(outer, inner) == 300)
    for scene, limit in zip(scenes, (outer, inner), strict=True):
        balanced(scene, limit)


def changed(policies: dict[str, Any], **more: Any) -> Any:
    return Guard.from_dict(complete({"policies": policies, "routes": ROUTES, **more})).config


@pytest.mark.parametrize(
    "policies",
    [
        {"other": {"quota": "1_000 tokens/minute"}},
        {**POLICIES, "slots": {"quota": "1 concurrent-requests"}},
        {**POLICIES, "tokens": {"quota": "10_000 tokens/hour"}},
        {**POLICIES, "tokens": {"quota": "10_000 output-tokens/minute"}},
        {name: {**section, "per": "global"} for name, section in POLICIES.items()},
    ],
)
async def test_a_reload_in_the_midst_of_a_stream(clock: ManualClock, policies: dict[str, Any]) -> None:
    """The call ends under the limits that it began with."""
    scene = Scene(clock)
    scene.upstream.events([chunk("words " * 50)] * 8)
    before = scene.guard.config
    scene.upstream.before = lambda number: scene.guard.replace(changed(policies)) if number == 3 else None
    reply = await scene.post(ask(stream=True))
    assert (reply.status, scene.used[0].ended, scene.used[0].output_tokens > 300) == (200, "complete", True)
    scene.guard.replace(before)
    balanced(scene)


def in_child(work: Callable[[], Any]) -> None:
    """Fork, work, and end as if killed: nothing is cleaned up."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            work()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_forked_workers_share_a_memory_store() -> None:
    """What ended in a child is charged; what a child held when it died in the midst of a stream comes back."""
    machine: Any = None
    scene = Scene(machine)

    def work(dies: bool) -> None:
        async def stream(scope: Any, receive: Any, send: Any) -> None:
            await send(start(EVENTS))
            await send(part(event_of(chunk("words " * 50))))
            if dies:
                os._exit(0)
            await send(part(event_of({"choices": [], "usage": usage(10, 90)}), more=False))

        scene.app.app = stream
        asyncio.run(exchange(scene, ask(stream=True)))

    for _ in range(3):
        in_child(partial(work, False))
    assert scene.left("tokens") == 10_000 - 300
    in_child(partial(work, True))
    assert scene.left("slots") == 1
    assert table(scene.guard).keep() == 1
    assert (scene.left("slots"), table(scene.guard).leases()["live"]) == (2, 0)
    assert 10_000 - 300 - 150 < scene.left("tokens") < 10_000 - 300 - 50
