"""The tables: one that is redrawn while the day passes, and the final one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from rich.console import Console, RenderableType

    from demo.tally import Tally
    from ratelimit_guard.operate import Desk

REDRAW_S = 0.25


@asynccontextmanager
async def live_table(console: Console, tally: Tally, desk: Desk) -> AsyncGenerator[None]:
    """Redraw the table while the block runs; without a terminal draw nothing."""
    if not console.is_interactive:
        yield
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        redraw = asyncio.create_task(_redraw(live, tally, desk))
        try:
            yield
        finally:
            redraw.cancel()


async def _redraw(live: Live, tally: Tally, desk: Desk) -> None:
    while True:
        live.update(whole(tally, desk.stats()), refresh=True)
        await asyncio.sleep(REDRAW_S)


def whole(tally: Tally, stats: Mapping[str, Any]) -> RenderableType:
    """Requests by kind, campaigns, and the detector."""
    return Group(kinds(tally), campaigns(tally, stats), Text(detector(stats)))


def kinds(tally: Tally) -> Table:
    """What became of the requests of each kind."""
    names = ("accounts", "requests", "ok", "restricted", "refused", "degraded", "median ms")
    table = _table("tenants", *names)
    accounts = list(tally.kinds.values())
    for kind, row in tally.rows.items():
        counts = (accounts.count(kind), row.requests, row.ok, row.restricted, row.refused, row.degraded)
        table.add_row(kind, *(f"{count:,}" for count in counts), f"{row.median_ms:.1f}")
    table.caption = "restricted: paid from a campaign's budget, or found it empty"
    return table


def campaigns(tally: Tally, stats: Mapping[str, Any]) -> Table:
    """Those that are restricted, with what is done about them now."""
    table = _table("campaign", "rung", "accounts so far", "requests", "answered from its budget")
    rungs = {f"C{number}": rung for number, rung in stats["rungs"].items()}
    for name in sorted({*rungs, *(one.campaign for one in tally.paid.values() if one.campaign)}):
        its = [one for one in tally.paid.values() if one.campaign == name]
        counts = (len({one.account for one in its}), len(its), sum(one.status == 200 for one in its))
        table.add_row(name, rungs.get(name, "observe"), *(f"{count:,}" for count in counts))
    return table


def detector(stats: Mapping[str, Any]) -> str:
    """What the workers' common detector counts."""
    return (
        f"detector: {stats['folded']:,} answers seen, {stats['dropped']} dropped, elected process {stats['leader']}, "
        f"term {stats['terms']}"
    )


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, caption_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table
