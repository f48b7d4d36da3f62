"""A request made less useful to who copies a model: no probabilities, shorter answers, one answer, a smaller model.

    >>> from ratelimit_guard import prompt
    >>> body = b'{"model": "big", "n": 8, "logprobs": true, "messages": []}'
    >>> less = degrade(body, prompt.Reader().scan(body), DegradeSettings(max_tokens=256, model={"*": "small"}))
    >>> less.body
    b'{"max_tokens":256,"model": "small", "n": 1, "logprobs": null, "messages": []}'
    >>> header_value(less.what)
    b'logprobs, max_tokens=256, n=1, model=small'

Only the bytes of these values change. Of a key that comes twice the last one counts, as for `json.loads`; a parser that
heeds the first one is not bound.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ratelimit_guard.prompt import Fields

    Edit = tuple[int, int, bytes]
    Places = Sequence[tuple[int, int]]

MAX_TOKENS = 2**31 - 1
NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
MAX_NUMBER = 32
"""Longest number that is read, in bytes."""
TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
STRING = re.compile(r"[ -~]*")

_KEYS = Reader(
    (
        # A table of the built-in scanner: parameters of `Fields` stand for the keys whose presence is asked for.
        "keys",
        {
            "messages": "model",
            "prompt": "user_id",
            "input": "n",
            "max_tokens": "max_tokens",
            "max_completion_tokens": "max_tokens",
            "max_tokens_to_sample": "temperature",
            "max_output_tokens": "top_p",
        },
    )
)


@dataclass(frozen=True, slots=True)
class DegradeSettings:
    """What to take away. `ConfigError` for a `max_tokens` outside 1..2**31-1 or a model without name.

    `model` maps the model asked for to its fallback; `"*"` is any other one.
    """

    strip_logprobs: bool = True
    max_tokens: int | None = None
    single: bool = True
    model: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Check."""
        if self.max_tokens is not None and not 1 <= self.max_tokens <= MAX_TOKENS:
            msg = f"max_tokens must be in 1..{MAX_TOKENS}, got {self.max_tokens!r}"
            raise ConfigError(msg)
        if not all(self.model.values()):
            msg = f"every model needs the name of its fallback, got {dict(self.model)!r:.100}"
            raise ConfigError(msg)


class Degraded(NamedTuple):
    """The body to hand on, and what was changed, in a fixed order; nothing, and the body is the one that came."""

    body: bytes
    what: tuple[str, ...]


def degrade(body: bytes, fields: Fields, settings: DegradeSettings) -> Degraded:
    """Edit what `fields` found in `body`. Of a compressed body, or one in UTF-16, the result is plain UTF-8.

    A body that could not be read stays as it is: look at `fields.problem`. Cost: 10 µs for 1 KB with everything
    changed, 6 µs when there is nothing to change.
    """
    if fields.problem is not None:
        return Degraded(body, ())
    spans, plain = fields.spans, fields.body
    edits: list[Edit] = []
    what: list[str] = []
    if settings.strip_logprobs:
        places = [*spans.get("logprobs", ()), *spans.get("top_logprobs", ())]
        _note(edits, what, _nulls(plain, places), "logprobs")
    if settings.max_tokens is not None:
        cap = settings.max_tokens
        more = _capped(plain, spans.get("max_tokens", ()), cap, b"") + _inserted(plain, cap)
        _note(edits, what, more, f"max_tokens={cap}")
    if settings.single:
        _note(edits, what, _capped(plain, spans.get("n", ()), 1, b"null"), "n=1")
    if settings.model:
        _models(plain, spans.get("model", ()), settings.model, edits, what)
    return Degraded(_edited(plain, edits), tuple(what)) if edits else Degraded(body, ())


def header_value(what: tuple[str, ...]) -> bytes:
    """The value of `Guard-Degraded`: a dictionary (RFC 8941) in the order of `what`."""
    return ", ".join(what).encode("ascii")


def _note(edits: list[Edit], what: list[str], more: list[Edit], name: str) -> None:
    if more:
        edits += more
        what.append(name)


def _nulls(body: bytes, places: Places) -> list[Edit]:
    """Switches that are off stay as they are: some servers take `false` and no null."""
    return [(start, end, b"null") for start, end in places if body[start:end] not in {b"null", b"false"}]


def _capped(body: bytes, places: Places, cap: int, default: bytes) -> list[Edit]:
    """Every value but `default` and numbers up to `cap`."""
    written = b"%d" % cap
    edits: list[Edit] = []
    for start, end in places:
        value = body[start:end]
        if value != default and not _within(value, cap):
            edits.append((start, end, written))
    return edits


def _within(value: bytes, cap: int) -> bool:
    """Is this a number above 0 and up to `cap`? 0, -1 and null are no limit at all to some servers."""
    return len(value) <= MAX_NUMBER and NUMBER.fullmatch(value) is not None and 0 < float(value) <= cap


def _inserted(body: bytes, cap: int) -> list[Edit]:
    """The keys that cap an answer and are not there, behind the body's first brace.

    What is there is asked for by the API that the body is written for, or a key of another API would keep the cap away.

    - `messages` and `prompt` get `max_tokens`: servers of open models know it, and Anthropic. One that does not know
      `max_completion_tokens` would ignore it, and nobody would notice; OpenAI's reasoning models, which do not know
      `max_tokens`, refuse it.
    - `input` gets `max_output_tokens`. Embeddings have an `input` too: do not degrade their routes where unknown keys
      are errors.
    - Gemini's `contents` get nothing: the place is inside of `generationConfig`, which need not be there.
    """
    there = _KEYS.scan(body).spans
    prompts = [body[start] for start, _ in there.get("user_id", ())]
    is_stored = prompts[-1:] == [ord("{")]  # of OpenAI's responses, which may have no `input` then
    chat, completion = "model" in there, bool(prompts) and not is_stored and "temperature" not in there
    keys = b""
    if (chat or completion) and "max_tokens" not in there:
        keys += b'"max_tokens":%d,' % cap
    if ("n" in there or is_stored) and "top_p" not in there:
        keys += b'"max_output_tokens":%d,' % cap
    if not keys:
        return []
    place = body.index(b"{") + 1
    return [(place, place, keys)]


def _models(body: bytes, places: Places, fallbacks: Mapping[str, str], edits: list[Edit], what: list[str]) -> None:
    """What is no string stays: no server takes it for a model."""
    used: str | None = None
    for start, end in places:
        if body[start] != ord('"'):
            continue
        model: str = json.loads(body[start:end])
        fallback = fallbacks.get(model) or fallbacks.get("*", model)
        if fallback != model:
            edits.append((start, end, json.dumps(fallback).encode()))
            used = fallback
    if used is not None:
        what.append(_member(used))


def _member(model: str) -> str:
    """A member of a dictionary: `model=` and a token, a string, or without value for what neither can hold."""
    if TOKEN.fullmatch(model):
        return f"model={model}"
    if STRING.fullmatch(model):
        escaped = model.replace("\\", "\\\\").replace('"', '\\"')
        return f'model="{escaped}"'
    return "model"


def _edited(body: bytes, edits: list[Edit]) -> bytes:
    """The body with all edits. Of two that overlap, by a table of paths inside each other, the outer one."""
    pieces: list[bytes] = []
    done = 0
    for start, end, value in sorted(edits, key=_order):
        if start >= done:
            pieces += (body[done:start], value)
            done = end
    pieces.append(body[done:])
    return b"".join(pieces)


def _order(edit: Edit) -> tuple[int, int]:
    return edit[0], -edit[1]
