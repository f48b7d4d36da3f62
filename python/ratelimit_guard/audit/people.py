"""What the operator knows about accounts: a JSONL file with a line for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ratelimit_guard.audit.files import BrokenFileError, chunks
from ratelimit_guard.detector import USES
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def declared_uses(file: Path | None, declarations: Sequence[str]) -> dict[str, str]:
    """Account → declared use, from the accounts file (`{"account": …, "declared": …}`) and from `ACCOUNT=USE`.

    `ConfigError` that names the line for what is no account, or a use that means nothing.
    """
    uses: dict[str, str] = {}
    for number, line in enumerate(_lines(file) if file else (), 1):
        account, use = _declaration(line, f"{file}, line {number}")
        if use is not None:
            uses[account] = _checked(use, f"{file}, line {number}")
    for word in declarations:
        account, equals, use = word.rpartition("=")
        if not equals or not account:
            msg = f"--declare {word!r:.100}: write ACCOUNT=USE"
            raise ConfigError(msg)
        uses[account] = _checked(use, f"--declare {word!r:.100}")
    return uses


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


def _declaration(line: bytes, place: str) -> tuple[str, Any]:
    if not line.strip():
        return "", None
    try:
        record = json.loads(line)
        return _name(record["account"]), record.get("declared")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        msg = f'{place}: write {{"account": "…", "declared": "evaluation"}} or null'
        raise ConfigError(msg) from None


def _name(account: object) -> str:
    if isinstance(account, bool) or not isinstance(account, str | int) or account == "":
        raise ValueError
    return str(account)


def _checked(use: object, place: str) -> str:
    if not isinstance(use, str) or use not in USES:
        msg = f"{place}: no such use: {use!r:.80}: write one of {', '.join(USES)}"
        raise ConfigError(msg)
    return use
