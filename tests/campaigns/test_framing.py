"""Sybils against a victim: whatever they send, the victim's requests are answered."""

from __future__ import annotations

import pytest

from campaigns.framing import FRAMINGS, REPORTED
from campaigns.outcomes import HURT, is_expected
from campaigns.scenarios import played

HONEST = 40
"""Accounts in the background."""

SEEDS = range(6)
"""Together with all strategies a hundred runs."""


def test_there_are_a_hundred_runs() -> None:
    """Over several strategies, those left out that cannot be told."""
    assert len(SEEDS) * (len(FRAMINGS) - len(REPORTED)) >= 100


@pytest.mark.parametrize("name", [name for name in FRAMINGS if name not in HURT])
def test_nobody_can_have_another_account_restricted(name: str) -> None:
    """Not a single request of a victim, or of anybody else who is honest."""
    assert [one.hurt() for one in played(name, SEEDS, HONEST)] == [{}] * len(SEEDS)


@pytest.mark.parametrize("name", [name for name in FRAMINGS if name in HURT])
def test_framing_that_succeeds_today(name: str) -> None:
    """A known mistake, or one of those that nobody can avoid."""
    assert is_expected(name, played(name, SEEDS, HONEST))


def test_only_reported_framings_are_not_promised() -> None:
    """Who comes after the sybils cannot be told from them."""
    assert set(REPORTED) <= set(HURT)
