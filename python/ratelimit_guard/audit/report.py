"""The report of an audit: one HTML page that asks nothing of the network and reads without scripts.

`render` chooses what fits on a page and leaves the words to `sentences` and the markup to `report.html`. What the log
says (accounts, tenants, files, request ids) is hostile: it is made visible and short by `sentences.name`, then escaped,
and the page's own policy admits no style and no script but `report.css` and `report.js`, which stand in it whole.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from ratelimit_guard.audit import campaign_sentences as campaigns
from ratelimit_guard.audit import sentences as say
from ratelimit_guard.audit.campaign_plots import STRIP, pictured
from ratelimit_guard.audit.plots import BASE, CEILING, HEIGHT, LEFT, RIGHT, TOP, WIDTH, scatter, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard.audit.result import AccountResult, AuditResult, Level

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
ORDER: dict[Level, int] = {"throttle": 0, "observe": 1, "none": 2}

BAR = 2.0
"""The score at which a bar is full; its middle is the threshold."""


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
    groups = pictured(result)
    detailed = [*levels["throttle"][: DETAILED - len(observed)], *observed]
    return (
        _environment()
        .get_template("report.html")
        .render(
            result=result,
            say=say,
            campaigns=campaigns,
            groups=groups,
            shown={group.campaign.name for group in groups},
            by_name={one.name: one for one in result.campaigns},
            strip=STRIP,
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
    if result.campaigns:
        said += f" {campaigns.found(result.campaigns)}"
    return (
        said
        if restricted or waiting or result.campaigns
        else f"{said} That is a finding too, within the limits named at the end."
    )


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


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_part),
    )
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


def _part(name: str) -> str:
    return resources.files("ratelimit_guard.audit").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    """What a content security policy calls a style or a script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
