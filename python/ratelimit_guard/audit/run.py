"""The run over a log: files in, an `AuditResult` or a `Baseline` out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import audit as _audit
from ratelimit_guard._core import detector as _detector
from ratelimit_guard.audit.reading import Settings, campaign_name, read
from ratelimit_guard.audit.result import (
    AccountResult,
    AuditResult,
    Bin,
    Calibration,
    Campaign,
    Example,
    Match,
    Point,
    Signal,
    Suspect,
)
from ratelimit_guard.audit.sentences import amount
from ratelimit_guard.baseline import Baseline, confidence
from ratelimit_guard.detector import CONVICTING, DEFAULT_ALPHA, HONEST_RATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ratelimit_guard.audit.maps import Map
    from ratelimit_guard.audit.reading import Progress, Restricted

OBSERVING = tuple(name for name in HONEST_RATES if name not in CONVICTING)


def audit(
    paths: Sequence[Path | str],
    *,
    baseline: Baseline | None = None,
    alpha: float = DEFAULT_ALPHA,
    declared: Mapping[str, str] | None = None,
    restrict: Collection[str] = (),
    payers: Mapping[str, str] | None = None,
    columns: Map | None = None,
    capacity: int = _detector.DEFAULT_CAPACITY,
    progress: Progress = lambda _path, _done: None,
    restricted: Restricted = lambda _request: None,
) -> AuditResult:
    """Judge every account of a log in the order of its records: a verdict at a time uses nothing later.

    Suspects of the baseline are observed at most, but for those that `restrict` names: whoever showed as much before is
    for the operator to decide about, and may be an honest tenant of a rare kind.

    `payers` says who pays for an account: accounts of one payer count as one tenant of a campaign. `restricted` is told
    of every request that a campaign restricts, in the order of the log.

    `progress` is told how many bytes of a file have been read. The same log gives the same result: the secret of its
    hashes is that of the baseline, or comes from its own first bytes, which no caller of the model knows whole.
    `ConfigError` for a file that cannot be opened. Cost: 10 µs a record of 1 KB; memory for `capacity` profiles
    (1.6 KiB) and a line for each account.
    """
    files = [Path(path) for path in paths]
    uses = {_audit.cut_name(account): use for account, use in (declared or {}).items()}
    trusted = baseline if baseline and not baseline.is_empty else None
    guard = trusted.guard(alpha) if trusted else None
    listed = {account for account, _, _ in trusted.suspects(alpha)} if trusted else set[str]()
    suspects = listed.difference(map(_audit.cut_name, restrict))
    known, secret = (trusted.known, trusted.secret) if trusted else (None, None)
    settings = Settings(columns, alpha, guard, capacity, uses, suspects, _related(payers), known, secret)
    reading = read(files, settings, progress, restricted)
    first, last = reading.totals["span"] or (None, None)
    thresholds = reading.auditor.thresholds
    accounts = tuple(
        account_result(row, thresholds, declared=uses.get(row["account"]), suspect=row["account"] in suspects)
        for row in reading.rows()
    )
    return AuditResult(
        files=tuple(map(str, files)),
        alpha=alpha,
        mode="enforce" if trusted else "shadow",
        thresholds=thresholds,
        lines=reading.totals["lines"],
        records=reading.totals["records"],
        first=first,
        last=last,
        accounts=accounts,
        campaigns=campaign_results(reading.auditor.campaigns(), accounts, dict(settings.payers)),
        calibration=_calibration(baseline, alpha, accounts) if baseline else None,
        skipped=reading.skipped,
        notes=reading.notes | _unheeded(uses, restrict, listed, accounts),
    )


def calibrate(
    paths: Sequence[Path | str],
    *,
    declared: Collection[str] = (),
    payers: Mapping[str, str] | None = None,
    columns: Map | None = None,
    capacity: int = _detector.DEFAULT_CAPACITY,
    progress: Progress = lambda _path, _done: None,
) -> Baseline:
    """Learn from a history what honest accounts do, but for those of a declared use: nothing follows from them.

    Some extraction in it does not matter, see `Baseline.suspects`.
    """
    files = [Path(path) for path in paths]
    settings = Settings(columns, DEFAULT_ALPHA, None, capacity, declared, payers=_related(payers))
    reading = read(files, settings, progress, lambda _request: None)
    first, last = reading.totals["span"] or (None, None)
    left_out = {_audit.cut_name(account) for account in declared}
    evidence = (
        (row["account"], {name: nats for name, _, counted, nats in row["signals"] if counted})
        for row in reading.rows()
        if row["account"] not in left_out
    )
    totals, skipped = reading.totals, {why: lines for why, (lines, _) in reading.skipped.items()}
    if damaged := reading.notes.get("damaged_files"):
        skipped["end of a damaged file"] = damaged
    return Baseline.of(
        evidence,
        requests=totals["records"],
        first=first,
        last=last,
        skipped=skipped,
        known=reading.auditor.known(),
        secret=reading.secret,
    )


def _related(payers: Mapping[str, str] | None) -> list[tuple[str, str]]:
    return [(_audit.cut_name(account), payer) for account, payer in (payers or {}).items()]


def account_result(row: dict[str, Any], thresholds: Mapping[str, float], **decided: Any) -> AccountResult:
    """An account as the engine tells of it, which `row` then no longer does."""

    def signal(name: str, events: int, counted: int, evidence: float) -> Signal:
        threshold = thresholds[name] if name in CONVICTING else None
        return Signal(name, events, counted, max(evidence, 0.0), threshold, HONEST_RATES[name])

    number = row.pop("campaign")
    row["campaign"] = None if number is None else campaign_name(number)
    at, request, after = row.pop("flag") or (None, None, None)
    row["signals"] = tuple([signal(*values) for values in row["signals"] if values[2]])
    row["timeline"] = tuple([Point(*values) for values in row["timeline"]])
    row["examples"] = tuple([Example(*values) for values in row["examples"]])
    return AccountResult(**row, **decided, flagged_at=at, flagged_request=request, flagged_after=after)


def campaign_results(
    rows: Sequence[dict[str, Any]], accounts: Sequence[AccountResult], payers: Mapping[str, str]
) -> tuple[Campaign, ...]:
    """With their members, found by one pass over the accounts however many campaigns there are."""
    members: dict[str, list[AccountResult]] = {}
    for account in accounts:
        if account.campaign:
            members.setdefault(account.campaign, []).append(account)
    return tuple(_campaign(row, members.get(campaign_name(row["id"]), []), payers) for row in rows)


def _campaign(row: dict[str, Any], members: list[AccountResult], payers: Mapping[str, str]) -> Campaign:
    """Counted by its members, of whom the engine has estimates only; who has no payer is one, as its tenant."""
    members.sort(key=lambda one: -one.matched)
    row |= {
        "name": campaign_name(row.pop("id")),
        "accounts": len(members),
        "tenants": len({one.tenant for one in members}),
        "payers": len({payers.get(one.account, (one.tenant,)) for one in members}),
        "timeline": tuple([Bin(*values) for values in row["timeline"]]),
        "examples": tuple([Match(*values) for values in row["examples"]]),
        "members": tuple([one.account for one in members]),
    }
    return Campaign(**row)


def _unheeded(
    uses: Mapping[str, str], restrict: Collection[str], suspects: Collection[str], accounts: Sequence[AccountResult]
) -> dict[str, int]:
    """Decisions about nobody: mistyped names, most likely."""
    names = {account.account for account in accounts}
    counts = {
        "declared, and not in the log": len(uses.keys() - names),
        "to be restricted, and no suspect": len({*restrict} - {*suspects}),
    }
    return {what: number for what, number in counts.items() if number}


def _calibration(baseline: Baseline, alpha: float, accounts: Sequence[AccountResult]) -> Calibration:
    restricted = baseline.restricted(alpha)
    return Calibration(
        accounts=baseline.accounts,
        requests=baseline.requests,
        first=baseline.first,
        last=baseline.last,
        restricted=restricted,
        interval=confidence(restricted, baseline.accounts),
        guard={name: max(nats, 0.0) for name, nats in zip(CONVICTING, baseline.guard(alpha), strict=True)},
        suspects=tuple(Suspect(*suspect) for suspect in baseline.suspects(alpha)),
        gaps=tuple(_gaps(baseline, accounts)),
    )


def _gaps(baseline: Baseline, accounts: Sequence[AccountResult]) -> Iterator[str]:
    """What the history does not know: alpha says nothing about such tenants."""
    if baseline.known is None:
        yield "texts that its accounts share: the baseline is of an earlier version, calibrate again"
    for name in OBSERVING:
        highest = max((nats for nats, _ in baseline.maxima[name]), default=0.0)
        beyond = [
            account.account
            for account in accounts
            for signal in account.signals
            if signal.name == name and signal.evidence > max(highest, 0.0) and account.level != "throttle"
        ]
        if beyond:
            yield f"{amount(len(beyond), 'unrestricted account')} with more {name} than any account of the history"
