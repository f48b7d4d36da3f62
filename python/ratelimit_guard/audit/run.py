"""The run over a log: files in, an `AuditResult` or a `Baseline` out."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from ratelimit_guard._core import audit as _audit
from ratelimit_guard._core import detector as _detector
from ratelimit_guard.audit.files import BrokenFileError, chunks
from ratelimit_guard.audit.maps import PRESETS, Map
from ratelimit_guard.audit.result import AccountResult, AuditResult, Calibration, Example, Point, Signal, Suspect
from ratelimit_guard.audit.sentences import amount
from ratelimit_guard.baseline import Baseline, confidence
from ratelimit_guard.detector import CONVICTING, DEFAULT_ALPHA, HONEST_RATES
from ratelimit_guard.prompt import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    Progress: TypeAlias = Callable[[Path, int], None]

BLOCK = 10_000
"""Accounts that are turned into Python objects at once."""

OBSERVING = tuple(name for name in HONEST_RATES if name not in CONVICTING)


def audit(
    paths: Sequence[Path],
    *,
    baseline: Baseline | None = None,
    alpha: float = DEFAULT_ALPHA,
    declared: Mapping[str, str] | None = None,
    restrict: Collection[str] = (),
    columns: Map | None = None,
    capacity: int = _detector.DEFAULT_CAPACITY,
    progress: Progress = lambda _path, _done: None,
) -> AuditResult:
    """Judge every account of a log in the order of its records: a verdict at a time uses nothing later.

    Suspects of the baseline are observed at most, but for those that `restrict` names: whoever showed as much before is
    for the operator to decide about, and may be an honest tenant of a rare kind.

    `progress` is told how many bytes of a file have been read. The same log gives the same result: the secret of its
    hashes comes from its own first bytes, which no caller of the model knows whole. `ConfigError` for a file that
    cannot be opened. Cost: 10 µs a record of 1 KB; memory for `capacity` profiles (1.6 KiB) and a line for each
    account.
    """
    uses = declared or {}
    guard = baseline.guard(alpha) if baseline else None
    suspects = {account for account, _, _ in baseline.suspects(alpha)} if baseline else set[str]()
    known = suspects.difference(restrict)

    def prepared(auditor: _audit.Auditor) -> _audit.Auditor:
        for account in uses:
            auditor.declare(account)
        for account in known:
            auditor.know(account)
        return auditor

    auditor, notes = _read(paths, columns, alpha, guard, capacity, progress, prepared)
    totals = auditor.totals
    first, last = totals["span"] or (None, None)
    thresholds = auditor.thresholds
    accounts = tuple(
        _account(row, thresholds, declared=uses.get(row["account"]), known=row["account"] in known)
        for row in _rows(auditor)
    )
    return AuditResult(
        files=tuple(str(path) for path in paths),
        alpha=alpha,
        mode="enforce" if baseline else "shadow",
        thresholds=thresholds,
        lines=totals["lines"],
        records=totals["records"],
        first=first,
        last=last,
        accounts=accounts,
        calibration=_calibration(baseline, alpha, accounts) if baseline else None,
        skipped={why: (number, f"{paths[file]}:{line}") for why, (number, file, line) in totals["skipped"].items()},
        notes=notes | _notes(totals),
    )


def calibrate(
    paths: Sequence[Path],
    *,
    columns: Map | None = None,
    capacity: int = _detector.DEFAULT_CAPACITY,
    progress: Progress = lambda _path, _done: None,
) -> Baseline:
    """Learn from a history what honest accounts do. Some extraction in it does not matter, see `Baseline.suspects`."""
    auditor, _ = _read(paths, columns, DEFAULT_ALPHA, None, capacity, progress)
    totals = auditor.totals
    first, last = totals["span"] or (None, None)
    evidence = (
        (row["account"], {name: nats for name, _, counted, nats in row["signals"] if counted}) for row in _rows(auditor)
    )
    return Baseline.of(evidence, requests=totals["records"], first=first, last=last)


def _read(
    paths: Sequence[Path],
    columns: Map | None,
    alpha: float,
    guard: tuple[float, float, float] | None,
    capacity: int,
    progress: Progress,
    prepared: Callable[[_audit.Auditor], _audit.Auditor] = lambda auditor: auditor,
) -> tuple[_audit.Auditor, dict[str, int]]:
    pairs = [(column, path) for column, listed in (columns or PRESETS["plain"]).items() for path in listed]
    dialects = [(name, dict(table)) for name, table in DIALECTS.items()]
    auditor: _audit.Auditor | None = None
    damaged = 0
    for path in paths:
        try:
            for chunk in chunks(path, partial(progress, path)):
                if auditor is None:
                    secret = blake2b(chunk, digest_size=16).digest()
                    auditor = prepared(_audit.Auditor(pairs, dialects, secret, alpha, guard, capacity))
                auditor.feed(chunk)
        except BrokenFileError:
            damaged += 1
        if auditor:
            auditor.end_file()
    auditor = auditor or _audit.Auditor(pairs, dialects, bytes(16), alpha, guard, capacity)
    return auditor, {"damaged_files": damaged} if damaged else {}


def _rows(auditor: _audit.Auditor) -> Iterator[dict[str, Any]]:
    for start in range(0, len(auditor), BLOCK):
        yield from auditor.accounts(start, start + BLOCK)


def _account(row: dict[str, Any], thresholds: Mapping[str, float], **decided: Any) -> AccountResult:
    def signal(name: str, events: int, counted: int, evidence: float) -> Signal:
        threshold = thresholds[name] if name in CONVICTING else None
        return Signal(name, events, counted, max(evidence, 0.0), threshold, HONEST_RATES[name])

    at, request, after = row.pop("flag") or (None, None, None)
    row["signals"] = tuple([signal(*values) for values in row["signals"] if values[2]])
    row["timeline"] = tuple([Point(*values) for values in row["timeline"]])
    row["examples"] = tuple([Example(*values) for values in row["examples"]])
    return AccountResult(**row, **decided, flagged_at=at, flagged_request=request, flagged_after=after)


def _notes(totals: dict[str, Any]) -> dict[str, int]:
    names = ("repeated", "out_of_order", "jumps", "no_prompt", "not_judged", "unlisted")
    counts = {name: totals[name] for name in names}
    counts |= {f"forgotten_{name}": count for name, count in totals["forgotten"].items()}
    return {name: count for name, count in counts.items() if count}


def _calibration(baseline: Baseline, alpha: float, accounts: Sequence[AccountResult]) -> Calibration:
    restricted = baseline.restricted(alpha)
    return Calibration(
        accounts=baseline.accounts,
        requests=baseline.requests,
        first=baseline.first,
        last=baseline.last,
        restricted=restricted,
        interval=confidence(restricted, baseline.accounts),
        guard=dict(zip(CONVICTING, baseline.guard(alpha), strict=True)),
        suspects=tuple(Suspect(*suspect) for suspect in baseline.suspects(alpha)),
        gaps=tuple(_gaps(baseline, accounts)),
    )


def _gaps(baseline: Baseline, accounts: Sequence[AccountResult]) -> Iterator[str]:
    """Kinds of tenants that the history does not know: alpha says nothing about them."""
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
