"""The demo runs for real: four uvicorn processes, a simulated day, a verdict, nothing left behind."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

for needed in ("uvicorn", "starlette", "rich", "jinja2"):
    pytest.importorskip(needed)

ROOT = Path(__file__).resolve().parents[1]
HOMES = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108  where the demo keeps its files
TIMEOUT_S = 60


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo of the small scenario in an empty directory, its output in a pipe."""
    command = [sys.executable, "-m", "demo", "--scenario", "small"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's app without its guard."""
    pytest.importorskip("httpx2")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    return TestClient(Starlette(routes=importlib.import_module("examples.model_api").routes))


def test_demo_stops_a_campaign_and_hurts_nobody(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """Four workers find the campaign that an audit of their log finds; honest requests are left alone."""
    output, errors = demo.communicate(timeout=TIMEOUT_S)
    assert (demo.returncode, errors) == (0, ""), output
    said = " ".join(output.split())
    before, answered = shares(said, r"([\d.]+)% came before the campaign was convicted, ([\d.]+)% got an answer")
    live, audited = shares(said, r"live ([\d.]+)%, audit of the same log ([\d.]+)%")
    assert 0 < before <= live < answered < 40
    assert abs(live - audited) < 5
    assert re.search(r"live C1: rotation, \d\d accounts \(0 honest, \d\d found by both\)", said), output
    assert "hurt by the detector: 0 of 2,003" in said
    assert re.search(r"median [\d.]+ ms without the guard, [\d.]+ ms with it; p99", said), output
    report = (tmp_path / "demo-report.html").read_text(encoding="utf-8")
    assert "<html" in report
    assert "C1" in report
    pids = workers(output)
    assert len(pids) == 4
    assert [pid for pid in pids if is_running(pid)] == []
    assert leftovers(demo.pid) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_demo_leaves_nothing_behind_when_interrupted(
    demo: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    """Ctrl-C ends the demo with 130, its workers with it, and removes its files."""
    assert demo.stdout is not None
    pids = next(pids for line in demo.stdout if (pids := workers(line)))
    assert len(pids) == 4
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=TIMEOUT_S)
    assert (demo.returncode, errors) == (code, "")
    assert [pid for pid in pids if is_running(pid)] == []
    assert leftovers(demo.pid) == []


def test_model_answers_the_same_streamed_and_whole(model: Any) -> None:
    """The same conversation has the same answer, in one piece or in many."""
    asked = {"model": "toy", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
    whole = model.post("/v1/chat/completions", json=asked).json()
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["completion_tokens"] == 20
    options = {"stream": True, "stream_options": {"include_usage": True}}
    lines = model.post("/v1/chat/completions", json={**asked, **options}).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    pieces = [choice["delta"].get("content", "") for event in events for choice in event["choices"]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert events[-1]["usage"] == whole["usage"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages": 1, "max_tokens": "many"}', b"\xff"])
def test_model_refuses_what_is_no_chat_completion(model: Any, body: bytes) -> None:
    """A mistake of the caller is a 400 with a reason."""
    answer = model.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def shares(said: str, pattern: str) -> tuple[float, float]:
    """Two percentages of the output."""
    found = re.search(pattern, said)
    assert found is not None, said
    return float(found[1]), float(found[2])


def workers(said: str) -> list[int]:
    """Process ids that a line names."""
    found = re.search(r"\(pids ([\d, ]+)\)", said)
    return [int(pid) for pid in re.findall(r"\d+", found[1])] if found else []


def leftovers(pid: int) -> list[Path]:
    """Folders that the demo with this process id has not removed."""
    return [path for home in HOMES for path in home.glob(f"ratelimit-guard-demo-{pid}-*")]


def is_running(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
