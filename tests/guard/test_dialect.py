"""What each dialect says, and that nothing of a client or an upstream can break out of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guard.helpers import request
from ratelimit_guard import Limiter, LimitResult, MemoryStore, Policy
from ratelimit_guard.decision import Decision
from ratelimit_guard.dialect import ANTHROPIC, DIALECTS, GEMINI, OPENAI, PROBLEM, Dialect, Told, dialect_of, request_id
from ratelimit_guard.dialect.fields import retry_fields
from ratelimit_guard.dialect.stream import Stream
from ratelimit_guard.dialect.told import Kind
from ratelimit_guard.response import no_length, refusal, told, too_slow
from ratelimit_guard.restriction import Restriction
from ratelimit_guard.testing import ManualClock

PROBLEM_DOCUMENT = {"type": "about:blank", "title": "Too much", "status": 429, "violated-policies": ["daily"]}
TOLD = Told(429, "rate_limit_exceeded", "tokens", "limit daily exceeded", "req_1", 33.2, PROBLEM_DOCUMENT)
ALL = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))

any_told = st.builds(
    Told,
    status=st.sampled_from([403, 408, 411, 418, 429, 500, 503]),
    code=st.text(max_size=20),
    kind=st.sampled_from(get_args(Kind)),
    message=st.text(),
    request_id=st.text(max_size=140),
    retry_after_s=st.none() | st.floats(min_value=0) | st.just(inf),
    problem=st.just(PROBLEM_DOCUMENT),
)


def spent(*policies: Policy, cost: int = 1, times: int = 1) -> LimitResult:
    """The last result of so many acquires."""
    limiter = Limiter(policies, store=MemoryStore(capacity=1000, clock=ManualClock()))
    return [limiter.acquire("alice", cost) for _ in range(times)][-1]


@given(any_told)
def test_no_text_breaks_out_of_a_field_or_body(said: Told) -> None:
    """Whatever it says: header fields are single lines of ASCII, bodies and events one JSON document."""
    for dialect in DIALECTS.values():
        fields, body = dialect.refusal(said)
        for _, value in [*fields, *retry_fields(said.retry_after_s)]:
            assert value.isascii()
            assert not {b"\r", b"\n", b"\0"} & {value[at : at + 1] for at in range(len(value))}
        assert body.isascii()
        assert said.message in strings(json.loads(body))
        lines = dialect.cut(said, Stream()).split(b"\n")
        assert [line.partition(b":")[0] for line in lines if line] in ([b"data"], [b"event", b"data"])
        assert lines[-2:] == [b"", b""]


def strings(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for member in value.values() for found in strings(member)]
    return [found for member in value for found in strings(member)] if isinstance(value, list) else [value]


def test_refusals() -> None:
    """The shapes that the official packages read."""
    openai, anthropic, gemini = (
        json.loads(DIALECTS[name].refusal(TOLD)[1]) for name in ("openai", "anthropic", "gemini")
    )
    assert openai.pop("error") == {
        "message": "limit daily exceeded",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert openai == PROBLEM_DOCUMENT
    assert (anthropic["type"], anthropic["request_id"]) == ("error", "req_1")
    assert anthropic["error"] == {
        "type": "rate_limit_error",
        "message": "limit daily exceeded",
        "details": {"error_code": "rate_limit_exceeded"},
    }
    assert (gemini["error"]["code"], gemini["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    details = {one.pop("@type").rpartition(".")[2]: one for one in gemini["error"]["details"]}
    assert details["RetryInfo"] == {"retryDelay": "34s"}
    assert details["ErrorInfo"]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert details["QuotaFailure"]["violations"][0]["quotaId"] == "daily"
    assert details["RequestInfo"] == {"requestId": "req_1"}


def test_where_clients_look_for_the_id() -> None:
    found = {name: dict(dialect.refusal(TOLD)[0]) for name, dialect in DIALECTS.items()}
    assert found["anthropic"] == {b"content-type": b"application/json", b"request-id": b"req_1"}
    assert found["openai"] == {b"content-type": b"application/json", b"x-request-id": b"req_1"}
    assert found["problem"][b"content-type"] == b"application/problem+json"


@pytest.mark.parametrize("given_id", ["", "a\r\nset-cookie: x", "a b", "a\n", "é", "x" * 129, '"'])
def test_an_id_that_cannot_be_given_back_is_replaced(given_id: str) -> None:
    made = request_id(request(headers=[(b"x-request-id", given_id.encode())]))
    assert made.startswith("req_")
    assert len(made) == 28
    for dialect in DIALECTS.values():
        fields, body = dialect.refusal(TOLD._replace(request_id=given_id))
        assert [name for name, _ in fields] == [b"content-type"]
        assert not given_id or given_id not in strings(json.loads(body))


def test_a_good_id_is_kept() -> None:
    assert request_id(request(headers={"x-request-id": "0af7651916cd43dd:A_b.c-1"})) == "0af7651916cd43dd:A_b.c-1"
    assert request_id(request()) != request_id(request())


@pytest.mark.parametrize(
    ("wait", "fields"),
    [
        (None, {}),
        (0.0101, {b"retry-after": b"1", b"retry-after-ms": b"11"}),
        (60.0, {b"retry-after": b"60", b"retry-after-ms": b"60000"}),
        (60.1, {b"retry-after": b"61", b"retry-after-ms": b"60100", b"x-should-retry": b"false"}),
        (1e300, {b"retry-after": b"9" * 15, b"retry-after-ms": b"9" * 15, b"x-should-retry": b"false"}),
        (inf, {b"x-should-retry": b"false"}),
    ],
)
def test_when_to_come_again(wait: float | None, fields: dict[bytes, bytes]) -> None:
    assert dict(retry_fields(wait)) == fields


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", OPENAI),
        ("/openai/deployments/x/chat/completions/", OPENAI),
        ("/v1/completions", OPENAI),
        ("/v1/responses", OPENAI),
        ("/v1/embeddings", OPENAI),
        ("/v1/images/generations", OPENAI),
        ("/v1/audio/speech", OPENAI),
        ("/v1beta/openai/chat/completions", OPENAI),
        ("/v1/messages", ANTHROPIC),
        ("/v1/messages/count_tokens", ANTHROPIC),
        ("/v1/complete", ANTHROPIC),
        ("/v1beta/models/gemini-2.5-pro:generateContent", GEMINI),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", GEMINI),
        (f"/v1/models/{'m' * 999}:countTokens", GEMINI),
        ("/v1beta/models/m:embedContent", GEMINI),
        ("/v1beta/models/m:delete", PROBLEM),
        ("/v1/models", PROBLEM),
        ("/v1/mycompletions", PROBLEM),
        ("/generateContent", PROBLEM),
        ("", PROBLEM),
        ("/", PROBLEM),
    ],
)
def test_the_dialect_of_a_path(path: str, dialect: Dialect) -> None:
    assert dialect_of(path) is dialect


def test_fields_tell_the_tightest_policy_of_each_unit() -> None:
    result = spent(
        Policy("minute", "60/minute"),
        Policy("second", "20/second"),
        Policy("in", "1000 input-tokens/minute"),
        Policy("out", "500 output-tokens/hour"),
        cost=5,
    )
    openai = dict(OPENAI.fields(result, 0.0))
    assert openai[b"x-ratelimit-limit-requests"] == b"20"
    assert openai[b"x-ratelimit-remaining-requests"] == b"15"
    assert (openai[b"x-ratelimit-limit-tokens"], openai[b"x-ratelimit-remaining-tokens"]) == (b"500", b"495")
    assert openai[b"x-ratelimit-reset-tokens"].startswith(b"1h")
    anthropic = dict(ANTHROPIC.fields(result, 1_800_000_000.0))
    assert anthropic[b"anthropic-ratelimit-input-tokens-remaining"] == b"995"
    assert anthropic[b"anthropic-ratelimit-output-tokens-remaining"] == b"495"
    assert anthropic[b"anthropic-ratelimit-tokens-limit"] == b"500"
    reset = datetime.fromisoformat(anthropic[b"anthropic-ratelimit-requests-reset"].decode())
    assert 0 < reset.timestamp() - 1_800_000_000 <= 3
    assert PROBLEM.fields(result, 0.0) == GEMINI.fields(result, 0.0) == []


def test_a_policy_of_all_tokens_speaks_for_tokens() -> None:
    result = spent(Policy("all", "900 tokens/minute"), Policy("out", "500 output-tokens/minute"))
    assert dict(OPENAI.fields(result, 0.0))[b"x-ratelimit-limit-tokens"] == b"900"
    result = spent(Policy("cost", "9 cost/minute"))
    assert OPENAI.fields(result, 0.0) == ANTHROPIC.fields(result, 0.0) == []


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (12, "12ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (60_000, "1m0s"),
        (66_328, "1m6.328s"),
        (360_000, "6m0s"),
        (3_600_000, "1h0m0s"),
        (90_061_001, "25h1m1.001s"),
    ],
)
def test_durations(ms: int, text: str) -> None:
    fields = dict(OPENAI.fields(spent(Policy("bucket", "1000/second; burst=1000000000"), cost=ms), 0.0))
    assert fields[b"x-ratelimit-reset-requests"] == text.encode()
    fresh = dict(OPENAI.fields(spent(Policy("bucket", "1000/second"), cost=0), 0.0))
    assert fresh[b"x-ratelimit-reset-requests"] == b"0s"


@given(st.integers(0, 253_402_300_798))
@example(951_782_400)  # the last day of a February with 29
@example(4_107_542_399)  # the end of one with 28, in a year that a simpler rule would give 29
def test_dates(second: int) -> None:
    fields = dict(ANTHROPIC.fields(spent(Policy("bucket", "1000/second; burst=2000"), cost=1), float(second)))
    told = datetime.fromtimestamp(second + 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert fields[b"anthropic-ratelimit-requests-reset"].decode() == told


@pytest.mark.parametrize("wrong", [inf, -inf, nan, -1.0, 1e300])
def test_a_clock_that_says_nothing_usable_gives_a_date(wrong: float) -> None:
    reset = dict(ANTHROPIC.fields(spent(Policy("few", "3/minute")), wrong))[b"anthropic-ratelimit-requests-reset"]
    assert datetime.fromisoformat(reset.decode()).year in {1970, 9999}


# Refusals of decisions


def test_who_is_out_of_tokens_is_told_so() -> None:
    result = spent(Policy("daily", "10 tokens/day"), cost=6, times=2)
    said = told(Decision("refuse", "", result=result), "req_9")
    assert (said.kind, said.code, said.request_id) == ("tokens", "rate_limit_exceeded", "req_9")
    refused = refusal(Decision("refuse", "", result=result), [(b"x", b"y")], OPENAI, "req_9")
    fields = dict(refused.headers)
    assert fields[b"content-length"] == b"%d" % len(refused.body)
    assert (fields[b"x-request-id"], fields[b"x-should-retry"], fields[b"x"]) == (b"req_9", b"false", b"y")
    assert json.loads(refused.body)["violated-policies"] == ["daily"]


def test_a_permit_is_waited_for_a_second_only() -> None:
    """The limiter knows when the lease ends at the latest; calls end sooner."""
    limiter = Limiter([Policy("slots", "2 concurrent-requests; lease=30s")], store=MemoryStore(clock=ManualClock()))
    result = [limiter.permit("alice") for _ in range(3)][-1].result
    assert result.retry_after > 30
    said = told(Decision("refuse", "", result=result), "")
    assert (said.status, said.kind, said.retry_after_s) == (429, "requests", 1.0)
    assert said.message == "limit slots (2 at once) exceeded: retry after 1 s"


@ALL
def test_what_is_restricted_says_what_to_quote(dialect: Dialect) -> None:
    restriction = Restriction("block", "C1", whole=True, score=9.0, reference="ref-1", enforced=True)
    refused = refusal(Decision("block", "", restriction=restriction), [], dialect)
    assert refused.status == 403
    assert b"ref-1" in refused.body
    blocked = refusal(Decision("block", ""), [], dialect)
    assert (blocked.status, json.loads(blocked.body) != json.loads(refused.body)) == (403, True)


@ALL
def test_bodies_that_do_not_come(dialect: Dialect) -> None:
    slow, endless = too_slow("1.1", dialect, "req_2"), no_length(dialect, "req_2")
    assert (slow.status, endless.status) == (408, 411)
    assert (b"connection", b"close") in slow.headers
    assert (b"connection", b"close") not in too_slow("2", dialect).headers
    assert "send Content-Length" in strings(json.loads(endless.body))
