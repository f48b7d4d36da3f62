"""Counters at a server: what a request pays there in one round trip, and what its call holds until it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, cast

from ratelimit_guard._core import LimitResult
from ratelimit_guard.spending import NOTHING, Spending
from ratelimit_guard.stores import Bill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.payment import Paid
    from ratelimit_guard.restriction import Restriction
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.stores import RemoteHold, RemoteStore, Store


def remote_of(store: Store) -> RemoteStore | None:
    """The store, if it is one at a server."""
    return cast("RemoteStore", store) if hasattr(store, "pay_async") else None


class RemoteSpending(Spending):
    """The holds of one call at a server. What passes is noted; when a reserve is used up a top-up is `due`."""

    __slots__ = ("_due", "_refused")

    def __init__(self) -> None:
        """Nothing is held yet."""
        super().__init__()
        self._due: list[RemoteHold] = []
        self._refused: list[RemoteHold] = []

    def spend(self, tokens: int) -> bool:
        """So many output tokens have passed. Never asks; what a refused hold lacks is charged when it is settled."""
        used_up = [hold for hold in self._remote() if not hold.spend_later(tokens, self.ask.slice)]
        self._due = [hold for hold in used_up if hold not in self._refused]
        return True

    @property
    def due(self) -> bool:
        """Has more passed than is reserved?"""
        return bool(self._due)

    def top_up(self) -> bool:
        """Reserve what is due, hold by hold. False: the enforced policies have no room for it."""
        return self._topped([(hold, hold.top_up(self.ask.slice)) for hold in self._due])

    async def top_up_async(self) -> bool:
        """`top_up` without blocking the loop."""
        return self._topped([(hold, await hold.top_up_async(self.ask.slice)) for hold in self._due])

    def _topped(self, answers: list[tuple[RemoteHold, bool]]) -> bool:
        refused = [hold for hold, has_room in answers if not has_room]
        self._due = []
        self._refused += refused
        self.would_cut |= any(hold is not self._enforced for hold in refused)
        return self._enforced not in refused

    async def more_async(self, units: int) -> Paid:
        """Charge requests and cost once more, of a connection that stays open."""
        answers: list[LimitResult] = []
        for hold in self._remote():
            answers.append(await hold.charge_async(units))
            if hold is self._enforced and not answers[0].allowed:
                break
        return _split(answers, gate=self._enforced is not None)

    def _remote(self) -> list[RemoteHold]:
        return cast("list[RemoteHold]", self._all())


class Due(NamedTuple):
    """What a request owes a server: its bills, whether the first decides (`gate`), and who holds what they reserve."""

    bills: list[Bill]
    gate: bool
    spending: Spending | None

    @classmethod
    def of(cls, plan: Plan, cost: int, spending: Spending | None, restriction: Restriction | None) -> Due:
        """The enforced policies' bill, if there are any, then one for each that only watches."""
        tenant, (enforced, keys) = plan.tenant, plan.enforced(restriction)
        asked = [*([] if enforced is None else [(enforced, keys)]), *plan.watching(restriction)]
        ask = spending.ask if spending is not None else NOTHING if plan.rules.metered else None
        bills = [Bill(charge.remote, keys, cost, tenant.confirmed, ask, tenant.account) for charge, keys in asked]
        return cls(bills, enforced is not None, spending)

    def pay(self, store: RemoteStore) -> Paid:
        """The one round trip; none for nothing."""
        return self._answered(store.pay(self.bills, gate=self.gate) if self.bills else ())

    async def pay_async(self, store: RemoteStore) -> Paid:
        """`pay` without blocking the loop. Who is cancelled meanwhile holds nothing once the answer is there."""
        if not self.bills or self.bills[0].ask is None:
            return self._answered(await store.pay_async(self.bills, gate=self.gate) if self.bills else ())
        paying = asyncio.ensure_future(store.pay_async(self.bills, gate=self.gate))
        try:
            return self._answered(await asyncio.shield(paying))
        except asyncio.CancelledError:
            paying.add_done_callback(_give_back)
            raise

    def _answered(self, answers: Sequence[LimitResult | RemoteHold]) -> Paid:
        """The answers of the policies; what is held goes to the spending, or is free at once."""
        results = [self._kept(answer, watches=number >= self.gate) for number, answer in enumerate(answers)]
        return _split(results, gate=self.gate)

    def _kept(self, answer: LimitResult | RemoteHold, *, watches: bool) -> LimitResult:
        if isinstance(answer, LimitResult):
            return answer
        if self.spending is not None:
            return self.spending.hold(answer, watches=watches)
        answer.settle()
        return answer.result


def _give_back(paying: asyncio.Future[list[LimitResult | RemoteHold]]) -> None:
    if paying.cancelled() or paying.exception() is not None:
        return
    for answer in paying.result():
        if not isinstance(answer, LimitResult):
            answer.release()


def _split(results: list[LimitResult], *, gate: bool) -> Paid:
    return (results[0], tuple(results[1:])) if gate else (None, tuple(results))
