"""What the demo plays: whose traffic, how much of it, and what is measured afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ratelimit_guard.simulate import SCENARIOS, Scenario
from ratelimit_guard.simulate.scenario import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKERS = 4
CONCURRENCY = 16  # requests under way at once: enough for two cores, and few enough that workers agree about the time
LOAD_TIMEOUT_S = 75.0  # of the simulated day; the whole demo stays under two minutes
PATH = "/v1/chat/completions"
HEAVY = "heavy"
CAMPAIGN = "campaign:"  # what the kinds of its accounts begin with


@dataclass(frozen=True)
class Play:
    """A scenario, the `seconds` that its day takes, and the comparison after it: `blocks` times `calls` requests of
    heavy tenants with the guard, and the same ones without it, at `rate` a second.
    """

    scenario: Scenario
    seconds: float
    blocks: int
    calls: int
    rate: float = 200.0
    seed: int = 1

    @property
    def speed(self) -> float:
        """Simulated seconds in a real one."""
        return self.scenario.days * DAY / self.seconds

    def heavy_calls(self) -> Scenario:
        """Heavy tenants only, as they go on the day after."""
        days = self.blocks * self.calls * 4 / (self.scenario.heavy * self.scenario.heavy_requests)
        return replace(
            self.scenario, start=self.scenario.start + DAY, days=days, small=0, classes=0, campaigns=(), news=False
        )


PLAYS: Mapping[str, Play] = {
    "demo": Play(SCENARIOS["demo"], seconds=30.0, blocks=5, calls=200),
    "small": Play(SCENARIOS["small"], seconds=7.0, blocks=2, calls=100),
}
