"""Counting tokens, as Python sees it: what is counted is tested in `rust/core/tests/tokens`."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from ratelimit_guard._core import tokens
from ratelimit_guard.errors import UsageError
from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from typing import Literal

WORDS = "Why is the sky blue, and what would it take for it to be green?"
READER = Reader()


def body(content: Any, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **more}).encode()


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def test_a_prompt_has_an_estimate_and_surely_a_quarter_of_it() -> None:
    words = tokens.estimate_text(WORDS)
    assert 14 <= words <= 18
    assert tokens.estimate(READER.scan(body(WORDS))) == (words + 4, words // 4)
    assert tokens.estimate(READER.read(body(WORDS)).fields) == (words + 4, words // 4)
    assert tokens.estimate(READER.scan(body(WORDS, tools=[{"name": "f"}])))[0] > words + 4


@pytest.mark.parametrize(
    ("raw", "estimated"),
    [
        (b"", (0, 0)),
        (b"no json at all", (0, 0)),
        (b"\xff\xfe", (0, 0)),
        (b"[" * 2000, (500, 0)),
        (b'{"prompt":[' + b'"",' * 5000 + b'""]}', (3754, 0)),
        (b"{}", (0, 0)),
    ],
)
def test_a_body_that_cannot_be_read_counts_by_its_bytes_or_not_at_all(raw: bytes, estimated: tuple[int, int]) -> None:
    assert tokens.estimate(READER.scan(raw)) == estimated
    assert tokens.estimate(READER.read(raw, content_encoding="unheard-of").fields) == (0, 0)


def test_text_that_is_no_utf_8_counts() -> None:
    assert tokens.estimate_text("\ud800") > 0
    assert tokens.estimate_text("") == 0


def test_a_meter_of_events() -> None:
    meter = tokens.Meter("events")
    assert meter.feed(event(WORDS)) == meter.estimated == tokens.estimate_text(WORDS)
    assert (meter.text(), meter.usage, meter.document()) == (WORDS, (None, None), None)
    assert not meter.in_event
    assert meter.feed(b"data: {}") == 0
    assert meter.in_event
    assert [meter.rest_of_event(chunk) for chunk in (b"\n", b"\n\n", b"\r\n\r\nx", b"x\n")] == [1, 2, 4, 2]
    meter.feed(b'\n\ndata: {"usage": {"prompt_tokens": 3, "completion_tokens": 5}}')
    assert (meter.usage, meter.finish(), meter.usage, meter.finish()) == ((None, None), 0, (3, 5), 0)


def test_a_meter_of_a_document() -> None:
    raw = json.dumps({"choices": [{"message": {"content": WORDS}}], "usage": {"prompt_tokens": 3}}).encode()
    meter = tokens.Meter("json", text=False)
    assert (meter.feed(raw[:20]), meter.feed(raw[20:]), meter.in_event, meter.rest_of_event(b"\n\n")) == (
        0,
        0,
        False,
        0,
    )
    assert meter.document() == raw
    assert meter.finish() == meter.estimated == tokens.estimate_text(WORDS)
    assert (meter.usage, meter.text(), meter.finish()) == ((3, None), None, 0)


def test_a_document_that_is_too_long_is_not_kept() -> None:
    meter = tokens.Meter("json")
    assert meter.feed(b" " * tokens.MAX_ANSWER_BODY) == 0
    assert meter.feed(b" ") == tokens.MAX_ANSWER_BODY // 4 + 1
    assert meter.document() is None


def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match='kind must be json or events, got "xml"'):
        tokens.Meter(cast("Literal['json']", "xml"))


def test_a_filter() -> None:
    filtering = tokens.UsageFilter()
    came = b'data: {"choices":[{}],"usage":null}\n\ndata: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\nx'
    assert filtering.feed(came) == b'data: {"choices":[{}]}\n\ndata: [DONE]\n\n'
    assert (filtering.finish(), filtering.finish()) == (b"x", b"")


def test_a_meter_may_be_shared_by_threads() -> None:
    """Large pieces are read without the interpreter lock; none is lost."""
    meter = tokens.Meter("events")
    many = event("word ") * 6000
    start = threading.Barrier(4)

    def feed() -> None:
        start.wait()
        for _ in range(3):
            meter.feed(many)

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(many) > 256 << 10
    assert meter.estimated == tokens.estimate_text("word " * 6000 * 12)
