"""Honest groups that share what is new: nobody of them may be restricted; who is today stands in `outcomes`."""

from __future__ import annotations

import pytest

from campaigns.lookalikes import LOOKALIKES
from campaigns.outcomes import HURT, LARGE, SELDOM, is_expected
from campaigns.run import play
from campaigns.scenarios import GROUPS, QUIET, played

NAMES = [*QUIET, *GROUPS]


def check(name: str, seeds: range) -> None:
    """As the table says."""
    outcomes = played(name, seeds)
    assert is_expected(name, outcomes), [one.hurt() for one in outcomes]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HURT])
def test_honest_group_is_not_restricted(name: str) -> None:
    """Not a single request, neither of the group nor of anybody else."""
    check(name, range(2))


@pytest.mark.parametrize("name", [name for name in NAMES if name in HURT])
def test_honest_group_that_is_restricted_today(name: str) -> None:
    """A known mistake: when it is mended, its line in `outcomes` goes."""
    check(name, range(2))


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in NAMES if name not in HURT])
def test_honest_group_is_not_restricted_for_many_seeds(name: str) -> None:
    """The same with other words, shares and hours."""
    outcomes = played(name, range(2, 10))
    assert any(one.hurt() for one in outcomes) == (name in SELDOM), [one.hurt() for one in outcomes]


@pytest.mark.soak
@pytest.mark.parametrize("scale", [0.25, 4.0])
@pytest.mark.parametrize("name", [name for name in LOOKALIKES if name not in HURT])
def test_size_of_an_honest_group_changes_nothing(name: str, scale: float) -> None:
    """A quarter of the accounts, and four times as many."""
    hurt = play(LOOKALIKES[name].world(0, scale=scale)).hurt()
    assert bool(hurt) == (name in LARGE and scale > 1), hurt
