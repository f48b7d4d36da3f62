"""Challenges: who may go on, and everything that does not help."""

from __future__ import annotations

import doctest
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.helpers import request
from ratelimit_guard import challenge as module
from ratelimit_guard.challenge import Challenge, Hook, ProofOfWork, VerifiedHeader, solve
from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.request import Request

SECRET = b"sixteen bytes or more"
WORK = ProofOfWork(SECRET, bits=6, valid_s=100)
EDGE = VerifiedHeader("X-Verified", SECRET, max_age_s=100)
NOW = 1_000_050.0


def solution(subject: str = "acme", work: ProofOfWork = WORK, now: float = NOW) -> bytes:
    return solve(work.ask(subject, now)).encode()


def test_the_example() -> None:
    assert doctest.testmod(module).failed == 0


def test_all_are_challenges() -> None:
    every: list[Challenge] = [WORK, EDGE, Hook(lambda _request, _decision: True)]
    assert [one.ask("acme", NOW) is None for one in every] == [False, True, True]
    assert [one.header for one in every] == [b"guard-challenge-response", b"x-verified", None]
    given = [solution(), EDGE.sign("acme", NOW).encode(), None]
    assert all(one.solved("acme", value, NOW, request(), EXEMPT) for one, value in zip(every, given, strict=True))


@pytest.mark.parametrize("subject", ["acme", "", "a|b", "k\u00f6nig", "\ud800", "x" * 10_000])
def test_work_counts_for_its_subject_only(subject: str) -> None:
    response = solution(subject)
    assert hashlib.sha256(response).digest()[0] < 4
    assert WORK.solved(subject, response, NOW)
    assert WORK.solved(subject, response, NOW)  # again: it buys the period
    assert not WORK.solved(subject + "x", response, NOW)


@pytest.mark.parametrize(
    ("later", "holds"), [(0, True), (49, True), (50, True), (149, True), (150, False), (-51, False)]
)
def test_work_counts_in_its_period_and_the_next(later: float, holds: bool) -> None:
    assert WORK.solved("acme", solution(), NOW + later) is holds


def test_work_of_another_secret_or_amount() -> None:
    assert not ProofOfWork(SECRET[::-1], bits=6, valid_s=100).solved("acme", solution(), NOW)
    little = solution(work=ProofOfWork(SECRET, bits=1, valid_s=100))
    hard = ProofOfWork(SECRET, bits=30, valid_s=100)
    assert not hard.solved("acme", little, NOW)


def test_times_before_1970_and_far_ahead() -> None:
    for now in (-1e9, 0.0, 1e15):
        assert WORK.solved("acme", solution(now=now), now)


@pytest.mark.parametrize(
    "response",
    [None, b"", b":", b"x", b"\xff\xfe", "é:1".encode(), b"\x00" * 50, b"a" * 1_000_000, b"27100." + b"0" * 32 + b":1"],
)
def test_responses_that_are_none(response: bytes | None) -> None:
    assert not WORK.solved("acme", response, NOW)
    assert not EDGE.solved("acme", response, NOW)


@given(noise=st.binary(max_size=150), where=st.integers(0, 60))
def test_a_response_that_was_changed(noise: bytes, where: int) -> None:
    """A changed counter may be another solution; a changed nonce is none."""
    for one, response in ((WORK, solution()), (EDGE, EDGE.sign("acme", NOW).encode())):
        changed = response[:where] + noise + response[where + 1 :]
        nonce = response.partition(b":")[0] + b":"
        if changed == response or (one is WORK and changed.startswith(nonce)):
            continue
        assert not one.solved("acme", changed, NOW)


def test_a_response_with_more_behind_it() -> None:
    for more in (b"\n", b" ", b":1", b",x"):
        assert not WORK.solved("acme", solution() + more, NOW)
        assert not EDGE.solved("acme", EDGE.sign("acme", NOW).encode() + more, NOW)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "pow",
        'pow;v=2;bits=4;nonce="1.' + "0" * 32 + '"',
        'pow;v=1;bits=0;nonce="1.' + "0" * 32 + '"',
        'pow;v=1;bits=29;nonce="1.' + "0" * 32 + '"',
        'pow;v=1;bits=4;nonce="x"',
    ],
)
def test_what_no_client_should_work_for(asked: str) -> None:
    with pytest.raises(UsageError):
        solve(asked)


def test_a_verifier_in_another_language() -> None:
    mac = hmac.new(SECRET, f"verified|acme|{int(NOW)}".encode(), "sha256").hexdigest()
    assert EDGE.solved("acme", f"t={int(NOW)},mac={mac}".encode(), NOW)


@pytest.mark.parametrize(("age", "holds"), [(0, True), (100, True), (101, False), (-60, True), (-61, False)])
def test_the_age_of_a_verification(age: float, holds: bool) -> None:
    assert EDGE.solved("acme", EDGE.sign("acme", NOW - age).encode(), NOW) is holds


def test_a_verification_of_another_subject_secret_or_purpose() -> None:
    signed = EDGE.sign("acme", NOW).encode()
    assert not EDGE.solved("other", signed, NOW)
    assert not VerifiedHeader("x", SECRET[::-1]).solved("acme", signed, NOW)
    assert not EDGE.solved("acme", solution(), NOW)


def test_a_hook_gets_request_and_decision() -> None:
    seen: list[Any] = []

    def decides(asked: Request, decision: Decision) -> bool:
        seen.extend([asked, decision])
        return True

    asked = request()
    assert Hook(decides).solved("acme", None, NOW, asked, EXEMPT)
    assert seen == [asked, EXEMPT]


@pytest.mark.parametrize("answer", [False, None, 1, "yes"])
def test_only_true_is_a_yes(answer: Any) -> None:
    assert not Hook(lambda *_: answer).solved("acme", None, NOW, request(), EXEMPT)


def test_a_hook_that_raises_has_not_agreed(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: object) -> bool:
        raise ZeroDivisionError

    assert not Hook(fails).solved("acme", None, NOW, request(), EXEMPT)
    assert "ZeroDivisionError" in caplog.text


class Waits:
    async def __call__(self, *_: object) -> bool:
        return True


def test_settings_that_mean_nothing() -> None:
    async def later(*_: object) -> bool:
        return True

    makers: list[Any] = [
        lambda: ProofOfWork(b"short"),
        lambda: ProofOfWork(SECRET, bits=0),
        lambda: ProofOfWork(SECRET, bits=49),
        lambda: ProofOfWork(SECRET, valid_s=0),
        lambda: ProofOfWork(SECRET, valid_s=float("nan")),
        lambda: VerifiedHeader("", SECRET),
        lambda: VerifiedHeader("a b", SECRET),
        lambda: VerifiedHeader("x", b"short"),
        lambda: VerifiedHeader("x", SECRET, max_age_s=0),
        lambda: Hook(later),  # type: ignore[arg-type]
        lambda: Hook(Waits()),  # type: ignore[arg-type]
    ]
    for make in makers:
        with pytest.raises(ConfigError):
            make()
