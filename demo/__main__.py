"""Run the demo: `python -m demo`. Exit code 1 when an honest request was hurt, or audit and live disagree."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.console import Console

from demo import conclusion
from demo.access_log import Restricted
from demo.errors import DemoError
from demo.fleet import running_fleet
from demo.home import learn, prepare
from demo.live import live_table, whole
from demo.load import compare, simulate
from demo.outcome import audited, merged, outcome
from demo.scenario import PLAYS, WORKERS, Play
from demo.tally import Tally
from ratelimit_guard.audit.report import render
from ratelimit_guard.errors import RateLimitGuardError
from ratelimit_guard.operate import Desk
from ratelimit_guard.simulate import accounts

if TYPE_CHECKING:
    from demo.fleet import Home
    from demo.load import Comparison
    from ratelimit_guard.audit import AuditResult

SHARED_MEMORY = Path("/dev/shm")
TABLE_HOME = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None  # None: the system's place for temporary files
WIDTH_WITHOUT_TERMINAL = 120
REPORT = Path("demo-report.html")


class Played(NamedTuple):
    """What the workers left: a day, a comparison, and what their detector found."""

    tally: Tally
    seconds: float
    comparison: Comparison
    found: AuditResult
    stats: dict[str, object]


async def run(console: Console, play: Play) -> int:
    """Learn, start the workers, play the day, compare, show; the exit code."""
    _cancel_on_sigterm()
    began, prefix = monotonic(), f"ratelimit-guard-demo-{os.getpid()}-"
    with TemporaryDirectory(prefix=prefix, dir=TABLE_HOME) as shared, TemporaryDirectory(prefix=prefix) as folder:
        baseline = learn(play, Path(folder))
        console.print(
            f"{baseline.requests:,} requests of {baseline.accounts} honest accounts, the day before, "
            "taught the detector what is usual here."
        )
        home = prepare(play, baseline, Path(shared), Path(folder))
        played = await _play(console, play, home)
        again, paid = audited(merged(home.logs, Path(folder) / "run.jsonl"), baseline)
    code = conclude(console, played, again, paid)
    console.print(f"The whole demo took {monotonic() - began:.0f} s.")
    return code


async def _play(console: Console, play: Play, home: Home) -> Played:
    tally = Tally.of(accounts(play.scenario, play.seed))

    def hear(said: Restricted | str) -> None:
        if isinstance(said, Restricted):
            tally.restriction(said)
        else:
            console.print(said)

    async with running_fleet(home, hear) as fleet:
        pids = ", ".join(str(pid) for pid in fleet.pids)
        console.print(f"{WORKERS} uvicorn workers (pids {pids}) serve examples/model_api.py on 127.0.0.1:{fleet.port}.")
        console.print(f"Time is compressed: one simulated day in about {play.seconds:g} seconds.")
        desk = Desk(home.tiers)
        async with live_table(console, tally, desk):
            seconds = await simulate(play, fleet.port, tally)
        found, stats = await asyncio.to_thread(desk.findings), desk.stats()
        comparison = await compare(play, fleet.port)
        await fleet.finish()
    return Played(tally, seconds, comparison, found, stats)


def conclude(console: Console, played: Played, again: AuditResult, paid: set[str]) -> int:
    """Print the figures and write the report; the exit code."""
    tally, seconds, comparison, found, stats = played
    figures = outcome(tally, found, again, paid)
    REPORT.write_text(render(found), encoding="utf-8")
    failures = list(conclusion.failures(tally, figures))
    console.print(whole(tally, stats))
    for line in (
        f"The simulated day took {seconds:.1f} s: {tally.requests / seconds:,.0f} requests a second.",
        *conclusion.campaigns("live", found.campaigns, again.campaigns, tally),
        *conclusion.campaigns("audit", again.campaigns, found.campaigns, tally),
        *conclusion.shares(figures),
        conclusion.harm(tally),
        conclusion.latency(comparison),
        f"Report of what the live detector found: {REPORT.absolute()}",
        *failures,
    ):
        console.print(line, soft_wrap=True)
    return 1 if failures else 0


def _cancel_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _reason(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return str(error) or type(error).__name__


def main() -> int:
    """Read the command line, run, and turn every end into an exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--scenario", choices=tuple(PLAYS), default="demo", help="how much traffic")
    play = PLAYS[parser.parse_args().scenario]
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    try:
        return asyncio.run(run(console, play))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except (DemoError, RateLimitGuardError, OSError, ExceptionGroup) as error:
        print(f"the demo failed: {_reason(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
