"""A changed file takes effect while the server runs, or is reported and ignored."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import http_scope, request
from ratelimit_guard import Guard, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ratelimit_guard.testing import ManualClock

LIMIT = 2**33
"""More than any machine asks for while the test runs."""
TEXT = """
version = 1
store = {{ kind = "memory", capacity = 10_000 }}
[policies.many]
quota = "{limit}/hour"
[tiers.anonymous]
policies = ["many"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "limits.toml", TEXT.format(limit=LIMIT))


def write(path: Path, text: str) -> Path:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    return fresh.replace(path)


@pytest.fixture
def short_turns() -> Iterator[None]:
    """Threads take turns every 100 µs, else the one that reloads waits 20 ms after every system call."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("short_turns")
def test_a_hundred_reloads_under_load(path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """No request fails, nothing used is lost, every tenth file is broken and reported."""
    guard = Guard.from_file(path, reload_every=None, clock=clock)
    stop, served = threading.Event(), [0] * 4

    def load(worker: int) -> None:
        while not stop.is_set():
            assert guard.check(request(peer="192.0.2.1")).allowed
            served[worker] += 1

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, worker) for worker in range(4)]
        for turn in range(100):
            broken = turn % 10 == 9
            write(path, "policies = 3" if broken else TEXT.format(limit=LIMIT + turn))
            assert guard.reload() is not broken
        stop.set()
        for done in loads:
            done.result()
    result = guard.check(request(peer="192.0.2.1")).result
    assert result is not None
    assert result.limit == LIMIT + 98
    assert result.remaining == LIMIT + 98 - sum(served) - 1
    assert caplog.text.count("is ignored") == 10
    assert "policies" in caplog.text


def test_requests_notice_a_changed_file(path: Path) -> None:
    guard = Guard.from_file(path, reload_every=0.0)
    write(path, TEXT.format(limit=5))
    guard.check(request())
    for thread in threading.enumerate():
        if thread.name == "ratelimit-guard-reload":
            thread.join(10)
    assert guard.config.policies["many"].quota.limit == 5


def test_a_file_that_vanishes_and_returns(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard.from_file(path, reload_every=None)
    path.unlink()
    assert not guard.reload()
    assert not guard.reload()
    assert caplog.text.count("is ignored") == 1
    write(path, TEXT.format(limit=7))
    assert guard.reload()
    assert guard.config.policies["many"].quota.limit == 7


def test_a_surprise_is_logged(path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks never ends without a word, and the next change is looked at again."""
    guard = Guard.from_file(path, reload_every=None)

    def surprise(_: Path) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("ratelimit_guard.reload.load", surprise)
        write(path, TEXT.format(limit=5))
        assert not guard.reload()
    assert "changed and cannot be read" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    write(path, TEXT.format(limit=6))
    assert guard.reload()
    assert guard.config.policies["many"].quota.limit == 6


def test_a_switched_link_is_a_change(path: Path) -> None:
    """Kubernetes replaces a directory link under the file's path."""
    root = path.parent
    for name, limit in (("one", 1), ("two", 2)):
        (root / name).mkdir()
        (root / name / "limits.toml").write_text(TEXT.format(limit=limit))
        os.utime(root / name / "limits.toml", (1, 1))
    (root / "current").symlink_to("one")
    guard = Guard.from_file(root / "current" / "limits.toml", reload_every=None)
    (root / "next").symlink_to("two")
    (root / "next").replace(root / "current")
    assert guard.reload()
    assert guard.config.policies["many"].quota.limit == 2


def test_a_forked_worker_reloads(path: Path) -> None:
    guard = Guard.from_file(path, reload_every=0.0)
    reloader = guard._reloader
    assert reloader is not None
    with reloader._lock:  # as if another thread were at it when the process forks
        child = os.fork()
        if child == 0:
            write(path, TEXT.format(limit=9))
            guard.check(request())
            for thread in threading.enumerate():
                if thread.name == "ratelimit-guard-reload":
                    thread.join(10)
            os._exit(0 if guard.config.policies["many"].quota.limit == 9 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_policy_that_a_handler_names_must_stay(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Else every request to the handler would fail."""
    guard = Guard.from_file(path, reload_every=None)

    @guard.limit("many", tenant=lambda: "acme")
    def handler() -> None: ...

    write(path, TEXT.format(limit=5).replace("many", "other"))
    assert not guard.reload()
    assert "there is no policy 'many'" in caplog.text
    handler()


def test_a_tier_that_goes_under_load(path: Path) -> None:
    """Tenant and rules of a request always come from one configuration."""
    two = TEXT.format(limit=9) + "[tiers.paid]\npolicies = []\n"
    write(path, two)
    guard = Guard.from_file(path, reload_every=None, lookup=lambda _: Identity("acme", tier="paid"))
    handler: Any = guard.limit(cost=0)(lambda request: request)
    scope = SimpleNamespace(scope=http_scope())
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            assert guard.check(request()).allowed
            handler(scope)

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load) for _ in range(2)]
        for turn in range(20):
            write(path, two + "\n" * turn if turn % 2 else TEXT.format(limit=2**33 + turn))
            assert guard.reload()
        stop.set()
        for done in loads:
            done.result()


def test_no_thread_to_be_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes on, and a later one looks again."""
    guard = Guard.from_file(path, reload_every=0.0)

    def start(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert guard.check(request()).allowed
