"""What a run needs before its workers start: what honest accounts did the day before, and a tier file of its own."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from demo.errors import DemoError
from demo.fleet import PROJECT_ROOT, Home
from demo.scenario import HEAVY, WORKERS
from ratelimit_guard.audit import calibrate
from ratelimit_guard.simulate import accounts, generate, write_keys, write_log

if TYPE_CHECKING:
    from pathlib import Path

    from demo.scenario import Play
    from ratelimit_guard.baseline import Baseline

EXAMPLE = PROJECT_ROOT / "examples" / "model_api.toml"


def learn(play: Play, folder: Path) -> Baseline:
    """From the log of the day before."""
    history = folder / "history.jsonl"
    with history.open("wb") as file:
        write_log(generate(play.scenario.before(), play.seed), file)
    baseline = calibrate([history])
    history.unlink()
    return baseline


def prepare(play: Play, baseline: Baseline, shared: Path, folder: Path) -> Home:
    """The example's tier file with a place and a baseline of its own, and the keys of all accounts."""
    known, tiers = shared / "baseline.json", shared / "tiers.toml"
    known.write_text(baseline.dumps(), encoding="utf-8")
    text = EXAMPLE.read_text(encoding="utf-8")
    text = _replaced(text, 'namespace = "model-api"', f'namespace = "demo-{os.getpid()}"')
    text = _replaced(text, 'kind = "shared"', f'kind = "shared"\npath = "{shared / "table"}"')
    text = _replaced(text, "[detector]", f'[detector]\nbaseline = "{known}"')
    with tiers.open("wb") as file:
        file.write(text.encode() + b"\n")
        _write_tenants(play, file)
    return Home(tiers, tuple(folder / f"worker-{number}.jsonl" for number in range(WORKERS)))


def _write_tenants(play: Play, file: IO[bytes]) -> None:
    everybody = accounts(play.scenario, play.seed)
    write_keys((one for one in everybody if one.kind == HEAVY), file, "business")
    write_keys((one for one in everybody if one.kind != HEAVY), file, "free")


def _replaced(text: str, line: str, by: str) -> str:
    """TOML is not written by anything that Python brings along."""
    if text.count(f"\n{line}") != 1:
        raise DemoError(f"{EXAMPLE}: expected one line {line!r}")
    return text.replace(f"\n{line}", f"\n{by}")
