"""What comes out today: of campaigns how much is restricted, who is hurt, and why.

A test fails whenever a line here is no longer true, also when the detector has become better.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.run import Outcome

FOUND: dict[str, float] = {}
"""Campaigns that have to be restricted: the least share of what the attacker wants answered."""

LEEWAY = 0.15
"""So much more than that may be restricted before the line has to be written anew."""

MISSED: dict[str, str] = {}
"""Campaigns of which less than `LEAST` is restricted, and why."""

LEAST = 0.2

HURT: dict[str, tuple[str, str]] = {}
"""Scenarios in which honest accounts have restricted requests with at least one seed: whose, and why."""


def is_expected(name: str, outcomes: Sequence[Outcome]) -> bool:
    """Whether a scenario comes out, over several seeds, as this file says."""
    hurt = {group for one in outcomes for group in one.hurt()}
    if hurt != set(HURT.get(name, ("",))[0].split()):
        return False
    share = fmean(one.share for one in outcomes)
    if name in FOUND:
        return FOUND[name] <= share < FOUND[name] + LEEWAY
    return name not in MISSED or share < LEAST
