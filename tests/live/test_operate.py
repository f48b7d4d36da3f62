"""The commands of operators, beside workers that run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from live.helpers import Scene, keyed, post, values
from ratelimit_guard.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIER_FILE = """
version = 1
[store]
kind = "shared"
path = "{path}"
capacity = 10_000
[policies.few]
quota = "100/hour"
[tiers.anonymous]
policies = ["few"]
[[routes]]
match = "/v1/chat"
body = true
[detector]
mode = "enforce"
"""


@dataclass
class Place:
    """Workers that have learned, and their file."""

    folder: Path
    scene: Scene

    def command(self, *words: str) -> tuple[int, str]:
        """Exit status, and all that was said."""
        with patch("ratelimit_guard.operate.open_live", keyed):
            done = CliRunner().invoke(app, [*words, "--config", str(self.folder / "limits.toml")])
        return done.exit_code, done.output

    @property
    def releases(self) -> Path:
        return self.folder / "store.ratelimit-guard-detector.releases.jsonl"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "limits.toml").write_text(TIER_FILE.format(path=tmp_path / "store"))
    store = {"kind": "shared", "path": str(tmp_path / "store"), "capacity": 10_000}
    scene = Scene(values(store=store)).learn()
    yield Place(tmp_path, scene)
    scene.live.stop()


def test_a_look_at_the_running_detector(place: Place) -> None:
    """Names the campaign, its rung and what was observed."""
    code, text = place.command("live", "--once")
    assert code == 0
    assert all(word in text for word in ("C1", "throttle", "Detector (by the file: enforce)"))


def test_what_a_caller_quotes_is_explained(place: Place) -> None:
    """A reference names its account and campaign; one that was made up names nobody."""
    decision = place.scene.send(post("org-free", "new"), place.scene.attack().body).decision
    assert decision.restriction is not None
    code, text = place.command("explain", decision.restriction.reference)
    assert code == 0
    assert "a request of org-free/new at about" in text
    assert "because of campaign C1" in text
    code, text = place.command("explain", "RG-00000000-00000000")
    assert (code, "is no reference of this detector" in text) == (1, True)


def test_a_release_is_obeyed_and_written_down(place: Place) -> None:
    """In a file of its own user, with who and why."""
    for name in ("org-free/new", "C1"):
        code, text = place.command("release", name, "--force", "--why", "a class\nof ours")
        assert (code, text.splitlines()[0]) == (0, f"{name} is released")
    assert place.scene.stats["convicted"] == 0
    notes = [json.loads(line) for line in place.releases.read_text().splitlines()]
    assert [(note["release"], note["why"]) for note in notes] == [
        (n, "a class\nof ours") for n in ("org-free/new", "C1")
    ]
    assert place.releases.stat().st_mode & 0o777 == 0o600


def test_a_release_needs_a_reason(place: Place) -> None:
    """And is not written where somebody else points to."""
    assert place.command("release", "C1", "--why", " ") == (1, "say why: whoever looks later has nothing else\n")
    place.releases.symlink_to(place.folder / "elsewhere")
    assert place.command("release", "C1", "--why", "ours")[0] == 1
    assert not (place.folder / "elsewhere").exists()
    assert place.scene.stats["convicted"] >= 1


def test_without_workers_nothing_is_made(tmp_path: Path) -> None:
    """A command that is the first one tells so, and leaves no file."""
    (tmp_path / "limits.toml").write_text(TIER_FILE.format(path=tmp_path / "store"))
    done = CliRunner().invoke(app, ["live", "--once", "--config", str(tmp_path / "limits.toml")])
    assert (done.exit_code, "no worker has made it" in done.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["limits.toml"]
