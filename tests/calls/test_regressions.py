"""What adversarial tests once found."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from calls.helpers import Scene, ask, chunk, event_of, usage
from calls.hostile import EVENTS, JSON, START, Server, balanced, exchange, generating, part, replying, start
from ratelimit_guard import Limiter, Policy, SharedStore
from ratelimit_guard.answer import MAX_LINE
from ratelimit_guard.passage import MAX_REST, PIECE
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from guard.helpers import Message

TEXT = "word " * 400
SOME = event_of(chunk(TEXT))


@contextmanager
def seconds(most: int) -> Iterator[None]:
    """`TimeoutError` in the midst of whatever takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(most)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def of(limit: int, **more: Any) -> Scene:
    quotas = {"tokens": f"{limit} tokens/hour", "slots": "2 concurrent-requests"}
    return Scene.of(ManualClock(), quotas, **more)


async def test_a_long_document_beyond_the_limit_ends_the_loop(clock: ManualClock) -> None:
    """Longer than MAX_ANSWER_BODY, so that its tokens count while it passes: the event loop never comes back."""
    scene = Scene(clock)
    scene.upstream.document({"choices": [{"message": {"content": "word " * 60_000}}], "usage": usage(9, 90)})
    with seconds(2):
        await scene.post(ask())


async def test_a_long_body_without_a_length_is_not_free(clock: ManualClock) -> None:
    scene = Scene(clock, {"tokens": {"max_body_bytes": 1_024}})
    scene.app.app = replying(start(JSON), part(b"{}", more=False))
    await exchange(scene, ask("word " * 1_500), headers=[(b"content-type", b"application/json")])
    assert scene.used[0].estimated_input > 1_000


def test_a_long_body_behind_wsgi_is_not_free(clock: ManualClock) -> None:
    scene = Scene(clock, {"tokens": {"max_body_bytes": 1_024}})
    Server(scene, generating(JSON, [b"{}"])).post(ask("word " * 1_500))
    assert scene.used[0].estimated_input > 1_000


async def test_a_length_that_lies_takes_no_more_of_the_fleet_than_of_the_account(clock: ManualClock) -> None:
    fleet = {"quota": "100_000 tokens/minute", "per": "global"}
    values = {
        "policies": {"tokens": {"quota": "1_000 tokens/minute"}, "fleet": fleet},
        "tokens": {"max_body_bytes": 1_024},
    }
    scene, left = Scene(clock, values), list[int]()
    scene.upstream.before = lambda _: left.append(scene.left("fleet", "global:"))
    scene.upstream.document({})
    await exchange(scene, b"", headers=[(b"content-length", b"4000000000")])
    assert left[0] >= 99_000 - 256


@pytest.mark.parametrize("missing", [1, 60, 1_000])
async def test_a_document_broken_off_is_settled_as_far_as_it_came(clock: ManualClock, missing: int) -> None:
    scene = Scene(clock)
    document = json.dumps({"choices": [{"message": {"content": TEXT}}], "usage": usage(9, 400)}).encode()
    scene.app.app = replying(start(JSON), part(document[:-missing]))
    await exchange(scene, ask())
    assert scene.used[0].output_tokens > 100


@pytest.mark.parametrize("kind", [b"application/x-ndjson", b"text/plain; charset=utf-8", b"application/stream+json"])
async def test_an_answer_of_another_type_is_not_free(clock: ManualClock, kind: bytes) -> None:
    scene = Scene(clock)
    scene.app.app = replying(
        start([(b"content-type", kind)]), part(b'{"message": "%s"}\n' % TEXT.encode()), part(b"", more=False)
    )
    await exchange(scene, ask(stream=True))
    assert scene.used[0].output_tokens > 100


async def test_firm_reservations_hold_for_long_bodies(clock: ManualClock) -> None:
    scene = Scene.of(
        clock, {"tokens": "100_000 tokens/hour"}, reserve="max-tokens", max_tokens=50, max_body_bytes=1_024
    )
    scene.upstream.document({})
    reply = await scene.post(ask(TEXT, max_tokens=9_999))
    assert reply.status != 200 or scene.upstream.bodies[0]["max_tokens"] == 50


async def test_a_second_start_gives_nothing_back(clock: ManualClock) -> None:
    """As of an error page in the midst of an answer, which the server refuses."""
    scene, starts = Scene(clock), list[Any]()

    def server(message: Message) -> None:
        if message["type"] == START:
            starts.append(message)
            if len(starts) > 1:
                raise RuntimeError

    scene.app.app = replying(start(EVENTS), part(SOME), start([], 500))
    with suppress(RuntimeError):
        await exchange(scene, ask(stream=True), server=server)
    assert scene.used[0].output_tokens > 300


