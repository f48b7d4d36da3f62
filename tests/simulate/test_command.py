"""The command `ratelimit-guard simulate`."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ratelimit_guard.cli import app
from ratelimit_guard.config_file import load
from ratelimit_guard.simulate import SCENARIOS, accounts, generate
from simulate.server import serving

if TYPE_CHECKING:
    from pathlib import Path

TIERS = """version = 1
[policies.burst]
quota = "20/second"
[tiers.anonymous]
policies = ["burst"]
[tiers.member]
policies = ["burst"]

"""


def run(*arguments: object, code: int = 0) -> str:
    """What the command says."""
    done = CliRunner().invoke(app, ["simulate", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_log_truth_and_history_are_written(tmp_path: Path) -> None:
    """The table counts what the log has, the truth knows each account, the history none of the campaign."""
    log, truth, history = (tmp_path / name for name in ("log.jsonl", "truth.json", "history.jsonl"))
    shown = run("--scenario", "small", "--seed", 1, "--log", log, "--truth", truth, "--history", history)
    kinds = json.loads(truth.read_text())
    counts = Counter(kinds[json.loads(line)["account"]] for line in log.read_text().splitlines())
    rows = {cells[0]: cells[1:3] for line in shown.splitlines() if (cells := line.split())}
    assert rows["campaign:composed"] == ["80", f"{counts['campaign:composed']:,}"]
    before = {kinds[json.loads(line)["account"]] for line in history.read_text().splitlines()}
    assert before == {"heavy", "small", "class"}
    assert counts.total() == sum(1 for _ in generate(SCENARIOS["small"], 1))


def test_keys_make_a_server_know_the_accounts(tmp_path: Path) -> None:
    """Behind a tier file they are a correct one, with the digest of every credential."""
    keys = tmp_path / "keys.toml"
    run("--scenario", "small", "--seed", 1, "--keys", keys, "--tier", "member")
    whole = tmp_path / "limits.toml"
    whole.write_text(TIERS + keys.read_text())
    config = load(whole)
    known = accounts(SCENARIOS["small"], 1)
    assert {(key.sha256, key.tenant, key.account) for key in config.identity.keys} == {
        (sha256(one.credential.encode()).hexdigest(), one.tenant, one.name) for one in known
    }
    assert {(tenant.id, tenant.tier) for tenant in config.tenants} == {(one.tenant, "member") for one in known}


def test_server_gets_the_calls() -> None:
    """The table says what it did with them."""
    with serving() as server:
        shown = run("--scenario", "small", "--url", server.url, "--limit", 40)
        assert len(server.arrivals) == 40
        assert "stopped" not in shown
        assert "median ms" in shown
        assert "stopped after 0 seconds" in run("--url", server.url, "--timeout", 0, "--speed", 1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--log FILE or --url URL"),
        (["--log", "a", "--url", "http://localhost"], "--log FILE or --url URL"),
        (["--scenario", "none", "--log", "a"], "demo, small, all"),
        (["--log", "/nowhere/log"], "cannot write"),
        (["--url", "http://example.com"], "--allow-remote"),
    ],
)
def test_mistake_is_told(arguments: list[str], text: str) -> None:
    """In one line, with exit code 1."""
    assert text in run(*arguments, code=1)
