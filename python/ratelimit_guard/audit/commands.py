"""The commands `audit`, `calibrate` and `explain`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from typer.core import TyperCommand

from ratelimit_guard.audit import audit as run_audit
from ratelimit_guard.audit import calibrate as run_calibrate
from ratelimit_guard.audit.explain import explained
from ratelimit_guard.audit.lines import read_verdicts, write_request, write_verdicts
from ratelimit_guard.audit.maps import read_map
from ratelimit_guard.audit.outputs import output
from ratelimit_guard.audit.people import read_people
from ratelimit_guard.audit.summary import calibrated, summary
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.command_errors import told
from ratelimit_guard.detector import DEFAULT_ALPHA
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from rich.table import Table

Logs = Annotated[list[Path], typer.Argument(help="JSONL, plain or gzip, zstd, xz; - is standard input")]
AccountsOption = Annotated[
    Path | None, typer.Option(help='JSONL: {"account": …, "declared": use, "payment": who pays}')
]
DeclareOption = Annotated[list[str] | None, typer.Option(help="ACCOUNT=class, research or evaluation")]
MapOption = Annotated[list[str], typer.Option("--map", help="plain, litellm, nginx, a TOML file, or COLUMN=PATH")]


class SpreadHistory(TyperCommand):
    """Lets `--history` take all files that a shell made of a pattern: as traffic they would be audited silently."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat `--history` before each further file, once the traffic has been named."""
        spread: list[str] = []
        is_named = in_history = False
        for word, before in zip(args, ["", *args], strict=False):
            is_file = not word.startswith("-") or word == "-"
            is_value = before.startswith("--") and "=" not in before
            in_history = word.partition("=")[0] == "--history" or (in_history and is_file and is_named)
            if in_history and is_file and not is_value:
                spread.append("--history")
            is_named = is_named or (is_file and not is_value)
            spread.append(word)
        return super().parse_args(ctx, spread)


def audit(
    traffic: Logs,
    history: Annotated[list[Path] | None, typer.Option(help="earlier traffic to calibrate with")] = None,
    baseline: Annotated[Path | None, typer.Option(help="what `calibrate` wrote, instead of --history")] = None,
    accounts: AccountsOption = None,
    declare: DeclareOption = None,
    restrict: Annotated[
        list[str] | None, typer.Option(help="a suspect of the history, to be judged like others")
    ] = None,
    alpha: Annotated[float, typer.Option(help="honest accounts that may be restricted")] = DEFAULT_ALPHA,
    columns: MapOption = [],  # noqa: B006  typer's way to a list that may be left out
    verdicts: Annotated[Path | None, typer.Option(help="write a line of JSON for each account")] = None,
    requests: Annotated[Path | None, typer.Option(help="write requests that campaigns restrict")] = None,
    report: Annotated[Path | None, typer.Option(help="write an HTML page")] = None,
) -> None:
    """Find accounts that extract the model in a gateway's log, alone or as one group."""
    with told(), ExitStack() as files:
        if history and baseline:
            msg = "give --history or --baseline, not both"
            raise ConfigError(msg)
        people, layout = read_people(accounts, declare or []), read_map(columns) if columns else None
        known = Baseline.load(baseline) if baseline else None
        outputs = [path.resolve() for path in (verdicts, requests, report) if path]
        if len(set(outputs)) < len(outputs):
            msg = "each output needs a file of its own"
            raise ConfigError(msg)
        inputs = [*traffic, *(history or ()), *filter(None, (accounts, baseline))]
        # Opened before the work, so that a path that cannot be written costs no one an hour.
        to_verdicts, to_requests, to_report = (
            files.enter_context(output(path, inputs)) if path else None for path in (verdicts, requests, report)
        )
        with _progress([*(history or ()), *traffic]) as progress:
            if history:
                known = run_calibrate(
                    history, declared=people.uses, payers=people.payers, columns=layout, progress=progress
                )
            result = run_audit(
                traffic,
                baseline=known,
                alpha=alpha,
                declared=people.uses,
                restrict=restrict or (),
                payers=people.payers,
                columns=layout,
                progress=progress,
                restricted=partial(write_request, file=to_requests) if to_requests else lambda _request: None,
            )
        if to_verdicts:
            write_verdicts(result, to_verdicts)
        if to_report:
            from ratelimit_guard.audit.report import render  # noqa: PLC0415  jinja2 only when asked for

            to_report.write(render(result))
        if result.records:
            # Whoever reads only the first lines of the summary keeps his files.
            files.close()
        _print(summary(result))
        if not result.records:
            msg = "no line could be used: does --map say where time, account and request stand?"
            raise ConfigError(msg)


def calibrate(
    history: Logs,
    target: Annotated[Path, typer.Option("--output", "-o", help="the baseline to write")],
    accounts: AccountsOption = None,
    declare: DeclareOption = None,
    columns: MapOption = [],  # noqa: B006
) -> None:
    """Learn from a history what honest accounts do."""
    with told(), output(target, history) as file:
        people, layout = read_people(accounts, declare or []), read_map(columns) if columns else None
        with _progress(history) as progress:
            baseline = run_calibrate(
                history, declared=people.uses, payers=people.payers, columns=layout, progress=progress
            )
        file.write(baseline.dumps())
        _print(calibrated(baseline, target))


def explain(
    name: Annotated[
        str, typer.Argument(help="an account, a campaign, such as C1, or a reference that a caller quotes")
    ],
    verdicts: Annotated[Path, typer.Option(help="what `audit --verdicts` wrote")] = Path("verdicts.jsonl"),
    config: Annotated[Path | None, typer.Option(help="the tier file of running workers: ask their detector")] = None,
) -> None:
    """Say why an account was restricted, or why not; or what makes a campaign of accounts."""
    from ratelimit_guard.operate import is_reference  # noqa: PLC0415
    from ratelimit_guard.operate_commands import TIER_FILE, explain_live  # noqa: PLC0415  it imports this package

    with told():
        # A reference is always a live detector's; without a file of verdicts so is all else where there is a tier file.
        is_live = is_reference(name) or (not verdicts.exists() and TIER_FILE.exists())
        if config is not None or is_live:
            _print(explain_live(name, config or TIER_FILE))
            return
        try:
            with verdicts.open(encoding="utf-8") as file:
                found = read_verdicts(file, name)
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read {verdicts}: {error}: write it with `ratelimit-guard audit … --verdicts {verdicts}`"
            raise ConfigError(msg) from None
        if found.verdict is None and not found.members:
            msg = f"{verdicts} has no account or campaign {name!r:.300}"
            raise ConfigError(msg)
        _print(explained(found))


def _print(parts: Iterable[Table | str]) -> None:
    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)  # names are anybody's
    for part in parts:
        out.print(part)


@contextmanager
def _progress(paths: Sequence[Path]) -> Generator[Callable[[Path, int], None]]:
    """A bar on standard error, over the bytes of all files that have a size."""
    sizes = {path: path.stat().st_size for path in paths if path.is_file()}
    what = TextColumn("{task.description}", markup=False)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(
        what,
        BarColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("reading", total=sum(sizes.values()) or None)
        done: dict[Path, int] = {}

        def tell(path: Path, read: int) -> None:
            done[path] = read
            bar.update(task, completed=sum(done.values()), description=path.name)

        yield tell
