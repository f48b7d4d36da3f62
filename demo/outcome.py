"""What the run showed, as figures: from the driver, the live detector's saved state, and an audit of the run's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.access_log import time_of
from ratelimit_guard.audit import audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.tally import Tally
    from ratelimit_guard.audit import AuditResult, Campaign
    from ratelimit_guard.baseline import Baseline

SHARED_MEMBERS = 0.5
"""Two campaigns are the same when so many of the members of either are in both."""


@dataclass(frozen=True)
class Outcome:
    """Shares are of all requests that were meant to be learned from.

    `before`: those that came before the first campaign was convicted; `answered`: all that got an answer. `live` and
    `audited`: those that did not have to pay from a campaign's budget, as the workers decided and as the audit says.
    """

    attacks: int
    before: float
    answered: float
    live: float
    audited: float
    same: bool


def merged(logs: Sequence[Path], to: Path) -> Path:
    """The workers' logs as one, in the order of time."""
    lines = [line for log in logs for line in log.read_bytes().splitlines(keepends=True)]
    lines.sort(key=time_of)
    to.write_bytes(b"".join(lines))
    return to


def audited(log: Path, baseline: Baseline) -> tuple[AuditResult, set[str]]:
    """What the audit finds, and the requests that it would have let pay."""
    paid: set[str] = set()
    return audit([log], baseline=baseline, restricted=lambda one: paid.add(one.request)), paid


def outcome(tally: Tally, found: AuditResult, again: AuditResult, paid: set[str]) -> Outcome:
    """All figures."""
    attacks, by_workers = tally.attacks, tally.paid
    convicted = min((campaign.convicted for campaign in found.campaigns), default=float("inf"))
    served = {name for name, attack in attacks.items() if attack.served}
    count = max(1, len(attacks))
    return Outcome(
        attacks=len(attacks),
        before=sum(attack.time < convicted for attack in attacks.values()) / count,
        answered=len(served) / count,
        live=len(attacks.keys() - by_workers.keys()) / count,
        audited=len(served - paid) / count,
        same=same(found.campaigns, again.campaigns),
    )


def same(some: Sequence[Campaign], others: Sequence[Campaign]) -> bool:
    """Has each campaign its like on the other side?"""
    return len(some) == len(others) and all(any(_alike(one, other) for other in others) for one in some)


def common(one: Campaign, other: Campaign) -> int:
    """Accounts that are members of both."""
    return len({*one.members} & {*other.members})


def _alike(one: Campaign, other: Campaign) -> bool:
    return one.kind == other.kind and common(one, other) > SHARED_MEMBERS * max(one.accounts, other.accounts)
