"""One pass over the files of a log."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ratelimit_guard._core import audit as _audit
from ratelimit_guard.audit.files import BrokenFileError, chunks
from ratelimit_guard.audit.maps import PRESETS, Map
from ratelimit_guard.audit.result import RestrictedRequest
from ratelimit_guard.prompt import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    Progress: TypeAlias = Callable[[Path, int], None]
    Restricted: TypeAlias = Callable[[RestrictedRequest], None]

BLOCK = 10_000
"""Accounts that are turned into Python objects at once."""


class Settings(NamedTuple):
    """How a log is read and judged; `declared` and `suspects` are observed at most.

    `payers` are accounts and who pays for them, `known` the texts that a history shares, hashed with its `secret`.
    """

    columns: Map | None
    alpha: float
    guard: tuple[float, float, float] | None
    capacity: int
    declared: Collection[str] = ()
    suspects: Collection[str] = ()
    payers: Collection[tuple[str, str]] = ()
    known: bytes | None = None
    secret: bytes | None = None


class Reading(NamedTuple):
    """What came of the lines: `skipped` by reason, with the place of the first; `notes` on what was odd."""

    auditor: _audit.Auditor
    secret: bytes
    totals: dict[str, Any]
    skipped: dict[str, tuple[int, str]]
    notes: dict[str, int]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every account, in the order of their first records."""
        for start in range(0, len(self.auditor), BLOCK):
            yield from self.auditor.accounts(start, start + BLOCK)


def campaign_name(number: int) -> str:
    """What a campaign is called wherever it is mentioned."""
    return f"C{number}"


def read(paths: Sequence[Path], settings: Settings, progress: Progress, restricted: Restricted) -> Reading:
    """Feed the files in their order, and tell of each request that a campaign restricts as soon as it is known.

    `ConfigError` for a file that cannot be opened; one that breaks off is noted.
    """
    reader: _Reader | None = None
    started: list[Path] = []
    damaged = 0
    for path in paths:
        try:
            for chunk in chunks(path, partial(progress, path)):
                if reader is None:
                    # Nobody who calls the model knows what others sent at the start of the log.
                    reader = _Reader(settings, blake2b(chunk, digest_size=16).digest(), restricted)
                reader.feed(chunk)
        except BrokenFileError:
            damaged += 1
        # Not its truth: that is how many accounts it has.
        if reader is not None:
            reader.end_file()
            started.append(path)
    if reader is None:
        reader = _Reader(settings, bytes(16), restricted)
    totals = reader.auditor.totals
    skipped = {why: (lines, f"{started[file]}:{line}") for why, (lines, file, line) in totals["skipped"].items()}
    return Reading(reader.auditor, reader.secret, totals, skipped, _notes(totals, damaged))


class _Reader:
    """An auditor, drained after each chunk: what it restricts may be as long as the log."""

    def __init__(self, settings: Settings, secret: bytes, restricted: Restricted) -> None:
        self.secret = settings.secret or secret
        self.auditor = _auditor(settings, self.secret)
        self._restricted = restricted

    def feed(self, chunk: bytes) -> None:
        self.auditor.feed(chunk)
        self._drain()

    def end_file(self) -> None:
        self.auditor.end_file()
        self._drain()

    def _drain(self) -> None:
        for request, account, time, campaign in self.auditor.restricted():
            self._restricted(RestrictedRequest(request, account, time, campaign_name(campaign)))


def _auditor(settings: Settings, secret: bytes) -> _audit.Auditor:
    columns = [(column, path) for column, paths in (settings.columns or PRESETS["plain"]).items() for path in paths]
    dialects = [(name, dict(table)) for name, table in DIALECTS.items()]
    auditor = _audit.Auditor(
        columns, dialects, secret, settings.alpha, settings.guard, settings.capacity, settings.known
    )
    for account in settings.declared:
        auditor.declare(account)
    for account in settings.suspects:
        auditor.suspect(account)
    for account, payer in settings.payers:
        auditor.relate(account, payer)
    return auditor


def _notes(totals: dict[str, Any], damaged: int) -> dict[str, int]:
    names = ("repeated", "out_of_order", "jumps", "no_prompt", "not_judged", "unlisted")
    counts = {"damaged_files": damaged} | {name: totals[name] for name in names}
    counts |= {f"forgotten_{name}": count for name, count in totals["forgotten"].items()}
    return {name: count for name, count in counts.items() if count}
