"""Run the demo: `python -m demo [--seconds N]`. Exit code 1 when the shared limit was ever exceeded."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from demo.audit import Audit, audit
from demo.conclusion import conclusion, cost
from demo.errors import DemoError
from demo.fleet import running_fleet
from demo.live import final_table, live_table
from demo.load import drive
from demo.scenario import DEFAULT_SECONDS, MAX_SECONDS, QUOTA, TENANTS, WORKERS
from demo.tally import Tally

SHARED_MEMORY = Path("/dev/shm")
TABLE_HOME = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None  # None: the system's place for temporary files
WIDTH_WITHOUT_TERMINAL = 100


async def run(console: Console, seconds: float) -> int:
    """Start the workers, drive the load, show the tables; the exit code."""
    _cancel_on_sigterm()
    tally = Tally()
    with TemporaryDirectory(prefix=f"ratelimit-guard-demo-{os.getpid()}-", dir=TABLE_HOME) as folder:
        async with running_fleet(WORKERS, Path(folder) / "table") as fleet:
            pids = ", ".join(str(pid) for pid in fleet.pids)
            console.print(f"{WORKERS} uvicorn workers (pids {pids}) on 127.0.0.1:{fleet.port}")
            console.print(f"{len(TENANTS)} tenants, each limited to {QUOTA} over all workers; {seconds:g} s of load")
            async with live_table(console, tally):
                await drive(fleet.port, TENANTS, seconds, tally)
            outcome = audit(await fleet.finish())
    _check_counts(tally, outcome)
    console.print(final_table(tally, outcome))
    console.print(conclusion(tally, outcome))
    console.print(cost(outcome))
    return 1 if outcome.exceeded else 0


def _cancel_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _check_counts(tally: Tally, outcome: Audit) -> None:
    """Both ends must have seen the same, or neither count proves anything."""
    seen = tally.total(tally.tenants)
    if (sum(seen.admitted), seen.refused) != (outcome.admitted, outcome.refused):
        raise DemoError(
            f"clients saw {sum(seen.admitted)} admitted and {seen.refused} refused, "
            f"the workers counted {outcome.admitted} and {outcome.refused}"
        )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be between 1 and {MAX_SECONDS}, got {text}")
    return seconds


def _reason(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def main() -> int:
    """Read the command line, run, and turn every end into an exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--seconds", type=_seconds, default=DEFAULT_SECONDS, help="length of the load")
    seconds = parser.parse_args().seconds
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    try:
        return asyncio.run(run(console, seconds))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except (DemoError, OSError, ExceptionGroup) as error:
        print(f"the demo failed: {_reason(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
