"""Pictures of campaigns for the report: when their requests came, and one line for each member."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.audit import sentences as say
from ratelimit_guard.audit.plots import LEFT, RIGHT, TOP, WIDTH, Tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.audit.result import AccountResult, AuditResult, Campaign

DETAILED = 20
"""Campaigns with a picture and tables, at some 20 KB each."""
DRAWN = 200
"""Members in the picture of a campaign: more lines would touch each other."""
STRIP = TOP + 60
"""The lower edge of the bars."""
TALL = 400
"""Units of height for the lines of all members, at most `THICK` for each."""
THICK = 8.0
LABELS = 30
"""Room for the times below."""
LEAST = 1.5
"""What is shorter is drawn so long, to be seen at all."""


class Picture(NamedTuple):
    """A campaign over time, in units of a view box as wide as all plots: paths, and where it was convicted."""

    height: float
    edge: float
    matches: str
    restricted: str
    members: str
    hit: str
    convicted: Tick
    right: bool
    start: str
    end: str
    left_out: int


class Group(NamedTuple):
    """A campaign as the report shows it; its members have the most matches first."""

    campaign: Campaign
    members: list[AccountResult]
    picture: Picture


def pictured(result: AuditResult) -> list[Group]:
    """The first campaigns that were convicted, with their members."""
    shown = result.campaigns[:DETAILED]
    wanted = {name for one in shown for name in one.members}
    known = {account.account: account for account in result.accounts if account.account in wanted}
    members = [[known[name] for name in one.members if name in known] for one in shown]
    return [Group(one, found, picture(one, found)) for one, found in zip(shown, members, strict=True)]


def picture(campaign: Campaign, members: Sequence[AccountResult]) -> Picture:
    """Bars of its matching requests, and below them members from their first to their last request, by the first."""
    drawn = sorted(members[:DRAWN], key=lambda one: one.first)
    start = min([campaign.first, *(one.first for one in drawn), *(one.time for one in campaign.timeline)])
    end = max([campaign.last, *(one.last for one in drawn)])

    def x(time: float) -> float:
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, (time - start) / ((end - start) or 1.0)))

    step = min(THICK, TALL / max(len(drawn), 1))
    rows = [(one, round(STRIP + 14 + place * step, 1)) for place, one in enumerate(drawn)]
    edge = round(STRIP + 14 + len(drawn) * step, 1)
    most = max((max(one.matches, one.restricted) for one in campaign.timeline), default=0) or 1
    spans = [(x(one.time), x(one.time + _width(campaign)), one) for one in campaign.timeline]
    return Picture(
        height=edge + LABELS,
        edge=edge,
        matches="".join(_bar(left, right, one.matches / most) for left, right, one in spans),
        restricted="".join(_bar(left, right, one.restricted / most) for left, right, one in spans),
        members="".join(_line(x(one.first), x(one.last), y) for one, y in rows),
        hit="".join(
            _line(x(max(one.first, campaign.convicted)), x(one.last), y)
            for one, y in rows
            if one.restricted and one.last >= campaign.convicted
        ),
        convicted=Tick(round(x(campaign.convicted), 1), f"convicted {say.moment(campaign.convicted)}"),
        right=x(campaign.convicted) > WIDTH / 2,
        start=say.moment(start),
        end=say.moment(end),
        left_out=len(campaign.members) - len(drawn),
    )


def _width(campaign: Campaign) -> float:
    """Seconds of a bin: as near as two ever are."""
    starts = [one.time for one in campaign.timeline]
    return min((later - one for one, later in pairwise(starts)), default=campaign.last - campaign.first)


def _bar(left: float, right: float, height: float) -> str:
    if not height:
        return ""
    right = max(right - 0.5, left + LEAST)
    return f"M{left:.1f} {STRIP}V{STRIP - (STRIP - TOP) * height:.1f}H{min(right, RIGHT):.1f}V{STRIP}z"


def _line(left: float, right: float, y: float) -> str:
    right = max(right, left + LEAST)
    return f"M{min(left, RIGHT - LEAST):.1f} {y:g}H{min(right, RIGHT):.1f}"
