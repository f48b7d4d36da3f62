"""Campaigns among honest accounts, as they are found today; and that files say what the engine says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from campaigns.campaigns import CAMPAIGNS
from campaigns.framing import FRAMINGS
from campaigns.outcomes import FOUND, HURT, LEAST, MISSED, is_expected
from campaigns.scenarios import SCENARIOS, played
from ratelimit_guard.audit import audit, calibrate

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard.audit import RestrictedRequest

SEEDS = range(2)


def check(name: str, seeds: range = SEEDS) -> None:
    """As the table says."""
    outcomes = played(name, seeds)
    assert is_expected(name, outcomes), [(round(one.share, 3), one.hurt()) for one in outcomes]


def test_every_scenario_has_an_expected_outcome() -> None:
    """No campaign is forgotten or listed twice, no line is about nothing."""
    assert sorted(CAMPAIGNS) == sorted([*FOUND, *MISSED])
    assert set(HURT) <= set(SCENARIOS)
    assert not set(CAMPAIGNS) & set(FRAMINGS)
    assert min(FOUND.values()) >= LEAST


@pytest.mark.parametrize("name", FOUND)
def test_campaign_is_restricted(name: str) -> None:
    """So much of what it wants is not answered."""
    check(name)


@pytest.mark.parametrize("name", MISSED)
def test_campaign_that_is_missed_today(name: str) -> None:
    """A known mistake: when it is mended, its line in `outcomes` moves to those that are found."""
    check(name)


def test_files_say_what_the_engine_says(tmp_path: Path) -> None:
    """History and log as files, by the functions that operators use: one campaign, and hardly anybody else pays."""
    world = SCENARIOS["composed-100"](0, 100)
    assert world.history is not None
    paths = tmp_path / "history", tmp_path / "log"
    for path, calls in zip(paths, (world.history.calls, world.log), strict=True):
        path.write_bytes(b"".join(call.line for call in calls))
    restricted: list[RestrictedRequest] = []
    result = audit([paths[1]], baseline=calibrate([paths[0]]), restricted=restricted.append)
    attacks = {call.id for call in world.log if call.attack}
    found = {one.request for one in restricted}
    assert len(found) == len(restricted)
    assert found <= attacks
    assert len(found) > 0.8 * len(attacks)
    members = {account.account for account in result.accounts if account.campaign == "C1"}
    assert len(members & {call.account.name for call in world.log if call.attack}) > 90
