"""Upstreams that send what they like: nothing raises, nothing leaks, and what passes is what came."""

from __future__ import annotations

import asyncio
import itertools
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calls.helpers import CHAT, GEMINI, MESSAGES, Scene, ask, chunk, event_of, usage
from calls.hostile import BODY, EVENTS, JSON, Memory, Server, balanced, exchange, generating, part, replying, start
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.helpers import Message

Pair = tuple[bytes, bytes]

MIB = 1 << 20
PATHS = (CHAT, MESSAGES, GEMINI, "/v1/embeddings")
KINDS = (
    b"application/json",
    b"text/event-stream",
    b"TEXT/EVENT-STREAM;x",
    b"text/plain",
    b"",
    b"\xff",
    b"application/json,,",
)
CODINGS = (b"gzip", b"deflate", b"zstd", b"br", b"identity", b"gzip, gzip", b"\xff\x00")
COUNTS = (0, 7, -1, "7", None, 1e30, 10**40, True, [7], {"a": 7}, (1 << 31) - 1, 1 << 31)
FRAGMENTS = (
    b"data: ", b"data:", b"event: error\n", b"\n", b"\r", b"\r\n", b"\n\n", b": hello\n\n", b"data: [DONE]\n\n",
    b"data: null\n\n", b"{", b"}", b'"', b"[" * 3_000, b"data: " + b"[" * 3_000 + b"\n\n", b"\x1f\x8b\x08", b"\x78\x9c",
    b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"data: " + b"x" * 70_000,
    b'data: {"choices":[{"index":1e999,"delta":{"content":7}}]}\n\n', b'{"usage":{"prompt_tokens":7}}',
    event_of(chunk("some words of an answer " * 20)), event_of({"type": "message_start", "message": []}),
    event_of({"candidates": [{"content": {"parts": [{"text": "words " * 30}]}}]}),
)  # fmt: skip
USAGES = st.one_of(
    *(
        st.tuples(st.sampled_from(COUNTS), st.sampled_from(COUNTS)).map(make)
        for make in (
            lambda two: {"choices": [], "usage": usage(*two)},
            lambda two: {"type": "message_delta", "usage": {"input_tokens": two[0], "output_tokens": two[1]}},
            lambda two: {"type": "message_start", "message": {"usage": {"cache_read_input_tokens": two[0]}}},
            lambda two: {"usageMetadata": {"promptTokenCount": two[0], "thoughtsTokenCount": two[1]}},
            lambda two: {"type": "response.completed", "response": {"usage": {"input_tokens": two[0]}}},
        )
    )
)
DOCUMENTS = USAGES.map(json.dumps).map(str.encode)
PIECES = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=40), USAGES.map(event_of), DOCUMENTS),
    max_size=12,
)  # fmt: skip
HEADERS = st.tuples(
    st.sampled_from(KINDS).map(lambda kind: (b"Content-Type", kind)),
    st.lists(st.sampled_from(CODINGS).map(lambda coding: (b"content-encoding", coding)), max_size=1),
    st.lists(st.tuples(st.just(b"content-length"), st.sampled_from((b"0", b"5", b"-1", b"x"))), max_size=1),
).map(lambda parts: [parts[0], *parts[1], *parts[2]])
LIMITS = st.sampled_from((1, 40, 10_000))


def scene_of(limit: int, **tokens: Any) -> Scene:
    quotas = {"tokens": f"{limit} tokens/hour", "slots": "2 concurrent-requests"}
    return Scene.of(ManualClock(), quotas, **tokens)


def has_events(headers: list[Pair]) -> bool:
    """Can last words be said in it?"""
    kind, *more = [value.lower() for name, value in headers if name != b"content-length"]
    return kind.startswith(b"text/event-stream") and more in ([], [b"identity"])


@given(
    status=st.sampled_from((200, 200, 200, 201, 204, 304, 100, 500, 999)), headers=HEADERS, pieces=PIECES, limit=LIMITS,
    path=st.sampled_from(PATHS), stream=st.booleans(), finishes=st.booleans(),
)  # fmt: skip
def test_any_response_passes(
    status: int, headers: list[Pair], pieces: list[bytes], limit: int, path: str, stream: bool, finishes: bool
) -> None:
    """Through ASGI: byte for byte where no usage was asked for, until it is cut; counters tell what the hooks heard."""
    scene = scene_of(limit, include_usage=False, on_exhausted="finish" if finishes else "cut")
    scene.app.app = app = replying(start(headers, status), *map(part, pieces), part(b"", more=False))
    try:
        sent = asyncio.run(exchange(scene, ask(stream=stream), path))
    except ConnectionResetError:
        pytest.fail(f"{app} heard that it is cut, and so did the server")
    if not scene.used:  # even the prompt was too much
        assert sent[0]["status"] == 429
        return
    body = b"".join(message["body"] for message in sent[1:])
    assert [message["type"] for message in sent] == [sent[0]["type"], *[BODY] * (len(sent) - 1)]
    is_torn = scene.used[0].ended == "cut" and not has_events(headers)
    assert [message["more_body"] for message in sent[1:]] == [True] * (len(sent) - 2) + [is_torn]
    whole = b"".join(pieces)
    if scene.used[0].ended == "cut":
        assert limit < 10_000 or scene.used[0].output_tokens > limit // 2
    else:
        assert body == whole
    balanced(scene, limit)


