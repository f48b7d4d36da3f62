"""The load generator: paced requests of all tenants over a fixed number of keep-alive connections."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.scenario import CONNECTIONS, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.tally import Tally

ANSWER_TIMEOUT_S = 10.0
HOST = "127.0.0.1"


class Connection:
    """One HTTP/1.1 keep-alive connection: a request, then its answer, then the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to the workers' port."""
        return cls(*await asyncio.open_connection(HOST, port))

    async def get(self, tenant: str) -> tuple[int, dict[str, str]]:
        """Send one request of `tenant`; status and header fields of the answer."""
        self._writer.write(f"GET / HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {tenant}\r\n\r\n".encode())
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            await self._reader.readexactly(int(headers["content-length"]))
        return int(status_line.split(" ", 2)[1]), headers

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def schedule(tenants: Sequence[Tenant], seconds: float) -> Iterator[tuple[float, str]]:
    """When who sends: pairs of (seconds since the start, tenant) in the order of time, evenly paced per tenant."""

    def of_one(place: int, tenant: Tenant) -> Iterator[tuple[float, str]]:
        first = place / len(tenants) / tenant.rate  # staggered, or all small tenants would send at once
        for number in range(int(seconds * tenant.rate)):
            yield first + number / tenant.rate, tenant.name

    return heapq.merge(*(of_one(place, tenant) for place, tenant in enumerate(tenants)))


async def drive(port: int, tenants: Sequence[Tenant], seconds: float, tally: Tally) -> None:
    """Send the schedule of `seconds` and count every answer in `tally`. A slow host sends less, not longer."""
    connections = [await Connection.open(port) for _ in range(CONNECTIONS)]
    due: asyncio.Queue[str | None] = asyncio.Queue(maxsize=CONNECTIONS)
    try:
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(_send(connection, due, tally))
            await _pace(tenants, seconds, due)
            for _ in connections:
                await due.put(None)
    finally:
        for connection in connections:
            connection.close()


async def _pace(tenants: Sequence[Tenant], seconds: float, due: asyncio.Queue[str | None]) -> None:
    clock = asyncio.get_running_loop().time
    start = clock()
    for at, tenant in schedule(tenants, seconds):
        wait = start + at - clock()
        if wait > 0:
            await asyncio.sleep(wait)
        if clock() - start > seconds:
            return
        await due.put(tenant)


async def _send(connection: Connection, due: asyncio.Queue[str | None], tally: Tally) -> None:
    while (tenant := await due.get()) is not None:
        try:
            status, headers = await connection.get(tenant)
        except (EOFError, OSError) as error:
            raise DemoError(f"a worker hung up or did not answer {tenant} within {ANSWER_TIMEOUT_S:g} s") from error
        if status not in (200, 429):
            raise DemoError(f"a worker answered {status} to {tenant}: see its message above")
        tally.count(tenant, int(headers["x-worker"]), status == 200, headers["x-private-limiter"] == "admit")
