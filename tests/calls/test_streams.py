"""Streams through the middleware: counted as they pass, cut where the tokens end, changed in nothing else."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.helpers import GEMINI, MESSAGES, Scene, ask, chunk, event_of, usage
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = "some words of an answer "
FINAL = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
CASES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "openai": ("/v1/chat/completions", chunk),
    "anthropic": (
        MESSAGES,
        lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    ),
    "gemini": (GEMINI, lambda text: {"candidates": [{"content": {"parts": [{"text": text}]}}]}),
}


async def test_usage_is_asked_for_and_taken_out_again(clock: ManualClock) -> None:
    scene = Scene(clock)
    parts = [chunk(WORDS, usage=None), chunk(WORDS, usage=None)]
    scene.upstream.events([*parts, {**FINAL, "usage": usage(33, 44)}])
    headers = [(b"accept-encoding", b"gzip")]
    reply = await scene.post(ask(stream=True), headers=headers)
    assert scene.upstream.bodies[0]["stream_options"] == {"include_usage": True}
    assert dict(scene.upstream.scopes[0]["headers"])[b"accept-encoding"] == b"identity"
    assert reply.data() == [chunk(WORDS), chunk(WORDS), "[DONE]"]
    assert scene.left("tokens") == 10_000 - 77


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {}}, {"include_usage": True}),
        ({"stream_options": {"other": 1}}, {"include_usage": True, "other": 1}),
    ],
)
async def test_other_options_of_streams_stay(clock: ManualClock, options: Any, sent: Any) -> None:
    scene = Scene(clock)
    scene.upstream.events([{**FINAL, "usage": usage(1, 2)}])
    reply = await scene.post(ask(stream=True, **options))
    assert scene.upstream.bodies[0]["stream_options"] == sent
    assert reply.data() == ["[DONE]"]


async def test_who_asks_for_usage_gets_it(clock: ManualClock) -> None:
    scene = Scene(clock)
    events = [chunk(WORDS, usage=None), {**FINAL, "usage": usage(33, 44)}]
    scene.upstream.events(events)
    reply = await scene.post(ask(stream=True, stream_options={"include_usage": True}))
    assert reply.data() == [*events, "[DONE]"]
    assert scene.left("tokens") == 10_000 - 77


async def test_without_usage_what_passed_is_counted(clock: ManualClock) -> None:
    for path, make in CASES.values():
        scene = Scene(clock)
        scene.upstream.events([make(WORDS * 10) for _ in range(10)], ending=b"")
        reply = await scene.post(ask(stream=True), path)
        assert reply.body == b"".join(scene.upstream.pieces)
        assert 400 <= scene.used[0].output_tokens <= 700
        assert scene.left("tokens") == 10_000 - scene.used[0].input_tokens - scene.used[0].output_tokens


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("limit", [300, 700, 2_000])
async def test_a_stream_ends_where_its_tokens_end(clock: ManualClock, case: str, limit: int) -> None:
    path, make = CASES[case]
    scene = Scene.of(clock, {"tokens": f"{limit} tokens/hour", "slots": "1 concurrent-requests"})
    scene.upstream.events([make(WORDS) for _ in range(1_000)])
    reply = await scene.post(ask("hi", stream=True), path)
    assert (reply.status, reply.ended, scene.upstream.heard_cut) == (200, True, True)
    assert scene.upstream.sent < 1_000
    assert scene.used[0].ended == "cut"
    one = 8  # tokens of an event at most: the stream ends behind the one that was too much
    assert limit - one <= scene.used[0].input_tokens + scene.used[0].output_tokens <= limit + one
    assert (scene.left("tokens"), scene.left("slots")) == (0, 1)
    last = reply.data()[-1]
    assert "error" in last
    assert (await scene.post(ask("hi", stream=True), path)).status == 429


async def test_many_events_at_once_do_not_pass_together(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "500 tokens/hour"})
    scene.upstream.events([b"".join(event_of(chunk(WORDS)) for _ in range(1_000))])
    reply = await scene.post(ask("hi", stream=True))
    passed = len([one for one in reply.data() if one != "[DONE]" and "choices" in one])
    assert 500 // 8 <= passed <= 500 // 4 + 4_096 // len(event_of(chunk(WORDS)))
    assert "error" in reply.data()[-1]


async def test_a_stream_may_end_as_if_it_were_finished(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"}, on_exhausted="finish")
    scene.upstream.events([chunk(WORDS) for _ in range(1_000)])
    reply = await scene.post(ask("hi", stream=True))
    *_, last, done = reply.data()
    assert (last["choices"][0]["finish_reason"], done) == ("length", "[DONE]")


async def test_a_document_is_not_cut(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"})
    scene.upstream.document({"choices": [{"message": {"content": WORDS * 500}}], "usage": usage(9, 2_500)})
    reply = await scene.post(ask("hi"))
    assert reply.json()["usage"]["completion_tokens"] == 2_500
    assert (await scene.post(ask("hi"))).status == 429


async def test_a_coded_stream_is_read_and_passed_as_it_is(clock: ManualClock) -> None:
    scene = Scene(clock)
    plain = b"".join(event_of(chunk(WORDS, usage=None)) for _ in range(50)) + event_of(
        {**FINAL, "usage": usage(33, 44)}
    )
    coded = gzip.compress(plain)
    scene.upstream.headers = [(b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")]
    scene.upstream.pieces = [coded[at : at + 7] for at in range(0, len(coded), 7)]
    reply = await scene.post(ask(stream=True))
    assert gzip.decompress(reply.body) == plain
    assert scene.left("tokens") == 10_000 - 77


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_where_a_stream_is_cut_into_pieces_makes_no_difference(data: st.DataObject) -> None:
    import asyncio

    text = data.draw(st.text(min_size=1, max_size=40))
    events = [chunk(text, usage=None), chunk(WORDS, usage=None), {**FINAL, "usage": usage(3, 4)}]
    raw = json.dumps(events[0], ensure_ascii=False)
    whole = f"data: {raw}\n\n".encode("utf-8", "surrogatepass") + event_of(events[1]) + event_of(events[2])
    places = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    scene = Scene(ManualClock())
    scene.upstream.headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    scene.upstream.pieces = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]
    reply = asyncio.run(scene.post(ask(stream=True)))
    expected = f"data: {json.dumps(chunk(text), ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")
    assert json.loads(reply.body.split(b"\n\n")[0][6:]) == json.loads(expected[6:])
    assert reply.body.count(b"data: ") == 2
    assert scene.left("tokens") == 10_000 - 7


async def test_a_coded_stream_is_broken_off(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"})
    coded = gzip.compress(event_of(chunk(WORDS)) * 1_000, 0)
    scene.upstream.headers = [(b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")]
    scene.upstream.headers.append((b"content-length", b"%d" % len(coded)))
    scene.upstream.pieces = [coded[at : at + 1_000] for at in range(0, len(coded), 1_000)]
    reply = await scene.post(ask("hi", stream=True))
    assert (reply.ended, scene.upstream.heard_cut, scene.used[0].ended) == (False, True, "cut")
    assert "content-length" not in reply.head
    assert scene.left("tokens") == 0


async def test_views_of_memory_pass(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.events([memoryview(event_of(chunk(WORDS))), bytearray(event_of(chunk(WORDS)))], ending=b"")
    reply = await scene.post(ask(stream=True))
    assert reply.data() == [chunk(WORDS), chunk(WORDS)]


async def test_thinking_of_some_does_not_cut_others(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "100_000 tokens/hour", "own": "700 output-tokens/hour"})
    thinker, other = ("192.0.2.9", 1), ("192.0.2.1", 1)
    scene.upstream.document({"choices": [{"message": {"content": WORDS * 5}}], "usage": usage(9, 200)})
    for _ in range(30):
        await scene.post(ask("hi"), client=thinker)
    scene.upstream.events([chunk(WORDS) for _ in range(60)])
    reply = await scene.post(ask("hi", stream=True), client=other)
    assert reply.data()[-1] == "[DONE]"
    assert scene.used[-1].ended == "complete"


async def test_a_firm_reservation_is_not_cut_for_an_estimate(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "200 tokens/hour"}, reserve="max-tokens", max_tokens=100)
    final = {**FINAL, "usage": usage(5, 100)}
    scene.upstream.events([*(chunk(WORDS) for _ in range(35)), final])
    reply = await scene.post(ask("hi", stream=True))
    assert reply.data()[-1] == "[DONE]"
    assert scene.left("tokens") == 95


async def test_an_upstream_that_heeds_no_maximum_is_cut(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "200 tokens/hour"}, reserve="max-tokens", max_tokens=100)
    scene.upstream.events([chunk(WORDS) for _ in range(600)])
    reply = await scene.post(ask("hi", stream=True))
    assert "error" in reply.data()[-1]
    assert scene.used[0].output_tokens < 3 * 100


async def test_an_endless_line_that_is_cut_is_ended_first(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"})
    scene.upstream.events([b"data: " + b"x" * 4_000] + [b"x" * 4_000] * 60, ending=b"")
    reply = await scene.post(ask("hi", stream=True))
    assert len(reply.body) < 2 * 65_536 + 2 * 4_096
    assert b'\n\ndata: {"error"' in reply.body


async def test_a_line_without_end_passes_and_is_counted(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "1_000_000 tokens/hour"})
    scene.upstream.events([b"data: " + b"x" * 65_536] + [b"x" * 65_536] * 15, ending=b"")
    reply = await scene.post(ask(stream=True))
    assert len(reply.body) == 16 * 65_536 + 6
    assert scene.used[0].output_tokens > 50_000


async def test_an_upstream_that_ends_in_a_character(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.events(
        [event_of(chunk(WORDS)), 'data: {"choices":[{"delta":{"content":"ö'.encode()[:-1]], ending=b""
    )
    reply = await scene.post(ask(stream=True))
    assert reply.body == b"".join(scene.upstream.pieces)
    assert scene.left("slots") == 2


async def test_a_length_that_cannot_be_known_is_not_said(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.events([chunk(WORDS)])
    scene.upstream.headers.append((b"content-length", b"4711"))
    assert "content-length" not in (await scene.post(ask(stream=True))).head
