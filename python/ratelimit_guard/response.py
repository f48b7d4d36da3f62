"""A decision as header fields and, if refused, as a body.

Fields follow draft-ietf-httpapi-ratelimit-headers-11; the body is a problem document (RFC 9457) with the problem types
of that draft, and an `error` member in which the OpenAI clients find their code.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard._core import LimitResult, Quota
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.restriction import Restriction

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ABNORMAL_USAGE = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
BLOCKED = {
    "title": "Forbidden",
    "status": 403,
    "detail": "an access rule of this service excludes the account",
    "error": {"message": "access is not permitted", "type": "access", "param": None, "code": "access_blocked"},
}
TOO_SLOW = {
    "title": "Request Timeout",
    "status": 408,
    "detail": "the body of the request did not arrive in time",
    "error": {"message": "the body did not arrive in time", "type": "requests", "param": None, "code": "body_timeout"},
}
NO_LENGTH = {
    "title": "Length Required",
    "status": 411,
    "detail": "this server takes no chunked body here: send Content-Length",
    "error": {"message": "send Content-Length", "type": "requests", "param": None, "code": "length_required"},
}
MAX_SECONDS = 999_999_999_999_999
"""Largest integer of a structured field (RFC 8941); also stands for "never"."""
LONG_WAIT_S = 60.0
"""Beyond this, official clients either sleep or give up at random: tell them not to retry."""


class Refusal(NamedTuple):
    """A whole response, for whatever server there is."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def policy_field(policies: Sequence[Policy]) -> bytes:
    """The RateLimit-Policy field: constant for a set of policies."""
    return ", ".join(_policy_item(policy.name, policy.quota) for policy in policies).encode("ascii")


def limit_fields(result: LimitResult, policies: bytes, *, legacy: bool) -> list[tuple[bytes, bytes]]:
    """The fields of any response, refused or not."""
    fields = [(b"ratelimit-policy", policies), (b"ratelimit", result.ratelimit_field())]
    if legacy:
        fields += [
            (b"x-ratelimit-limit", b"%d" % result.limit),
            (b"x-ratelimit-remaining", b"%d" % result.remaining),
            (b"x-ratelimit-reset", b"%d" % seconds(result.reset_after)),
        ]
    return fields


def refusal(decision: Decision, fields: list[tuple[bytes, bytes]]) -> Refusal:
    """Status 429, the time to wait and a body that says which policies are exceeded; 403 for who is blocked."""
    result, restriction = decision.result, decision.restriction
    if result is None:
        if restriction is None:
            return _response(403, BLOCKED, [], fields)
        more = [(b"guard-challenge", decision.challenge)] if decision.challenge else []
        return _response(403, _restricted(403, _ABNORMAL[decision.action], restriction), more, fields)
    retry: list[tuple[bytes, bytes]] = []
    if math.isfinite(result.retry_after):  # what never fits must not be waited for
        wait_ms = math.ceil(result.retry_after * 1000)
        retry = [(b"retry-after", b"%d" % seconds(result.retry_after)), (b"retry-after-ms", b"%d" % wait_ms)]
    if result.retry_after > LONG_WAIT_S:
        retry.append((b"x-should-retry", b"false"))
    problem = _problem(result)
    if decision.is_abnormal and restriction is not None:
        problem |= _restricted(429, str(problem["detail"]), restriction)
    return _response(429, problem, retry, fields)


def too_slow(version: str = "1.1") -> Refusal:
    """To a client whose body did not come in time; the connection cannot be used any further, and of HTTP/1 that is
    said by a field which later versions do not know.
    """
    return _response(408, TOO_SLOW, [(b"connection", b"close")] if version.startswith("1") else [], [])


def no_length() -> Refusal:
    """To a client whose body has no length, under a server that cannot say where it ends. What becomes of the
    connection is that server's to say (PEP 3333).
    """
    return _response(411, NO_LENGTH, [], [])


_ABNORMAL = {
    "challenge": "requests of this kind need a proof: see the field Guard-Challenge",
    "block": "requests of this kind are not served to this account",
}


def _restricted(status: int, detail: str, restriction: Restriction) -> dict[str, Any]:
    """That usage looks like copying the model, and what to quote when it is not."""
    detail = f"{detail}; usage looks like copying the model: if it is not, quote {restriction.reference}"
    return {
        "type": ABNORMAL_USAGE,
        "title": "Request cannot be satisfied because of abnormal usage",
        "status": status,
        "detail": detail,
        "reference": restriction.reference,
        "error": {"message": detail, "type": "requests", "param": None, "code": "abnormal_usage_detected"},
    }


def _response(
    status: int, problem: dict[str, Any], more: list[tuple[bytes, bytes]], fields: list[tuple[bytes, bytes]]
) -> Refusal:
    body = json.dumps(problem).encode()
    head = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    return Refusal(status, [*head, *more, (b"cache-control", b"no-store"), *fields], body)


def seconds(duration: float) -> int:
    """Whole seconds, rounded up: a client that waits them is never too early."""
    return MAX_SECONDS if duration > MAX_SECONDS else math.ceil(duration)


def _problem(result: LimitResult) -> dict[str, Any]:
    exceeded = [one.policy for one in result.results if not one.allowed]
    wait = (
        "the cost exceeds the limit"
        if math.isinf(result.retry_after)
        else f"retry after {seconds(result.retry_after)} s"
    )
    detail = f"limit {', '.join(exceeded)} exceeded: {wait}"
    return {
        "type": QUOTA_EXCEEDED,
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "status": 429,
        "detail": detail,
        "violated-policies": exceeded,
        "error": {"message": detail, "type": "requests", "param": None, "code": "rate_limit_exceeded"},
    }


def _policy_item(name: str, quota: Quota) -> str:
    unit = "" if quota.unit == "requests" else f';qu="ratelimit-guard-{quota.unit}"'
    if quota.burst is None:
        return f"{_string(name)};q={quota.limit};w={seconds(quota.window_s)}{unit}"
    # A bucket holds its burst, and is full again after so long: that is its rate.
    return f"{_string(name)};q={quota.burst};w={seconds(quota.window_s * quota.burst / quota.limit)}{unit}"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