def test_an_error_in_the_midst_of_a_wsgi_answer_gives_nothing_back(clock: ManualClock) -> None:
    scene = Scene(clock)

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield SOME
        try:
            list[int]().pop()
        except LookupError:
            start_response("500 Error", [], sys.exc_info())

    with suppress(LookupError):
        Server(scene, app).post(ask(stream=True))
    assert scene.used[0].output_tokens > 300


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_a_body_may_be_any_kind_of_bytes(clock: ManualClock, kind: Any) -> None:
    """Starlette streams memoryviews, and servers take them."""
    scene = Scene(clock)
    scene.app.app = replying(start(EVENTS), part(kind(SOME)), part(b"", more=False))
    await exchange(scene, ask(stream=True))


async def test_header_fields_may_be_an_iterator(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.app.app = replying(start(iter([*JSON, (b"x-own", b"1")])), part(b"{}", more=False))
    sent = await exchange(scene, ask())
    assert (b"x-own", b"1") in sent[0]["headers"]


async def test_an_empty_piece_passes(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.app.app = replying(start(EVENTS), part(b""), part(SOME), part(b"", more=False))
    assert len(await exchange(scene, ask(stream=True))) == 4


@pytest.mark.parametrize("blank", [b"", b"\n"])
async def test_the_last_words_of_a_cut_stream_can_be_read(blank: bytes) -> None:
    """Of one event beyond MAX_REST, or of lines with no blank one between them."""
    scene = of(300)
    pieces = [SOME[:-1]] * 400 if blank else [b"data: " + b"word " * 4_000] * 12
    scene.app.app = replying(start(EVENTS), *map(part, pieces))
    sent = await exchange(scene, ask(stream=True))
    assert b"\n\ndata: {" in b"".join(message["body"] for message in sent[1:])[-400:]


async def test_an_event_without_end_goes_a_long_line_beyond_the_limit() -> None:
    """What an event brings is known at its end: a line counts by its bytes once it is too long to be one."""
    scene = of(300)
    scene.app.app = replying(start(EVENTS), *[part(b"data: " + b"word " * 4_000)] * 20)
    await exchange(scene, ask(stream=True))
    assert scene.used[0].output_tokens <= 300 + (MAX_LINE + MAX_REST + PIECE) // 3


async def test_a_cut_ends_trailers_too() -> None:
    scene = of(300)
    trailers = {"type": "http.response.trailers", "headers": [], "more_trailers": False}
    scene.app.app = replying(
        start(EVENTS, trailers=True), *[part(event_of(chunk("words ")))] * 400, part(b"", more=False), trailers
    )
    sent = await exchange(scene, ask(stream=True))
    assert scene.used[0].ended == "cut"
    assert sent[-1]["type"] == trailers["type"] or not sent[0]["trailers"]


def test_a_refused_call_is_told_to_no_usage_hook(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "1 tokens/hour"})
    server = Server(scene, generating(JSON, [b"{}"]))
    server.post(ask("word " * 100))
    assert server.status.startswith("429")
    assert asyncio.run(exchange(scene, ask("word " * 100)))[0]["status"] == 429
    assert scene.used == []


def test_a_wsgi_answer_of_no_piece_is_complete(clock: ManualClock) -> None:
    scene = Scene(clock)

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    Server(scene, app).post(ask())
    balanced(scene)
    assert scene.used[0].ended == "complete"


async def test_what_is_told_is_what_was_charged(clock: ManualClock) -> None:
    """Where the upstream does not say."""
    scene = Scene(clock)
    scene.app.app = replying(start(JSON), part(b"{}", more=False))
    await exchange(scene, b"x" * 400_000)
    balanced(scene)


def test_a_status_of_odd_digits_does_not_raise(clock: ManualClock) -> None:
    Server(Scene(clock), generating(JSON, [b"{}"], "²00 OK")).post(ask())


def test_leases_are_seen_by_who_only_looks(tmp_path: Path) -> None:
    limiter = Limiter(Policy("slots", "2 concurrent-requests"), SharedStore(tmp_path / "table", capacity=100))
    with limiter.reserve("alice"):
        assert SharedStore(tmp_path / "table", capacity=100).leases()["live"] == 1
