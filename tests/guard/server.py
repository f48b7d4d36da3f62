"""A store at a server that is none: a table that is asked as a server is, suspends, and counts what it is asked.

What is reserved is not known on this side of a real one either, but here not even guessed: each piece is due at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from ratelimit_guard import MemoryStore, UsageError
from ratelimit_guard._core import MAX_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard._core import LimitResult, Reservation, TableLimiter
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.stores import Bill, OnFull
    from ratelimit_guard.testing import ManualClock


class Server:
    """`asked` has a word for each round trip."""

    def __init__(self, clock: ManualClock | None = None, capacity: int = 10_000) -> None:
        self.table = MemoryStore(capacity, clock=clock)
        self.asked: list[str] = []
        self.policies: dict[str, Policy] = {}

    def bind(self, namespace: str, policies: Sequence[Policy], on_full: OnFull = "refuse") -> Limiter:
        self.policies |= {policy.name: policy for policy in policies}
        return Limiter(self, self.table.bind(namespace, policies, on_full))

    def connect(self) -> NoReturn:
        """Detectors work alone."""
        raise ConnectionError

    def block(self, what: str) -> None:
        """Ask, and wait."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.asked.append(what)
            return
        msg = f"{what} would block the loop"
        raise UsageError(msg)

    async def wait(self, what: str) -> None:
        """Ask, and let others go on."""
        self.asked.append(what)
        await asyncio.sleep(0)

    def pay(self, bills: Sequence[Bill], *, gate: bool) -> list[Any]:
        self.block("pay")
        return self._paid(bills, gate=gate)

    async def pay_async(self, bills: Sequence[Bill], *, gate: bool) -> list[Any]:
        answers = self._paid(bills, gate=gate)
        await self.wait("pay")
        return answers

    def _paid(self, bills: Sequence[Bill], *, gate: bool) -> list[Any]:
        answers: list[Any] = []
        for bill in bills:
            answers.append(_paid(self, bill))
            result: Any = answers[0].result if isinstance(answers[0], Hold) else answers[0]
            if gate and not result.allowed:
                break
        return answers


def _paid(server: Server, bill: Bill) -> Any:
    assert isinstance(bill.bound, Limiter)
    table, ask = bill.bound.table, bill.ask
    if ask is None:
        return table.acquire_each(bill.keys, bill.cost, bill.confirmed)
    reservation = table.reserve(
        bill.keys,
        bill.cost,
        ask.input,
        ask.output,
        surely=ask.surely,
        least=ask.least,
        firm=ask.firm,
        account=bill.account,
        confirmed=bill.confirmed,
    )
    return Hold(server, reservation)


class Limiter:
    def __init__(self, server: Server, table: TableLimiter) -> None:
        self.server, self.table = server, table

    def __getattr__(self, name: str) -> Any:
        """Whatever a table's limiter does, with a wait."""
        method = getattr(self.table, name.removesuffix("_async"))

        def plain(*args: Any, **options: Any) -> Any:
            self.server.block(name)
            return method(*args, **options)

        async def awaited(*args: Any, **options: Any) -> Any:
            await self.server.wait(name)
            return method(*args, **options)

        return awaited if name.endswith("_async") else plain


class Hold:
    def __init__(self, server: Server, reservation: Reservation) -> None:
        self._server, self._reservation = server, reservation
        self._noted, self._open = 0, reservation.result.allowed

    @property
    def result(self) -> LimitResult:
        return self._reservation.result

    @property
    def spent(self) -> int:
        return self._reservation.spent + self._noted

    @property
    def input_tokens(self) -> int | None:
        return self._reservation.input_tokens

    def spend_later(self, output_tokens: int, most: int, /) -> bool:
        self._noted += output_tokens * self._open
        return not self._noted

    def spend(self, output_tokens: int, most: int, /) -> bool:
        self._server.block("spend")
        return self._spend(output_tokens, most)

    async def spend_async(self, output_tokens: int, most: int, /) -> bool:
        await self._server.wait("spend")
        return self._spend(output_tokens, most)

    def top_up(self, most: int, /) -> bool:
        self._server.block("top_up")
        return self._spend(0, most)

    async def top_up_async(self, most: int, /) -> bool:
        await self._server.wait("top_up")
        return self._spend(0, most)

    def _spend(self, tokens: int, most: int) -> bool:
        noted, self._noted = self._noted + tokens, 0
        return self._reservation.spend(min(noted, MAX_LIMIT), most)

    def charge(self, units: int, /) -> LimitResult:
        self._server.block("charge")
        return self._reservation.charge(units)

    async def charge_async(self, units: int, /) -> LimitResult:
        await self._server.wait("charge")
        return self._reservation.charge(units)

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        self._spend(0, 0)
        self._open = False
        self._reservation.settle(input_tokens, output_tokens)

    def release(self) -> None:
        self._open = False
        self._reservation.release()
