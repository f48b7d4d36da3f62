"""The command `ratelimit-guard simulate`: options in, traffic out."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from itertools import islice
from math import inf
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ratelimit_guard.command_errors import told
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.simulate.client import drive
from ratelimit_guard.simulate.generator import accounts, generate
from ratelimit_guard.simulate.log import write_keys, write_log, write_truth
from ratelimit_guard.simulate.scenario import SCENARIOS
from ratelimit_guard.simulate.tally import Tally

if TYPE_CHECKING:
    from ratelimit_guard.simulate.scenario import Scenario

NAMES = ", ".join(SCENARIOS)


def simulate(
    scenario: Annotated[str, typer.Option(help=NAMES)] = "demo",
    seed: Annotated[int, typer.Option(help="the same seed, the same traffic")] = 0,
    log: Annotated[Path | None, typer.Option(help="write a log that `audit` reads")] = None,
    url: Annotated[str | None, typer.Option(help="send to this server")] = None,
    history: Annotated[Path | None, typer.Option(help="write a log of the day before: honest accounts only")] = None,
    truth: Annotated[Path | None, typer.Option(help="write which account is what, as JSON")] = None,
    keys: Annotated[Path | None, typer.Option(help="write the accounts' part of a tier file")] = None,
    tier: Annotated[str, typer.Option(help="… with all tenants in this tier")] = "anonymous",
    speed: Annotated[float, typer.Option(help="simulated seconds in a real one; inf: as fast as it goes")] = inf,
    concurrency: Annotated[int, typer.Option(help="requests under way at once")] = 32,
    limit: Annotated[int | None, typer.Option(help="stop after so many requests", min=0)] = None,
    timeout: Annotated[float, typer.Option(help="stop after so many seconds", min=0)] = 3_600.0,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="send to other machines too")] = False,
) -> None:
    """Send seeded traffic of honest accounts and of campaigns to a server, or write it into a log."""
    with told():
        chosen = _chosen(scenario, log, url, is_asked=bool(log or url or history or truth or keys))
        known = accounts(chosen, seed)
        tally, finished = Tally(known), True
        calls = islice(generate(chosen, seed), limit)
        with ExitStack() as files:
            # Opened before the work, so that a wrong path is told at once.
            outputs = {path: files.enter_context(_opened(path)) for path in (truth, keys, history, log) if path}
            if truth:
                write_truth(known, outputs[truth])
            if keys:
                write_keys(known, outputs[keys], tier)
            if history:
                write_log(generate(chosen.before(), seed), outputs[history])
            if log:
                write_log(calls, outputs[log], lambda call: tally.sent(call.kind))
        if url:
            finished = asyncio.run(
                drive(
                    calls,
                    url,
                    speed=speed,
                    concurrency=concurrency,
                    timeout=timeout,
                    allow_remote=allow_remote,
                    on_result=tally.result,
                )
            )
        if log or url:
            Console(highlight=False).print(tally.table(answered=bool(url)))
        if not finished:
            print(f"stopped after {timeout:g} seconds: not all calls were sent", file=sys.stderr)


def _chosen(name: str, log: Path | None, url: str | None, *, is_asked: bool) -> Scenario:
    """The scenario, if the options make sense together."""
    if name not in SCENARIOS:
        raise ConfigError(f"scenario: must be one of {NAMES}, got {name!r:.300}")
    if not is_asked or (log and url):
        raise ConfigError("give either --log FILE or --url URL")
    return SCENARIOS[name]


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error}") from None
