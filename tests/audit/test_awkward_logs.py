"""What first users and reviewers stumbled over, each as it came about."""

from __future__ import annotations

import gzip
import io
import json
import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from audit.logs import NOTHING, attacker, honest, jsonl, kind, levels, mixed, records, restricted, written
from ratelimit_guard.audit import audit, calibrate
from ratelimit_guard.audit.files import chunks
from ratelimit_guard.audit.people import read_people
from ratelimit_guard.baseline import MAX_KEPT, Baseline
from ratelimit_guard.cli import app
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def run(*words: object) -> Any:
    """The command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_log_without_an_account_says_why(tmp_path: Path) -> None:
    """A wrong map is the first thing that a new user meets."""
    path = written(tmp_path / "log", b'nonsense\n{"time": 1800000000}\n')
    result = audit([path])
    assert (result.lines, result.skipped) == (2, {"not-json": (1, f"{path}:1"), "no-account": (1, f"{path}:2")})
    done = run("audit", path)
    assert done.exit_code == 1
    assert "no line could be used" in done.stderr


def test_first_file_that_ends_without_a_newline(tmp_path: Path) -> None:
    """Its last line is its own, also when it is the first line that can be used."""
    first, *rest = attacker()
    paths = [written(tmp_path / "one", jsonl([first]).rstrip()), written(tmp_path / "two", jsonl(rest))]
    result = audit(paths)
    assert (result.lines, result.records, result.skipped) == (80, 80, {})


def test_places_name_the_right_file(tmp_path: Path) -> None:
    """An empty file before it changes nothing."""
    empty, bad = written(tmp_path / "a", b""), written(tmp_path / "c", b"{")
    good = written(tmp_path / "b", attacker())
    assert audit([empty, good, bad]).skipped == {"not-json": (1, f"{bad}:1")}


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_small_log_that_breaks_off(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """What came before is used, however little it was."""
    packed = pack(jsonl(mixed(honest(40), attacker())))
    result = audit([written(tmp_path / "log", packed[: len(packed) * 9 // 10])])
    assert result.records > 100
    assert result.notes == {"damaged_files": 1}


def test_history_beside_options_with_an_equals_sign(tmp_path: Path) -> None:
    """No file of the history is audited."""
    log, *history = (written(tmp_path / name, jsonl(attacker(name))) for name in ("log", "a", "b", "c"))
    for words in ["--alpha=0.01", log, "--history", *history], [log, f"--history={history[0]}", *history[1:]]:
        assert "80 requests of 1 account" in run("audit", *words).stdout


def test_nobody_is_restricted_by_his_own_baseline(tmp_path: Path) -> None:
    """Who set the guard does not exceed it, however numbers are rounded."""
    raised = 0
    for seed in range(8):
        log = written(tmp_path / "log", mixed(honest(), records("form", kind("horoscopes", 60, seed))))
        baseline = calibrate([log])
        raised += baseline.guard(0.001)[0] > 8.1
        assert baseline.guard(0.001)[0] < 8.1 or restricted(audit([log], baseline=baseline)) == set()
    assert raised > 0


def test_suspects_by_the_hundred_lower_no_threshold() -> None:
    """A campaign in the history cannot push the honest accounts out of it."""
    accounts = [("honest", {"corpus-walk": 12.0}), *((f"bot-{n}", {"corpus-walk": 50.0}) for n in range(MAX_KEPT))]
    assert Baseline.of(accounts, requests=1, first=None, last=None).guard(0.001)[2] >= 12.0


def test_names_that_no_encoding_holds(tmp_path: Path) -> None:
    """Half a surrogate pair, declared or suspected, is nobody's name."""
    name = "half \ud83d"
    log = written(tmp_path / "log", attacker())
    suspect = Baseline.of([(name, {"corpus-walk": 99.0})], requests=1, first=None, last=None)
    assert audit([log], declared={name: "class"}).records == audit([log], baseline=suspect).records == 80


def test_declared_name_beyond_the_cap(tmp_path: Path) -> None:
    """Names are cut alike wherever they come from."""
    name = "k" * 300
    result = audit([written(tmp_path / "log", attacker(name))], baseline=NOTHING, declared={name: "class"})
    assert levels(result) == {name[:256]: "observe"}


def test_one_record_without_a_clock(tmp_path: Path) -> None:
    """Time 0 in the middle forgets nothing."""
    listed = attacker(number=40)
    listed[20:20] = [listed[20] | {"time": 0, "id": "unset"}]
    assert restricted(audit([written(tmp_path / "log", listed)], baseline=NOTHING)) == {"attacker"}


