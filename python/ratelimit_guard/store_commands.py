"""Commands for a store at a server: `store doctor`."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ratelimit_guard.audit.sentences import moment, visible
from ratelimit_guard.command_errors import told
from ratelimit_guard.compiled import server_url
from ratelimit_guard.config_file import load
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard._core import Quota
    from ratelimit_guard.config import StoreSection
    from ratelimit_guard.stores.redis.findings import Node, Report

DEFAULT_BUDGET_S = 0.025
SHOWN = 40
"""Rows of a table; `--json` has all."""
MIB = 1 << 20
COLUMNS = ("server", "version", "role", "memory", "eviction", "on disk", "script", "ping ms", "clock")
app = typer.Typer(no_args_is_help=True, help="Stores at a Redis or Valkey server.")


@app.callback()
def store() -> None:
    """Stores at a Redis or Valkey server."""


@app.command()
def doctor(
    file: Annotated[Path | None, typer.Argument(help="the tier file that names the store")] = None,
    url: Annotated[
        str | None,
        typer.Option(envvar="REDIS_URL", help="the store, without a file; in the environment nobody sees it"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="everything, for programs")] = False,
) -> None:
    """Look at a store: can it be used, what is in it, what is wrong, what to do. Status 1 when something is wrong."""
    with told():
        report = _examined(file, url)
    if as_json:
        print(json.dumps({"fine": report.is_fine, **_plain(report)}, indent=2))
    else:
        out = Console(highlight=False, markup=False, emoji=False)  # names are the operator's
        for part in shown(report):
            out.print(part, soft_wrap=isinstance(part, str))  # commands can be copied
    if not report.is_fine:
        raise typer.Exit(1)


def verify(section: StoreSection) -> None:
    """`ConfigError` for a url in the file that names no server. One in the environment is another on each host."""
    if section.url is None:
        return
    with contextlib.suppress(ImportError):  # whoever checks the file need not be who runs it
        from ratelimit_guard.stores.redis.address import Address  # noqa: PLC0415  the client is optional

        Address.parse(section.url)


def _examined(file: Path | None, url: str | None) -> Report:
    try:
        from ratelimit_guard.stores.redis.doctor import examine  # noqa: PLC0415  the client is optional
    except ImportError as error:  # it says what to install
        raise ConfigError(str(error)) from error
    if file is None:
        if not url:
            msg = "name a tier file, or give --url or REDIS_URL"
            raise ConfigError(msg)
        return examine(url, DEFAULT_BUDGET_S)
    config = load(file)
    if config.store.kind != "redis":
        msg = f'{file}: store.kind is {config.store.kind}: only "redis" has a doctor'
        raise ConfigError(msg)
    policies: list[tuple[str, Quota]] = [(name, section.quota) for name, section in config.policies.items()]
    return examine(server_url(config.store), config.store.budget_ms / 1_000, config.namespace, policies)


def shown(report: Report) -> Iterator[Table | str]:
    """Tables of what there is, then what was found."""
    if report.nodes:
        yield _servers(report.nodes[:SHOWN])
    if report.decision_ms is not None:
        yield f"A decision takes {report.decision_ms[0]:g} ms, at worst {report.decision_ms[1]:g} ms."
    if report.usage:
        usage = Table("namespace", "keys", "count", "bytes each", "KiB", title="Keys")
        for one in report.usage[:SHOWN]:
            each = one.bytes_each
            size = ("?", "?") if each is None else (f"{each:,}", f"{each * one.keys / 1024:,.0f}")
            usage.add_row(visible(one.namespace), one.kind, f"{one.keys:,}", *size)
        yield usage
    if report.policies:
        policies = Table("namespace", "policy", "algorithm", "quota", "since", title="Policies, as the fleet has them")
        for entry in report.policies[:SHOWN]:
            names = map(visible, (entry.namespace, entry.policy, entry.algorithm))
            policies.add_row(*names, entry.quota, moment(entry.since))
        yield policies
    for level, what, mend in report.findings:
        yield visible(f"{'!' if level == 'trouble' else '-'} {what}")
        yield visible(f"  {mend}")
    troubles = sum(finding.level == "trouble" for finding in report.findings)
    yield f"{report.store}: {'fine' if not troubles else f'{troubles} to mend'}"


def _servers(nodes: list[Node]) -> Table:
    """A row for each; a single one, as most are, fits into the narrowest terminal."""
    if len(nodes) > 1:
        table = Table(*COLUMNS, title="Servers")
        for node in nodes:
            table.add_row(*map(visible, _row(node)))
        return table
    name, *rest = map(visible, _row(nodes[0]))
    table = Table(COLUMNS[0], name)
    for column, text in zip(COLUMNS[1:], rest, strict=True):
        table.add_row(column, text)
    return table


def _row(node: Node) -> tuple[str, ...]:
    memory = f"{node.used_bytes / MIB:,.1f} MiB"
    memory += f" of {node.max_bytes / MIB:,.1f}" if node.max_bytes else ""
    ping = "?" if node.ping_ms is None else f"{node.ping_ms[0]:g} (worst {node.ping_ms[1]:g})"
    clock = "?" if node.clock_s is None else f"{round(node.clock_s, 1) + 0.0:+.1f} s"
    script = {True: "known", False: "not yet", None: "?"}[node.knows_script]
    return node.name, f"{node.kind} {node.version}", node.role, memory, node.eviction, node.disk, script, ping, clock


def _plain(report: Report) -> dict[str, object]:
    plain = asdict(report)
    for name in ("nodes", "usage", "policies", "findings"):
        plain[name] = [one._asdict() for one in getattr(report, name)]
    return plain
