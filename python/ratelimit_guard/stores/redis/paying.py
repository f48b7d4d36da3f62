"""A whole request at once: what it is charged, and what policies that only watch would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ratelimit_guard.stores.redis.asking import Ask
from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.reserving import Reserving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.stores import Bill
    from ratelimit_guard.stores.redis.asking import Way
    from ratelimit_guard.stores.redis.limiter import RedisLimiter
    from ratelimit_guard.stores.redis.part import Put
    from ratelimit_guard.stores.redis.store import RedisStore

STANDS_ALONE, OPENS, BEHIND = 0, 1, 2


def is_plain(bills: Sequence[Bill]) -> bool:
    """Is it one charge of units alone? Then it is paid as `acquire_each` does, allotments and all."""
    return len(bills) == 1 and bills[0].ask is None


def paying(store: RedisStore, bills: Sequence[Bill], *, gate: bool) -> Way[list[Any]]:
    """The way of `pay`: one call at a single server, one bill after the other in a cluster."""
    first = bills[0] if gate and bills else None
    if first is not None and first.ask is None:
        known = store.refusals.get(_limiter(first), first.keys, first.cost)
        if known is not None:
            return [known]
    if store.is_cluster:
        return (yield from _one_by_one(bills, gate=gate))
    asked: list[tuple[Bill, Reserving | None, Any]] = []
    puts: list[Put] = []
    for number, bill in enumerate(bills):
        passes = (BEHIND if number else OPENS) if gate else STANDS_ALONE
        [part], reserving = _limiter(bill).parts(bill.keys), _reserving(bill)
        put = part.acquire(bill.cost, passes) if reserving is None else _reserve(bill, part, reserving, passes)
        puts.append(put)
        asked.append((bill, reserving, part))
    answers = yield Ask(0, tuple(puts))
    told: list[Any] = []
    for (bill, reserving, part), answer in zip(asked, answers, strict=True):
        if answer is None or (gate and told and not _allows(told[0])):
            break
        told.append(_told(bill, reserving, part, answer))
    return told


def _one_by_one(bills: Sequence[Bill], *, gate: bool) -> Way[list[Any]]:
    told: list[Any] = []
    for bill in bills:
        limiter, reserving = _limiter(bill), _reserving(bill)
        if reserving is not None:
            told.append((yield from limiter.reserving(reserving)))
        else:
            told.append((yield from limiter.acquiring(bill.keys, bill.keys, bill.cost, bill.confirmed)))
        if gate and not _allows(told[0]):
            break
    return told


def _limiter(bill: Bill) -> RedisLimiter:
    return cast("RedisLimiter", bill.bound)  # what this store has bound


def _reserving(bill: Bill) -> Reserving | None:
    ask = bill.ask
    if ask is None:
        return None
    options = {
        "surely": ask.surely,
        "least": ask.least,
        "firm": ask.firm,
        "account": bill.account,
        "confirmed": bill.confirmed,
    }
    return Reserving(bill.keys, (bill.cost, ask.input, ask.output), options)


def _reserve(bill: Bill, part: Any, reserving: Reserving, passes: int) -> Put:
    limiter = _limiter(bill)
    limiter.enlist(reserving)
    put: Put = reserving.put(part, limiter.lease_us, passes)
    return put


def _told(bill: Bill, reserving: Reserving | None, part: Any, answer: Any) -> Any:
    limiter = _limiter(bill)
    if reserving is not None:
        return limiter.reserved(reserving, part, answer)
    return limiter.answered(answer, bill.keys, bill.keys, bill.cost, bill.confirmed)


def _allows(told: Any) -> bool:
    result = getattr(told, "result", told)
    return result is not FAILED and bool(result)
