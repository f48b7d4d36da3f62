"""The plots of the report: all accounts, one account, in units of a view box. Numbers only: the template draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.audit import sentences as say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard.audit.result import AccountResult, Level, Point

DRAWN = 2_000
"""Accounts in the scatter plot that are not flagged; more would only make the cloud darker."""
STEPS = 240
"""Points of a timeline: one every three units of its width."""

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BASE = 44, WIDTH - 28, 24, HEIGHT - 42
CEILING = 4.0
"""Scores above are drawn at the upper edge: what matters is at 1."""


class Tick(NamedTuple):
    """A place on an axis and what stands there."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axes:
    """The frame of a plot, in units of its view box."""

    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The score of one account over its requests, as a stair."""

    axes: Axes
    stair: str
    flag: Tick | None
    right: bool
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """All accounts, requests against score; one path of marks per level."""

    axes: Axes
    marks: dict[Level, str]
    left_out: int


def timeline(account: AccountResult) -> Timeline | None:
    """The plot of an account's score, if the audit kept one."""
    points = thinned(account.timeline)
    if not points:
        return None
    last = max(points[-1].requests, account.requests, 1)
    ceiling = _ceiling(point.score for point in points)

    def x(requests: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * requests / last, 1)

    stair = "".join(f"H{x(point.requests):g}V{_y(point.score, ceiling):g}" for point in points)
    flag = None
    if account.flagged_at is not None and account.flagged_after is not None:
        after = f"after {say.amount(account.flagged_after, 'request')}, {say.moment(account.flagged_at)}"
        flag = Tick(x(min(account.flagged_after, last)), after)
    return Timeline(
        axes=_axes([Tick(x(value), say.count(value)) for value in _steps(last)], ceiling),
        stair=f"M{LEFT} {BASE}{stair}H{RIGHT}",
        flag=flag,
        right=flag is not None and flag.at > WIDTH / 2,
        start=say.moment(account.first),
        end=say.moment(account.last),
    )


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most about `STEPS` points: the last one and the first one over the threshold are among them."""
    stride = math.ceil(len(points) / STEPS) or 1
    crossing = next((index for index, point in enumerate(points) if point.score >= 1), -1)
    last = len(points) - 1
    return [point for index, point in enumerate(points) if index % stride == 0 or index in {crossing, last}]


def scatter(ranked: Sequence[AccountResult]) -> Scatter | None:
    """The plot of all accounts: every flagged one, and of the others at most `DRAWN`, the heaviest among them."""
    if not ranked:
        return None
    others = sorted((one for one in ranked if one.level == "none"), key=lambda one: -one.requests)
    drawn = others[:: math.ceil(len(others) / DRAWN) or 1]
    decades = max(1, math.ceil(math.log10(max(one.requests for one in ranked) or 1)))
    ceiling = _ceiling(one.score for one in ranked)

    def x(requests: int) -> float:
        return LEFT + (RIGHT - LEFT) * math.log10(max(requests, 1)) / decades

    marks: dict[Level, str] = {}
    shapes: dict[Level, str] = {"none": "h0", "observe": "m-3-3h6v6h-6z", "throttle": "m0-5l5 5-5 5-5-5z"}
    for level, shape in shapes.items():
        chosen = drawn if level == "none" else [one for one in ranked if one.level == level]
        # accounts on the same spot are one mark: the size of the page has a bound, whatever the log says
        spots = dict.fromkeys((round(x(one.requests)), round(_y(one.score, ceiling))) for one in chosen)
        marks[level] = "".join(f"M{across} {up}{shape}" for across, up in spots)
    axes = _axes([Tick(round(x(10**power), 1), say.count(10**power)) for power in range(decades + 1)], ceiling)
    return Scatter(axes, marks, len(others) - len(drawn))


def _axes(across: Sequence[Tick], ceiling: float) -> Axes:
    scores = [value for value in (0, 0.5, 1, 2, 3, 4) if value <= ceiling and not (value == 0.5 and ceiling > 2)]
    return Axes(tuple(across), tuple(Tick(_y(value, ceiling), f"{value:g}") for value in scores), _y(1, ceiling))


def _ceiling(scores: Iterable[float]) -> float:
    """The highest score of an axis: room above the threshold, and above the highest score unless that is far up."""
    return min(max(1.25, 1.1 * max(scores)), CEILING)


def _y(score: float, ceiling: float) -> float:
    return round(BASE - (BASE - TOP) * min(max(score, 0.0), ceiling) / ceiling, 1)


def _steps(last: int) -> list[int]:
    """Round numbers from 0 up to `last`, about five."""
    rough = last / 5
    power = 10 ** max(0, math.floor(math.log10(rough))) if rough >= 1 else 1
    step = next((power * factor for factor in (1, 2, 5) if power * factor >= rough), power * 10)
    return list(range(0, last + 1, step))