@given(
    headers=HEADERS,
    pieces=PIECES,
    limit=LIMITS,
    path=st.sampled_from(PATHS),
    most=st.integers(0, 14),
    listed=st.booleans(),
)
def test_any_response_passes_through_wsgi(
    headers: list[Pair], pieces: list[bytes], limit: int, path: str, most: int, listed: bool
) -> None:
    """As a list or as a generator, and wherever the client hangs up."""
    scene = scene_of(limit, include_usage=False)

    def app(environ: Any, start_response: Any) -> Any:
        body = generating(headers, pieces)(environ, start_response)
        return list(body) if listed else body

    server = Server(scene, app, most)
    try:
        body = server.post(ask(stream=True), path)
    except ConnectionResetError:  # by which the server breaks off what cannot be ended
        assert not has_events(headers)
        assert scene.used[0].ended == "cut"
        return
    if server.status == "200 OK" and scene.used[0].ended != "cut":
        assert body == b"".join(pieces[:most])
    balanced(scene, limit)


@given(pieces=PIECES, count=st.sampled_from(COUNTS), stream=st.booleans())
@example(pieces=[event_of(chunk("x"))], count=10**40, stream=True)
def test_usage_that_was_asked_for_is_taken_out_of_any_stream(pieces: list[bytes], count: Any, stream: bool) -> None:
    """And what the guard did not ask for stays, whatever the upstream makes of it."""
    scene = scene_of(10_000)
    told = event_of({"id": "c", "choices": [], "usage": usage(count, count)})
    scene.app.app = replying(
        start(EVENTS), part(b"data: {}\n\n"), part(told), *map(part, pieces), part(b"", more=False)
    )
    sent = asyncio.run(exchange(scene, ask(stream=stream)))
    body = b"".join(message["body"] for message in sent[1:])
    assert (told in body) is not stream or scene.used[0].ended == "cut"
    assert 0 <= scene.used[0].output_tokens < 1 << 31
    balanced(scene)


@pytest.mark.parametrize("size", [1, 7, 4_095, 4_097, 65_537, 10 * MIB])
@pytest.mark.parametrize("headers", [JSON, EVENTS])
async def test_ten_megabytes_pass_in_pieces_of_any_size(headers: list[Pair], size: int) -> None:
    """In linear time, and without being gathered."""
    whole = (b"data: " + b"x" * 100_000 + b"\n\n" + b"word " * 100_000)[: MIB // 8 if size < 10 else MIB] * (
        10 if size > 9 else 1
    )
    scene = scene_of(1 << 30)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    with Memory() as memory:
        scene.app.app = replying(start(headers), *map(part, pieces), part(b"", more=False))
        sent = await exchange(scene, ask(stream=True))
    assert b"".join(message["body"] for message in sent[1:]) == whole
    assert memory.grown < 3 * len(whole) + 16 * MIB + 1_000 * len(pieces)
    assert headers is JSON or scene.used[-1].output_tokens > len(whole) // 12
    balanced(scene, 1 << 30)


