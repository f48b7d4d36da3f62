"""The report of an audit: one HTML page that asks nothing of the network and reads without scripts.

`render` chooses what fits on a page and leaves the words to `sentences` and the markup to `report.html`. What the log
says (accounts, tenants, files, request ids) is hostile: it is made visible and short by `sentences.name`, then escaped,
and the page's own policy admits no style and no script but the two that stand in the template.
"""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from ratelimit_guard.audit import sentences as say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard.audit.result import AccountResult, AuditResult, Level, Point

RANKED = 300
"""Rows of the ranking: more than anybody reads, and a page that opens at once."""
NEXT = 40
"""Accounts among them that are not flagged: who is nearest to it, not who is there."""
DETAILED = 100
"""Accounts with a section of their own, at some 8 KB each."""
OBSERVED_DETAILED = 10
"""Observed accounts among them: enough to see what is being watched."""
LISTED = 20
"""Rows of the tables of heavy accounts, tenants, suspects and gaps."""
FILES = 6
"""Files named in the head."""
LONG = 300
"""Characters of a reason, a note or a gap that are shown: two lines."""
EXAMPLES = 12
"""Requests named per account: enough to look up, not a copy of the log."""
DRAWN = 2_000
"""Accounts in the scatter plot that are not flagged; more would only make the cloud darker."""
STEPS = 240
"""Points of a timeline: one every three units of its width."""
ORDER: dict[Level, int] = {"throttle": 0, "observe": 1, "none": 2}

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BASE = 44, WIDTH - 28, 24, HEIGHT - 42
CEILING = 4.0
"""Scores above are drawn at the upper edge: what matters is at 1."""
BAR = 2.0
"""The score at which a bar is full; its middle is the threshold."""


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


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant used."""

    tenant: str
    accounts: int
    requests: int
    answered: int
    output_tokens: int
    share: float
    level: Level


def render(result: AuditResult) -> str:
    """The report as one HTML page."""
    ranked = sorted(result.accounts, key=lambda one: (ORDER[one.level], -one.score, -one.requests, one.account))
    levels = {level: [one for one in ranked if one.level == level] for level in ORDER}
    heavy = sorted(levels["observe"] + levels["none"], key=lambda one: (-one.requests, one.account))
    tenants = usage(result.accounts)
    observed = levels["observe"][:OBSERVED_DETAILED]
    detailed = [*levels["throttle"][: DETAILED - len(observed)], *observed]
    text = resources.files("ratelimit_guard.audit").joinpath("report.html").read_text("utf-8")
    return (
        _environment()
        .from_string(text)
        .render(
            result=result,
            say=say,
            headline=headline(result),
            volume=volume(levels["throttle"], heavy),
            levels=levels,
            ranked=[*levels["throttle"], *levels["observe"], *levels["none"][:NEXT]][:RANKED],
            detailed=[(one, timeline(one)) for one in detailed],
            anchors={one.account: number for number, one in enumerate(detailed, 1)},
            scatter=scatter(ranked),
            heavy=heavy[:LISTED],
            tenants=tenants,
            listed=LISTED,
            files=FILES,
            long=LONG,
            examples=EXAMPLES,
            bar=BAR,
            ceiling=CEILING,
            size=(WIDTH, HEIGHT),
            box=(LEFT, RIGHT, TOP, BASE),
        )
    )


def headline(result: AuditResult) -> str:
    """The result in one or two sentences."""
    if not result.accounts:
        return "The log held no record that could be used: nothing was judged."
    restricted, observed = (sum(one.level == level for one in result.accounts) for level in ("throttle", "observe"))
    accounts = say.amount(len(result.accounts), "account")
    watched = f"{say.count(observed) if observed else 'none'} observed"
    waiting = sum(one.suspect and one.score > 1 for one in result.accounts)
    said = f"{say.count(restricted) if restricted else 'None'} of {accounts} would have been restricted, {watched}."
    if waiting:
        said += f" Of these {say.amount(waiting, 'suspect')} of the history wait for your decision."
    return said if restricted or waiting else f"{said} That is a finding too, within the limits named at the end."


def volume(restricted: Sequence[AccountResult], others: Sequence[AccountResult]) -> str:
    """How many requests the accounts to restrict made, beside the heaviest of the others."""
    most = say.amount(others[0].requests, "request") if others else ""
    if not restricted:
        return f"The heaviest account made {most} and would not be restricted." if others else ""
    low, high = (pick(one.requests for one in restricted) for pick in (min, max))
    made = say.amount(high, "request") if low == high else f"{say.count(low)} to {say.amount(high, 'request')}"
    plural = "s" if len(restricted) > 1 else ""
    who = f"The account{plural} that would be restricted"
    return f"{who} made {made}{f'; the heaviest of all others made {most}' if others else ''}."


def usage(accounts: Iterable[AccountResult]) -> list[Usage]:
    """What each tenant used, the largest first."""
    groups: dict[str, list[AccountResult]] = {}
    for one in accounts:
        groups.setdefault(one.tenant, []).append(one)
    total = sum(one.requests for group in groups.values() for one in group) or 1
    rows = [
        Usage(
            tenant,
            len(group),
            sum(one.requests for one in group),
            sum(one.answered for one in group),
            sum(one.output_tokens for one in group),
            sum(one.requests for one in group) / total,
            min((one.level for one in group), key=ORDER.__getitem__),
        )
        for tenant, group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.requests, row.tenant))


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


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Any] = {
        "amount": say.amount,
        "count": say.count,
        "digest": _digest,
        "moment": say.moment,
        "name": say.name,
        "percent": say.percent,
        "score": say.score,
    }
    environment.filters.update(filters)
    return environment


def _digest(text: str) -> str:
    """What a content security policy calls a style or a script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
