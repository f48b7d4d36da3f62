"""Verdicts as lines of JSON: one for each account, written by `audit --verdicts` and read by `explain`."""

from __future__ import annotations

import json
import math
from typing import IO, TYPE_CHECKING, Any

from ratelimit_guard.audit.result import AccountResult, Example, Point, Signal
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ratelimit_guard.audit.result import AuditResult, Mode

DIGITS = 4
"""Of scores and evidence. Rounded down: nothing reads as reached that was not."""


def write_verdicts(result: AuditResult, file: IO[str]) -> None:
    """A line for each account, highest score first: `account`, `risk` (the score), `flagged_at`, and the reasons."""
    for account in sorted(result.accounts, key=lambda account: -account.score):
        file.write(json.dumps(_line(account, result.mode), allow_nan=False) + "\n")


def read_verdict(lines: Iterable[str], account: str) -> tuple[AccountResult, Mode] | None:
    """The line of one account; None when there is none. `ConfigError` for a file that is no file of verdicts."""
    for line in lines:
        try:
            values = json.loads(line)
            if values["account"] == account:
                return _account(values), values["mode"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            msg = "no file of verdicts: write one with `ratelimit-guard audit … --verdicts FILE`"
            raise ConfigError(msg) from None
    return None


def _line(account: AccountResult, mode: Mode) -> dict[str, Any]:
    return {
        "account": account.account,
        "risk": _down(account.score),
        "flagged_at": account.flagged_at,
        "level": account.level,
        "campaign": None,
        "tenant": account.tenant,
        "declared": account.declared,
        "suspect": account.suspect,
        "mode": mode,
        "requests": account.requests,
        "answered": account.answered,
        "counted": account.counted,
        "output_tokens": account.output_tokens,
        "first": account.first,
        "last": account.last,
        "flagged_request": account.flagged_request,
        "flagged_after": account.flagged_after,
        "signals": [_rounded(signal) for signal in account.signals],
        "timeline": [(time, requests, _down(score)) for time, requests, score in account.timeline],
        "examples": account.examples,
    }


def _rounded(signal: Signal) -> dict[str, Any]:
    threshold = None if signal.threshold is None else _down(signal.threshold)
    return signal._asdict() | {"evidence": _down(signal.evidence), "threshold": threshold}


def _down(value: float) -> float:
    scale: int = 10**DIGITS
    return math.floor(value * scale) / scale


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


def restricted_requests() -> Iterator[str]:
    """Single requests that are restricted without judging their account: none before there are campaigns."""
    return iter(())
