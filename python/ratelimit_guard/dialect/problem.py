"""Problem documents (RFC 9457), for whoever speaks the language of no API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.dialect.anthropic import ANTHROPIC
from ratelimit_guard.dialect.gemini import GEMINI
from ratelimit_guard.dialect.openai import OPENAI
from ratelimit_guard.dialect.told import document, head

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.stream import Stream
    from ratelimit_guard.dialect.told import Dialect, HeaderFields, Told


class Problem:
    """A document with an `error` member, in which OpenAI's clients find their code; no header fields of its own."""

    name = "problem"

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """See `Dialect.refusal`."""
        return head(b"application/problem+json", b"x-request-id", told), document(told)

    def fields(self, result: LimitResult, now: float) -> HeaderFields:  # noqa: ARG002
        """RateLimit and RateLimit-Policy say it all."""
        return []

    def cut(self, told: Told, stream: Stream) -> bytes:
        """As the API whose events have passed; OpenAI's when these are unknown."""
        return _spoken(stream).cut(told, stream)

    def finish(self, stream: Stream) -> bytes:
        """See `cut`."""
        return _spoken(stream).finish(stream)


PROBLEM = Problem()


def _spoken(stream: Stream) -> Dialect:
    if stream.shape in {"anthropic", "complete"}:
        return ANTHROPIC
    return GEMINI if stream.shape == "gemini" else OPENAI
