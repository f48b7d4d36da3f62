"""What has to be known of a stream of server-sent events to end it in its midst.

In the APIs whose streams are read here each event is one line of data.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal, TypeAlias

from ratelimit_guard._core import tokens

Shape: TypeAlias = Literal["chat", "completions", "responses", "anthropic", "complete", "gemini"]

MAX_LINE = tokens.MAX_LINE
"""Longest line that is read, in bytes; longer ones are passed over. Three lines are kept: first, last, unfinished."""
MAX_INDEX = 1 << 16
"""Of a choice or block: no answer has so many."""
MAX_CHOICES = 128
"""Choices that are told apart: the most that OpenAI gives at once."""
MAX_DONE = 32
"""Longest line in which the end mark `[DONE]` is looked for, in bytes."""
_CHOICES = re.compile(rb'n(?:ish_?[Rr]eason|dex)"\s*:\s*["1-9]')
"""`finish_reason` or `finishReason` with a reason, or an `index` that is not 0; three times as fast as in full."""
_MARKS = {
    "chat": _CHOICES,
    "completions": _CHOICES,
    "gemini": _CHOICES,
    "responses": re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"'),
    "anthropic": re.compile(rb'"type"\s*:\s*"(?:content_block_st|message_delta|message_stop|error)'),
    "complete": re.compile(rb'"stop_reason"\s*:\s*"'),
}
"""Lines of which something may have to be remembered. No text looks like these, as its quotes are escaped."""

_ENDS = ("message_stop", "error", "response.completed", "response.incomplete", "response.failed")
"""A tuple: what an upstream gives as a type need not have a hash."""


class Stream:
    """A stream as it passes: its shape, which choices are open, the last event. Never raises; bounded memory.

    `input_tokens` and `output_tokens` are the caller's count for the usage that `Dialect.finish` tells;
    `wants_usage`: a chat's client has asked for a usage event. Not to be shared by threads. Cost: 1.5 µs for a piece
    of one event, 5 µs for events that open or end something or belong to a further choice.
    """

    __slots__ = (
        "_first",
        "_last",
        "_line",
        "_skips",
        "block",
        "choices",
        "input_tokens",
        "is_over",
        "output_tokens",
        "shape",
        "stopped",
        "wants_usage",
    )

    def __init__(self, *, input_tokens: int = 0, wants_usage: bool = False) -> None:
        """Of which API it is shows in its first event."""
        self.input_tokens, self.output_tokens, self.wants_usage = input_tokens, 0, wants_usage
        self.shape: Shape | None = None
        self.choices = {0: False}
        """Choices by index: has it ended? The first one is there even if nothing has been seen of it."""
        self.block: int | None = None
        """Anthropic's content block that is open."""
        self.stopped = self.is_over = False
        """`stopped`: Anthropic's reason to stop has passed; `is_over`: the event that ends the stream has."""
        self._first = self._last = b""
        self._line = bytearray()
        self._skips = False

    def feed(self, chunk: bytes) -> None:
        """Take a piece; where it was cut does not matter."""
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        if lines:
            if self._line or self._skips:
                lines[0] = b"" if self._skips else bytes(self._line) + lines[0]
                self._line.clear()
                self._skips = False
            for line in lines:
                if line.startswith(b"data:") and len(line) <= MAX_LINE:
                    self._data(line)
        self._line += rest
        if self._skips or len(self._line) > MAX_LINE:
            self._line.clear()
            self._skips = True

    def first(self) -> dict[str, Any]:
        """Data of the first event."""
        return parsed(self._first)

    def last(self) -> dict[str, Any]:
        """Data of the last event."""
        return parsed(self._last)

    def open_choices(self) -> list[int]:
        """Indices of the choices that have not ended."""
        return [index for index, ended in self.choices.items() if not ended]

    def _data(self, line: bytes) -> None:
        if len(line) <= MAX_DONE and b"[DONE]" in line:
            self.is_over = True
            return
        if self.shape is None:
            self._begin(line)
        self._last = line
        if self.shape is not None and _MARKS[self.shape].search(line):
            self._note(self.shape, parsed(line))

    def _begin(self, line: bytes) -> None:
        event = parsed(line)
        self.shape = _shape(event)
        self._first = line
        if "choices" in event or "candidates" in event:
            self._choices(event)

    def _note(self, shape: Shape, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind in _ENDS or shape == "complete":
            self.is_over = True
        elif _MARKS[shape] is _CHOICES:
            self._choices(event)
        elif kind == "content_block_start":
            self.block = index_of(event)
        elif kind == "content_block_stop":
            self.block = None
        elif kind == "message_delta":
            self.stopped = True

    def _choices(self, event: dict[str, Any]) -> None:
        for choice in objects(event.get("choices", event.get("candidates"))):
            index = index_of(choice)
            if index is not None and index < MAX_CHOICES:
                ended = choice.get("finish_reason") or choice.get("finishReason")
                self.choices[index] = self.choices.get(index, False) or bool(ended)


def index_of(value: dict[str, Any]) -> int | None:
    """The index of a choice or block; Gemini leaves out a zero."""
    index = value.get("index", 0)
    return index if type(index) is int and 0 <= index <= MAX_INDEX else None


def count_of(value: Any) -> int | None:
    """A count as JSON has it."""
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def parsed(line: bytes) -> dict[str, Any]:
    """The object of a line of data; empty for whatever is none. All of it can be written as JSON again."""
    try:
        value = _decode(line[5:].decode())
    except (ValueError, RecursionError):
        return {}
    return object_(value)


def object_(value: Any) -> dict[str, Any]:
    """Empty for what is none."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def plain(event: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those members that are texts or integers: what an upstream nests in their places is not handed on."""
    return {name: event[name] for name in names if isinstance(event.get(name), str | int)}


def objects(value: Any) -> list[dict[str, Any]]:
    """Those of a list; of what is none nothing."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None).decode


def _shape(event: dict[str, Any]) -> Shape | None:
    kind = event.get("type")
    if "choices" in event:
        return "completions" if event.get("object") == "text_completion" else "chat"
    if "candidates" in event or "usageMetadata" in event:
        return "gemini"
    if not isinstance(kind, str):
        return None
    if kind.startswith("response."):
        return "responses"
    return "complete" if kind == "completion" else "anthropic"
