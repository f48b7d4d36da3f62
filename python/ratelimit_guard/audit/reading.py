"""One pass over the files of a log."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ratelimit_guard._core import audit as _audit
from ratelimit_guard.audit.files import BrokenFileError, chunks
from ratelimit_guard.audit.maps import PRESETS, Map
from ratelimit_guard.prompt import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    Progress: TypeAlias = Callable[[Path, int], None]

BLOCK = 10_000
"""Accounts that are turned into Python objects at once."""


class Settings(NamedTuple):
    """How a log is read and judged; `declared` and `suspects` are observed at most."""

    columns: Map | None
    alpha: float
    guard: tuple[float, float, float] | None
    capacity: int
    declared: Collection[str] = ()
    suspects: Collection[str] = ()


class Reading(NamedTuple):
    """What came of the lines: `skipped` by reason, with the place of the first; `notes` on what was odd."""

    auditor: _audit.Auditor
    totals: dict[str, Any]
    skipped: dict[str, tuple[int, str]]
    notes: dict[str, int]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every account, in the order of their first records."""
        for start in range(0, len(self.auditor), BLOCK):
            yield from self.auditor.accounts(start, start + BLOCK)


def read(paths: Sequence[Path], settings: Settings, progress: Progress) -> Reading:
    """Feed the files in their order. `ConfigError` for one that cannot be opened; one that breaks off is noted."""
    auditor: _audit.Auditor | None = None
    started: list[Path] = []
    damaged = 0
    for path in paths:
        try:
            for chunk in chunks(path, partial(progress, path)):
                if auditor is None:
                    # Nobody who calls the model knows what others sent at the start of the log.
                    auditor = _auditor(settings, blake2b(chunk, digest_size=16).digest())
                auditor.feed(chunk)
        except BrokenFileError:
            damaged += 1
        # Not its truth: that is how many accounts it has.
        if auditor is not None:
            auditor.end_file()
            started.append(path)
    if auditor is None:
        auditor = _auditor(settings, bytes(16))
    totals = auditor.totals
    skipped = {why: (lines, f"{started[file]}:{line}") for why, (lines, file, line) in totals["skipped"].items()}
    return Reading(auditor, totals, skipped, _notes(totals, damaged))


def _auditor(settings: Settings, secret: bytes) -> _audit.Auditor:
    columns = [(column, path) for column, paths in (settings.columns or PRESETS["plain"]).items() for path in paths]
    dialects = [(name, dict(table)) for name, table in DIALECTS.items()]
    auditor = _audit.Auditor(columns, dialects, secret, settings.alpha, settings.guard, settings.capacity)
    for account in settings.declared:
        auditor.declare(account)
    for account in settings.suspects:
        auditor.suspect(account)
    return auditor


def _notes(totals: dict[str, Any], damaged: int) -> dict[str, int]:
    names = ("repeated", "out_of_order", "jumps", "no_prompt", "not_judged", "unlisted")
    counts = {"damaged_files": damaged} | {name: totals[name] for name in names}
    counts |= {f"forgotten_{name}": count for name, count in totals["forgotten"].items()}
    return {name: count for name, count in counts.items() if count}
