"""Campaigns in words: what their accounts share, since when, what they ask for, and what each member showed.

Pure functions, as in `sentences`. An audit reads a log: everything that was restricted would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.audit.sentences import amount, count, listing, moment, name, percent, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.audit.result import AccountResult, Campaign, Mode

NONE = "No group of accounts acts as one."
CAPABILITIES = {
    "code": "code",
    "maths": "mathematics",
    "tools": "the use of tools",
    "instructions": "tasks and questions for others to answer",
    "writing": "writing",
}
"""What requests ask for, in words; what is left is `other`."""
NOTABLE = 0.1
"""Share of the matching requests from which on a capability is named."""


def found(campaigns: Sequence[Campaign]) -> str:
    """How many groups act as one, and what would have followed."""
    if not campaigns:
        return NONE
    groups = f"{amount(len(campaigns), 'group')} of accounts act{'s' if len(campaigns) == 1 else ''} as one"
    named = listing([f"{one.name} of {count(one.accounts)}" for one in campaigns[:3]])
    more = f" and {count(len(campaigns) - 3)} more" if len(campaigns) > 3 else ""
    restricted = amount(sum(one.restricted for one in campaigns), "request")
    return f"{groups} ({named}{more}): {restricted} would have been restricted because of that."


def group(campaign: Campaign) -> str:
    """Who they are: accounts, their tenants, who pays for them."""
    paid = f", paid for by {amount(campaign.payers, 'payer')}," if 0 < campaign.payers != campaign.tenants else ""
    return f"{amount(campaign.accounts, 'account')} of {amount(campaign.tenants, 'tenant')}{paid} act as one."


def shared(campaign: Campaign, mode: Mode) -> str:
    """What they have in common, and why honest users of one text do not."""
    accounts, pieces = amount(campaign.accounts, "account"), count(campaign.pieces)
    if campaign.kind == "provenance":
        return (
            f"{accounts} continued conversations whose answers had been given to another account: "
            f"{amount(campaign.pieces, 'such link')} between them, in {amount(campaign.matches, 'request')}; "
            "honest users continue their own."
        )
    unknown = "pieces that are not common in the history" if mode == "enforce" else "common pieces"
    return (
        f"{accounts} put their prompts together from {pieces} {unknown}; "
        f"{percent(_share(campaign.events, campaign.matches))} of their "
        f"{amount(campaign.matches, 'matching request')} brought a combination that their account had not used before; "
        "honest users of one shared prompt repeat it."
    )


def course(campaign: Campaign) -> str:
    """Since when, how long it took to see it, and what would have followed."""
    late = span(campaign.convicted - campaign.first)
    return (
        f"Matching requests from {moment(campaign.first)} to {moment(campaign.last)} UTC; convicted at "
        f"{moment(campaign.convicted)} UTC, {late} after the first of them, with evidence of {campaign.evidence:.1f} "
        f"nats by the end. {amount(campaign.restricted, 'request')} would have been restricted because of it."
    )


def capability(campaign: Campaign) -> str:
    """What its requests ask for, the most first; `other` targets nothing."""
    shares = capabilities(campaign)
    said = [f"{CAPABILITIES.get(what, what)} ({percent(share)})" for what, share in shares if what != "other"]
    if not campaign.capabilities:
        return "What the matching requests ask for was not counted."
    if not said:
        return "No single capability stands out."
    return f"Of the matching requests, these ask for: {listing(said)}."


def capabilities(campaign: Campaign) -> list[tuple[str, float]]:
    """Notable capabilities and their shares of the matching requests, the largest first."""
    of = sum(campaign.capabilities.values())
    shares = [(name(what), _share(number, of)) for what, number in campaign.capabilities.items()]
    return sorted((one for one in shares if one[1] >= NOTABLE), key=lambda one: -one[1])


def target(campaign: Campaign) -> str:
    """The capability that most of the matching requests ask for, in a word."""
    if not campaign.capabilities:
        return "not counted"
    what = next((what for what, _ in capabilities(campaign)), "other")
    return "none" if what == "other" else what


def networks(campaign: Campaign) -> str:
    """From how many networks the requests came."""
    if not campaign.addresses:
        return "not in the log"
    return f"{amount(campaign.addresses, 'network')} (/24 or /48)"


def membership(account: AccountResult, campaign: Campaign | None) -> list[str]:
    """What an account has to do with a campaign, and why requests of it would have been restricted."""
    if account.campaign is None:
        return [_bystander(account)] if account.restricted else []
    said = f"Member of campaign {name(account.campaign)}: {showed(account, campaign)}."
    if not account.restricted:
        return [said]
    if account.level == "throttle":
        return [f"{said} Its own part in it weighs so much that the account would have been restricted as a whole."]
    return [f"{said} Each of these is judged by what it holds, and not by its account."]


def showed(account: AccountResult, campaign: Campaign | None) -> str:
    """What a member showed, and what would have followed."""
    of = f"{count(account.matched)} of its {amount(account.requests, 'request')}"
    if campaign and campaign.kind == "provenance":
        act = f"{of} continued an answer that had been given to another account"
    else:
        act = f"{of} held pieces that strangers share, {count(account.rotations)} in a combination that was new to it"
    return f"{act}; {count(account.restricted)} would have been restricted"


def _bystander(account: AccountResult) -> str:
    were = f"{count(account.restricted)} of its {amount(account.requests, 'request')} would have been restricted"
    return f"{were} because of a campaign, of which the account itself is no member."


def _share(part: int, of: int) -> float:
    return part / of if of else 0.0