def test_pipe_that_begins_with_one_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing is told from the first bytes, however they come."""

    class Slow(io.RawIOBase):
        rest = gzip.compress(b"text")

        def readable(self) -> bool:
            return True

        def readinto(self, room: Any) -> int:
            part, self.rest = self.rest[:1], self.rest[1:]
            room[: len(part)] = part
            return len(part)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Slow())))
    assert b"".join(chunks(Path("-"))) == b"text"


@pytest.mark.parametrize("account", [None, True, ["a"], {"a": 1}, ""])
def test_accounts_file_with_no_account(tmp_path: Path, account: object) -> None:
    """Only strings and numbers name an account."""
    file = written(tmp_path / "accounts", jsonl([{"account": account, "declared": "class"}]))
    with pytest.raises(ConfigError, match="line 1"):
        read_people(file)


def test_nested_files_are_refused(tmp_path: Path) -> None:
    """A hundred thousand brackets are nobody's file."""
    file = written(tmp_path / "file", b"[" * 100_000)
    for read in (Baseline.load, read_people):
        with pytest.raises(ConfigError):
            read(file)
    assert run("explain", "a", "--verdicts", file).exit_code == 1


def test_output_is_no_input(tmp_path: Path) -> None:
    """Nor is one output another."""
    log = written(tmp_path / "log", jsonl(attacker()))
    before = log.read_bytes()
    for words in (["--verdicts", log], ["--report", log], ["--verdicts", tmp_path / "x", "--report", tmp_path / "x"]):
        assert run("audit", log, *words).exit_code == 1
    assert run("calibrate", log, "-o", log).exit_code == 1
    assert log.read_bytes() == before


def test_failed_run_keeps_former_files(tmp_path: Path) -> None:
    """And leaves no halves behind."""
    old = written(tmp_path / "old", b"{}")
    assert run("audit", tmp_path / "nowhere", "--verdicts", old).exit_code == 1
    assert run("calibrate", tmp_path / "nowhere", "-o", old).exit_code == 1
    assert old.read_bytes() == b"{}"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_query_does_not_hide_a_request(tmp_path: Path) -> None:
    """Only the path says that a call makes no text."""
    listed = [record | {"path": "/v1/chat/completions?x=image"} for record in attacker()]
    assert restricted(audit([written(tmp_path / "log", listed)], baseline=NOTHING)) == {"attacker"}
    listed = [record | {"path": "/v1/images/generations?x=chat"} for record in attacker()]
    assert audit([written(tmp_path / "log", listed)], baseline=NOTHING).notes == {"not_judged": 80}


def test_useless_history_is_none(tmp_path: Path) -> None:
    """A history that was read by a wrong map makes no run stricter, and says so."""
    log, history = written(tmp_path / "log", attacker()), written(tmp_path / "history", b'{"when": 1}\n')
    baseline = calibrate([history])
    result = audit([log], baseline=baseline)
    assert (result.mode, baseline.skipped) == ("shadow", {"no-time": 1})
    assert result.thresholds == audit([log]).thresholds
    assert "nothing was learned" in run("calibrate", history, "-o", tmp_path / "baseline").stdout


def test_declared_accounts_do_not_calibrate(tmp_path: Path) -> None:
    """An evaluation in the history says nothing about customers."""
    log = written(tmp_path / "log", mixed(honest(), attacker()))
    assert calibrate([log]).suspects(0.001) or calibrate([log]).guard(0.001)[0] > 8
    assert calibrate([log], declared=["attacker"]).accounts == calibrate([log]).accounts - 1


def test_mistyped_decisions_are_noted(tmp_path: Path) -> None:
    """A name in no log decides nothing."""
    log = written(tmp_path / "log", attacker())
    result = audit([log], baseline=NOTHING, declared={"atacker": "class"}, restrict=["nobody"])
    assert result.notes == {"declared, and not in the log": 1, "to be restricted, and no suspect": 1}


def test_zero_tokens_are_unknown(tmp_path: Path) -> None:
    """Gateways write 0 for streams whose usage they did not see."""
    listed = [record | {"usage": {"completion_tokens": 0}} for record in attacker()]
    assert restricted(audit([written(tmp_path / "log", listed)], baseline=NOTHING)) == {"attacker"}


def test_verdicts_are_single_lines(tmp_path: Path) -> None:
    """Also for names with characters that some readers take for the end of a line."""
    log = written(tmp_path / "log", attacker("a\u2028b"))
    assert run("audit", log, "--verdicts", tmp_path / "v").exit_code == 0
    assert [json.loads(line)["account"] for line in (tmp_path / "v").read_text().splitlines()] == ["a\u2028b"]
