"""Tokens of a call before anybody has counted them: what to reserve, and what to ask of the upstream so that it tells.

>>> from ratelimit_guard.config import TokensSection
>>> tokens = Tokens(TokensSection())
>>> body = b'{"model": "m", "messages": [{"role": "user", "content": "What do cats like?"}], "stream": true}'
>>> fields = tokens.scan(body, None)
>>> tokens.need(fields, len(body), "/v1/chat/completions").ask.output
256
>>> tokens.prepared(fields, body, asks_usage=tokens.asks_usage(fields, "/v1/chat/completions"))[:40]
b'{"stream_options":{"include_usage":true}'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard._core import tokens as _tokens
from ratelimit_guard.degrade import DegradeSettings, degrade
from ratelimit_guard.prompt import Reader
from ratelimit_guard.spending import Ask

if TYPE_CHECKING:
    from ratelimit_guard.config import TokensSection
    from ratelimit_guard.prompt import Fields

BYTES_PER_TOKEN = 4
"""Of a body that cannot be read: English prose. What it really was, the upstream says at the end."""
MAX_MODEL = 256
"""Characters of a model's name that tell it from others."""
MAX_CHOICES = 128
"""Answers of one request that are believed: no API gives more."""

_OPTIONS = Reader(("options", {"stream_options": "user_id", "stream_options.include_usage": "logprobs"}))
_COMPLETIONS = "/completions"
_ANSWERLESS = ("/embeddings", ":embedContent", ":batchEmbedContents", "/count_tokens", ":countTokens", "/moderations")
"""What is asked there is answered without a token of output."""


class Need(NamedTuple):
    """What a call asks for, by its body. `fields` is None for a body that could not be read; `model` is a number."""

    ask: Ask
    model: int
    fields: Fields | None
    estimated: int


class Tokens:
    """What a guard knows about tokens. Thread-safe."""

    def __init__(self, section: TokensSection) -> None:
        """Nothing is learned yet; each process learns for itself."""
        self._reader = Reader()
        self._ratios = _tokens.Ratios()
        self.follow(section)

    @property
    def max_body_bytes(self) -> int:
        """Longest body that is read."""
        return self.section.max_body_bytes

    @property
    def body_timeout_s(self) -> float:
        """Seconds in which a body must come."""
        return self.section.body_timeout_s

    def follow(self, section: TokensSection) -> None:
        """Heed what a reload has changed; what was learned stays."""
        self.section = section
        self._enforced = DegradeSettings(strip_logprobs=False, max_tokens=section.max_tokens, single=False)
        self.firm = section.reserve == "max-tokens"

    def scan(self, body: bytes | None, content_encoding: str | None) -> Fields | None:
        """What stands where in a body, None when it cannot be read. Cost: 1 µs for 1 KB."""
        if not body:
            return None
        fields = self._reader.scan(body)
        if fields.problem is not None and (fields := self._reader.read(body).fields).problem is not None:
            # Most apps do not look at the coding, so who names one for a plain body must not go unseen by that.
            fields = self._reader.read(body, content_encoding=content_encoding or "").fields
        return None if fields.problem is not None else fields

    def need(self, fields: Fields | None, size: int, path: str) -> Need:
        """What to reserve for a body of `size` bytes."""
        section = self.section
        if fields is None:
            estimated = size // BYTES_PER_TOKEN
            needed, sure, model = estimated, 0, 0
        else:
            needed, sure, estimated, model = self._ratios.need(fields)
        if path.endswith(_ANSWERLESS):
            ask = Ask(needed, sure)
        elif self.firm:
            full = self._most(fields)
            ask = Ask(needed, sure, full, full, True, full)
        else:
            asked = None if fields is None else fields.max_tokens
            most = section.slice if asked is None or asked <= 0 else asked * _choices(fields)
            ask = Ask(needed, sure, min(section.slice, most), 1, False, section.slice)
        return Need(ask, model, fields, estimated)

    def _most(self, fields: Fields | None) -> int:
        """Output tokens that the answer can hold, once `max_tokens` is enforced."""
        most = self.section.max_tokens
        if fields is not None and fields.max_tokens is not None and fields.max_tokens > 0:
            most = min(most, fields.max_tokens)
        return most * _choices(fields)

    def prepared(self, fields: Fields | None, body: bytes, *, asks_usage: bool) -> bytes | None:
        """The body to hand on instead, with `max_tokens` enforced where all of it is reserved, and with the wish to
        hear what a stream used. None: the one that came. Cost: 3 µs for a stream of 1 KB.
        """
        if fields is None:
            return None
        plain = body
        if self.firm:
            less = degrade(body, fields, self._enforced)
            plain = less.body
            fields = self._reader.scan(plain) if less.what else fields
        if asks_usage:
            plain = _asking(fields.body)
        return None if plain is body else plain

    def asks_usage(self, fields: Fields | None, path: str) -> bool:
        """Is it a stream of OpenAI's whose caller does not want to hear what it used, while we do?"""
        if fields is None or not self.section.include_usage or not path.endswith(_COMPLETIONS):
            return False
        return fields.stream and not self.wants_usage(fields)

    @staticmethod
    def wants_usage(fields: Fields | None) -> bool:
        """Does the caller of a stream want to hear what it used?"""
        return fields is not None and b'"stream_options"' in fields.body and _OPTIONS.scan(fields.body).logprobs

    def spent(self, need: Need, counted: int) -> int:
        """Output tokens that a model mostly counts where we counted `counted`."""
        return self._ratios.spent(need.model, counted)

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
