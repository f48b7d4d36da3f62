"""What comes out today: of campaigns how much is restricted, who is hurt, and why.

A test fails whenever a line here is no longer true, also when the detector has become better.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.run import Outcome

FOUND: dict[str, float] = {
    "composed-100": 0.90,
    "composed-1000": 0.90,
    "composed-10000": 0.85,
    "composed-100-no-history": 0.85,
    "composed-100-few": 0.85,
    "composed-100-many": 0.75,
    "composed-100-behind-system": 0.95,
    "whole-60": 0.85,
    "whole-400": 0.45,
    "seeds-175": 0.90,
    "seeds-175-alone": 0.90,
    "seeds-2000": 0.55,
    "personas-200": 0.50,
    "agentic-20": 0.85,
    "synonyms-20": 0.85,
    "synonyms-100": 0.70,
    "reworded": 0.20,
    "cover-50": 0.85,
    "cover-90": 0.50,
    "known-members": 0.90,
    "human-hours": 0.90,
    "unequal": 0.90,
    "everything": 0.85,
    "changing-4h": 0.80,
    "changing-1h": 0.90,
    "changing-4h-whole": 0.70,
    "public-template-between": 0.50,
    "relay": 0.90,
}
"""Campaigns that have to be restricted: the least share of what the attacker wants answered."""

LEEWAY = 0.15
"""So much more than that may be restricted before the line has to be written anew."""

NOTHING_SHARED = "no text is shared: each prompt is another, as with a crowd of strangers"
ONE_TEMPLATE = "who stays with one template looks like its honest users"
COPIES = "prompts that are the same to the last word are what viral ones are, and do not count"
FEW_IN_COVER = (
    "six requests of each account in a day, from sixty texts: each is met too seldom, and late (seeds: 1 to 32 %)"
)

SMALL_STOCK = "a stock of fewer than a dozen pieces is what a new tool with a few built-in prompts is"

MISSED: dict[str, str] = {
    "composed-10": SMALL_STOCK,
    "elicit-6": SMALL_STOCK,
    "evolve-5": SMALL_STOCK,
    "cover-90-whole-60": FEW_IN_COVER,
    "one-template": ONE_TEMPLATE,
    "resampled-500": COPIES,
    "public-template-around": ONE_TEMPLATE,
    "walk": NOTHING_SHARED,
    "walk-code": NOTHING_SHARED,
    "walk-chinese": NOTHING_SHARED,
}
"""Campaigns of which less than `LEAST` is restricted, and why."""

LEAST = 0.2

SEEDS = "a few out of a pool in every request, or a corpus walked together: as attackers do it"
COMMON = "turns of phrase of the language that the history does not have, and the campaign uses most"
RARE = "a prompt that the victim first used when the sybils had it already: with 3 of 6 seeds, 1 to 8 of 150 requests"
LEAKED = "the sybils were first: whose template it is, nobody can tell"
MIXED = "the prompts of a new tool among those of the sybils: its users try them all, and are pieces of one stock"

COMMUNITY = ("victim", "late victim")

HURT: dict[str, tuple[tuple[str, ...], str]] = {
    "composed-100-no-history": (("power-user",), COMMON),
    "examples-chosen": (("group",), SEEDS),
    "benchmark": (("group",), SEEDS),
    "community-tool-mixed": (COMMUNITY, MIXED),
    "mixed-features-10": (("victim",), RARE),
    "features-rotated": (("victim",), RARE),
    "leaked-template": (("late victim",), LEAKED),
    "leaked-features-10": (("late victim",), LEAKED),
}
"""Scenarios in which honest accounts have restricted requests with at least one seed: whose, and why."""

LARGE = {"hackathon-kit", "agency-12-clients-unrelated", "new-tool-pipeline", "news", "prompt-course"}
"""Honest groups of which nobody has, but of four times as many accounts some have."""

SELDOM = {"new-tool-pipeline", "news", "new-tool-12-no-history"}
"""Honest groups of which somebody has with some other seed: of seeds 2 to 9 with two, five and one."""


def is_expected(name: str, outcomes: Sequence[Outcome]) -> bool:
    """Whether a scenario comes out, over several seeds, as this file says."""
    hurt = {group for one in outcomes for group in one.hurt()}
    if hurt != set(HURT[name][0] if name in HURT else ()):
        return False
    share = fmean(one.share for one in outcomes)
    if name in FOUND:
        return FOUND[name] <= share < FOUND[name] + LEEWAY
    return name not in MISSED or share < LEAST
