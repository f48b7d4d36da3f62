"""Verdicts as lines of JSON: one for each account, written by `audit --verdicts` and read by `explain`.

The line of a member holds the facts of its campaign too, but for the course of time: each line can be explained alone.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ratelimit_guard.audit.result import AccountResult, Campaign, Example, Match, Point, Signal
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ratelimit_guard.audit.result import AuditResult, Mode, RestrictedRequest

DIGITS = 4
"""Of scores and evidence. Rounded down: nothing reads as reached that was not."""
CAMPAIGN = re.compile(r"C[1-9]\d*")
"""Only for such a name is a file of verdicts read to its end."""
FACTS = tuple(one.name for one in fields(Campaign) if one.name not in {"name", "timeline", "members"})


class Verdict(NamedTuple):
    """A line, read back. `campaign` has neither timeline nor members."""

    account: AccountResult
    mode: Mode
    campaign: Campaign | None


class Explained(NamedTuple):
    """What a file of verdicts says about a name, which may be that of an account and of a campaign."""

    verdict: Verdict | None
    members: list[Verdict]


def write_verdicts(result: AuditResult, file: IO[str]) -> None:
    """A line for each account, highest score first: `account`, `risk` (the score), `flagged_at`, and the reasons."""
    campaigns = {one.name: one for one in result.campaigns}
    for account in sorted(result.accounts, key=lambda account: -account.score):
        line = _line(account, result.mode, campaigns.get(account.campaign or ""))
        file.write(json.dumps(line, allow_nan=False) + "\n")


def write_request(one: RestrictedRequest, file: IO[str]) -> None:
    """A line for a request that a campaign restricts."""
    line = {"id": one.request, "account": one.account, "time": one.time, "campaign": one.campaign}
    file.write(json.dumps(line, allow_nan=False) + "\n")


def read_verdicts(lines: Iterable[str], name: str) -> Explained:
    """The line of an account, and those of the members of a campaign, most matches first.

    `ConfigError` for a file that is no file of verdicts.
    """
    is_campaign = bool(CAMPAIGN.fullmatch(name))
    verdict: Verdict | None = None
    members: list[Verdict] = []
    for line in lines:
        try:
            values = json.loads(line)
            is_named, is_member = values["account"] == name, is_campaign and values["campaign"] == name
            found = _verdict(values) if is_named or is_member else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            msg = "no file of verdicts: write one with `ratelimit-guard audit … --verdicts FILE`"
            raise ConfigError(msg) from None
        if found and is_member:
            members.append(found)
        if found and is_named:
            verdict = found
            if not is_campaign:
                break
    return Explained(verdict, sorted(members, key=lambda one: -one.account.matched))


def _line(account: AccountResult, mode: Mode, campaign: Campaign | None) -> dict[str, Any]:
    return {
        "account": account.account,
        "risk": _down(account.score),
        "flagged_at": account.flagged_at,
        "level": account.level,
        "campaign": account.campaign,
        "tenant": account.tenant,
        "declared": account.declared,
        "suspect": account.suspect,
        "mode": mode,
        "requests": account.requests,
        "answered": account.answered,
        "counted": account.counted,
        "output_tokens": account.output_tokens,
        "matched": account.matched,
        "rotations": account.rotations,
        "restricted": account.restricted,
        "first": account.first,
        "last": account.last,
        "flagged_request": account.flagged_request,
        "flagged_after": account.flagged_after,
        "signals": [_rounded(signal) for signal in account.signals],
        "timeline": [(time, requests, _down(score)) for time, requests, score in account.timeline],
        "examples": account.examples,
        "campaign_facts": _facts(campaign) if campaign else None,
    }


def _rounded(signal: Signal) -> dict[str, Any]:
    threshold = None if signal.threshold is None else _down(signal.threshold)
    return signal._asdict() | {"evidence": _down(signal.evidence), "threshold": threshold}


def _facts(campaign: Campaign) -> dict[str, Any]:
    return {name: getattr(campaign, name) for name in FACTS} | {"evidence": _down(campaign.evidence)}


def _down(value: float) -> float:
    scale: int = 10**DIGITS
    return math.floor(value * scale) / scale


def _verdict(values: dict[str, Any]) -> Verdict:
    facts = values["campaign_facts"]
    campaign = None if facts is None else _campaign(values["campaign"], facts)
    return Verdict(_account(values), values["mode"], campaign)


def _account(values: dict[str, Any]) -> AccountResult:
    names = (
        "account",
        "tenant",
        "declared",
        "suspect",
        "requests",
        "answered",
        "counted",
        "output_tokens",
        "campaign",
        "matched",
        "rotations",
        "restricted",
        "first",
        "last",
    )
    more = ("level", "flagged_at", "flagged_request", "flagged_after")
    return AccountResult(
        **{name: values[name] for name in (*names, *more)},
        score=float(values["risk"]),
        signals=tuple(Signal(**signal) for signal in values["signals"]),
        timeline=tuple(Point(*point) for point in values["timeline"]),
        examples=tuple(Example(*example) for example in values["examples"]),
    )


def _campaign(name: str, facts: dict[str, Any]) -> Campaign:
    values: dict[str, Any] = {one: facts[one] for one in FACTS if one != "released"}
    values["released"] = facts.get("released", False)  # earlier files do not say
    values["examples"] = tuple(Match(*example) for example in facts["examples"])
    return Campaign(name=name, **values)
