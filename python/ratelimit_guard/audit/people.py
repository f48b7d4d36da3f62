"""What the operator knows about accounts: a JSONL file with a line for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ratelimit_guard.audit.files import BrokenFileError, chunks
from ratelimit_guard.detector import USES
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PAYERS = ("payer", "payment", "payment_method", "billing_account")
"""Keys under which exports name who pays for an account; the first that holds a name counts."""


class People(NamedTuple):
    """Account → declared use, and account → who pays for it."""

    uses: dict[str, str]
    payers: dict[str, str]


def read_people(file: Path | None, declarations: Sequence[str] = ()) -> People:
    """From the accounts file (`{"account": …, "declared": …, "payment": …}`) and from `ACCOUNT=USE`.

    `ConfigError` that names the line for what is no account, or a use that means nothing.
    """
    people = People({}, {})
    for number, line in enumerate(_lines(file) if file else (), 1):
        if not line.strip():
            continue
        account, record = _record(line, f"{file}, line {number}")
        if (use := record.get("declared")) is not None:
            people.uses[account] = _checked(use, f"{file}, line {number}")
        if payer := _payer(record):
            people.payers[account] = payer
    for word in declarations:
        account, equals, use = word.rpartition("=")
        if not equals or not account:
            msg = f"--declare {word!r:.100}: write ACCOUNT=USE"
            raise ConfigError(msg)
        people.uses[account] = _checked(use, f"--declare {word!r:.100}")
    return people


def _lines(file: Path) -> Iterable[bytes]:
    rest = b""
    try:
        for chunk in chunks(file):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
    except BrokenFileError as error:
        msg = f"{file} breaks off: {error}"
        raise ConfigError(msg) from None
    yield rest


def _record(line: bytes, place: str) -> tuple[str, dict[str, Any]]:
    try:
        record = json.loads(line)
        if account := _name(record["account"]):
            return account, record
        raise ValueError  # noqa: TRY301
    except (ValueError, KeyError, TypeError, RecursionError):
        msg = f'{place}: write {{"account": "…", "declared": "evaluation"}} or null'
        raise ConfigError(msg) from None


def _payer(record: dict[str, Any]) -> str | None:
    """Other values than names are some other column of the operator's, and not ours."""
    return next(filter(None, (_name(record.get(key)) for key in PAYERS)), None)


def _name(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _checked(use: object, place: str) -> str:
    if not isinstance(use, str) or use not in USES:
        msg = f"{place}: no such use: {use!r:.80}: write one of {', '.join(USES)}"
        raise ConfigError(msg)
    return use
