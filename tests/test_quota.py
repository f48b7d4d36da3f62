"""Quotas and policies: what can be written, and what cannot be built."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, Limiter, Policy, Quota

NOT_A_QUOTA = [
    "", " ", "100", "100/", "/minute", "0/minute", "-1/minute", "1.5/minute", "1e3/minute", "100/0s", "100/fortnight",
    "100/minute/hour", "100 per", "100 apples/minute", "100/minute; burst", "100/minute; burst=",
    "100/minute; burst=0", "100/minute; burst=-5", "100/minute; colour=red", "100/minute; burst=5; burst=5",
    "100/minute; burst=5; algorithm=strict", "100/minute; algorithm=fixed", "100/minute; lease=30s",
    "5 concurrent-requests/minute", "5 concurrent-requests; burst=2", "5 concurrent-requests; lease=0s",
    "100/minute;", "100/0.5ms", "100/999us", "100/367 days", "68719476736/second", "1_/minute", "_1/minute",
    "1__0/minute", "99999999999999999999/minute", "1/99999999999999999999 days", "\u0661/minute", "100/minute\u0000",
    "100/" + "m" * 300, "1/366 days; burst=1M", "20000 concurrent-requests",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "limit", "window_s", "burst", "algorithm", "unit"),
    [
        ("100/minute", 100, 60.0, None, "strict", "requests"),
        ("100 per 5 minutes", 100, 300.0, None, "strict", "requests"),
        ("100 requests per minute", 100, 60.0, None, "strict", "requests"),
        ("10 tokens/100ms", 10, 0.1, None, "strict", "tokens"),
        ("1 token/s", 1, 1.0, None, "strict", "tokens"),
        ("100/minute; burst=20", 100, 60.0, 20, "token-bucket", "requests"),
        ("100/minute;burst=20", 100, 60.0, 20, "token-bucket", "requests"),
        ("100/minute; algorithm=token-bucket", 100, 60.0, 100, "token-bucket", "requests"),
        ("100/minute; algorithm=sliding-window", 100, 60.0, None, "sliding-window", "requests"),
        ("5k input-tokens/2h", 5_000, 7_200.0, None, "strict", "input-tokens"),
        ("1_000_000 output-tokens/day", 1_000_000, 86_400.0, None, "strict", "output-tokens"),
        ("3M cost/week", 3_000_000, 604_800.0, None, "strict", "cost"),
        ("  7 / 3 hours  ", 7, 10_800.0, None, "strict", "requests"),
        ("10 concurrent-requests; lease=30s", 10, 30.0, None, "strict", "concurrent-requests"),
        ("10 concurrent-requests", 10, 60.0, None, "strict", "concurrent-requests"),
    ],
)
def test_quota_string_is_read(
    text: str, limit: int, window_s: float, burst: int | None, algorithm: str, unit: str
) -> None:
    """Every form of the grammar gives the numbers it says."""
    quota = Quota.parse(text)
    assert (quota.limit, quota.window_s, quota.burst, quota.algorithm, quota.unit) == (
        limit, window_s, burst, algorithm, unit,
    )  # fmt: skip
    assert Quota.parse(str(quota)) == quota


@pytest.mark.parametrize("text", NOT_A_QUOTA)
def test_quota_string_that_cannot_be_enforced_is_refused(text: str) -> None:
    """What is wrong is a `ConfigError` that a person can act on, never another exception."""
    with pytest.raises(ConfigError) as caught:
        Quota.parse(text)
    assert 10 < len(str(caught.value)) < 600


@given(st.text(max_size=40))
def test_quota_string_of_any_text_is_read_or_refused(text: str) -> None:
    """No text crashes the parser, and what it reads it can write."""
    try:
        quota = Quota.parse(text)
    except ConfigError:
        return
    assert Quota.parse(str(quota)) == quota


@given(st.integers(1, 2**36 - 1), st.integers(10**6, 366 * 86_400 * 10**9), st.none() | st.integers(1, 2**36 - 1))
def test_quota_survives_its_string(limit: int, window_ns: int, burst: int | None) -> None:
    """The canonical string gives the same quota for every number."""
    try:
        quota = Quota(limit, window_ns / 1e9, burst)
    except ConfigError:
        assert burst is not None  # only a bucket that takes over ten years to fill
        return
    assert Quota.parse(str(quota)) == quota


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 60.0), (-1, 60.0), (2**36, 60.0), (2**70, 60.0), (100, 0.0), (100, -1.0), (100, float("nan")),
        (100, float("inf")), (100, 0.0009), (100, 367 * 86_400.0), (100, 60.0, 0), (100, 60.0, -1), (100, 60.0, 2**36),
        (100, 60.0, 5, "strict"), (100, 60.0, 5, "sliding-window"), (100, 60.0, None, "fixed"),
        (100, 60.0, None, None, "apples"), (1, 366 * 86_400.0, 1_000), (5, 60.0, 2, None, "concurrent-requests"),
    ],
)  # fmt: skip
def test_quota_of_wrong_numbers_cannot_be_built(arguments: tuple[int, float]) -> None:
    """There is no quota that could not be enforced."""
    with pytest.raises(ConfigError):
        Quota(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (10**50, 60), (-(10**50), 60), (10**5_000, 60), (1, 10**400), (1, 60, 10**50), (1, 60, -(10**5_000)),
        ("1", 60), (None, 60), (1.0, 60), (1, "60"), (1, None), (1, 60, "5"), (1, 60, 5.0), (1, 60, None, 5),
        (1, 60, None, "strict\ud800"), (1, 60, None, None, 5), (1, 60, None, None, None), (1, 60, None, None, "\ud800"),
    ],
)  # fmt: skip
def test_quota_of_wrong_types_cannot_be_built(arguments: Any) -> None:
    """Whatever was given, the error is the one that says so and names the argument."""
    with pytest.raises(ConfigError, match=r"limit|window|burst|algorithm|unit") as caught:
        Quota(*arguments)
    assert 10 < len(str(caught.value)) < 600


@pytest.mark.parametrize("text", ["1/\ud800", "\udfff", 5, None, b"1/second"])
def test_quota_string_that_is_no_text_is_refused(text: Any) -> None:
    """Half a character and other types are no quota strings."""
    with pytest.raises(ConfigError, match="quota"):
        Quota.parse(text)
    with pytest.raises(ConfigError, match="quota"):
        Limiter(text)


def test_quota_is_a_value() -> None:
    """Equal quotas are interchangeable, and none can be changed."""
    quota = Quota(100, 60.0)
    assert quota == Quota.parse("100/minute")
    assert hash(quota) == hash(Quota.parse("100/minute"))
    assert quota != Quota(100, 60.0, burst=100)
    assert quota != "100/minute"
    with pytest.raises(AttributeError):
        quota.limit = 5  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "x" * 65, "tab\there", "naïve", "line\nbreak", "\ud800", 123, None, b"burst"])
def test_policy_name_must_fit_a_header(name: Any) -> None:
    """A name is 1 to 64 printable ASCII characters."""
    with pytest.raises(ConfigError, match="policy name"):
        Policy(name, "1/second")


def test_policy_reads_its_quota() -> None:
    """A string becomes a quota; equal policies are equal."""
    policy = Policy("burst", "10/second")
    assert policy.quota == Quota(10, 1.0)
    assert policy == Policy("burst", Quota(10, 1.0))


@pytest.mark.parametrize(
    "quotas",
    [[], [Policy("a", "1/s"), Policy("a", "2/s")], ["1/s", "1/s"], None, 5, b"1/s", [3], [["1/s"]], "1/parsec"],
)
def test_limiter_of_wrong_policies_cannot_be_built(quotas: object) -> None:
    """None, duplicates and what is no quota are said when the limiter is built."""
    with pytest.raises(ConfigError):
        Limiter(quotas)  # type: ignore[arg-type]


def test_limiter_takes_at_most_sixteen_policies() -> None:
    """More than sixteen policies are an error, not a slow decision."""
    with pytest.raises(ConfigError, match="16"):
        Limiter([f"{number}/minute" for number in range(1, 18)])


@pytest.mark.parametrize("on_full", ["", "drop", "REFUSE", "\ud800", 5, None, ["refuse"]])
def test_limiter_knows_only_two_ways_when_full(on_full: Any) -> None:
    """`on_full` is refuse or allow."""
    with pytest.raises(ConfigError, match="on_full"):
        Limiter("1/second", on_full=on_full)


@pytest.mark.parametrize("quota", ["100/minute", "5 tokens/hour; burst=3"])
def test_limiter_names_a_policy_by_its_quota(quota: str) -> None:
    """Without a name the canonical string is the name."""
    limiter = Limiter(quota)
    assert [policy.name for policy in limiter.policies] == [quota]
    assert quota in repr(limiter)
