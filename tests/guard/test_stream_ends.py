"""How each dialect ends a stream in its midst, and that no upstream can make it say anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard.dialect import ANTHROPIC, DIALECTS, GEMINI, OPENAI, PROBLEM, Dialect, Told
from ratelimit_guard.dialect.stream import MAX_CHOICES, Stream

TOLD = Told(429, "rate_limit_exceeded", "tokens", "limit daily exceeded", "req_1", 33.2)


def events(*data: Any) -> bytes:
    named = [(f"event: {one['type']}\n" if "type" in one else "") + f"data: {json.dumps(one)}\n\n" for one in data]
    return "".join(named).encode()


def chunk(index: int, reason: str | None = None) -> dict[str, Any]:
    choices = [{"index": index, "delta": {"content": "a"}, "finish_reason": reason}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": choices}


CHAT = events(chunk(0), chunk(1), chunk(2), chunk(1, "stop"))
COMPLETION = events({"id": "t1", "object": "text_completion", "choices": [{"index": 0, "text": "a"}]})
RESPONSE = events(
    {"type": "response.created", "sequence_number": 0, "response": {"id": "r1", "status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "sequence_number": 7, "delta": "a"},
)
MESSAGE = events(
    {"type": "message_start", "message": {"id": "m1"}},
    {"type": "content_block_start", "index": 0, "content_block": {}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": '"type":"message_stop"'}},
)
OLDER = events({"type": "completion", "completion": "a", "stop_reason": None, "model": "m"})
CANDIDATE = events({"candidates": [{"content": {"parts": [{"text": "a"}]}}], "responseId": "g1", "modelVersion": "g"})
STREAMS: dict[str, tuple[Dialect, bytes]] = {
    "chat": (OPENAI, CHAT),
    "completions": (OPENAI, COMPLETION),
    "responses": (OPENAI, RESPONSE),
    "anthropic": (ANTHROPIC, MESSAGE),
    "complete": (ANTHROPIC, OLDER),
    "gemini": (GEMINI, CANDIDATE),
}
EACH = pytest.mark.parametrize("shape", STREAMS)


def fed(*pieces: bytes, **options: Any) -> Stream:
    stream = Stream(**options)
    for piece in pieces:
        stream.feed(piece)
    return stream


def data(sent: bytes) -> list[Any]:
    lines = [line[6:] for line in sent.split(b"\n") if line.startswith(b"data: ")]
    return [line if line == b"[DONE]" else json.loads(line, parse_constant=pytest.fail) for line in lines]


def ends(shape: str, *pieces: bytes) -> tuple[bytes, bytes]:
    dialect, stream = STREAMS[shape][0], fed(*pieces)
    return dialect.cut(TOLD, stream), dialect.finish(stream)


@EACH
def test_the_shape_is_seen(shape: str) -> None:
    dialect, sent = STREAMS[shape]
    stream = fed(sent)
    assert stream.shape == shape
    assert PROBLEM.cut(TOLD, stream) == dialect.cut(TOLD, stream)
    assert PROBLEM.finish(stream) == dialect.finish(stream)


@EACH
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_it_does_not_matter_where_a_stream_is_cut_into_pieces(shape: str, line_end: bytes) -> None:
    whole = STREAMS[shape][1]
    sent = whole.replace(b"\n", line_end)
    for step in (1, 2, 7, len(sent)):
        assert ends(shape, *[sent[at : at + step] for at in range(0, len(sent), step)]) == ends(shape, whole)


@EACH
def test_a_cut_says_why(shape: str) -> None:
    (said,) = data(ends(shape, STREAMS[shape][1])[0])
    assert "limit daily exceeded" in said["error"]["message"]
    assert next(iter(said)) == ("error" if shape in {"chat", "completions", "gemini"} else "type")


def test_a_response_is_cut_in_both_its_spellings() -> None:
    cut = ends("responses", RESPONSE)[0]
    (said,) = data(cut)
    assert cut.startswith(b"event: error\n")
    assert (said["type"], said["sequence_number"], said["code"]) == ("error", 8, said["error"]["code"])


def test_a_chat_finishes_the_choices_that_are_open() -> None:
    stream = fed(CHAT, input_tokens=7, wants_usage=True)
    stream.output_tokens = 3
    *chunks, usage, done = data(OPENAI.finish(stream))
    assert [one["choices"][0] for one in chunks] == [
        {"index": index, "delta": {}, "logprobs": None, "finish_reason": "length"} for index in (0, 2)
    ]
    assert {(one["id"], one["model"], one["created"]) for one in [*chunks, usage]} == {("c1", "m", 5)}
    assert (usage["choices"], usage["usage"]["total_tokens"], done) == ([], 10, b"[DONE]")
    (text, _) = data(ends("completions", COMPLETION)[1])
    assert (text["object"], text["choices"][0]["text"]) == ("text_completion", "")


def test_the_first_choice_is_open_though_nothing_was_seen_of_it() -> None:
    """Azure begins with an event of no choices; a choice of index 0 is not looked for in every later one."""
    begun = events({"id": "", "choices": [], "prompt_filter_results": []}, chunk(0), chunk(1, "stop"))
    assert fed(begun).open_choices() == [0]
    *chunks, _ = data(ends("chat", begun)[1])
    assert [(one["id"], one["choices"][0]["index"]) for one in chunks] == [("c1", 0)]


def test_a_response_finishes_incomplete() -> None:
    (said,) = data(ends("responses", RESPONSE)[1])
    response = said["response"]
    assert (said["type"], said["sequence_number"]) == ("response.incomplete", 8)
    assert (response["id"], response["status"]) == ("r1", "incomplete")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_message_finishes_its_open_block() -> None:
    stream = fed(MESSAGE)
    stream.output_tokens = 3
    stop, delta, end = data(ANTHROPIC.finish(stream))
    assert (stop["type"], stop["index"], end) == ("content_block_stop", 1, {"type": "message_stop"})
    assert (delta["delta"]["stop_reason"], delta["usage"]) == ("max_tokens", {"output_tokens": 3})
    stream.feed(events({"type": "content_block_stop", "index": 1}))
    assert len(data(ANTHROPIC.finish(stream))) == 2
    stream.feed(events({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}))
    assert data(ANTHROPIC.finish(stream)) == [end]
    (older,) = data(ends("complete", OLDER)[1])
    assert (older["type"], older["stop_reason"], older["model"]) == ("completion", "max_tokens", "m")


def test_a_candidate_finishes() -> None:
    (said,) = data(ends("gemini", CANDIDATE)[1])
    assert (said["candidates"][0]["finishReason"], said["responseId"]) == ("MAX_TOKENS", "g1")
    ended = events({"candidates": [{"finishReason": "STOP"}]})
    assert ends("gemini", CANDIDATE, ended)[1] == b""


@pytest.mark.parametrize(
    ("shape", "last"),
    [
        ("chat", b"data: [DONE]\n\n"),
        ("completions", b"data:[DONE]\n\n"),
        ("responses", events({"type": "response.completed", "response": {}})),
        ("anthropic", events({"type": "message_stop"})),
        ("complete", events({"type": "completion", "stop_reason": "stop_sequence"})),
    ],
)
def test_nothing_follows_a_stream_that_is_over(shape: str, last: bytes) -> None:
    assert ends(shape, STREAMS[shape][1], last) == (b"", b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
names = ["type", "object", "choices", "candidates", "response", "index", "sequence_number", "finish_reason", "id"]
kinds = st.sampled_from(["response.created", "message_start", "content_block_start", "completion", "text_completion"])
members = st.sampled_from(names)
inner = st.lists(st.dictionaries(members, json_values, max_size=3), max_size=2)
hostile = st.dictionaries(members, json_values | kinds | inner, max_size=4)
lines = hostile.map(lambda one: b"data: %s\n\n" % json.dumps(one).encode())


@given(st.lists(lines | st.binary(max_size=40), max_size=4))
def test_no_upstream_makes_it_raise_or_speak_anything_but_events(pieces: list[bytes]) -> None:
    for dialect in DIALECTS.values():
        stream = fed(*pieces)
        for sent in (dialect.cut(TOLD, stream), dialect.finish(stream)):
            assert sent == b"" or sent.endswith(b"\n\n")
            data(sent)


def test_a_stream_takes_bounded_memory() -> None:
    """A line without end, lines that are too long and ever more choices."""
    stream = fed(CHAT, *[b"data: " + b"x" * 9999] * 100)
    stream.feed(b"data: [DONE]\n")  # still of the long line
    assert (stream.is_over, stream.open_choices()) == (False, [0, 2])
    stream.feed(events(*[chunk(index) for index in range(3 * MAX_CHOICES)], {**chunk(1), "pad": "x" * 99_999}))
    assert len(stream.choices) == MAX_CHOICES
    assert stream.last()["choices"][0]["index"] == 3 * MAX_CHOICES - 1


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
def test_what_is_no_number_in_json_is_not_handed_on(number: bytes) -> None:
    begun = b'data: {"type":"response.created","response":{"id":"r1","top_p":%s}}\n\n' % number
    (said,) = data(ends("responses", begun)[1])
    assert (said["response"]["id"], said["response"]["top_p"]) == ("r1", None)


def test_nesting_that_can_just_be_read_is_no_error() -> None:
    """Somewhere below the interpreter's limit is the depth that can be read and not be written."""
    for depth in (*range(600, 1000), 20_000):
        nested = b"[" * depth + b"]" * depth
        response, chat = Stream(), Stream()
        response.feed(b'data: {"type":"response.created","response":{"x":%s}}\n\n' % nested)
        chat.feed(b'data: {"choices":[],"id":%s}\n\n' % nested)
        assert OPENAI.finish(response).endswith(b"\n\n")
        assert OPENAI.finish(chat).endswith(b"[DONE]\n\n")
