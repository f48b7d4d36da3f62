"""Anthropic: messages, count_tokens and complete.

Shapes as the anthropic package reads them (`_exceptions.py`, `_streaming.py`, `types/shared/error_type.py`).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ratelimit_guard.dialect.fields import tightest
from ratelimit_guard.dialect.stream import plain
from ratelimit_guard.dialect.told import encoded, event, head, id_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
UNITS = ("requests", "tokens", "input-tokens", "output-tokens")
LAST_SECOND = 253_402_300_799
"""The end of the year 9999, beyond which no date can be written."""


class Anthropic:
    """An object of type `error`. Our code is in `details.error_code`, where newer clients look for one."""

    name = "anthropic"

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """See `Dialect.refusal`."""
        return head(b"application/json", b"request-id", told), encoded(_error(told))

    def fields(self, results: Sequence[LimitResult], units: Mapping[str, str], now: float) -> HeaderFields:
        """For each unit what is left of the tightest policy, and when all of it is free (RFC 3339)."""
        fields: HeaderFields = []
        for unit in UNITS:
            if (found := tightest(results, units, unit)) is not None:
                name = b"anthropic-ratelimit-" + unit.encode()
                fields += [
                    (name + b"-limit", b"%d" % found.limit),
                    (name + b"-remaining", b"%d" % found.remaining),
                    (name + b"-reset", date(now + found.reset_after).encode()),
                ]
        return fields

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


def date(unix_time: float) -> str:
    """UTC to the second, rounded up (RFC 3339)."""
    whole = math.ceil(min(max(unix_time, 0.0), LAST_SECOND))
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(told: Told) -> dict[str, Any]:
    kind = TYPES.get(told.status, "invalid_request_error" if told.status < 500 else "api_error")
    error = {"type": kind, "message": told.message, "details": {"error_code": told.code}}
    identified = {"request_id": id_of(told)} if id_of(told) else {}
    return {"type": "error", "error": error, **identified}
