"""Anthropic: messages, count_tokens and complete.

Shapes as the anthropic package reads them (`_exceptions.py`, `_streaming.py`, `types/shared/error_type.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratelimit_guard.dialect.stream import plain
from ratelimit_guard.dialect.told import encoded, event, head, id_of

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.stream import Stream
    from ratelimit_guard.dialect.told import HeaderFields, Told

TYPES = {
    403: "permission_error",
    408: "timeout_error",
    411: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Anthropic:
    """An object of type `error`. Our code is in `details.error_code`, where newer clients look for one."""

    name = "anthropic"

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """See `Dialect.refusal`."""
        return head(b"application/json", b"request-id", told), encoded(_error(told))

    def fields(self, result: LimitResult, now: float) -> HeaderFields:
        """See `LimitResult.anthropic_fields`."""
        return result.anthropic_fields(now)

    def cut(self, told: Told, stream: Stream) -> bytes:
        """The package heeds errors only in an event of that name."""
        return b"" if stream.is_over else event(_error(told), "error")

    def finish(self, stream: Stream) -> bytes:
        """Ends the block that is open and the message; of the older `complete`, the completion."""
        if stream.is_over:
            return b""
        if stream.shape == "complete":
            data = {"completion": "", "stop_reason": "max_tokens", **plain(stream.last(), "model")}
            return event({"type": "completion", **data}, "completion")
        parts: list[dict[str, Any]] = []
        if stream.block is not None:
            parts.append({"type": "content_block_stop", "index": stream.block})
        if not stream.stopped:
            delta = {"stop_reason": "max_tokens", "stop_sequence": None}
            parts.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": stream.output_tokens}})
        return b"".join([event(part, part["type"]) for part in (*parts, {"type": "message_stop"})])


ANTHROPIC = Anthropic()


def _error(told: Told) -> dict[str, Any]:
    kind = TYPES.get(told.status, "invalid_request_error" if told.status < 500 else "api_error")
    error = {"type": kind, "message": told.message, "details": {"error_code": told.code}}
    identified = {"request_id": id_of(told)} if id_of(told) else {}
    return {"type": "error", "error": error, **identified}
