"""Sybils against a victim: whatever they send, the victim's requests are answered."""

from __future__ import annotations

import pytest

from campaigns.framing import FRAMINGS, REPORTED
from campaigns.outcomes import HURT, is_expected
from campaigns.scenarios import played

HONEST = 40
"""Accounts in the background."""

PROMISED = [name for name in FRAMINGS if name not in HURT]
RUNS = 100
SEEDS = range(-(-RUNS // len(PROMISED)))


@pytest.mark.parametrize("name", PROMISED)
def test_nobody_can_have_another_account_restricted(name: str) -> None:
    """Not a single request of a victim, or of anybody else who is honest: together a hundred runs."""
    assert [one.hurt() for one in played(name, SEEDS, HONEST)] == [{}] * len(SEEDS)


@pytest.mark.parametrize("name", [name for name in FRAMINGS if name in HURT])
def test_framing_that_succeeds_today(name: str) -> None:
    """A known mistake, or one of those that nobody can avoid: whose template it is, the first ones decide."""
    assert is_expected(name, played(name, SEEDS, HONEST))


def test_only_reported_framings_are_not_promised() -> None:
    """Who comes after the sybils cannot be told from them."""
    assert set(REPORTED) <= set(HURT)
