"""What a family of measurements hands back, and its two forms: plain text for the terminal, Markdown for the docs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Check:
    """A target and what was measured; `met` is None where it could not be measured."""

    what: str
    target: str
    measured: str
    met: bool | None

    @staticmethod
    def exactly(what: str, wanted: int, least: int, most: int | None = None) -> Check:
        """A count that has to be `wanted`; `most` when several were taken."""
        most = least if most is None else most
        measured = number(least) if least == most else f"{number(least)} to {number(most)}"
        return Check(what, number(wanted), measured, least == most == wanted)

    @staticmethod
    def at_most(what: str, bound: float, measured: float, unit: str = "", digits: int = 0) -> Check:
        return Check(what, f"≤ {bound:,}{unit}", number(measured, digits) + unit, measured <= bound)

    @staticmethod
    def times(what: str, least: float, measured: float, word: str = "") -> Check:
        """A ratio that has to reach `least`."""
        return Check(what, f"≥ {least:g}x{word}", f"{measured:.2f}x", measured >= least)


@dataclass(frozen=True)
class Section:
    """One family: how it was measured, its tables, its targets, and what the reader should know before quoting it."""

    title: str
    method: str
    tables: Sequence[Table] = ()
    checks: Sequence[Check] = ()
    notes: Sequence[str] = field(default=())

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Section:
        raw = json.loads(text)
        raw["tables"] = [Table(**table) for table in raw["tables"]]
        raw["checks"] = [Check(**check) for check in raw["checks"]]
        return Section(**raw)


def number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def verdict(check: Check) -> str:
    return {True: "met", False: "MISSED", None: "not measured"}[check.met]


def check_table(checks: Sequence[Check]) -> Table:
    rows = [(check.what, check.target, check.measured, verdict(check)) for check in checks]
    return Table("Targets", ("what", "target", "measured", "verdict"), rows)


def as_text(table: Table) -> str:
    grid = [list(table.columns), *[list(row) for row in table.rows]]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.columns))]
    lines = [_text_row(row, widths) for row in grid]
    return "\n".join([f"-- {table.title}", lines[0], "-" * len(lines[0]), *lines[1:]])


def _text_row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, rest = row[0].ljust(widths[0]), row[1:]
    return "  ".join([first, *[cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]])


def as_markdown(table: Table) -> str:
    rule = ["---"] + ["---:"] * (len(table.columns) - 1)
    rows = [table.columns, rule, *table.rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return f"**{table.title}**\n\n{body}\n"


def section_text(section: Section) -> str:
    tables = [*section.tables, *([check_table(section.checks)] if section.checks else [])]
    parts = [f"== {section.title}", section.method, *[as_text(table) for table in tables]]
    return "\n\n".join([*parts, *[f"note: {note}" for note in section.notes]])


def section_markdown(section: Section) -> str:
    """Without the targets, which the page lists together at its head."""
    parts = [f"## {section.title}\n", section.method + "\n", *[as_markdown(table) for table in section.tables]]
    notes = "\n".join(f"- {note}" for note in section.notes)
    return "\n".join(parts) + (f"\n{notes}\n" if notes else "")


def command(run: Callable[[bool], Section]) -> None:
    """The command line that every family shares: a table for people, JSON for `run.py`."""
    parser = ArgumentParser(description=run.__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller counts: a look, not a result")
    parser.add_argument("--json", action="store_true", help="print the section for run.py")
    arguments = parser.parse_args()
    section = run(arguments.quick)
    print(section.to_json() if arguments.json else section_text(section))
