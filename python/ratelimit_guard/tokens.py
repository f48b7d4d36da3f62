"""Tokens of a call before anybody has counted them: what to reserve, and what to ask of the upstream so that it tells.

>>> from ratelimit_guard.config import TokensSection
>>> tokens = Tokens(TokensSection())
>>> body = b'{"model": "m", "messages": [{"role": "user", "content": "What do cats like?"}], "stream": true}'
>>> fields = tokens.scan(body, None)
>>> need = tokens.need(fields, len(body), "/v1/chat/completions")
>>> need.ask.output
256
>>> tokens.prepared(need, body, "/v1/chat/completions", is_edited=False)[0][:40]
b'{"stream_options":{"include_usage":true}'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard._core import tokens as _tokens
from ratelimit_guard.answer import BYTES_PER_TOKEN
from ratelimit_guard.degrade import DegradeSettings, degrade
from ratelimit_guard.dialect.stream import MAX_CHOICES
from ratelimit_guard.prompt import Reader
from ratelimit_guard.spending import Ask

if TYPE_CHECKING:
    from ratelimit_guard.config import TokensSection
    from ratelimit_guard.prompt import Fields

MOST_WRONG = 2
"""Times that an estimate may be off before it is the upstream that does not heed `max_tokens`."""
MAX_MODEL = 256
"""Characters of a model's name that tell it from others."""

# A table of the built-in scanner: parameters of `Fields` that hold a text and a switch stand for the two keys.
_OPTIONS = Reader(("options", {"stream_options": "user_id", "stream_options.include_usage": "logprobs"}))
_COMPLETIONS = "/completions"
_ANSWERLESS = ("/embeddings", ":embedContent", ":batchEmbedContents", "/count_tokens", ":countTokens", "/moderations")
"""What is asked there is answered without a token of output."""


class Settings(NamedTuple):
    """The section in force, and what it makes of requests that may answer too long."""

    section: TokensSection
    capped: DegradeSettings


class Need(NamedTuple):
    """What a call asks for, by its body, under the settings that held then.

    `fields` is None for a body that could not be read; `model` is a number. Of the prompt's tokens `estimated` is what
    was counted, `likely` what that mostly is with this model.
    """

    ask: Ask
    model: int
    fields: Fields | None
    estimated: int
    likely: int
    settings: Settings


