"""A decision as header fields and, if refused, as a body in the caller's dialect.

Fields follow draft-ietf-httpapi-ratelimit-headers-11; the body is a problem document (RFC 9457) with the problem types
of that draft, unless the dialect has another one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.dialect import PROBLEM, Told
from ratelimit_guard.dialect.fields import retry_fields, seconds
from ratelimit_guard.spending import TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard._core import LimitResult, Quota
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.dialect.told import HeaderFields
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.restriction import Restriction

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ABNORMAL_USAGE = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
BLOCKED = {"title": "Forbidden", "status": 403, "detail": "an access rule of this service excludes the account"}
TOO_SLOW = {"title": "Request Timeout", "status": 408, "detail": "the body of the request did not arrive in time"}
NO_LENGTH = {
    "title": "Length Required",
    "status": 411,
    "detail": "this server takes no chunked body here: send Content-Length",
}
OF_THE_DRAFT = 2
"""Header fields that every response to a limited caller has."""
PERMIT_WAIT_S = 1.0
"""What a caller is told to wait for a slot in flight. The limiter knows only when the lease of one ends at the latest;
most calls end long before, and clients that come again each second cost less than a slot that stands empty.
"""


class Refusal(NamedTuple):
    """A whole response, for whatever server there is."""

    status: int
    headers: HeaderFields
    body: bytes


def policy_field(policies: Sequence[Policy]) -> bytes:
    """The RateLimit-Policy field: constant for a set of policies."""
    return ", ".join(_policy_item(policy.name, policy.quota) for policy in policies).encode("ascii")


def limit_fields(result: LimitResult, policies: bytes, *, legacy: bool) -> HeaderFields:
    """The fields of any response, refused or not."""
    fields = [(b"ratelimit-policy", policies), (b"ratelimit", result.ratelimit_field())]
    if legacy:
        fields += [
            (b"x-ratelimit-limit", b"%d" % result.limit),
            (b"x-ratelimit-remaining", b"%d" % result.remaining),
            (b"x-ratelimit-reset", b"%d" % seconds(result.reset_after)),
        ]
    return fields


def replaced(fields: HeaderFields) -> set[bytes]:
    """The names of ours under which nobody else may say anything."""
    return {name for name, _ in fields if not name.startswith(b"ratelimit")} if len(fields) > OF_THE_DRAFT else set()


def own(headers: Iterable[tuple[bytes, bytes]], fields: HeaderFields) -> HeaderFields:
    """A response's header fields with ours, in place of what an upstream says about its limits under the same names.
    Those of the draft are lists, in which a handler's own limits stand beside ours.
    """
    names = replaced(fields)
    return [*headers, *fields] if not names else [*[pair for pair in headers if pair[0].lower() not in names], *fields]


def refusal(
    decision: Decision,
    fields: HeaderFields,
    dialect: Dialect = PROBLEM,
    request_id: str = "",
) -> Refusal:
    """Status 429, the time to wait and a body that says which policies are exceeded; 403 for who is blocked."""
    more = [(b"guard-challenge", decision.challenge)] if decision.result is None and decision.challenge else []
    return _response(told(decision, request_id), more, fields, dialect)


def told(decision: Decision, request_id: str = "") -> Told:
    """What the refusal of a decision says."""
    result, restriction = decision.result, decision.restriction
    if result is not None:
        said = _exceeded(result, request_id)
        if not decision.is_abnormal or restriction is None:
            return said
        return _restricted(said, said.message, restriction)
    if restriction is None:
        return Told(403, "access_blocked", "access", "access is not permitted", request_id, problem=BLOCKED)
    said = Told(403, "", "requests", "", request_id)
    return _restricted(said, _ABNORMAL[decision.action], restriction)


def too_slow(version: str = "1.1", dialect: Dialect = PROBLEM, request_id: str = "") -> Refusal:
    """To a client whose body did not come in time; the connection cannot be used any further, and of HTTP/1 that is
    said by a field which later versions do not know.
    """
    more = [(b"connection", b"close")] if version.startswith("1") else []
    said = Told(408, "body_timeout", "requests", "the body did not arrive in time", request_id, problem=TOO_SLOW)
    return _response(said, more, [], dialect)


def no_length(dialect: Dialect = PROBLEM, request_id: str = "") -> Refusal:
    """To a client whose body has no length, under a server that cannot say where it ends. What becomes of the
    connection is that server's to say (PEP 3333).
    """
    said = Told(411, "length_required", "requests", "send Content-Length", request_id, problem=NO_LENGTH)
    return _response(said, [], [], dialect)


def too_large(most: int, dialect: Dialect = PROBLEM, request_id: str = "") -> Refusal:
    """To a client whose body cannot be read where its tokens have to be known."""
    text = f"the tokens of this body cannot be counted: send at most {most} bytes, in gzip or without coding"
    problem = {"title": "Content Too Large", "status": 413, "detail": text}
    return _response(Told(413, "content_too_large", "tokens", text, request_id, problem=problem), [], [], dialect)


_ABNORMAL = {
    "challenge": "requests of this kind need a proof: see the field Guard-Challenge",
    "block": "requests of this kind are not served to this account",
}


def _restricted(said: Told, why: str, restriction: Restriction) -> Told:
    """That usage looks like copying the model, and what to quote when it is not."""
    detail = f"{why}; usage looks like copying the model: if it is not, quote {restriction.reference}"
    abnormal = {
        "type": ABNORMAL_USAGE,
        "title": "Request cannot be satisfied because of abnormal usage",
        "status": said.status,
        "detail": detail,
        "reference": restriction.reference,
    }
    return said._replace(code="abnormal_usage_detected", message=detail, problem={**said.problem, **abnormal})


def _response(said: Told, more: HeaderFields, fields: HeaderFields, dialect: Dialect) -> Refusal:
    head, body = dialect.refusal(said)
    length = (b"content-length", b"%d" % len(body))
    retry = retry_fields(said.retry_after_s)
    return Refusal(said.status, [*head, length, *more, *retry, (b"cache-control", b"no-store"), *fields], body)


def _exceeded(result: LimitResult, request_id: str) -> Told:
    refused = [one for one in result.results if not one.allowed]
    wait_s = max([_wait_s(one) for one in refused], default=result.retry_after)
    wait = (
        f"the call asks for more than {result.limit}, which never fits"
        if math.isinf(wait_s)
        else f"retry after {seconds(wait_s)} s"
    )
    names = [one.policy for one in refused]
    detail = f"limit {', '.join([_named(one) for one in refused])} exceeded: {wait}"
    problem = {
        "type": QUOTA_EXCEEDED,
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "status": 429,
        "detail": detail,
        "violated-policies": names,
    }
    is_tokens = any(one.unit in TOKENS for one in refused)
    return Told(429, "rate_limit_exceeded", "tokens" if is_tokens else "requests", detail, request_id, wait_s, problem)


def _is_permit(one: LimitResult) -> bool:
    return one.unit == "concurrent-requests"


def _wait_s(one: LimitResult) -> float:
    return min(one.retry_after, PERMIT_WAIT_S) if _is_permit(one) else one.retry_after


def _named(one: LimitResult) -> str:
    return f"{one.policy} ({one.limit} at once)" if _is_permit(one) else one.policy


def _policy_item(name: str, quota: Quota) -> str:
    unit = "" if quota.unit == "requests" else f';qu="ratelimit-guard-{quota.unit}"'
    if quota.burst is None:
        return f"{_string(name)};q={quota.limit};w={seconds(quota.window_s)}{unit}"
    # A bucket holds its burst, and is full again after so long: that is its rate.
    return f"{_string(name)};q={quota.burst};w={seconds(quota.window_s * quota.burst / quota.limit)}{unit}"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
