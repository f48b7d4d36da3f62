"""What a live detector found, in the form of an audit: its report, verdicts and explanations serve both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.audit.reading import BLOCK
from ratelimit_guard.audit.result import AuditResult
from ratelimit_guard.audit.run import account_result, campaign_results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratelimit_guard._core.live import Findings
    from ratelimit_guard.audit.result import Mode


def saved_result(
    findings: Findings, *, source: str, alpha: float, mode: Mode, uses: Mapping[str, str] | None = None
) -> AuditResult:
    """Every account and campaign of a saved state. `uses` are the declared uses of tenants, by their ids."""
    first, last = findings.span or (None, None)
    thresholds, uses = findings.thresholds, uses or {}
    rows = (row for start in range(0, len(findings), BLOCK) for row in findings.accounts(start, start + BLOCK))
    accounts = tuple(account_result(row, thresholds, declared=uses.get(row["tenant"]), suspect=False) for row in rows)
    requests = sum(account.requests for account in accounts)
    return AuditResult(
        files=(source,),
        alpha=alpha,
        mode=mode,
        thresholds=thresholds,
        lines=requests,
        records=requests,
        first=first,
        last=last,
        accounts=accounts,
        campaigns=campaign_results(findings.campaigns(), accounts, {}),
        is_live=True,
    )