class Tokens:
    """What a guard knows about tokens. Thread-safe."""

    def __init__(self, section: TokensSection) -> None:
        """Nothing is learned yet; each process learns for itself."""
        self._reader = Reader()
        self._ratios = _tokens.Ratios()
        self._settings = _settings(section)

    def follow(self, section: TokensSection) -> None:
        """Heed what a reload has changed; what was learned stays."""
        self._settings = _settings(section)

    @property
    def max_body_bytes(self) -> int:
        """Longest body that is read."""
        return self._settings.section.max_body_bytes

    @property
    def body_timeout_s(self) -> float:
        """Seconds in which a body must come."""
        return self._settings.section.body_timeout_s

    def scan(self, body: bytes | None, content_encoding: str | None) -> Fields | None:
        """What stands where in a body, None when it cannot be read. Cost: 1 µs for 1 KB."""
        if not body:
            return None
        fields = self._reader.scan(body)
        if fields.problem is not None:
            fields = self._reader.read(body).fields
        # Most apps do not look at the coding, so who names one for a plain body must not go unseen by that.
        if fields.problem is not None and content_encoding:
            fields = self._reader.read(body, content_encoding=content_encoding).fields
        return None if fields.problem is not None else fields

    def need(self, fields: Fields | None, size: int, path: str) -> Need:
        """What to reserve for a body of `size` bytes."""
        settings = self._settings
        if fields is None:
            estimated = size // BYTES_PER_TOKEN
            needed, sure, likely, model = estimated, 0, estimated, 0
        else:
            needed, sure, likely, estimated, model = self._ratios.need(fields)
        slice_ = settings.section.slice
        if path.endswith(_ANSWERLESS):
            ask = Ask(needed, sure)
        elif fields is not None and self.enforces(path):
            full = _most(fields, settings.section.max_tokens)
            ask = Ask(needed, sure, full, full, True, full)
        else:
            asked = None if fields is None else fields.max_tokens
            most = slice_ if asked is None or asked <= 0 else asked * _choices(fields)
            ask = Ask(needed, sure, min(slice_, most), 1, False, slice_)
        return Need(ask, model, fields, estimated, likely, settings)

    def enforces(self, path: str) -> bool:
        """Must `max_tokens` be written into the requests of this path?"""
        return self._settings.section.reserve == "max-tokens" and not path.endswith(_ANSWERLESS)

    def prepared(self, need: Need, body: bytes, path: str, *, is_edited: bool) -> tuple[bytes | None, bool]:
        """The body to hand on instead, with `max_tokens` enforced where all of it is reserved, and with the wish to
        hear what a stream used; None: the one that came. And whether that wish is ours.

        `is_edited`: it is not the body any more that `need` was made of. Cost: 3 µs for a stream of 1 KB.
        """
        fields = self.scan(body, None) if is_edited else need.fields
        if fields is None:
            return None, False
        plain = body
        if need.ask.firm:
            less = degrade(body, fields, need.settings.capped)
            plain = less.body
            fields = self._reader.scan(plain) if less.what else fields
        asks = need.settings.section.include_usage and path.endswith(_COMPLETIONS) and fields.stream
        if asks and not self.wants_usage(fields):
            return _asking(fields.body), True
        return None if plain is body else plain, False

    @staticmethod
    def wants_usage(fields: Fields | None) -> bool:
        """Does the caller of a stream want to hear what it used?"""
        return fields is not None and b'"stream_options"' in fields.body and _OPTIONS.scan(fields.body).logprobs

    def passed(self, need: Need, counted: int) -> int:
        """Output tokens of an answer that passes, of which so many were counted: what to reserve and to cut by."""
        passed, full = self._ratios.passed(need.model, counted), need.ask.output
        # All that the answer can hold is reserved: a little beyond that the estimate is wrong, and not the upstream.
        return full if need.ask.firm and full < passed <= MOST_WRONG * full else passed

    def used(self, need: Need, counted: int) -> int:
        """Output tokens of a whole answer, of which so many were counted and the upstream has said nothing."""
        return self._ratios.used(need.model, counted)

    def learn(self, need: Need, counted: int, usage: tuple[int | None, int | None]) -> None:
        """What the upstream said was used, beside what we had estimated and counted."""
        if need.fields is not None:
            self._ratios.learn(need.model, need.estimated, counted, usage)


def model_of(fields: Fields | None, path: str) -> str:
    """The model that a call asks for: in its body, or, as Gemini has it, before a colon in its path."""
    named = None if fields is None else fields.model
    if named is None:
        named, colon, _ = path.rpartition("/")[2].partition(":")
        named = named if colon else ""
    return named[:MAX_MODEL]


def _settings(section: TokensSection) -> Settings:
    return Settings(section, DegradeSettings(strip_logprobs=False, max_tokens=section.max_tokens, single=False))


def _most(fields: Fields, most: int) -> int:
    """Output tokens that the answer can hold, once `max_tokens` is enforced."""
    asked = fields.max_tokens
    return (min(most, asked) if asked is not None and asked > 0 else most) * _choices(fields)


def _choices(fields: Fields | None) -> int:
    asked = None if fields is None else fields.n
    return 1 if asked is None else min(max(asked, 1), MAX_CHOICES)


def _asking(body: bytes) -> bytes:
    """The body with the wish to hear the usage: the caller's other options of streams stay."""
    spans = _OPTIONS.scan(body).spans
    if places := spans.get("logprobs"):
        start, end = places[-1]
        return body[:start] + b"true" + body[end:]
    if places := spans.get("user_id"):
        start, end = places[-1]
        options = body[start:end]
        if not options.startswith(b"{"):  # null, or what no upstream takes
            return body[:start] + b'{"include_usage":true}' + body[end:]
        comma = b"" if options[1:].lstrip().startswith(b"}") else b","
        return body[: start + 1] + b'"include_usage":true' + comma + body[start + 1 :]
    place = body.index(b"{") + 1
    comma = b"" if body[place:].lstrip().startswith(b"}") else b","
    return body[:place] + b'"stream_options":{"include_usage":true}' + comma + body[place:]
