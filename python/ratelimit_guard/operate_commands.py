"""Commands for a detector that runs: `live`, `report`, `release`, and `explain` of references."""

from __future__ import annotations

import time
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ratelimit_guard.audit.explain import explained
from ratelimit_guard.audit.lines import read_verdicts, write_verdicts
from ratelimit_guard.audit.outputs import output
from ratelimit_guard.audit.sentences import moment, visible
from ratelimit_guard.command_errors import told
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.operate import Desk, is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard.audit.result import AuditResult

ConfigOption = Annotated[Path, typer.Option("--config", help="the tier file of the running workers")]
TIER_FILE = Path("limits.toml")
SHOWN = 12
"""Campaigns, and accounts, that fit a screen."""


def release(
    name: Annotated[str, typer.Argument(help="an account, such as acme/prod, or a campaign, such as C1")],
    why: Annotated[str, typer.Option(help="the reason, for whoever looks later")],
    config: ConfigOption = TIER_FILE,
    force: Annotated[bool, typer.Option("--force", help="also a name that the detector has not seen")] = False,
) -> None:
    """Let an account or a campaign go: in all workers at once, and for good."""
    with told():
        desk = Desk(config)
        is_done = desk.release(name, why, known=not force)
    is_far = desk.is_judged_elsewhere
    if is_done:
        print(f"{name} is released{' on all hosts within seconds' if is_far else ''}")
    else:
        print(f"{name} will be released as soon as a worker runs{' and reaches the server' if is_far else ''}")
    print(f"written down in {desk.releases}")


def report(
    target: Annotated[Path, typer.Option("--output", "-o", help="the HTML page to write")],
    config: ConfigOption = TIER_FILE,
) -> None:
    """Write a page about what the running detector has found."""
    from ratelimit_guard.audit.report import render  # noqa: PLC0415  jinja2 only when asked for

    with told(), output(target, [config]) as file:
        desk = Desk(config)
        file.write(render(desk.findings()))
    print(f"written to {target}", *filter(None, [desk.remark]), sep="\n")


def live(
    config: ConfigOption = TIER_FILE,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="seconds between two looks")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="look once and end")] = False,
) -> None:
    """Watch the running detector: campaigns, restricted accounts, and what the workers tell."""
    console = Console(highlight=False, markup=False, emoji=False)  # names are the customers'
    with told(), suppress(KeyboardInterrupt):
        desk = Desk(config)
        if once:
            for part in look(desk):
                console.print(part)
            return
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as screen:
            while True:
                screen.update(_page(desk), refresh=True)
                time.sleep(every)


def explain_live(name: str, config: Path) -> Iterator[str]:
    """What the running detector knows of a reference, an account or a campaign. `ConfigError` for a stranger."""
    desk = Desk(config)
    result = desk.findings()
    if desk.remark:
        yield desk.remark
    asked = [name]
    if is_reference(name):
        found = desk.meaning(name, result)
        if found is None:
            msg = f"{name!r:.100} is no reference of this detector, or its account is no longer remembered"
            raise ConfigError(msg)
        why = f"campaign {found.campaign}" if found.campaign else "the account's own evidence"
        who = visible(found.account) if found.account else "an account that is no longer remembered"
        yield f"{name.strip()}: a request of {who} at about {moment(found.time)}, restricted because of {why}"
        if found.account is None:
            return
        asked = [found.account]
    lines = StringIO()
    write_verdicts(result, lines)
    text = lines.getvalue().splitlines()
    for one in asked:
        what = read_verdicts(text, one)
        if what.verdict is None and not what.members:
            msg = f"the detector knows no account and no campaign {one!r:.300}"
            raise ConfigError(msg)
        yield from explained(what)


def look(desk: Desk) -> Iterator[Table | str]:
    """The tables, and what they do not say by themselves."""
    result = desk.findings()
    if desk.remark:
        yield desk.remark
    yield from view(desk.stats(), result)
    if fleet := desk.fleet:
        yield fleet
    yield "Counted are answered requests; refused ones are not observed. A score of 1 restricts an account as a whole."


def view(stats: dict[str, object], result: AuditResult) -> list[Table]:
    """Campaigns, accounts restricted as a whole, and the state of the detector."""
    rungs = cast("dict[int, str]", stats["rungs"])
    campaigns = Table("campaign", "accounts", "networks", "matching", "paid", "since", "now", title="Campaigns")
    for one in result.campaigns[:SHOWN]:
        ended = "released" if one.released else "ended"
        rung = ended if one.released else rungs.get(int(one.name[1:]), ended)
        counts = (one.accounts, one.addresses, one.matches, one.restricted)
        campaigns.add_row(one.name, *map("{:,}".format, counts), moment(one.convicted), rung)
    accounts = Table("account", "level", "score", "requests", "campaign", title="Accounts with the most evidence")
    worst = sorted(result.accounts, key=lambda one: -one.score)[:SHOWN]
    for account in [one for one in worst if one.level != "none"]:
        score = f"{account.score:.2f}"
        accounts.add_row(
            visible(account.account), account.level, score, f"{account.requests:,}", account.campaign or ""
        )
    state = Table("records", "lost", "waiting", "elected", "terms", title=f"Detector (by the file: {result.mode})")
    lost = int(str(stats["dropped"])) + int(str(stats["torn"]))
    waiting = f"{stats['waiting_bytes']:,} B"
    state.add_row(f"{stats['folded']:,}", f"{lost:,}", waiting, f"process {stats['leader']}", str(stats["terms"]))
    return [campaigns, accounts, state]


def _page(desk: Desk) -> Table:
    page = Table.grid()
    try:
        for part in look(desk):
            page.add_row(part)
    except StoreError as error:
        page.add_row(str(error))
    return page
