"""`ratelimit-guard check` and `hash-key`, run as a user runs them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "limits.toml"
FLEET = """
version = 1
[store]
kind = "redis"
url = "redis://localhost:6379"
[policies.burst]
quota = "20/second"
on_store_failure = "open"
[tiers.anonymous]
policies = ["burst"]
"""


def run(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("ratelimit-guard"), *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False, env={"COLUMNS": "160"}
    )


def test_check_shows_what_the_file_means() -> None:
    done = run("check", EXAMPLE)
    assert done.returncode == 0, done.stderr
    for text in ("20/second; burst=40", "shadow", "business", "exempt", "do not outlive a reboot", "correct"):
        assert text in done.stdout


def test_check_shows_what_a_tenant_gets() -> None:
    done = run("check", EXAMPLE, "--tenant", "acme", "--method", "POST", "--path", "/v1/images/cats")
    assert "acme (tier business): POST /v1/images/cats" in done.stdout
    last = done.stdout[done.stdout.index("acme (tier") :]
    assert [name in last for name in ("burst", "daily", "images", "next-year", "address")] == [True] * 4 + [False]
    assert "an unknown caller (tier anonymous)" in run("check", EXAMPLE, "--tenant", "nobody").stdout


def test_check_names_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        EXAMPLE.read_text().replace("100_000/day", "many/day").replace('tier = "business"', 'tier = "gold"')
    )
    done = run("check", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "policies.daily.quota" in done.stderr
    assert "tenants[0].tier: there is no tier 'gold'" in done.stderr


def test_check_says_what_a_change_does(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        EXAMPLE.read_text()
        .replace("policies.free]", "policies.gratis]")
        .replace('["free"]', '["gratis"]')
        .replace("100_000/day", "200_000/day")
    )
    done = run("check", path, "--against", EXAMPLE)
    assert "policy 'free' is gone; if it was renamed, the new name starts afresh" in done.stdout
    assert "100000/day becomes 200000/day (enforce); what was used stays used" in done.stdout


def test_check_says_what_holds_without_the_server(tmp_path: Path) -> None:
    before, after = tmp_path / "before.toml", tmp_path / "after.toml"
    before.write_text(FLEET)
    after.write_text(FLEET.replace('"open"', '"closed"'))
    done = run("check", after, "--against", before)
    assert "without the server" in done.stdout
    assert "policy 'burst': on_store_failure open becomes closed" in done.stdout
    assert "stays used" not in done.stdout
    after.write_text(FLEET.replace("6379", "hush-hush"))
    done = run("check", after)
    assert (done.returncode, done.stdout) == (1, "")
    assert "redis://host:6379/0" in done.stderr
    assert "hush-hush" not in done.stderr


def test_hash_key() -> None:
    done = run("hash-key", text="sk-example-acme\n")
    assert done.stdout.strip() == hashlib.sha256(b"sk-example-acme").hexdigest()
    assert done.stdout.strip() in EXAMPLE.read_text()


def test_what_is_no_credential_gets_no_hash() -> None:
    for text in ("", "\n", " \t\n", "x" * 2_000):
        done = run("hash-key", text=text)
        assert (done.returncode, done.stdout) == (1, "")
        assert "give a credential" in done.stderr


def test_names_are_no_markup(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        """
version = 1
[policies."[/x]"]
quota = "3/minute"
[policies."[red]:bomb:"]
quota = "3/minute"
[tiers.anonymous]
policies = ["[/x]", "[red]:bomb:"]
"""
    )
    for arguments in ((), ("--tenant", "[/y]")):
        done = run("check", path, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("[/x]") == done.stdout.count("[red]:bomb:") >= 1


def test_check_warns_of_what_cannot_work(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    text = EXAMPLE.read_text().replace("when = { country", "when = { contry").replace("cost = 5 ", "cost = 11 ")
    path.write_text(
        text.replace('match = "/health"', 'match = "/{all:path}"') + '[[tenants]]\nid = "new"\ntier = "free"\n'
    )
    done = run("check", path)
    for line in (
        "access[0] asks for 'contry', which no listed tenant has",
        "tenant 'new' has no key",
        "route '/v1/realtime' is never reached: '/{all:path}' stands before it",
        "route '/v1/images/{kind}' costs 11, more than the 10 of policy 'images': its callers never pass",
    ):
        assert line in done.stdout


def test_check_says_every_difference(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    text = (
        EXAMPLE.read_text()
        .replace('"XX", ', "")
        .replace("cost = 5 ", "cost = 9 ")
        .replace('tier = "business"', 'tier = "free"')
    )
    path.write_text(text.replace("exempt = true", "cost = 3").replace('trusted_proxies = ["10.0.0.0/8"]', ""))
    done = run("check", path, "--against", EXAMPLE)
    for line in (
        "access rules differ",
        "route '/v1/images/{kind} POST': cost 5 becomes 9",
        "route '/health': exempt True becomes False",
        "tenant 'acme': tier business becomes free",
        "section 'identity': trusted_proxies",
    ):
        assert line in done.stdout
    assert "no difference" in run("check", EXAMPLE, "--against", EXAMPLE).stdout
    assert "tenant 'acme': tier" in run("check", path, "--against", EXAMPLE, "--tenant", "acme").stdout


def test_a_path_has_a_slash() -> None:
    done = run("check", EXAMPLE, "--path", "v1/chat")
    assert (done.returncode, done.stdout) == (2, "")
    assert "must begin with /" in done.stderr


def test_help_without_arguments() -> None:
    assert "check" in run("--help").stdout
