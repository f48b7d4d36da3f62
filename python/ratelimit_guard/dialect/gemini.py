"""Gemini: generateContent and its kin. An error is a google.rpc.Status in its JSON form (AIP-193).

Shapes as google-genai reads them (`errors.py`, `_api_client.py`), which looks for `error` as an event's first key.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ratelimit_guard.dialect.fields import seconds
from ratelimit_guard.dialect.stream import plain
from ratelimit_guard.dialect.told import encoded, event, head, id_of

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.stream import Stream
    from ratelimit_guard.dialect.told import HeaderFields, Told

STATUSES = {
    403: "PERMISSION_DENIED",
    408: "DEADLINE_EXCEEDED",
    411: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
MAX_DURATION_S = 315_576_000_000
"""Longest google.protobuf.Duration, in seconds."""
RPC = "type.googleapis.com/google.rpc."
DOMAIN = "ratelimit-guard"


class Gemini:
    """google.rpc.Status with the code as ErrorInfo, the wait as RetryInfo, the policies as QuotaFailure."""

    name = "gemini"

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """See `Dialect.refusal`."""
        return head(b"application/json", b"x-request-id", told), encoded(_error(told))

    def fields(self, result: LimitResult, now: float) -> HeaderFields:  # noqa: ARG002
        """Gemini has none."""
        return []

    def cut(self, told: Told, stream: Stream) -> bytes:
        """See `Dialect.cut`. A stream without `alt=sse` is one JSON array, and is not to be cut by this."""
        return b"" if stream.is_over else event(_error(told))

    def finish(self, stream: Stream) -> bytes:
        """See `Dialect.finish`. Nothing, when every candidate has ended: a stream of Gemini has no end mark."""
        content = {"role": "model", "parts": [{"text": ""}]}
        candidates = [
            {"content": content, "finishReason": "MAX_TOKENS", "index": index} for index in stream.open_choices()
        ]
        if not candidates:
            return b""
        common = plain(stream.last(), "modelVersion", "responseId")
        usage = {"promptTokenCount": stream.input_tokens, "candidatesTokenCount": stream.output_tokens}
        total = {"totalTokenCount": sum(usage.values())}
        return event({"candidates": candidates, "usageMetadata": {**usage, **total}, **common})


GEMINI = Gemini()


def _error(told: Told) -> dict[str, Any]:
    status = STATUSES.get(told.status, "INVALID_ARGUMENT" if told.status < 500 else "INTERNAL")
    details: list[dict[str, Any]] = [
        {"@type": f"{RPC}ErrorInfo", "reason": told.code.upper(), "domain": DOMAIN},
    ]
    wait = told.retry_after_s
    if wait is not None and math.isfinite(wait):
        details.append({"@type": f"{RPC}RetryInfo", "retryDelay": f"{min(seconds(wait), MAX_DURATION_S)}s"})
    exceeded = told.problem.get("violated-policies", ())
    if exceeded:
        violations = [{"quotaId": policy, "description": told.message} for policy in exceeded]
        details.append({"@type": f"{RPC}QuotaFailure", "violations": violations})
    if identified := id_of(told):
        details.append({"@type": f"{RPC}RequestInfo", "requestId": identified})
    return {"error": {"code": told.status, "message": told.message, "status": status, "details": details}}
