"""The command line, `ratelimit-guard`. Needs the extra `cli`."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import Annotated

try:
    import typer
    from rich.console import Console

    from ratelimit_guard import operate_commands, store_commands
    from ratelimit_guard.audit import commands
    from ratelimit_guard.config_file import load
    from ratelimit_guard.simulate.command import simulate
except ModuleNotFoundError as error:
    raise SystemExit(f"ratelimit-guard needs {error.name}: pip install 'ratelimit-guard[cli]'") from error

from ratelimit_guard.advice import advice, changes
from ratelimit_guard.errors import RateLimitGuardError
from ratelimit_guard.report import effective, overview
from ratelimit_guard.watch import verify

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Rate limits for web apps that serve AI models.")
app.command(cls=commands.SpreadHistory)(commands.audit)
app.command()(commands.calibrate)
app.command()(commands.explain)
app.command()(operate_commands.live)
app.command()(operate_commands.release)
app.command()(operate_commands.report)
app.command()(simulate)
app.add_typer(store_commands.app, name="store")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="the tier file")],
    tenant: Annotated[str | None, typer.Option(help="show what holds for this tenant; unknown: for an address")] = None,
    path: Annotated[str, typer.Option(help="… on this path")] = "/",
    method: Annotated[str, typer.Option(help="… with this method")] = "GET",
    against: Annotated[Path | None, typer.Option(help="the file in force: say what the change does")] = None,
) -> None:
    """Check a tier file: every mistake at once, what it means, and what a tenant gets on a route."""
    out = Console(highlight=False, markup=False, emoji=False)  # names are the operator's
    try:
        config = load(file)
        former = load(against) if against else None
        verify(config)
        store_commands.verify(config.store)
    except RateLimitGuardError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if not path.startswith("/"):
        print(f"path {path!r} must begin with /", file=sys.stderr)
        raise typer.Exit(2)
    asks = tenant is not None or path != "/"
    for table in [effective(config, tenant, method, path)] if asks else overview(config):
        out.print(table)
    for line in [*(() if asks else advice(config)), *(changes(former, config) if former else ())]:
        out.print(f"- {line}", soft_wrap=True)
    if not asks:
        out.print(f"{file}: correct", soft_wrap=True)


@app.command()
def hash_key() -> None:
    """Print the SHA-256 of a credential read from standard input, as the tier file lists it."""
    from ratelimit_guard.tenant import MAX_CREDENTIAL_BYTES, credential_digest  # noqa: PLC0415  keeps `--help` quick

    digest = credential_digest(sys.stdin.readline().encode())
    if digest is None:
        print(f"give a credential of 1 to {MAX_CREDENTIAL_BYTES} bytes on standard input", file=sys.stderr)
        raise typer.Exit(1)
    print(digest.hex())


def main() -> None:
    """Run the command line."""
    app()
