"""What a refusal says, whatever language it is said in, and the interface of those languages."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.stream import Stream

HeaderFields: TypeAlias = "list[tuple[bytes, bytes]]"
Kind: TypeAlias = Literal["requests", "tokens", "access"]

NO_PROBLEM: Mapping[str, Any] = MappingProxyType({})
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What may stand in a header field as it came: long enough for two UUIDs, a trace id, the ids of the APIs."""


class Told(NamedTuple):
    """What a refusal says. `kind`: what there was too much of. `retry_after_s`: `inf` for never, None for no word.

    `problem` is the problem document (RFC 9457) without `error`. A request id that is no `REQUEST_ID` is left out.
    """

    status: int
    code: str
    kind: Kind
    message: str
    request_id: str = ""
    retry_after_s: float | None = None
    problem: Mapping[str, Any] = NO_PROBLEM


class Dialect(Protocol):
    """How one API refuses, tells about limits and ends a stream. Stateless; nothing here raises."""

    @property
    def name(self) -> str:
        """As written in a tier file."""
        ...

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """Header fields of the dialect, content-type among them, and the body."""
        ...

    def fields(self, result: LimitResult, now: float) -> HeaderFields:
        """Header fields about limits. `now`: Unix time in seconds."""
        ...

    def cut(self, told: Told, stream: Stream) -> bytes:
        """Ends a stream with an error. What has passed ends with a whole event; nothing for a stream that is over."""
        ...

    def finish(self, stream: Stream) -> bytes:
        """Ends a stream as if max_tokens had been reached. What has passed ends with a whole event."""
        ...


def error(told: Told) -> dict[str, Any]:
    """The error object of OpenAI."""
    return {"message": told.message, "type": told.kind, "param": None, "code": told.code}


def document(told: Told) -> bytes:
    """A problem document in which OpenAI's clients find their error."""
    return encoded({**told.problem, "error": error(told)})


def id_of(told: Told) -> str:
    """The request id, if it can stand in a header field."""
    return told.request_id if REQUEST_ID.fullmatch(told.request_id) else ""


def head(content_type: bytes, id_name: bytes, told: Told) -> HeaderFields:
    """The content type, and the id in the field where the clients look for it."""
    value = id_of(told).encode()
    return [(b"content-type", content_type), *([(id_name, value)] if value else [])]


def encoded(value: Mapping[str, Any]) -> bytes:
    """JSON in ASCII: no line end in it, so it can be an event's data."""
    return json.dumps(value).encode("ascii")


def event(data: Mapping[str, Any], name: str = "") -> bytes:
    """A server-sent event."""
    return b"%sdata: %s\n\n" % (f"event: {name}\n".encode() if name else b"", encoded(data))
