"""The tables: one that is redrawn while the load runs, and the final one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.live import Live
from rich.table import Table

from demo.scenario import HEAVY, LIMIT, SMALL, WINDOW_S, WORKERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.console import Console

    from demo.audit import Audit
    from demo.tally import Tally, TenantTally

REDRAW_S = 0.25
_LIMIT = f"limit\nper {WINDOW_S} s"
_BUSIEST = f"busiest\n{WINDOW_S} s"
_PRIVATE = "limiter\nper\nprocess"
SHOWN_SMALL = 3  # a terminal has no room for all of them


@asynccontextmanager
async def live_table(console: Console, tally: Tally) -> AsyncIterator[None]:
    """Redraw the table while the block runs; without a terminal draw nothing."""
    if not console.is_interactive:
        yield
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        redraw = asyncio.create_task(_redraw(live, tally))
        try:
            yield
        finally:
            redraw.cancel()


async def _redraw(live: Live, tally: Tally) -> None:
    while True:
        live.update(running_table(tally), refresh=True)
        await asyncio.sleep(REDRAW_S)


def groups() -> Iterator[tuple[str, list[str]]]:
    """The rows of a table: a label and the tenants that it adds up."""
    small = [tenant.name for tenant in SMALL]
    for name in [tenant.name for tenant in HEAVY] + small[:SHOWN_SMALL]:
        yield name, [name]
    yield f"{len(small) - SHOWN_SMALL} more", small[SHOWN_SMALL:]


def running_table(tally: Tally) -> Table:
    """Counts so far."""
    table = _table("tenant", _LIMIT, "admitted", "refused", *_worker_names(), _PRIVATE)
    for label, tenants in groups():
        total = tally.total(tenants)
        table.add_row(label, _limit(tenants), *_counts(total), f"{total.private:,}")
    table.caption = f"{tally.total(tally.tenants).sent:,} requests answered"
    return table


def final_table(tally: Tally, audit: Audit) -> Table:
    """Counts of the whole run, with the busiest window of each kind of limiter."""
    table = _table("tenant", _LIMIT, _BUSIEST, "admitted", "refused", *_worker_names(), _PRIVATE, _BUSIEST, "over")
    for label, tenants in groups():
        total = tally.total(tenants)
        peak = max(audit.peak.get(tenant, 0) for tenant in tenants)
        private_peak = max(audit.private_peak.get(tenant, 0) for tenant in tenants)
        over = f"[red]{private_peak / LIMIT:.1f} x[/red]" if private_peak > LIMIT else "-"
        table.add_row(label, _limit(tenants), f"{peak}", *_counts(total), f"{total.private:,}", f"{private_peak}", over)
    table.caption = "limiter per process: what it would admit; busiest: the most in any window"
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, caption_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _worker_names() -> list[str]:
    return [f"w{number}" for number in range(WORKERS)]


def _limit(tenants: list[str]) -> str:
    return f"{LIMIT}" + (" each" if len(tenants) > 1 else "")


def _counts(total: TenantTally) -> list[str]:
    return [f"{count:,}" for count in (sum(total.admitted), total.refused, *total.admitted)]
