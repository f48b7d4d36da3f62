"""`ratelimit-guard audit`, `calibrate` and `explain`, as an operator runs them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from audit.logs import attacker, honest, jsonl, kind, mixed, records, written
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.cli import app

if TYPE_CHECKING:
    from typer.testing import Result

RUNNER = CliRunner()
HOSTILE = ["\x1b[2J\x1b[31mred", "\u202eeman", "a\nb\r", "\x9b2J", "[/x][red]:bomb:", "tab\tbell\x07", "\u2066x\u2028"]
"""Names that would clear a screen, turn a line around, or be taken for markup."""


def run(*arguments: str | Path) -> Result:
    """In this process, with a terminal that is wide enough."""
    return RUNNER.invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """As its own process."""
    command = [Path(sys.executable).with_name("ratelimit-guard"), *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, timeout=60, check=False, env=os.environ | {"TERM": "xterm"}, **(pipes | options))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with a week's history in three files and a day's traffic, each account of which is known."""
    for day in range(3):
        written(tmp_path / f"day-{day}.jsonl", jsonl(honest(30, seed=day, start=1_799_000_000.0 + 86_400 * day)))
    rag = records("observed", kind("rag-3-last", 80), start=1_800_000_000.4)
    written(tmp_path / "traffic.jsonl", jsonl(mixed(honest(60, seed=9), attacker(), rag)))
    return tmp_path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_whole_run(logs: Path) -> None:
    """Everything that can be asked for at once."""
    outputs = {name: logs / f"out.{name}" for name in ("verdicts", "requests", "report")}
    asked = [part for name, path in outputs.items() for part in (f"--{name}", path)]
    done = run("audit", logs / "traffic.jsonl", "--history", *sorted(logs.glob("day-*")), *asked, "--alpha", "0.002")
    assert (done.exit_code, done.stderr) == (0, "")
    for text in (
        "attacker",
        "tenant of attacker",
        "520 requests of 8 accounts: 1 would be restricted, 1 observed",
        "of 6 accounts of the history, each judged by what the others show, 0 would have been restricted: 0.00%",
        "asked for 0.20%",
        "not known from the history: 1 unrestricted account with more mosaic than any account of the history",
    ):
        assert text in done.stdout
    found = {line["account"]: line["level"] for line in lines(outputs["verdicts"])}
    assert found == {f"honest-{name}": "none" for name in HONEST} | {"attacker": "throttle", "observed": "observe"}
    assert outputs["requests"].read_text() == ""
    assert outputs["report"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "attacker" in outputs["report"].read_text(encoding="utf-8")


HONEST = ("mails", "support-bot", "consumer-chat", "power-user", "translation", "agency-7")


def test_result_is_all_that_is_printed(logs: Path) -> None:
    """Without a file nothing is written, and a pipe gets no progress."""
    before = sorted(logs.iterdir())
    done = process("audit", logs / "traffic.jsonl")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"1 would be restricted (shadow: no history was given), 1 observed" in done.stdout
    assert b"\x1b" not in done.stdout
    assert b"reading" not in done.stdout
    assert sorted(logs.iterdir()) == before


def test_progress_is_for_terminals(logs: Path) -> None:
    """On standard error, so that the result may go into a file all the same."""
    ours, theirs = pty.openpty()
    try:
        done = process("audit", logs / "traffic.jsonl", stderr=theirs)
    finally:
        os.close(theirs)  # else a terminal to which nothing was written would be waited for
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        assert terminal.read(65_536).startswith(b"\x1b")
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("days", [1, 3])
def test_history_of_several_files(days: int, logs: Path, *, is_first: bool) -> None:
    """All files of a spread pattern behind the traffic are history; before it `--history` takes one, as options do."""
    history = [logs / f"day-{day}.jsonl" for day in range(days)]
    spread: list[str | Path] = [logs / "traffic.jsonl", "--history", *history]
    each = [part for day in history for part in ("--history", day)]
    asked = [*each, logs / "traffic.jsonl"] if is_first else spread
    done = run("audit", *asked, "--verdicts", logs / "v")
    assert done.exit_code == 0, done.stderr
    assert "520 requests of 8 accounts: 1 would be restricted, 1 observed" in done.stdout
    assert sum(line["requests"] for line in lines(logs / "v")) == 520


def test_option_ends_the_files_of_the_history(logs: Path) -> None:
    """What follows another option is traffic again."""
    traffic = [written(logs / name, jsonl(attacker(name))) for name in ("one", "two", "three")]
    history = sorted(logs.glob("day-*"))
    done = run("audit", "--alpha", "0.01", *traffic[:2], "--history", *history, "--verdicts", logs / "v", traffic[2])
    assert "240 requests of 3 accounts: 3 would be restricted" in done.stdout
    again = run("audit", traffic[0], "--history", history[0], "--declare", "one=class", "--history", *history[1:])
    assert "80 requests of 1 account: 0 would be restricted, 1 observed" in again.stdout


def test_standard_input_as_history(logs: Path) -> None:
    """A dash is a file."""
    with (logs / "day-0.jsonl").open("rb") as file:
        done = process("audit", logs / "traffic.jsonl", "--history", "-", logs / "day-1.jsonl", stdin=file)
    assert b"520 requests of 8 accounts: 1 would be restricted" in done.stdout
    assert b"of 6 accounts of the history" in done.stdout


def test_baseline_is_a_history_that_was_learned_before(logs: Path) -> None:
    """And leads to the same verdicts."""
    history = sorted(logs.glob("day-*"))
    learned = run("calibrate", *history, "-o", logs / "baseline.json")
    assert (learned.exit_code, learned.stderr) == (0, "")
    assert "baseline.json: 6 accounts, 540 requests\n" in learned.stdout
    assert Baseline.load(logs / "baseline.json").requests == 540
    asked = ("audit", logs / "traffic.jsonl", "--verdicts", logs / "v")
    then = run(*asked, "--baseline", logs / "baseline.json"), lines(logs / "v")
    now = run(*asked, "--history", *history), lines(logs / "v")
    assert then[0].stdout == now[0].stdout
    assert then[1] == now[1]


def test_suspects_are_named(logs: Path) -> None:
    """By `calibrate`, by `audit`, and with what to do about them."""
    history = written(logs / "tainted", jsonl(mixed(honest(30), attacker(seed=1))))
    learned = run("calibrate", history, "--output", logs / "b")
    assert "- suspect: attacker shows recombination (" in learned.stdout
    asked = ("audit", logs / "traffic.jsonl", "--history", history)
    known = run(*asked)
    assert "- suspect in the history: attacker shows recombination (" in known.stdout
    assert "0 would be restricted, 2 observed" in known.stdout
    assert "1 would be restricted, 1 observed" in run(*asked, "--restrict", "attacker").stdout


def test_declared_accounts(logs: Path) -> None:
    """From a file, and by word."""
    file = written(logs / "accounts", b'{"account": "attacker", "declared": "evaluation"}')
    for asked in (("--accounts", file), ("--declare", "attacker=class")):
        assert "0 would be restricted" in run("audit", logs / "traffic.jsonl", *asked).stdout


def test_map_is_asked_for_by_name(logs: Path) -> None:
    """For traffic and history both."""
    renamed = [record | {"who": record["account"], "account": None} for record in attacker()]
    log = written(logs / "own", jsonl(renamed))
    assert "80 requests of 1 account" in run("audit", log, "--map", "plain", "--map", "account=who").stdout
    assert "1 accounts, 80 requests" in run("calibrate", log, "--map", "account=who", "-o", logs / "b").stdout


def test_skipped_lines_and_notes_are_printed(logs: Path) -> None:
    """An operator sees at once that a log was read by the wrong map."""
    log = written(logs / "odd", jsonl(attacker()) + jsonl(attacker()[:5]) + b'nonsense\n{"time": 1800000000}\n{}\n')
    done = run("audit", log)
    for text in ("skipped 1 line: not-json", "skipped 1 line: no-account", "skipped 1 line: no-time"):
        assert f"{text}, the first at {log}:8" in done.stdout
    assert "- repeated: 5" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["audit", "nowhere"], "cannot read nowhere: No such file"),
        (["audit", "traffic.jsonl", "--history", "day-0.jsonl", "--baseline", "b"], "give --history or --baseline"),
        (["audit", "traffic.jsonl", "--history", "nowhere"], "cannot read nowhere"),
        (["audit", "traffic.jsonl", "--baseline", "nowhere"], "cannot read the baseline nowhere"),
        (["audit", "traffic.jsonl", "--baseline", "day-0.jsonl"], "day-0.jsonl is no baseline: write one with"),
        (
            ["audit", "traffic.jsonl", "--accounts", "traffic.jsonl", "--declare", "x"],
            "--declare 'x': write ACCOUNT=USE",
        ),
        (["audit", "traffic.jsonl", "--declare", "a=b"], "no such use: 'b'"),
        (["audit", "traffic.jsonl", "--map", "nowhere"], "no such map: 'nowhere'"),
        (["audit", "traffic.jsonl", "--map", "account=a..b"], "write keys of 1 to"),
        (["audit", "traffic.jsonl", "--alpha", "0"], "alpha must be a rate between 0 and 1, got 0"),
        (["audit", "traffic.jsonl", "--alpha", "nan"], "alpha must be a rate between 0 and 1, got NaN"),
        (["calibrate", "nowhere", "-o", "b"], "cannot read nowhere"),
        (["calibrate", "traffic.jsonl", "-o", "nowhere/b"], "cannot write nowhere/b: No such file"),
        (["explain", "a"], "cannot read verdicts.jsonl"),
        (["explain", "attacker", "--verdicts", "traffic.jsonl"], "no file of verdicts"),
    ],
)
def test_mistakes_are_one_line_and_exit_1(
    arguments: list[str], text: str, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, with nothing on standard output."""
    monkeypatch.chdir(logs)
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["audit"], ["audit", "log", "--alpha", "much"], ["audit", "log", "--nothing"], ["calibrate", "log"], ["explain"]],
)
def test_misuse_exits_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("option", ["--verdicts", "--requests", "--report"])
def test_output_that_cannot_be_written_fails_before_the_work(option: str, logs: Path) -> None:
    """The traffic is not even looked for."""
    done = run("audit", logs / "missing traffic", option, logs)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"cannot write {logs}: Is a directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_full_disk_is_a_mistake_too(logs: Path) -> None:
    """Half a file of verdicts must not pass for a whole one."""
    done = run("audit", logs / "traffic.jsonl", "--verdicts", "/dev/full")
    assert (done.exit_code, done.stderr) == (1, "cannot write /dev/full: No space left on device\n")


EXPLAINED = {
    "attacker": [
        "- Would have been restricted from 2027-01-15 08:0",
        "The signal was recombination.",
        "recombination: request attacker-",
    ],
    "observed": [
        "- Observed, not restricted: its highest score was 0.",
        "This signal observes only and never restricts.",
    ],
    "honest-translation": [
        "- Not flagged.",
        "- Every signal that could restrict it is within what honest accounts do:",
    ],
}


@pytest.fixture
def verdicts(logs: Path) -> Path:
    """The file that an audit wrote."""
    asked = ("--history", logs / "day-0.jsonl", "--verdicts", logs / "verdicts.jsonl")
    assert run("audit", logs / "traffic.jsonl", *asked).exit_code == 0
    return logs / "verdicts.jsonl"


@pytest.mark.parametrize("account", EXPLAINED)
def test_explain(account: str, verdicts: Path) -> None:
    """Why an account was restricted, observed, or left alone."""
    done = run("explain", account, "--verdicts", verdicts)
    assert (done.exit_code, done.stderr) == (0, "")
    for text in EXPLAINED[account]:
        assert text in done.stdout


def test_unknown_account_cannot_be_explained(verdicts: Path) -> None:
    done = run("explain", "nobody\x1b[2J", "--verdicts", verdicts)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{verdicts} has no account or campaign 'nobody\\x1b[2J'\n"


def harmless(printed: str) -> bool:
    """Nothing that a terminal would obey, or that would hide or turn around what stands beside it."""
    return all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Zl", "Zp"} for char in printed)


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    """Whatever an account, a tenant or a request is called, in every command."""
    streams = [attacker(name, seed=seed) for seed, name in enumerate(HOSTILE)]
    log = written(tmp_path / "log", jsonl(mixed(*streams)))
    verdicts = tmp_path / "v"
    audited = run("audit", log, "--history", log, "--verdicts", verdicts, "--report", tmp_path / "r")
    learned = run("calibrate", log, "-o", tmp_path / "b")
    explained = [run("explain", name, "--verdicts", verdicts) for name in HOSTILE]
    for done in (audited, learned, *explained):
        assert (done.exit_code, done.stderr) == (0, "")
        assert harmless(done.stdout)
    for done in (audited, learned):
        assert "\\x1b[2J\\x1b[31mred" in done.stdout
        assert "[/x][red]:bomb:" in done.stdout
    assert {line["account"] for line in lines(verdicts)} == set(HOSTILE)
