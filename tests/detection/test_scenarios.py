"""Honest tenants and extraction accounts as they are judged, and what comes out wrong today."""

from __future__ import annotations

import pytest

from detection.attacks import ATTACKS
from detection.honest import HONEST
from detection.judge import PACE, Outcome, judge
from detection.outcomes import FOUND, MISJUDGED, MISSED, REPLAYED, is_expected

SECRETS = 3
DAY = 86_400.0
KINDS = HONEST | ATTACKS


def check(name: str) -> None:
    """For all secrets as the table says."""
    outcomes = judged(name)
    assert is_expected(name, outcomes), [(one.convicted, one.signal) for one in outcomes]


def judged(name: str) -> list[Outcome]:
    """The kind's account for each secret."""
    kind = KINDS[name]
    stream = kind.take()
    return [judge(stream, number, declared=kind.declared) for number in range(SECRETS)]


def test_every_kind_has_an_expected_outcome() -> None:
    """No kind is forgotten or listed twice."""
    assert sorted(ATTACKS) == sorted([*FOUND, *MISSED])
    assert set(MISJUDGED) < set(HONEST)
    assert set(REPLAYED) <= set(HONEST)
    assert not set(HONEST) & set(ATTACKS)


@pytest.mark.parametrize("name", [name for name in HONEST if name not in MISJUDGED])
def test_honest_account_is_not_convicted(name: str) -> None:
    """Whatever the secret of its hashes."""
    check(name)


@pytest.mark.parametrize("name", FOUND)
def test_extraction_is_convicted_in_time(name: str) -> None:
    """Whatever the secret."""
    check(name)


@pytest.mark.parametrize("name", MISJUDGED)
def test_honest_account_that_is_convicted_today(name: str) -> None:
    """A known mistake: when it is mended, its line in `outcomes` goes."""
    check(name)


@pytest.mark.parametrize("name", MISSED)
def test_extraction_that_is_missed_today(name: str) -> None:
    """A known mistake: when it is mended, its line in `outcomes` moves to those that are found."""
    check(name)


@pytest.mark.parametrize("name", HONEST)
def test_replay_convicts_nobody(name: str) -> None:
    """A hundred times the same 12 or 60 requests are no evidence; `REPLAYED` are known mistakes."""
    kind = HONEST[name]
    convicted = set()
    for length in (12, 60):
        levels = judge(kind.take(length), declared=kind.declared, times=100).levels
        if "throttle" in levels[length:] and "throttle" not in levels[:length]:
            convicted.add(length)
    assert convicted == set(REPLAYED.get(name, ()))


@pytest.mark.parametrize("name", KINDS)
def test_pace_changes_nothing(name: str) -> None:
    """The same requests a hundred times as fast, or 26 a day, get the same verdicts."""
    kind = KINDS[name]
    stream = kind.take(150)
    outcomes = [judge(stream, declared=kind.declared, pace=pace) for pace in (PACE, PACE / 100, DAY / 26)]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_declared_evaluation_is_only_observed() -> None:
    """The same stream would be convicted if nobody had declared it."""
    kind = HONEST["evaluation"]
    stream = kind.take()
    assert judge(stream, declared=False).signal == "corpus-walk"
    assert set(judge(stream, declared=True).levels) == {"none", "observe"}
