"""Logs as gateways write them, made of the kinds of accounts in `detection`."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from detection.attacks import ATTACKS
from detection.honest import HONEST
from ratelimit_guard.audit.files import CHUNK
from ratelimit_guard.baseline import Baseline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from detection.kinds import Request
    from ratelimit_guard.audit import AuditResult

    Record: TypeAlias = dict[str, Any]

START = 1_800_000_000.0
PACE = 3.0
"""Seconds between two requests of an account."""

PREAMBLE = b"\n" * CHUNK
"""As many blank lines as are read at once. The secret of the hashes comes from them, and so is the same for all logs
that begin with them: only then do different logs, or parts of one, compare to the last digit."""

NOTHING = Baseline.of([("nobody", {})], requests=1, first=None, last=None)
"""A history that shows nothing: thresholds are what alpha alone asks for."""

HONEST_KINDS = ("mails", "support-bot", "consumer-chat", "power-user", "translation", "agency-7")
"""Kinds that show nothing."""


@cache
def kind(name: str, number: int, seed: int = 0) -> list[Request]:
    """The first requests of an account of a kind."""
    return (HONEST | ATTACKS)[name].take(number, seed=seed)


def records(account: str, requests: Iterable[Request], *, start: float = START, pace: float = PACE) -> list[Record]:
    """One account's records, as docs/audit.md has them."""
    return [
        {
            "time": round(start + number * pace, 3),
            "account": account,
            "tenant": f"tenant of {account}",
            "id": f"{account}-{number}",
            "path": "/v1/chat/completions",
            "status": 200,
            "request": request.body,
            "usage": {"completion_tokens": request.answer_tokens},
        }
        for number, request in enumerate(requests)
    ]


def attacker(name: str = "attacker", number: int = 80, *, of: str = "composed-100", seed: int = 0) -> list[Record]:
    """An account that extracts, and is found after some thirty requests."""
    return records(name, kind(of, number, seed), start=START + 0.5)


def honest(number: int = 80, *, seed: int = 0, start: float = START) -> list[Record]:
    """Six accounts of which nobody wants anything."""
    streams = [
        records(f"honest-{name}", kind(name, number, seed), start=start + place / 10)
        for place, name in enumerate(HONEST_KINDS)
    ]
    return mixed(*streams)


def mixed(*streams: list[Record]) -> list[Record]:
    """Several accounts in the order of time."""
    return sorted((record for stream in streams for record in stream), key=lambda record: float(record["time"]))


def jsonl(listed: Iterable[Record]) -> bytes:
    """A record a line."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in listed)


def written(path: Path, content: bytes | Sequence[Record]) -> Path:
    """The path of a new log of these records, or bytes."""
    path.write_bytes(content if isinstance(content, bytes) else PREAMBLE + jsonl(content))
    return path


def levels(result: AuditResult) -> dict[str, str]:
    """The level of each account."""
    return {account.account: account.level for account in result.accounts}


def restricted(result: AuditResult) -> set[str]:
    """Accounts that were flagged."""
    return {account.account for account in result.accounts if account.level == "throttle"}
