"""The commands `audit`, `calibrate` and `explain`."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from typer.core import TyperCommand

from ratelimit_guard.audit import audit as run_audit
from ratelimit_guard.audit import calibrate as run_calibrate
from ratelimit_guard.audit.lines import read_verdict, restricted_requests, write_verdicts
from ratelimit_guard.audit.maps import read_map
from ratelimit_guard.audit.people import declared_uses
from ratelimit_guard.audit.sentences import telling_examples, verdict_sentences, visible, why_not
from ratelimit_guard.audit.summary import summary
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.detector import DEFAULT_ALPHA
from ratelimit_guard.errors import ConfigError, RateLimitGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

Logs = Annotated[list[Path], typer.Argument(help="JSONL, plain or gzip, zstd, xz; - is standard input")]
MapOption = Annotated[list[str], typer.Option("--map", help="plain, litellm, nginx, a TOML file, or COLUMN=PATH")]


class SpreadHistory(TyperCommand):
    """Lets `--history` take all files that a shell made of a pattern: as traffic they would be audited silently."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat `--history` before each further file, once the traffic has been named."""
        spread: list[str] = []
        is_named = in_history = False
        for word, before in zip(args, ["", *args], strict=False):
            is_file = not word.startswith("-") or word == "-"
            in_history = word == "--history" or (in_history and is_file and is_named)
            if in_history and is_file and before != "--history":
                spread.append("--history")
            is_named = is_named or (is_file and not before.startswith("--"))
            spread.append(word)
        return super().parse_args(ctx, spread)


def audit(
    traffic: Logs,
    history: Annotated[list[Path] | None, typer.Option(help="earlier traffic to calibrate with")] = None,
    baseline: Annotated[Path | None, typer.Option(help="what `calibrate` wrote, instead of --history")] = None,
    accounts: Annotated[Path | None, typer.Option(help='JSONL: {"account": …, "declared": use or null}')] = None,
    declare: Annotated[list[str] | None, typer.Option(help="ACCOUNT=class, research or evaluation")] = None,
    restrict: Annotated[
        list[str] | None, typer.Option(help="a suspect of the history, to be judged like others")
    ] = None,
    alpha: Annotated[float, typer.Option(help="honest accounts that may be restricted")] = DEFAULT_ALPHA,
    columns: MapOption = [],  # noqa: B006  typer's way to a list that may be left out
    verdicts: Annotated[Path | None, typer.Option(help="write a line of JSON for each account")] = None,
    requests: Annotated[Path | None, typer.Option(help="write single restricted requests")] = None,
    report: Annotated[Path | None, typer.Option(help="write an HTML page")] = None,
) -> None:
    """Find accounts that extract the model in a gateway's log."""
    with _errors(), ExitStack() as files:
        if history and baseline:
            msg = "give --history or --baseline, not both"
            raise ConfigError(msg)
        uses, layout = declared_uses(accounts, declare or []), read_map(columns) if columns else None
        # Opened before the work, so that a path that cannot be written costs no one an hour.
        outputs = [files.enter_context(_output(path)) if path else None for path in (verdicts, requests, report)]
        known = Baseline.load(baseline) if baseline else None
        with _progress([*(history or ()), *traffic]) as progress:
            if history:
                known = run_calibrate(history, columns=layout, progress=progress)
            result = run_audit(
                traffic,
                baseline=known,
                alpha=alpha,
                declared=uses,
                restrict=restrict or (),
                columns=layout,
                progress=progress,
            )
        if outputs[0]:
            write_verdicts(result, outputs[0])
        if outputs[1]:
            outputs[1].writelines(restricted_requests())
        if outputs[2]:
            from ratelimit_guard.audit.report import render  # noqa: PLC0415  jinja2 only when asked for

            outputs[2].write(render(result))
        for part in summary(result):
            _console().print(part)


def calibrate(
    history: Logs,
    output: Annotated[Path, typer.Option("--output", "-o", help="the baseline to write")],
    columns: MapOption = [],  # noqa: B006
) -> None:
    """Learn from a history what honest accounts do."""
    with _errors(), _output(output) as file:
        with _progress(history) as progress:
            baseline = run_calibrate(history, columns=read_map(columns) if columns else None, progress=progress)
        file.write(baseline.dumps())
        out = _console()
        out.print(f"{output}: {baseline.accounts:,} accounts, {baseline.requests:,} requests")
        for account, signal, nats in baseline.suspects(DEFAULT_ALPHA):
            out.print(
                f"- suspect: {visible(account)} shows {signal} ({nats:.1f} nats): look at it before you rely on it"
            )


def explain(
    account: Annotated[str, typer.Argument(help="the account, as in the log")],
    verdicts: Annotated[Path, typer.Option(help="what `audit --verdicts` wrote")] = Path("verdicts.jsonl"),
) -> None:
    """Say why an account was restricted, or why not."""
    with _errors():
        try:
            with verdicts.open(encoding="utf-8") as file:
                found = read_verdict(file, account)
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read {verdicts}: {error}: write it with `ratelimit-guard audit … --verdicts {verdicts}`"
            raise ConfigError(msg) from None
        if found is None:
            msg = f"{verdicts} has no account {account!r:.300}"
            raise ConfigError(msg)
        known, mode = found
        out = _console()
        lines = [*verdict_sentences(known, mode), *([why_not(known)] if known.score < 1 else [])]
        for line in lines:
            out.print(f"- {line}")
        for example in telling_examples(known):
            out.print(f"  {example.signal}: request {visible(example.request)}")


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)  # names are anybody's


@contextmanager
def _errors() -> Generator[None]:
    try:
        yield
    except RateLimitGuardError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        print(f"ratelimit-guard needs {error.name}: pip install 'ratelimit-guard[cli]'", file=sys.stderr)
        raise typer.Exit(1) from None


@contextmanager
def _output(path: Path) -> Generator[IO[str]]:
    try:
        with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
            yield file
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise ConfigError(msg) from None


@contextmanager
def _progress(paths: Sequence[Path]) -> Generator[Callable[[Path, int], None]]:
    """A bar on standard error, over the bytes of all files that have a size."""
    sizes = {path: path.stat().st_size for path in paths if path.is_file()}
    columns = (TextColumn("{task.description}"), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=sum(sizes.values()) or None)
        done: dict[Path, int] = {}

        def tell(path: Path, read: int) -> None:
            done[path] = read
            bar.update(task, completed=sum(done.values()), description=path.name)

        yield tell
