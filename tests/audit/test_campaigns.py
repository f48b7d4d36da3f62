"""What the engine says about campaigns, on its way through an audit: into results, files and the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from audit.groups import Engine, campaign, engines
from audit.logs import NOTHING, PREAMBLE, honest, jsonl, records, written
from audit.results import START
from detection.kinds import ask
from ratelimit_guard.audit import RestrictedRequest, audit, calibrate
from ratelimit_guard.audit.files import CHUNK
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from audit.logs import Record


SIZE = 2 * CHUNK + 7


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Engines in the place of compiled auditors."""
    return engines(monkeypatch)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Some chunks of no meaning."""
    return written(tmp_path / "log", b"x" * SIZE)


def test_result_has_campaigns_and_their_members(made: list[Engine], log: Path) -> None:
    """Named by their number, members with the most matches first, equal ones in the order of the log."""
    result = audit([log])
    assert len(made) == 1
    assert [(one.name, one.members) for one in result.campaigns] == [("C1", ("b", "e")), ("C2", ("d", "a"))]
    assert result.campaigns[0] == campaign(members=("b", "e"), accounts=2, tenants=1, payers=1)
    found = [(one.account, one.campaign, one.matched, one.restricted, one.rotations) for one in result.accounts]
    assert found[:3] == [("a", "C2", 5, 1, 2), ("b", "C1", 3, 1, 1), ("c", None, 0, 1, 0)]


@pytest.mark.usefixtures("made")
def test_members_are_counted_by_who_pays(log: Path) -> None:
    """Who has no payer pays for itself, as its tenant."""
    for payers, number in (({}, 1), ({"b": "x"}, 2), ({"b": "x", "e": "x"}, 1), ({"b": "x", "e": "y"}, 2)):
        assert audit([log], payers=payers).campaigns[0].payers == number


@pytest.mark.usefixtures("made")
def test_restricted_requests_are_told_as_they_come(log: Path) -> None:
    """After every chunk, and at the end of the file: neither side keeps them."""
    told: list[RestrictedRequest] = []
    audit([log, log], restricted=told.append)
    chunks = Engine.made[0].chunks // 2
    assert chunks > 2
    assert len(told) == 2 * (3 * chunks + 1)
    assert told[-1] == RestrictedRequest(f"last of {2 * SIZE}", "b", START, "C1")
    assert {one.campaign for one in told[: 3 * chunks]} == {"C2"}
    assert [one.time for one in told[:3]] == [START, START + 1, START + 2]
    assert Engine.made[0].most <= 3
    assert not Engine.made[0].pending


def test_nobody_has_to_listen(made: list[Engine], log: Path) -> None:
    """The engine is drained all the same, by an audit and by a calibration."""
    audit([log])
    calibrate([log])
    assert [(one.most, one.pending) for one in made] == [(3, []), (3, [])]


def test_payers_are_told_before_the_log(made: list[Engine], log: Path) -> None:
    """With names as short as the engine keeps them."""
    payers = {"a" * 300: "card", "b": "card"}
    audit([log], payers=payers)
    calibrate([log], payers=payers)
    assert [one.payers for one in made] == [[("a" * 256, "card"), ("b", "card")]] * 2


def test_audit_knows_what_the_history_shares(made: list[Engine], log: Path, tmp_path: Path) -> None:
    """Keys and their secret go through the file of the baseline."""
    learned = calibrate([log])
    assert learned.known == b"keys of %d bytes" % SIZE
    assert learned.secret == made[0].secret
    (tmp_path / "baseline").write_text(learned.dumps())
    other = written(tmp_path / "other", b"something else")
    audit([other], baseline=Baseline.load(tmp_path / "baseline"))
    assert (made[1].secret, made[1].given) == (learned.secret, learned.known)


def test_audit_without_a_history_keeps_to_its_own_secret(made: list[Engine], log: Path, tmp_path: Path) -> None:
    """From its first bytes; so does one with a baseline that has none."""
    for path, baseline in ((log, None), (written(tmp_path / "other", b"y"), None), (log, NOTHING)):
        audit([path], baseline=baseline)
    assert [one.given for one in made] == [None] * 3
    assert made[0].secret == made[2].secret != made[1].secret


def test_baseline_without_texts_is_told_as_a_gap(tmp_path: Path) -> None:
    """An operator should calibrate again."""
    path = written(tmp_path / "log", records("a", [ask("What is this?", 10)] * 5))
    old, new = (audit([path], baseline=baseline).calibration for baseline in (NOTHING, calibrate([path])))
    assert old is not None
    assert new is not None
    assert [gap for gap in old.gaps if "texts that its accounts share" in gap]
    assert not [gap for gap in new.gaps if "texts that its accounts share" in gap]


@pytest.mark.usefixtures("made")
def test_command_writes_restricted_requests(log: Path, tmp_path: Path) -> None:
    """A line for each, in the order of the log."""
    done = CliRunner().invoke(app, ["audit", str(log), "--requests", str(tmp_path / "requests")])
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "requests").read_text().splitlines()]
    assert lines[-1] == {"id": f"last of {SIZE}", "account": "b", "time": START, "campaign": "C1"}
    assert [line["campaign"] for line in lines] == ["C2"] * (len(lines) - 1) + ["C1"]


def test_command_reads_who_pays(made: list[Engine], log: Path, tmp_path: Path) -> None:
    """For the history and for the traffic."""
    people = written(tmp_path / "people", b'{"account": "a", "payment": "card"}')
    done = CliRunner().invoke(app, ["audit", str(log), "--history", str(log), "--accounts", str(people)])
    assert done.exit_code == 0, done.output
    learned = CliRunner().invoke(app, ["calibrate", str(log), "--accounts", str(people), "-o", str(tmp_path / "b")])
    assert learned.exit_code == 0, learned.output
    assert [one.payers for one in made] == [[("a", "card")]] * 3


@pytest.mark.usefixtures("made")
def test_command_explains_what_it_wrote(log: Path, tmp_path: Path) -> None:
    """From the log to the words."""
    verdicts = str(tmp_path / "v")
    done = CliRunner().invoke(app, ["audit", str(log), "--verdicts", verdicts], env={"COLUMNS": "200"})
    assert "2 groups of accounts act as one (C1 of 2 and C2 of 2): 7,800 requests would have" in done.stdout
    explained = CliRunner().invoke(app, ["explain", "C1", "--verdicts", verdicts])
    assert explained.stdout.startswith("C1: 2 accounts of 1 tenant act as one.\n")
    assert "\n  b: 3 of its 147 requests held pieces" in explained.stdout


def composed(number: int, seed: int) -> list[Record]:
    """An account of a group: each prompt is two of forty sentences that all of the group share."""
    sentences = [f"The {seed} stone number {n} of the old wall is {'very ' * (n % 3)}heavy and wet" for n in range(40)]
    parts = [(sentences[(number * 7 + n * 11) % 40], sentences[(number * 13 + n * 17 + 5) % 40]) for n in range(12)]
    prompts = [ask(f"{one}. {two}. What is {number * 100 + n}?", 90) for n, (one, two) in enumerate(parts)]
    return records(f"group-{number}", prompts, start=START + number, pace=60.0)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of forty accounts that act as one."""
    listed = sorted((one for number in range(40) for one in composed(number, 1)), key=lambda one: float(one["time"]))
    return written(tmp_path_factory.mktemp("group") / "log", PREAMBLE + jsonl(listed))


