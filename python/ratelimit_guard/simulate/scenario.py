"""What is simulated: how many of each kind, how busy, from when on, for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from ratelimit_guard.errors import ConfigError

Tier: TypeAlias = Literal["composed", "pool", "whole", "cover", "relay"]

DAY = 86_400.0
START = 1_800_057_600.0
"""A midnight in UTC, 2027-01-16."""

MAX_ACCOUNTS = 1_000_000
"""Each takes a few kilobytes while it is simulated."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Accounts that extract the model together, each with few requests a day.

    `composed` puts opening, manner and closing from banks around new tasks; `pool` rewords seed questions of one pool;
    `whole` walks a corpus of bare tasks, each once; `cover` is `composed` between as many honest-looking requests;
    `relay` sells access: other people's conversations hop between its accounts.
    """

    tier: Tier
    accounts: int = 100
    requests: float = 26.0
    """Of an account in a day."""

    def __post_init__(self) -> None:
        if self.tier not in get_args(Tier):
            msg = f"campaign.tier: must be one of {', '.join(get_args(Tier))}, got {self.tier!r}"
            raise ConfigError(msg)
        _check("campaign", self.accounts, self.requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Counts are of accounts, `…_requests` of one account in a day on average, `start` is in Unix seconds.

    `news=False` leaves out what nobody had seen before: the viral prompt. Its users only chat then.
    """

    days: float = 1.0
    start: float = START
    heavy: int = 0
    heavy_requests: float = 3_000.0
    small: int = 0
    small_requests: float = 20.0
    classes: int = 0
    class_size: int = 30
    class_requests: float = 10.0
    viral: int = 0
    viral_requests: float = 12.0
    agency: int = 0
    agency_requests: float = 60.0
    campaigns: tuple[Campaign, ...] = ()
    news: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.days <= 3_660:
            msg = f"days: must be positive and at most 3660, got {self.days}"
            raise ConfigError(msg)
        if not 0 <= self.start <= 1e11:
            msg = f"start: must be Unix seconds, got {self.start}"
            raise ConfigError(msg)
        for name, count, requests in (
            ("heavy", self.heavy, self.heavy_requests),
            ("small", self.small, self.small_requests),
            ("class", self.classes * self.class_size, self.class_requests),
            ("viral", self.viral, self.viral_requests),
            ("agency", self.agency, self.agency_requests),
        ):
            _check(name, count, requests)

    def before(self, days: float = 1.0) -> Scenario:
        """The days before with the same honest accounts and no campaign: a history for the audit."""
        return replace(self, start=self.start - days * DAY, days=days, campaigns=(), news=False)


def _check(name: str, accounts: int, requests: float) -> None:
    if not 0 <= accounts <= MAX_ACCOUNTS:
        msg = f"{name}: must be 0 to {MAX_ACCOUNTS} accounts, got {accounts}"
        raise ConfigError(msg)
    if not 0 <= requests <= 1e6:
        msg = f"{name}: must be 0 to 1000000 requests a day, got {requests}"
        raise ConfigError(msg)


SCENARIOS: dict[str, Scenario] = {
    "demo": Scenario(heavy=2, small=100, classes=1, campaigns=(Campaign("composed", 300),)),
    "small": Scenario(
        heavy=1, heavy_requests=600, small=60, small_requests=12, classes=1, campaigns=(Campaign("composed", 80),)
    ),
    "all": Scenario(
        heavy=2,
        small=300,
        classes=2,
        viral=80,
        agency=6,
        campaigns=(
            Campaign("composed", 100),
            Campaign("pool", 100),
            Campaign("whole", 100),
            Campaign("cover", 100, requests=52.0),
            Campaign("relay", 60, requests=40.0),
        ),
    ),
}
"""Presets by name."""
