"""`RedisLimiter`: quotas whose counters are at a server. A method is a way of questions, gone by a thread or a task."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ratelimit_guard._core import LimitResult
from ratelimit_guard._core import remote as _remote
from ratelimit_guard.errors import UsageError
from ratelimit_guard.stores.redis.asking import Ask, ask, ask_async, ask_whole, refuse_loop
from ratelimit_guard.stores.redis.failure import FAILED, Failure
from ratelimit_guard.stores.redis.holds import LEASE_S, PAYS_OUTPUT, SLOT, STAYS, RedisHold, RedisSlot, Share
from ratelimit_guard.stores.redis.local import LocalHold, LocalSlot
from ratelimit_guard.stores.redis.part import Charged, Part, charged
from ratelimit_guard.stores.redis.reserving import Reserving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.policy import Policy
    from ratelimit_guard.stores.redis.asking import Way
    from ratelimit_guard.stores.redis.part import Due
    from ratelimit_guard.stores.redis.store import RedisStore


Paid: TypeAlias = "list[tuple[Part, Charged]]"
_NUMBERS = count(1)


class RedisLimiter:
    """Policies bound to a `RedisStore`; the contract is `RemoteLimiter`."""

    def __init__(self, store: RedisStore, namespace: str, policies: Sequence[Policy]) -> None:
        """`ConfigError` for none, more than 16, or two of one name."""
        self.store, self.number = store, next(_NUMBERS)
        self.remote = _remote.RemotePolicies(namespace, [(policy.name, policy.quota) for policy in policies])
        self.failure = Failure(self.remote, namespace, policies, store.fallback)
        self.units = self.remote.units
        self.leases_s = [policy.quota.window_s for policy in policies]
        self.lease_us = int(LEASE_S * 1e6)
        self._whole = tuple(range(len(policies)))
        self._counts_slots = SLOT in self.units
        self._is_listed = bool(PAYS_OUTPUT.intersection(self.units))
        self._forgets = STAYS.issuperset(self.units)
        """Whether a refusal can be remembered: nothing is ever given back."""
        self._subsets: dict[tuple[int, ...], _remote.RemotePolicies] = {}

    # --- the contract

    def acquire(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none."""
        return self._acquire(key, (key,) * len(self._whole), cost, confirmed)

    def acquire_each(self, keys: tuple[str | bytes, ...], cost: int = 1, confirmed: bool = True) -> LimitResult:
        """The same with a key for every policy."""
        return self._acquire(keys, keys, cost, confirmed)

    def _acquire(self, keys: Any, each: tuple[Any, ...], cost: int, confirmed: bool) -> LimitResult:
        refuse_loop()
        known = self.store.refusals.get(self, keys, cost)
        if known is not None:
            return known
        if self.store.is_cluster or self._counts_slots:
            return ask(self.store, self.acquiring(keys, each, cost, confirmed))
        # The hot way: the same without a generator.
        part, extra = Part(self.remote, keys, 0, self._whole), 0
        if self.store.allotments is not None and self._forgets:
            taken = self.store.allotments.take(self, keys, cost)
            if taken is not None:
                return taken
            extra = self.store.allotments.wanted(self, keys)
        answer = self.store.ask_one(part.acquire(cost, receipts=extra > 0, extra=extra))
        return self.answered(self._kept(part, answer), keys, each, cost, confirmed)

    async def acquire_async(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """`acquire` without blocking the loop."""
        return await self._acquire_async(key, (key,) * len(self._whole), cost, confirmed)

    async def acquire_each_async(
        self, keys: tuple[str | bytes, ...], cost: int = 1, confirmed: bool = True
    ) -> LimitResult:
        """`acquire_each` without blocking the loop."""
        return await self._acquire_async(keys, keys, cost, confirmed)

    async def _acquire_async(self, keys: Any, each: tuple[Any, ...], cost: int, confirmed: bool) -> LimitResult:
        known = self.store.refusals.get(self, keys, cost)
        if known is not None:
            return known
        if self.store.is_cluster or self._counts_slots:
            return await ask_async(self.store, self.acquiring(keys, each, cost, confirmed))
        # The hot way: the same without a generator.
        part, extra = Part(self.remote, keys, 0, self._whole), 0
        if self.store.allotments is not None and self._forgets:
            taken = self.store.allotments.take(self, keys, cost)
            if taken is not None:
                return taken
            extra = self.store.allotments.wanted(self, keys)
        answer = await self.store.lane(0).ask(part.acquire(cost, receipts=extra > 0, extra=extra))
        return self.answered(self._kept(part, answer), keys, each, cost, confirmed)

    def _kept(self, part: Part, answer: Any) -> Any:
        """A result without what was taken ahead."""
        taken = charged(answer)
        if taken is None or self.store.allotments is None:
            return answer
        self.store.kept_ahead()
        return self.store.allotments.got(self, part, taken)

    def peek(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """What `acquire` would answer now."""
        return ask(self.store, self.peeking((key,) * len(self._whole), cost))

    def peek_each(self, keys: tuple[str | bytes, ...], cost: int = 1) -> LimitResult:
        """The same with a key for every policy."""
        return ask(self.store, self.peeking(keys, cost))

    async def peek_async(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """`peek` without blocking the loop."""
        return await ask_async(self.store, self.peeking((key,) * len(self._whole), cost))

    async def peek_each_async(self, keys: tuple[str | bytes, ...], cost: int = 1) -> LimitResult:
        """`peek_each` without blocking the loop."""
        return await ask_async(self.store, self.peeking(keys, cost))

    def reset(self, key: str | bytes) -> bool:
        """Forget what `key` used."""
        return ask(self.store, self._resetting(key))

    async def reset_async(self, key: str | bytes) -> bool:
        """`reset` without blocking the loop."""
        return await ask_async(self.store, self._resetting(key))

    def permit(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> Any:
        """Take a slot in flight and `cost` units of every other policy, or nothing."""
        return ask(self.store, self._permitting(key, cost, confirmed))

    async def permit_async(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> Any:
        """`permit` without blocking the loop."""
        return await ask_whole(self.store, self._permitting(key, cost, confirmed), lambda slot: slot.give_up())

    def reserve(self, keys: tuple[str | bytes, ...], *arguments: Any, **options: Any) -> Any:
        """Reserve what a call of a model needs, a key for every policy."""
        return ask(self.store, self.reserving(Reserving.of(keys, *arguments, **options)))

    async def reserve_async(self, keys: tuple[str | bytes, ...], *arguments: Any, **options: Any) -> Any:
        """`reserve` without blocking the loop."""
        way = self.reserving(Reserving.of(keys, *arguments, **options))
        return await ask_whole(self.store, way, lambda hold: hold.release())

    # --- ways

    def parts(self, keys: Any) -> tuple[Part, ...]:
        """The question's shares, in the order in which they are charged: what most draw on comes first."""
        if not self.store.is_cluster:
            return (Part(self.remote, keys, 0, self._whole),)
        if not isinstance(keys, tuple):
            return (Part(self.remote, keys, _remote.RemotePolicies.tag(keys), self._whole),)
        each = cast("tuple[str | bytes, ...]", keys)
        if len(each) != len(self._whole):
            msg = f"{len(each)} keys for {len(self._whole)} policies: give one for each"
            raise UsageError(msg)
        groups = self.remote.groups(each)
        if len(groups) == 1:
            return (Part(self.remote, each, groups[0][0], self._whole),)
        return tuple(
            Part(self._subset(tuple(indices)), tuple(each[index] for index in indices), tag, tuple(indices))
            for tag, indices in groups
        )

    def _subset(self, indices: tuple[int, ...]) -> _remote.RemotePolicies:
        if indices not in self._subsets:
            self._subsets[indices] = self.remote.subset(list(indices))
            self.store.known(self._subsets[indices])
        return self._subsets[indices]

    def acquiring(self, keys: Any, each: tuple[Any, ...], cost: int, confirmed: bool) -> Way[LimitResult]:
        """The way of `acquire`; `each`: the key of every policy."""
        if self._counts_slots:
            msg = "policy counts concurrent-requests: use permit() instead of acquire()"
            raise UsageError(msg)
        parts = self.parts(keys)
        if len(parts) == 1:
            [answer] = yield Ask(parts[0].tag, (parts[0].acquire(cost),))
        else:
            answer, _ = yield from self.across(parts, [part.acquire(cost, receipts=True) for part in parts], cost)
        return self.answered(answer, keys, each, cost, confirmed)

    def answered(self, answer: Any, keys: Any, each: tuple[Any, ...], cost: int, confirmed: bool) -> LimitResult:
        """What the answer means: the server's, or the failure policies'."""
        if type(answer) is not LimitResult:
            return self.failure.acquire(each, cost, confirmed)
        if not answer and self._forgets:
            self.store.refusals.put(self, keys, cost, answer)
        return answer

    def across(self, parts: Sequence[Part], puts: Sequence[Any], cost: int) -> Way[tuple[Any, Paid]]:
        """Charge part after part, and give all back when one refuses. The merged result, and what was charged; the
        result is `FAILED` when a part had no answer.
        """
        told: list[tuple[list[int], Any]] = []
        paid: Paid = []
        for position, (part, put) in enumerate(zip(parts, puts, strict=True)):
            [answer] = yield Ask(part.tag, (put,))
            if (taken := charged(answer)) is not None:
                paid.append((part, taken))
                continue
            for earlier, taken in paid:
                _, seen = yield Ask(earlier.tag, (earlier.back(taken), earlier.peek(cost)))
                told.append((list(earlier.indices), taken[0] if seen is FAILED else seen))
            if answer is FAILED:
                return FAILED, []
            told.append((list(part.indices), answer))
            for later in parts[position + 1 :]:
                [seen] = yield Ask(later.tag, (later.peek(cost),))
                told.append((list(later.indices), True if seen is FAILED else seen))
            return self.remote.merge(told, 0.0), []
        return self.remote.merge([(list(part.indices), answer[0]) for part, answer in paid], 0.0), paid

    def peeking(self, keys: tuple[Any, ...], cost: int) -> Way[LimitResult]:
        """The way of `peek_each`."""
        told: list[tuple[list[int], Any]] = []
        for part in self.parts(keys):
            [answer] = yield Ask(part.tag, (part.peek(cost),))
            if answer is FAILED:
                return self.failure.peek(keys, cost)
            told.append((list(part.indices), answer))
        return told[0][1] if len(told) == 1 else self.remote.merge(told, 0.0)

    def _resetting(self, key: Any) -> Way[bool]:
        [part] = self.parts(key)
        self.store.refusals.clear()
        [answer] = yield Ask(part.tag, (part.reset(),))
        return False if answer is FAILED else answer

    def _permitting(self, key: Any, cost: int, confirmed: bool) -> Way[Any]:
        if not self._counts_slots:
            msg = "no policy counts concurrent-requests: use acquire() instead of permit()"
            raise UsageError(msg)
        [part] = self.parts(key)
        [answer] = yield Ask(part.tag, (part.acquire(cost, receipts=True),))
        if answer is FAILED:
            result, slot = self.failure.permit((key,) * len(self._whole), cost, confirmed)
            return LocalSlot(result, slot)
        if (taken := charged(answer)) is None:
            return RedisSlot(self, part, answer, [])
        result, _, receipts = taken
        held = [
            (index, key, mark, born)
            for index, (units, mark, born) in enumerate(receipts)
            if units and self.units[index] == SLOT
        ]
        return RedisSlot(self, part, result, held)

    def reserving(self, asked: Reserving) -> Way[Any]:
        """The way of `reserve`."""
        parts = self.parts(asked.keys)
        self.enlist(asked)
        if len(parts) == 1:
            [answer] = yield Ask(parts[0].tag, (asked.put(parts[0], self.lease_us),))
            return self.reserved(asked, parts[0], answer)
        asked.price(self.remote, self.lease_us)
        puts = [asked.put(part, self.lease_us) for part in parts]
        result, paid = yield from self.across(parts, puts, 0)
        if result is FAILED:
            return self._held_here(asked)
        return self._hold(asked, parts, result, paid)

    def enlist(self, asked: Reserving) -> None:
        """Give it a number by which the server lists what it has not spent, where output is counted."""
        asked.number = int.from_bytes(os.urandom(6), "big") + 1 if self._is_listed else 0

    def reserved(self, asked: Reserving, part: Part, answer: Any) -> Any:
        """What is held by the answer of a single server."""
        if answer is FAILED:
            return self._held_here(asked)
        if (taken := charged(answer)) is None:
            return self._hold(asked, (part,), answer, [])
        return self._hold(asked, (part,), taken[0], [(part, taken)])

    def _hold(self, asked: Reserving, parts: Sequence[Part], result: Any, paid: Paid) -> RedisHold:
        if not paid:
            return RedisHold(self, (), [], result, None)
        shares = [Share(index, asked.keys[index], unit, asked.fixed[index]) for index, unit in enumerate(self.units)]
        outputs = [output for part, (_, output, _) in paid if self._pays(part)]
        granted = min(outputs) if outputs else None
        hold = RedisHold(self, tuple(parts), shares, result, granted)
        hold.begin(asked.number, firm=asked.firm, now=self.store.state.now_s())
        for part, answer in paid:
            hold.book(part, answer)
        self.store.holds(hold)
        return hold

    def _pays(self, part: Part) -> bool:
        return any(self.units[index] in PAYS_OUTPUT for index in part.indices)

    def _held_here(self, asked: Reserving) -> Any:
        result, hold = self.failure.reserve(asked.keys, asked.arguments, asked.options)
        return LocalHold(result, hold)

    def charging_more(self, keys: tuple[Any, ...], units: int) -> Way[LimitResult]:
        """The way of a hold's `charge`."""
        parts = self.parts(keys)
        result, _ = yield from self.across(parts, [part.charge_more(units) for part in parts], 0)
        return self.failure.peek(keys, 0) if result is FAILED else result

    def note(self, part: Part, dues: list[Due], *, wakes: bool = True) -> None:
        """Tell the server of it with what is asked next."""
        self.store.note(part.tag, part.settle(dues), wakes=wakes)