def test_engine_says_what_python_expects(group: Path) -> None:
    """The compiled engine itself: what it finds has the shape that results are made of, and adds up."""
    told: list[RestrictedRequest] = []
    result = audit([group], restricted=told.append)
    assert len(result.accounts) == 40
    assert result.campaigns
    for one in result.campaigns:
        assert one.accounts == len(one.members) >= 6
        assert one.tenants == one.payers == one.accounts
        assert one.first <= one.convicted <= one.last
        assert sum(matches for _, matches, _ in one.timeline) >= one.matches >= one.events
        assert sum(restricted for _, _, restricted in one.timeline) == one.restricted
        assert 1 <= len(one.timeline) <= 64
        assert 1 <= len(one.examples) <= 6
        assert {example.account for example in one.examples} <= {account.account for account in result.accounts}
    assert {one.campaign for one in told} <= {one.name for one in result.campaigns}
    assert len(told) == sum(one.restricted for one in result.campaigns)
    assert len(told) == sum(account.restricted for account in result.accounts)


def test_accounts_of_one_payer_are_no_campaign(group: Path) -> None:
    """They act as one, and are one."""
    payers = {f"group-{number}": "card" for number in range(40)}
    assert not audit([group], payers=payers).campaigns


def test_campaign_in_the_history_does_not_spare_itself(group: Path, tmp_path: Path) -> None:
    """Its pieces are not taken for common; it goes through the file of the baseline."""
    baseline = Baseline.loads(calibrate([group]).dumps())
    assert baseline.known
    assert audit([group], baseline=baseline).campaigns
    assert audit([group], baseline=calibrate([written(tmp_path / "other", honest(40))])).campaigns