def bomb(coding: str, size: int, content: bytes = b"data: x\n\n") -> bytes:
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    block = content * (MIB // len(content))
    packed = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*packed, packer.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("headers", [JSON, EVENTS])
@pytest.mark.parametrize("size", [97, 10 * MIB])
async def test_a_bomb_in_a_response_stays_packed(coding: str, headers: list[Pair], size: int) -> None:
    packed = bomb(coding, 256 * MIB)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    scene = scene_of(1 << 30)
    scene.app.app = replying(
        start([*headers, (b"content-encoding", coding.encode())]), *map(part, pieces), part(b"", more=False)
    )
    with Memory() as memory:
        sent = await exchange(scene, ask(stream=True))
    assert b"".join(message["body"] for message in sent[1:]) == packed
    assert memory.grown < 24 * MIB
    balanced(scene, 1 << 30)


@pytest.mark.parametrize("status", [204, 304, 200])
async def test_answers_without_a_body(clock: ManualClock, status: int) -> None:
    """They have ended, and a HEAD request is a call like any other."""
    scene = Scene(clock)
    scene.app.app = replying(start([], status), part(b"", more=False))
    sent = await exchange(scene, b"", method="HEAD", headers=[])
    assert [message["type"] for message in sent] == ["http.response.start", BODY]
    assert scene.used[0].ended == ("failed" if status == 304 else "complete")
    balanced(scene)


async def test_messages_that_the_guard_does_not_know_pass_as_they_are(clock: ManualClock) -> None:
    scene = Scene(clock)
    others: list[Message] = [
        {"type": "http.response.early_hint", "links": [b"</a>"]},
        {"type": "http.response.pathsend", "path": "/srv/answer"},
        {"type": "http.response.trailers", "headers": [(b"x-checksum", b"1")], "more_trailers": False},
    ]
    begun = start(EVENTS, trailers=True)
    scene.app.app = replying(others[0], begun, others[1], others[2])
    sent = await exchange(scene, ask(stream=True))
    assert [sent[0], sent[2], sent[3]] == others
    assert sent[1]["trailers"] is True
    balanced(scene)


async def test_an_app_that_sends_after_the_end(clock: ManualClock) -> None:
    """It is the server's to refuse that; nothing is lost by it."""
    scene = Scene(clock)
    scene.app.app = replying(
        start(EVENTS), part(event_of(chunk("one")), more=False), *[part(event_of(chunk("two")))] * 3
    )
    sent = await exchange(scene, ask(stream=True))
    assert len(sent) == 5
    balanced(scene)


async def test_an_app_that_never_starts(clock: ManualClock) -> None:
    scene = Scene(clock)
    for app in (replying(), replying(part(b"x", more=False))):
        scene.app.app = app
        await exchange(scene, ask())
        balanced(scene)
    assert (scene.used, scene.left("tokens")) == ([], 10_000)


async def test_an_app_that_goes_on_after_the_cut(clock: ManualClock) -> None:
    """It hears each time that nobody listens; nothing more is charged, and its slot is free once it has ended."""
    scene = scene_of(300)
    left: list[int] = []

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        await send(start(EVENTS))
        for _ in range(1_000):
            try:
                await send(part(event_of(chunk("some words of an answer "))))
            except OSError:
                left.append(scene.left("slots"))
        await send(part(b"", more=False))

    scene.app.app = deaf
    sent = await exchange(scene, ask(stream=True))
    assert (len(left) > 900, set(left), scene.left("slots")) == (True, {1}, 2)
    assert [message["more_body"] for message in sent[-2:]] == [True, False]
    assert scene.used[0].output_tokens < 310
    balanced(scene, 300)


def counted(pieces: Iterator[bytes], ends: list[str]) -> Iterator[bytes]:
    try:
        yield from pieces
    finally:
        ends.append("closed")


@pytest.mark.parametrize("most", [0, 1, 3, None])
def test_a_wsgi_generator_is_closed_where_the_client_hangs_up(clock: ManualClock, most: int | None) -> None:
    scene, ends = Scene(clock), list[str]()
    app = generating(EVENTS, counted(iter([event_of(chunk("words " * 50))] * 5), ends))
    Server(scene, app, most).post(ask(stream=True))
    assert (ends, len(scene.used)) == (["closed"] if most != 0 else [], 0 if most == 0 else 1)
    balanced(scene)


@pytest.mark.parametrize("where", ["call", "first", "later", "close"])
def test_a_wsgi_app_that_fails(clock: ManualClock, where: str) -> None:
    """At whatever place: the server hears of it, and nothing stays reserved."""
    scene = Scene(clock)

    class Body:
        def __init__(self) -> None:
            self.numbers = itertools.count()

        def __iter__(self) -> Body:
            return self

        def __next__(self) -> bytes:
            if next(self.numbers) == {"first": 0, "later": 2}.get(where, 4):
                raise LookupError if where != "close" else StopIteration
            return bytes(event_of(chunk("words " * 50)))

        def close(self) -> None:
            if where == "close":
                raise LookupError

    def app(_: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        if where == "call":
            raise LookupError
        return Body()

    with pytest.raises(LookupError):
        Server(scene, app).post(ask(stream=True))
    balanced(scene)


def test_what_a_wsgi_app_writes_is_counted_and_cut() -> None:
    scene = scene_of(300)

    def app(_: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Type", "text/event-stream")])
        for _ in range(100):
            write(event_of(chunk("some words of an answer ")))
        return []

    body = Server(scene, app).post(ask(stream=True))
    assert scene.used[0].ended == "cut"
    assert b"rate_limit_exceeded" in body
    assert body.count(b"some words") < 70
    balanced(scene, 300)
