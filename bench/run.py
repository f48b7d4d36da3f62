"""Run every family in a process of its own, print the tables, and write `docs/benchmarks.md` after a full run."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

import machine
from report import Check, Section, Table, as_markdown, as_text, check_table, section_markdown, section_text

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILIES = (
    "acquire", "web", "policies", "memory", "windows", "processes", "threads", "kills", "flood",
    "sketch", "lsh", "prompt", "audit", "campaigns", "live", "calls", "fleet",
)  # fmt: skip
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; do not edit. One family alone: `.venv-bench/bin/python bench/run.py --only acquire` (or
`web`, `policies`, `memory`, `windows`, `processes`, `threads`, `kills`, `flood`, `sketch`, `lsh`, `prompt`, `audit`, `campaigns`, `live`, `calls`, `fleet`);
`--quick` takes a short look. Only a full run writes this page.

Every round runs each contender once, with fresh state, in rotating order; ratios are taken inside a round and
the median over the rounds is given, because machines drift. Keys and texts are made beforehand, the garbage
collector is off inside timed loops, and everybody is called the way its documentation shows, one attribute access
and one call per decision, text or body. Texts are invented words from a seed. The cost of the loop is in every figure
and is not subtracted. Absolute times are this machine's; the ratios and the counts are what to compare.
"""


def measure(family: str, quick: bool) -> Section:
    """A family's section from a fresh interpreter, so that no family inherits another's heap or threads."""
    print(f"measuring {family}", file=sys.stderr)
    command = [sys.executable, str(HERE / f"{family}.py"), "--json", *(["--quick"] if quick else [])]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Section.from_json(answer.stdout)


def reading(checks: Sequence[Check]) -> str:
    """What was promised and not reached, by name; the rest only as a count."""
    missed = [check for check in checks if check.met is False]
    unknown = [check for check in checks if check.met is None]
    met = len(checks) - len(missed) - len(unknown)
    lines = [
        f"{met} of {len(checks)} targets were met in this run, {len(missed)} missed, {len(unknown)} not measured.",
        "",
    ]
    lines += [f"- Missed: {check.what}: {check.measured} instead of {check.target}." for check in missed]
    lines += [f"- Not measured: {check.what}: {check.measured}." for check in unknown]
    return "\n".join(lines)


def page(sections: Sequence[Section], facts: Table, disturbance: str) -> str:
    checks = [check for section in sections for check in section.checks]
    summary = "## The targets\n\n" + reading(checks) + "\n\n" + as_markdown(check_table(checks))
    parts = [
        INTRODUCTION,
        disturbance,
        as_markdown(facts),
        summary,
        *[section_markdown(section) for section in sections],
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller counts: a look, not a result")
    parser.add_argument("--only", choices=FAMILIES, help="one family")
    arguments = parser.parse_args()
    facts, disturbance = machine.facts(), machine.disturbance()
    print(as_text(facts), disturbance, sep="\n", flush=True)
    sections = []
    for family in [arguments.only] if arguments.only else FAMILIES:
        sections.append(measure(family, arguments.quick))
        print(f"\n{section_text(sections[-1])}", flush=True)
    print("\n" + reading([check for section in sections for check in section.checks]))
    if not arguments.only and not arguments.quick:
        PAGE.write_text(page(sections, facts, disturbance), encoding="utf-8")
        print("wrote docs/benchmarks.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
