"""Campaigns in the file of verdicts and in what `explain` and `audit` print of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from audit.groups import campaign, day, member
from audit.results import HOSTILE, account, result
from ratelimit_guard.audit import campaign_sentences as campaigns
from ratelimit_guard.audit.explain import explained
from ratelimit_guard.audit.lines import read_verdicts, write_verdicts
from ratelimit_guard.audit.result import Match
from ratelimit_guard.audit.summary import summary
from ratelimit_guard.cli import app
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from ratelimit_guard.audit import AuditResult


def text(one: AuditResult) -> list[str]:
    """The lines that are written of a result."""
    file = io.StringIO()
    write_verdicts(one, file)
    return file.getvalue().splitlines(keepends=True)


def said(one: AuditResult, name: str) -> list[str]:
    """What `explain` says of a name."""
    return list(explained(read_verdicts(text(one), name)))


def shell(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments, "--verdicts", str(path)])


def test_line_of_a_member_has_its_campaign() -> None:
    """The name beside the verdict, and what else there is to know of it; null for others."""
    lines = [json.loads(line) for line in text(day(3, account("honest"), account("hit", restricted=2)))]
    by_name = {line["account"]: line for line in lines}
    one = by_name["member-1"]
    assert (one["campaign"], one["matched"], one["rotations"], one["restricted"]) == ("C1", 399, 389, 349)
    assert one["campaign_facts"]["pieces"] == 212
    assert one["campaign_facts"]["capabilities"]["code"] == 2_604
    assert not {"members", "timeline", "name"} & set(one["campaign_facts"])
    assert (by_name["honest"]["campaign"], by_name["honest"]["campaign_facts"]) == (None, None)
    assert (by_name["hit"]["campaign"], by_name["hit"]["restricted"]) == (None, 2)
    assert len({tuple(line) for line in lines}) == 1


def test_members_are_read_back() -> None:
    """Most matches first, whatever the order of the file; the campaign without its course over time."""
    whole = day(5)
    found = read_verdicts(reversed(text(whole)), "C1")
    assert found.verdict is None
    assert [one.account for one in found.members] == list(whole.accounts)
    known = replace(whole.campaigns[0], timeline=(), members=())
    assert {one.campaign == known for one in found.members} == {True}


def test_account_of_a_campaign_s_name_is_found_too() -> None:
    """Somebody may call an account C1."""
    found = read_verdicts(text(day(2, account("C1", "observe"))), "C1")
    assert found.verdict is not None
    assert (found.verdict.account.level, len(found.members)) == ("observe", 2)
    lines = list(explained(found))
    assert lines[0].startswith("C1: 2 accounts")
    assert [line for line in lines if line.startswith("- Observed, not restricted")]


def test_only_the_name_of_a_campaign_reads_to_the_end() -> None:
    """Else what comes after the account does not matter."""
    lines = [*text(day(1)), "nonsense"]
    assert read_verdicts(lines, "member-0").verdict is not None
    with pytest.raises(ConfigError, match="no file of verdicts"):
        read_verdicts(lines, "C1")
    for name in ("C", "C0", "C01", "c1", "C1 ", "C1\n", ""):
        assert not read_verdicts(text(day(1)), name).members


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"campaign_facts"', '"facts"'),
        ('"matched"', '"mated"'),
        ('"pieces"', '"parts"'),
        ('"examples": [[1795132800.0, "req-0"', '"examples": [["req-0"'),
        ('"campaign_facts": {', '"campaign_facts": 7, "x": {'),
    ],
)
def test_broken_line_of_a_member_is_refused(old: str, new: str) -> None:
    """Rather than taken for one of another campaign."""
    (line,) = text(day(1))
    assert old in line
    with pytest.raises(ConfigError, match="no file of verdicts"):
        read_verdicts([line.replace(old, new)], "C1")


def test_campaign_is_explained() -> None:
    """Who they are, what they share, since when, what for, examples, and each member."""
    assert said(day(3), "C1") == [
        "C1: 3 accounts of 120 tenants, paid for by 80 payers, act as one.",
        f"- {campaigns.shared(day(3).campaigns[0], 'enforce')}",
        f"- {campaigns.course(day(3).campaigns[0])}",
        "- Of the matching requests, these ask for: code (62 %) and mathematics (30 %).",
        "- Networks of their requests: 37 networks (/24 or /48).",
        "- Requests to look up:",
        *(f"  2026-11-20 00:00:0{at} req-{at} of member-{at}" for at in range(6)),
        "- Members, most matching requests first:",
        *(
            f"  member-{at}: {400 - at} of its 500 requests held pieces that strangers share, {390 - at} in a "
            f"combination that was new to it; {350 - at} would have been restricted"
            for at in range(3)
        ),
    ]


def test_large_campaign_names_some_members_and_counts_the_rest() -> None:
    lines = said(day(230), "C1")
    assert lines[-1] == "  and 30 more, in the file of verdicts"
    assert sum(line.startswith("  member-") for line in lines) == 200


def test_member_is_explained_with_what_the_group_shares() -> None:
    """Why its requests would have been restricted, though it was not flagged by itself."""
    lines = said(day(2), "member-1")
    assert lines[0] == "- Not restricted as a whole."
    assert lines[1].startswith("- Member of campaign C1: 399 of its 500 requests held pieces that strangers share")
    assert lines[2].startswith("- Every signal that could restrict it is within what honest accounts do")
    assert lines[3].startswith("- 2 accounts put their prompts together from 212 pieces")


def test_member_that_is_restricted_as_a_whole_is_explained() -> None:
    """By the campaign: no signal of its own is over its threshold."""
    one = member(level="throttle", signals=(), score=1.2)
    lines = said(result(one, campaigns=(campaign(members=("member-0",)),)), "member-0")
    assert lines[0].startswith("- Would have been restricted from 2026-11-20 10:50:12 UTC on, after 41 of its 500 re")
    assert lines[1].endswith("the account would have been restricted as a whole.")
    assert not [line for line in lines if "within what honest accounts do" in line]


def test_account_that_is_hit_and_no_member_is_explained() -> None:
    lines = said(result(account("honest", restricted=1)), "honest")
    assert lines[:2] == [
        "- Not restricted as a whole.",
        f"- {campaigns.membership(account(restricted=1), None)[0]}",
    ]


def test_command_explains_both(tmp_path: Path) -> None:
    """And says what is not there."""
    path = tmp_path / "verdicts"
    path.write_text("".join(text(day(2))))
    assert shell(path, "C1").stdout.startswith("C1: 2 accounts of 120 tenants")
    assert "Member of campaign C1" in shell(path, "member-1").stdout
    missing = shell(path, "C2")
    assert (missing.exit_code, missing.stderr) == (1, f"{path} has no account or campaign 'C2'\n")


def test_hostile_members_reach_no_terminal(tmp_path: Path) -> None:
    """Neither by their names nor by those of requests."""
    found = [member(number, name) for number, name in enumerate(HOSTILE)]
    made = campaign(members=tuple(HOSTILE), examples=tuple(Match(1.0, name, name) for name in HOSTILE[:6]))
    path = tmp_path / "verdicts"
    path.write_text("".join(text(result(*found, campaigns=(made,)))))
    shown = shell(path, "C1").stdout
    assert not [char for char in shown if char != "\n" and not char.isprintable()]
    assert "\\u202eeman\\u2066\\u200b" in shown


def printed(one: AuditResult, width: int = 200) -> str:
    """What `audit` prints."""
    out = Console(width=width, file=io.StringIO(), soft_wrap=True)
    file: Any = out.file
    for part in summary(one):
        out.print(part)
    return str(file.getvalue())


def test_summary_has_a_table_of_campaigns() -> None:
    """And a sentence on each: what they share."""
    second = campaign("C2", kind="provenance", accounts=60, members=(), capabilities={})
    one = day(3)
    shown = printed(replace(one, campaigns=(*one.campaigns, second)))
    row = ("C1", "3", "120", "11-20 00:00 → 11-20 03:00", "4,200", "3,900", "code")
    (line,) = [line for line in shown.splitlines() if line.startswith("│ C1")]
    assert tuple(part.strip() for part in line.strip("│").split("│")) == row
    assert "2 groups of accounts act as one (C1 of 3 and C2 of 60): 7,800 requests would have been" in shown
    assert "- C1: 3 accounts put their prompts together from 212 pieces that are not common in the history" in shown
    assert "- C2: 60 accounts continued conversations whose answers had been given to another account" in shown


@pytest.mark.parametrize("what", ["code", "instructions", "maths", "tools", "other"])
def test_table_of_campaigns_is_narrow(what: str) -> None:
    """Nothing is cut off on a terminal of 80 columns, and no calendar is needed."""
    one = campaign(accounts=1_234, tenants=1_234, matches=123_456, restricted=123_456, convicted=1e18)
    one = replace(one, capabilities={what: 9})
    shown = printed(result(campaigns=(one,)), width=80)
    table = shown[: shown.index("1 group of accounts")]
    assert "…" not in table
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "1970" in table


def test_summary_without_campaigns_says_nothing_of_them() -> None:
    shown = printed(result(account()))
    assert "campaign" not in shown
    assert "group" not in shown
