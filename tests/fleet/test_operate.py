"""Commands where a fleet is not as it should be; where it is, see test_guards.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fleet.hosts import KEY, judging
from live.helpers import SECRET, question
from ratelimit_guard import Guard
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.campaign import Correlator
from ratelimit_guard.cli import app
from ratelimit_guard.fleet import SECRET_BYTES, mark_of
from ratelimit_guard.stores import shared
from ratelimit_guard.tenant import Tenant
from servers.server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from servers.server import Server

TIERS = """
version = 1
policies.few.quota = "100/hour"
tiers.anonymous.policies = ["few"]
routes = [{{ match = "/v1/chat", body = true }}]
detector.mode = "enforce"

[store]
kind = "redis"
capacity = 1_000
{more}
"""
WHO = Tenant("acme", "acme/a", "anonymous", confirmed=True)


@pytest.fixture
def file(tmp_path: Path, redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tier file of a host whose shared memory is its own."""
    monkeypatch.setattr(shared, "SHM_ROOT", tmp_path)
    monkeypatch.setenv("THE_URL", redis_server.url)
    path = tmp_path / "limits.toml"
    path.write_text(TIERS.format(more='url_env = "THE_URL"'))
    return path


def look(file: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["live", "--once", "--config", str(file)], env={"COLUMNS": "200"})
    return done.exit_code, done.output.replace("\n", " ")


def with_baseline(file: Path) -> None:
    baseline = Baseline.of([("a", {})], requests=1, first=1.0, last=2.0, known=Correlator().known(1), secret=SECRET)
    file.with_name("baseline").write_text(baseline.dumps())
    file.write_text(f'detector.baseline = "{file.with_name("baseline")}"\n{file.read_text()}')


def test_without_workers_nothing_is_made(file: Path, client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither here nor at the server; what is missing is said."""
    assert "no host has been there: start the app" in look(file)[1]
    assert not client.keys()
    client.set(KEY + "secret", mark_of(SECRET, is_drawn=False))
    assert "its hosts have a baseline: name the same one" in look(file)[1]
    client.set(KEY + "secret", SECRET[:SECRET_BYTES])
    assert "no worker has made it" in look(file)[1]
    with_baseline(file)
    assert "no worker has made it" in look(file)[1]
    monkeypatch.delenv("THE_URL")
    assert look(file) == (1, "store.url_env: the environment has no THE_URL, or it is empty ")


def test_a_host_that_judges_needs_no_server(file: Path, redis_server: Server, client: Redis) -> None:
    """Where its secret is a baseline's; nor does one that works alone."""
    with_baseline(file)
    guard = Guard.from_file(file)
    detector = guard.live
    assert detector is not None
    inspection = detector.inspect(question(), WHO)
    assert inspection is not None
    fleet = detector.fleet
    assert fleet is not None
    wait_until(lambda: judging(fleet))
    assert detector.observe(inspection, WHO)
    code, text = look(file)
    assert (code, "Fleet: this host judges" in text) == (0, True), text
    client.set(KEY + "secret", b"another")
    assert "Fleet: this host works alone, for others have another secret" in look(file)[1]
    redis_server.stop()
    code, text = look(file)
    assert (code, "acme/a" in text, "No worker answers" in text) == (0, False, False), text
    assert "cannot be asked: ConnectionError" in text
    assert "What is known of campaigns stays in force." in text
    detector.stop()
    guard.store.close()  # type: ignore[union-attr]
