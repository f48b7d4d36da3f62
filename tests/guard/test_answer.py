"""What the model answered: from every API, however the response was cut, and from none that is no answer."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard.answer import MAX_ANSWER_BODY, MAX_LINE, MAX_TEXT, AnswerText

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]


def read(body: Any, *cuts: int) -> tuple[str | None, int | None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fed(AnswerText(200, JSON), raw, cuts)


def stream(*events: Any, cuts: tuple[int, ...] = (), end: bytes = b"\n\n") -> tuple[str | None, int | None]:
    return fed(AnswerText(200, EVENTS), lines(*events, end=end), cuts)


def lines(*events: Any, end: bytes = b"\n\n") -> bytes:
    raw = [event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode() for event in events]
    return b"".join(b"data: " + event + end for event in raw)


def fed(answer: AnswerText, raw: bytes, cuts: tuple[int, ...]) -> tuple[str | None, int | None]:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for start, end in pairwise(edges):
        answer.feed(raw[start:end])
    return answer.text(), answer.tokens()


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}], **more}


def delta(content: Any, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": content}}], **more}


@pytest.mark.parametrize(
    ("body", "text", "tokens"),
    [
        (chat("hello", usage={"completion_tokens": 7, "prompt_tokens": 3}), "hello", 7),
        (chat([{"type": "text", "text": "a"}, {"type": "refusal"}, {"text": "b"}]), "a\nb", None),
        (chat(None, usage=None), None, None),
        ({"choices": [{"text": "legacy"}, {"text": "second"}]}, "legacy", None),
        (
            {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"text": "b"}]}
            | {"usage": {"input_tokens": 5, "output_tokens": 9}},
            "a\nb",
            9,
        ),
        (
            {
                "candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "a"}]}}, {}],
                "usageMetadata": {"candidatesTokenCount": 0},
            },
            "a",
            0,
        ),
        (
            {
                "output": [
                    {"type": "reasoning", "content": [{"text": "hm"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                    {"type": "function_call"},
                ],
                "usage": {"output_tokens": 2},
            },
            "a",
            2,
        ),
        (
            [
                {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"candidatesTokenCount": 1}},
                {"candidates": [{"content": {"parts": [{"text": "b"}]}}], "usageMetadata": {"candidatesTokenCount": 2}},
            ],
            "ab",
            2,
        ),
        ({"data": [{"embedding": [1.0]}], "usage": {"prompt_tokens": 8}}, None, None),
        (chat(""), None, None),
        ({}, None, None),
    ],
)
def test_documents_of_every_api(body: Any, text: str | None, tokens: int | None) -> None:
    assert read(body) == (text, tokens)
    assert read(body, 1, 10, 10, 30) == (text, tokens)


@pytest.mark.parametrize("count", [-1, 2**31, True, False, 1.0, "3", None, [], {}])
def test_counts_that_are_none(count: Any) -> None:
    for usage in ({"usage": {"completion_tokens": count}}, {"usageMetadata": {"candidatesTokenCount": count}}):
        assert read(chat("a", **usage)) == ("a", None)
    assert read(chat("a", usage={"completion_tokens": count, "output_tokens": 2**31 - 1})) == ("a", 2**31 - 1)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (199, JSON),
        (300, JSON),
        (500, JSON),
        (200, []),
        (200, [(b"content-type", b"application/problem+json")]),
        (200, [(b"content-type", b"text/html")]),
        (200, [*JSON, (b"content-encoding", b"compress")]),
        (200, [(b"Content-Encoding", b"br"), *EVENTS]),
        (200, [(b"content-type", b"\xff\x00")]),
    ],
)
def test_what_is_not_wanted(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    answer = AnswerText(status, headers)
    assert not answer.wanted
    assert fed(answer, json.dumps(chat("a", usage={"completion_tokens": 1})).encode(), ()) == (None, None)


def test_what_is_wanted() -> None:
    for headers in (
        JSON,
        EVENTS,
        [(b"Content-Type", b" Application/JSON ; charset=utf-8"), (b"content-encoding", b"identity")],
    ):
        assert AnswerText(201, headers).wanted


def test_the_longest_document() -> None:
    whole = json.dumps(chat("x" * (MAX_ANSWER_BODY - 200))).encode()
    padded = whole + b" " * (MAX_ANSWER_BODY - len(whole))
    assert read(padded, 1000)[0] == "x" * (MAX_ANSWER_BODY - 200)
    answer = AnswerText(200, JSON)
    assert fed(answer, padded + b" ", (1000,)) == (None, None)
    assert not answer.wanted


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"choices":' * 20_000,
        b'{"usage": {"completion_tokens": ' + b"9" * 10_000 + b"}}",
        b'{"choices": NaN, "usage": Infinity}',
        b'{"output": [{"type": {}, "content": []}, {"type": []}]}',
    ],
)
def test_bodies_that_are_no_answer(body: bytes) -> None:
    assert read(body) == (None, None)
    assert stream(body) == (None, None)


KEYS = "choices message delta content text parts candidates output usage usageMetadata response type index thought"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["a", "content_block_delta", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split(" ")), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_any_document_has_a_text_or_none(body: Any) -> None:
    raw = json.dumps(body).encode()
    for text, tokens in (read(raw), stream(raw)):
        assert text is None or text.encode()
        assert tokens is None or tokens >= 0


def test_surrogates() -> None:
    assert read(chat("a\ud83d\ude00\ud83d")) == ("a\U0001f600\ufffd", None)
    assert stream(
        b'{"choices":[{"delta":{"content":"\\ud83d"}}]}', b'{"choices":[{"delta":{"content":"\\ude00"}}]}'
    ) == (
        "\U0001f600",
        None,
    )


# Streams

OPENAI = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": None},
    delta("Grüße, "),
    delta("other", index=1),
    delta("wörld 😀"),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"completion_tokens": 5}},
    b"[DONE]",
]
ANTHROPIC = [
    {"type": "message_start", "message": {"content": [], "usage": {"output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "there"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
]
RESPONSES = [
    {"type": "response.output_text.delta", "delta": "Hel"},
    {"type": "response.reasoning_text.delta", "delta": "hm"},
    {"type": "response.output_text.delta", "delta": "lo"},
    {"type": "response.completed", "response": {"usage": {"output_tokens": 3}}},
]
GEMINI = [
    {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}], "usageMetadata": {"candidatesTokenCount": 1}},
    {"candidates": [{"content": {"parts": [{"text": "lo"}]}}], "usageMetadata": {"candidatesTokenCount": 2}},
]
STREAMS = [
    (OPENAI, ("Grüße, wörld 😀", 5)),
    (ANTHROPIC, ("Hello\nthere", 15)),
    (RESPONSES, ("Hello", 3)),
    (GEMINI, ("Hello", 2)),
]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize(("events", "found"), STREAMS, ids=["openai", "anthropic", "responses", "gemini"])
def test_streams_of_every_api(events: list[Any], found: tuple[str, int], end: bytes) -> None:
    assert stream(*events, end=end) == found
    assert stream(*events, end=end, cuts=tuple(range(5000))) == found


@given(cuts=st.lists(st.integers(0, 900), max_size=20), which=st.sampled_from(STREAMS))
def test_a_stream_may_be_cut_anywhere(cuts: list[int], which: tuple[list[Any], tuple[str, int]]) -> None:
    assert stream(*which[0], cuts=tuple(cuts)) == which[1]


def test_other_lines_of_a_stream() -> None:
    answer = AnswerText(200, EVENTS)
    raw = b": comment\nevent: x\nid: 3\nretry: 5\n\ndata:" + json.dumps(delta("a")).encode() + b"\n\ndata\n\ndata:\n\n"
    assert fed(answer, raw, ()) == ("a", None)


def test_a_stream_that_ends_early_has_no_count() -> None:
    assert stream(*ANTHROPIC[:4]) == ("Hel", None)
    assert fed(AnswerText(200, EVENTS), lines(OPENAI[1])[:-30], ()) == (None, None)


def test_a_full_text_still_gets_its_count() -> None:
    many = [delta("x" * 1000)] * 50
    text, tokens = stream(*many, *OPENAI[-2:])
    assert (text, tokens) == ("x" * MAX_TEXT, 5)


@pytest.mark.parametrize("piece", [1000, MAX_LINE * 4])
def test_lines_that_are_too_long_are_passed_over(piece: int) -> None:
    endless = b"data: " + b"x" * (MAX_LINE * 3)
    answer = AnswerText(200, EVENTS)
    raw = lines(delta("a")) + endless + b"\n" + lines(delta("b"))
    assert fed(answer, raw, tuple(range(0, len(raw), piece))) == ("ab", None)


@pytest.mark.parametrize("headers", [JSON, EVENTS], ids=["json", "events"])
def test_a_compressed_answer_is_read(headers: list[tuple[bytes, bytes]]) -> None:
    raw = lines(*OPENAI) if headers is EVENTS else json.dumps(chat("hello", usage={"completion_tokens": 5})).encode()
    for cuts in ((), (1, 10, 11, 40), tuple(range(len(raw)))):
        answer = AnswerText(200, [*headers, (b"Content-Encoding", b" GZIP ")])
        assert fed(answer, gzip.compress(raw), cuts) == ("Grüße, wörld 😀" if headers is EVENTS else "hello", 5)
        assert answer.wanted


@pytest.mark.parametrize("headers", [JSON, EVENTS], ids=["json", "events"])
def test_an_answer_that_is_not_in_its_coding_is_given_up(headers: list[tuple[bytes, bytes]]) -> None:
    answer = AnswerText(200, [*headers, (b"content-encoding", b"gzip")])
    assert fed(answer, lines(*OPENAI), ()) == (None, None)
    assert not answer.wanted
