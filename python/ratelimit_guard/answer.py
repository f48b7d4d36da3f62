"""What the model answered, from a response that passes: to know the text again when another account brings it back.

Nothing is delayed or changed, what is kept is bounded, and nothing raises for what an upstream may send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ratelimit_guard._core import tokens as _tokens
from ratelimit_guard.coding import Decoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    Kind = Literal["json", "events"]

MAX_ANSWER_BODY = _tokens.MAX_ANSWER_BODY
"""Longest JSON response that is read, in bytes."""
MAX_TEXT = _tokens.MAX_TEXT
"""Characters of a stream's text that are kept."""
MAX_LINE = _tokens.MAX_LINE
"""Longest line of a stream that is read, in bytes; longer ones are passed over."""

BYTES_PER_TOKEN = 4
"""Of what cannot be read: English prose. Of compressed documents it is too few, of compressed streams too many."""

KINDS: dict[bytes, Kind] = {b"application/json": "json", b"text/event-stream": "events"}


class AnswerText:
    """The text and the token count of one response: made from its status and headers, fed with its body.

    Understands OpenAI (chat, completions, responses), Anthropic and Gemini, as a JSON document or as server-sent
    events, and the content codings of `Decoder`. Only a success in one of the two is `wanted`; of the rest nothing is
    kept. Not to be shared by threads. Cost: 3 µs in all for 1 KB of JSON, 4 ms for the worst JSON; 1.3 µs for each
    event of a stream.
    """

    __slots__ = ("_counts", "_decoder", "_meter", "_raw", "_room", "has_events", "is_stream", "wanted")

    def __init__(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], *, counts: bool = False, text: bool = True
    ) -> None:
        """Headers as in an ASGI message. `wanted` says whether feeding is of use; it may become False, but not with
        `counts`: then tokens are counted to the end, by bytes where nothing can be read, also of texts of other types.
        `text`: is it wanted? `is_stream`: it passes as it is made; `has_events`: in events that can be told apart.
        """
        kind, coding, is_text, has_length = _read_headers(headers) if 200 <= status < 300 else (None, b"", False, False)
        self._decoder = Decoder(coding) if coding else None
        is_read = kind is not None and (self._decoder is None or self._decoder.is_known)
        self.wanted = is_read or (counts and (kind is not None or is_text))
        self._meter = _tokens.Meter(kind, text) if kind is not None else None
        self.is_stream = kind == "events" or (kind is None and is_text and not has_length)
        self.has_events = kind == "events" and not coding
        self._counts, self._raw = counts, 0
        # Of a document that is too long, a part would be read for the whole.
        self._room = MAX_ANSWER_BODY if kind == "json" else None

    def feed(self, chunk: bytes) -> int:
        """Take a piece of the body; where it was cut does not matter. The tokens that it brought, as far as they show:
        those of a document do at its end.
        """
        if not self.wanted:
            return 0
        if self._meter is None:
            return self._unread(len(chunk))
        plain = bytes(chunk)
        if self._decoder is not None:
            plain = self._decoder.feed(plain)
            if self._decoder.gave_up:
                return self._unread(len(chunk))
        if self._room is not None and not self._counts:
            self._room -= len(plain)
            if self._room < 0:
                return self._unread(len(chunk))
        return self._meter.feed(plain)

    def totals(self) -> tuple[tuple[int | None, int | None], int]:
        """After the last piece: tokens of prompt and answer as the upstream said them last, and those of the answer as
        far as they were seen.
        """
        unread = self._raw // BYTES_PER_TOKEN
        if (meter := self._read()) is None:
            return (None, None), unread
        return meter.usage, meter.estimated + unread

    @property
    def in_event(self) -> bool:
        """Does a stream stand inside of an event?"""
        return self._meter is not None and self._meter.in_event

    def rest_of_event(self, chunk: bytes) -> int:
        """How many bytes of `chunk`, which was not fed, belong to the event that stands open."""
        return 0 if self._meter is None else self._meter.rest_of_event(chunk)

    def document(self) -> bytes | None:
        """The whole response, when it is a JSON document of bounded length."""
        return self._meter.document() if self.wanted and self._meter is not None else None

    def text(self) -> str | None:
        """The answer, after the last piece: of the first choice, without reasoning and refusals. None when there is
        none, or the body was no answer. A line for each part, as `Turn.text` has them; no lone surrogates.
        """
        return None if (meter := self._read()) is None else meter.text()

    def tokens(self) -> int | None:
        """The output tokens as the upstream counted them; of a stream, those it said last.

        None when it has not said it, as in a stream that ended early.
        """
        return None if (meter := self._read()) is None else meter.usage[1]

    def _unread(self, size: int) -> int:
        """Give up reading: of a stream, what was read until now counts."""
        if not self._counts:
            self.wanted = False
            if self._room is not None:
                self._meter = None
            return 0
        before, self._raw = self._raw, self._raw + size
        return self._raw // BYTES_PER_TOKEN - before // BYTES_PER_TOKEN

    def _read(self) -> _tokens.Meter | None:
        if self._meter is not None:
            self._meter.finish()
        return self._meter


def _read_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Kind | None, bytes, bool, bool]:
    """What to read the body as; its coding, nothing for identity; is it text, and is its length said?"""
    media, coding, has_length = b"", b"", False
    for name, value in headers:
        if len(name) == 12 and name.lower() == b"content-type":
            media = value.partition(b";")[0].strip().lower()
        elif len(name) == 16 and name.lower() == b"content-encoding" and value.strip().lower() != b"identity":
            coding = value
        elif len(name) == 14 and name.lower() == b"content-length":
            has_length = True
    return KINDS.get(media), coding, media.startswith(b"text/") or b"json" in media, has_length
