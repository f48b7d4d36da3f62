"""What `ratelimit-guard explain` says about an account or a campaign, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.audit import campaign_sentences as campaigns
from ratelimit_guard.audit.sentences import moment, telling_examples, verdict_sentences, visible, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ratelimit_guard.audit.lines import Explained, Verdict

MEMBERS = 200
"""Members of a campaign that are named; the file of verdicts has them all."""


def explained(found: Explained) -> Iterator[str]:
    """The campaign of a name, and the account of that name: somebody's account may be called C1."""
    if found.members:
        yield from _campaign(found.members)
    if found.verdict:
        yield from _account(found.verdict)


def _account(verdict: Verdict) -> Iterator[str]:
    account = verdict.account
    lines = [*verdict_sentences(account), *campaigns.membership(account, verdict.campaign)]
    if account.level != "throttle" and account.score <= 1:
        lines.append(why_not(account))
    if verdict.campaign:
        lines.append(campaigns.shared(verdict.campaign, verdict.mode))
    yield from (f"- {line}" for line in lines)
    for one in telling_examples(account):
        yield f"  {one.signal}: request {visible(one.request)}"


def _campaign(members: Sequence[Verdict]) -> Iterator[str]:
    first = members[0]
    if first.campaign:
        yield f"{first.campaign.name}: {campaigns.group(first.campaign)}"
        if first.campaign.released:
            yield "- The operator released it: nothing follows from it any longer."
        said = (campaigns.shared(first.campaign, first.mode), campaigns.course(first.campaign))
        yield from (f"- {line}" for line in (*said, campaigns.capability(first.campaign)))
        yield f"- Networks of their requests: {campaigns.networks(first.campaign)}."
        yield "- Requests to look up:"
        for one in first.campaign.examples:
            yield f"  {moment(one.time)} {visible(one.request)} of {visible(one.account)}"
    yield "- Members, most matching requests first:"
    for account, _, campaign in members[:MEMBERS]:
        yield f"  {visible(account.account)}: {campaigns.showed(account, campaign)}"
    if len(members) > MEMBERS:
        yield f"  and {len(members) - MEMBERS:,} more, in the file of verdicts"
