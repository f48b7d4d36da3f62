"""All scenarios by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from campaigns.campaigns import CAMPAIGNS
from campaigns.framing import FRAMINGS
from campaigns.lookalikes import LOOKALIKES
from campaigns.population import population
from campaigns.run import play
from campaigns.traffic import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from campaigns.run import Outcome


def quiet(seed: int, honest: int = 600, *, history: bool = True) -> World:
    """Nobody but honest accounts of the usual kinds."""
    background = population(honest, seed=seed)
    return World(background.history if history else None, background.log)


NO_HISTORY = ("viral-prompts-3", "hackathon-kit", "new-tool-12", "prompt-pack-40")

QUIET: dict[str, Callable[..., World]] = {"quiet": quiet, "quiet-no-history": partial(quiet, history=False)}
GROUPS: dict[str, Callable[..., World]] = {name: one.world for name, one in LOOKALIKES.items()} | {
    f"{name}-no-history": partial(LOOKALIKES[name].world, history=False) for name in NO_HISTORY
}
SCENARIOS: dict[str, Callable[..., World]] = {
    **{name: one.world for name, one in CAMPAIGNS.items()},
    **QUIET,
    **GROUPS,
    **{name: one.world for name, one in FRAMINGS.items()},
}
TITLES = {"campaigns": [*CAMPAIGNS], "lookalikes": [*QUIET, *GROUPS], "framing": [*FRAMINGS]}


def played(name: str, seeds: Iterable[int], honest: int | None = None) -> list[Outcome]:
    """What becomes of a scenario for each seed."""
    build = SCENARIOS[name]
    return [play(build(seed, honest) if honest else build(seed), seed) for seed in seeds]
