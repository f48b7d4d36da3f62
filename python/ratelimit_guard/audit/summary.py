"""What `ratelimit-guard audit` prints: the result in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ratelimit_guard.audit import campaign_sentences as campaigns
from ratelimit_guard.audit.sentences import amount, main_signal, moment, over_threshold, visible
from ratelimit_guard.detector import DEFAULT_ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ratelimit_guard.audit.result import AccountResult, AuditResult, Calibration, Campaign
    from ratelimit_guard.baseline import Baseline

SHOWN = 20
"""Accounts in the table, and campaigns; the file of verdicts has them all."""


def calibrated(baseline: Baseline, file: Path) -> Iterator[str]:
    """What was learned, and whom to look at before relying on it."""
    yield f"{file}: {baseline.accounts:,} accounts, {baseline.requests:,} requests"
    if baseline.is_empty:
        yield "- nothing was learned: is the history read by the right --map?"
    yield from _skipped(baseline)
    for account, signal, nats in baseline.suspects(DEFAULT_ALPHA):
        yield f"- suspect: {visible(account)} shows {signal} ({nats:.1f} nats): look at it before you rely on it"


def _skipped(baseline: Baseline) -> Iterator[str]:
    for reason, lines in baseline.skipped.items():
        yield f"- skipped {lines:,} lines of the history: {reason}"


def summary(result: AuditResult) -> Iterator[Table | str]:
    """The accounts to look at, and how far the figures can be relied on."""
    found = sorted(
        (account for account in result.accounts if account.level != "none"),
        key=lambda account: (account.level != "throttle", -account.score),
    )
    if found:
        yield _table(found[:SHOWN])
        if len(found) > SHOWN:
            yield f"and {len(found) - SHOWN} more, in --verdicts and --report"
    restricted = sum(account.level == "throttle" for account in found)
    would = "would be restricted" + (" (shadow: no history was given)" if result.mode == "shadow" else "")
    read = f"{amount(result.records, 'request')} of {amount(len(result.accounts), 'account')}"
    yield f"{read}: {restricted} {would}, {len(found) - restricted} observed"
    if result.campaigns:
        yield from _campaigns(result)
    waiting = [account.account for account in found if account.suspect and account.score > 1]
    if waiting:
        yield f"- {amount(len(waiting), 'suspect')} of the history wait for your decision, see --restrict"
    yield f"- audited: {', '.join(visible(file) for file in result.files)}"
    if result.calibration:
        yield from _reliance(result.calibration, result.alpha)
    for reason, (lines, first) in result.skipped.items():
        yield f"- skipped {amount(lines, 'line')}: {reason}, the first at {visible(first)}"
    for note, count in result.notes.items():
        yield f"- {note.replace('_', ' ')}: {count:,}"


def _table(accounts: list[AccountResult]) -> Table:
    table = Table("account", "tenant", "level", "score", "requests", "flagged after", "signals")
    for account in accounts:
        over = [signal.name for signal in over_threshold(account)]
        strongest = main_signal(account)
        reasons = [*over, *([account.campaign] if account.campaign else [])]
        reasons = reasons or ([strongest.name] if strongest else [])
        after = "" if account.flagged_after is None else f"{account.flagged_after:,}"
        table.add_row(
            visible(account.account),
            visible(account.tenant),
            account.level,
            f"{account.score:.2f}",
            f"{account.requests:,}",
            after,
            ", ".join(reasons),
        )
    return table


def _campaigns(result: AuditResult) -> Iterator[Table | str]:
    shown = result.campaigns[:SHOWN]
    yield _groups(shown)
    yield campaigns.found(result.campaigns)
    for one in shown:
        yield f"- {one.name}: {campaigns.shared(one, result.mode)}"


def _groups(shown: Sequence[Campaign]) -> Table:
    """Narrow enough for 80 columns: times without year and seconds, one below the other."""
    table = Table()
    for head in ("name", "accounts", "tenants", "first seen → convicted", "matching", "restricted", "asks for"):
        table.add_column(head, no_wrap="→" not in head)
    for one in shown:
        table.add_row(
            one.name,
            f"{one.accounts:,}",
            f"{one.tenants:,}",
            f"{_short(one.first)} → {_short(one.convicted)}",
            f"{one.matches:,}",
            f"{one.restricted:,}",
            campaigns.target(one),
        )
    return table


def _short(seconds: float) -> str:
    text = moment(seconds)
    return text[5:16] if text[4:5] == "-" else text


def _reliance(calibration: Calibration, alpha: float) -> Iterator[str]:
    low, high = calibration.interval
    rate = calibration.restricted / max(calibration.accounts, 1)
    yield (
        f"of {calibration.accounts:,} accounts of the history, each judged by what the others show, "
        f"{calibration.restricted} would have been restricted: "
        f"{rate:.2%}, 95 % interval {low:.2%} to {high:.2%}, asked for {alpha:.2%}"
    )
    for account, signal, nats in calibration.suspects:
        yield f"- suspect in the history: {visible(account)} shows {signal} ({nats:.1f} nats)"
    for gap in calibration.gaps:
        yield f"- not known from the history: {gap}"
