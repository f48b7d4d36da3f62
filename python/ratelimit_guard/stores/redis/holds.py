"""What calls hold at the server: slots and reservations. Ends are noted and sent along, so they never wait."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import MAX_LIMIT
from ratelimit_guard.errors import UsageError
from ratelimit_guard.stores.redis.asking import Ask, ask, ask_async, ask_whole
from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.part import PAYS_OUTPUT, Due, charged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores.redis.asking import Way
    from ratelimit_guard.stores.redis.limiter import RedisLimiter
    from ratelimit_guard.stores.redis.part import Charged, Part

LEASE_S = 30.0
"""After which the server counts what a reservation has not spent as given back, unless its owner says that it lives."""
RENEWED_AFTER = 3
"""A lease is renewed when so much of it has passed: two rounds of a keeper may be late."""
MAX_RECEIPTS = 10
"""Receipts kept of one policy: as many epochs of a window count at a time, and what is older needs none."""
STAYS = frozenset({"requests", "cost"})
SLOT = "concurrent-requests"


@dataclass(slots=True)
class Share:
    """What one policy was paid: for all but output, and in all; by which receipts; and what the server lists of it."""

    index: int
    key: Any
    unit: str
    fixed: int
    charged: int = 0
    listed: int = 0
    receipts: list[tuple[int, int, int]] = field(default_factory=list)
    """Mark, life and units of each."""
    taken_at: float = 0.0
    flows_back: bool = False
    """It is a bucket: charges flow back one after the other, so one receipt, from the first one on, does for all."""

    def add(self, units: int, mark: int, born: int) -> None:
        """Enter a charge."""
        self.charged += units
        if units == 0:
            return
        if self.receipts and self.unit != SLOT:
            before, life, held = self.receipts[-1]
            if life == born and (before == mark or self.flows_back):
                self.receipts[-1] = (before, born, held + units)
                return
        self.receipts.append((mark, born, units))
        del self.receipts[:-MAX_RECEIPTS]

    def give_up(self, units: int) -> list[tuple[int, int, int]]:
        """Receipts for so many units, the latest first."""
        back: list[tuple[int, int, int]] = []
        while units > 0 and self.receipts:
            mark, born, held = self.receipts.pop()
            given = min(units, held)
            if given < held:
                self.receipts.append((mark, born, held - given))
            units, self.charged = units - given, self.charged - given
            back.append((mark, born, given))
        return back


class RedisHold:
    """A reservation at the server. Safe to end from any thread, and in a forked child without effect."""

    def __init__(
        self,
        limiter: RedisLimiter,
        parts: tuple[Part, ...],
        shares: list[Share],
        result: LimitResult,
        granted: int | None,
    ) -> None:
        """`granted`: output that is reserved; None: nothing counts any. `shares` is empty for a refusal."""
        self._limiter, self._parts, self._shares = limiter, parts, shares
        self.result, self.spent = result, 0
        self._granted = granted
        self._is_open, self._process = bool(shares), os.getpid()
        self._firm = False
        self._under_way = 0
        """Top-ups and renewals whose answers are still to come: the end waits for them."""
        self._ended: tuple[int | None, int | None, bool] | None = None
        self._lock = threading.Lock()
        self.id = 0

    @property
    def is_open(self) -> bool:
        """Is something held, by this process?"""
        return self._is_open and self._process == os.getpid()

    @property
    def is_metered(self) -> bool:
        """Does it hold tokens or a slot?"""
        return any(share.unit not in STAYS for share in self._shares)

    @property
    def input_tokens(self) -> int | None:
        """Prompt tokens that were charged, where a policy counts any."""
        return next((share.fixed for share in self._shares if share.unit in {"tokens", "input-tokens"}), None)

    def begin(self, number: int, *, firm: bool, now: float) -> None:
        """It is known to the server by this number."""
        self.id, self._firm = number, firm
        for share in self._shares:
            share.taken_at = now

    # --- output

    def spend_later(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """`spend` without asking: False when more has passed than is reserved, and `top_up_async` is due."""
        output = number(output_tokens)
        number(slice)
        if not self.is_open:
            return True
        self.spent += output
        return self._granted is None or self.spent <= self._granted

    def spend(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Tell that output has passed; reserve up to `slice` more when needed. False: it did not fit, a debt."""
        return self.spend_later(output_tokens, slice) or self.top_up(slice)

    def top_up(self, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Reserve what has passed beyond the reserve, and up to `slice` more. False: it did not fit, a debt."""
        return ask(self._limiter.store, self._top_up(number(slice)))

    async def spend_async(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """`spend` without blocking the loop."""
        return self.spend_later(output_tokens, slice) or await self.top_up_async(slice)

    async def top_up_async(self, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Reserve what has passed beyond the reserve, and up to `slice` more. False: it did not fit, a debt."""
        return await ask_whole(self._limiter.store, self._top_up(number(slice)))

    def _top_up(self, slice: int) -> Way[bool]:  # noqa: A002  the word of the contract
        missing = self.spent - (self._granted or 0)
        if self._granted is None or missing <= 0 or not self._begins():
            return True
        try:
            return (yield from self._topping(missing, slice))
        finally:
            self._is_through()

    def _topping(self, missing: int, slice: int) -> Way[bool]:  # noqa: A002  the word of the contract
        fits, extra = True, slice
        for part in self._paying():
            lease = self._limiter.lease_us
            put = part.top_up(missing, extra, self._firm, self.id, lease)
            [answer] = yield Ask(part.tag, (put,))
            if answer is FAILED:
                fits = fits and not self._limiter.failure.refuses
            elif (taken := charged(answer)) is not None:
                extra = min(extra, taken[1] - missing)
                self.book(part, taken, missing)
            else:
                fits = False
                self._owe(part, missing)
        self._granted = (self._granted or 0) + missing + (extra if fits else 0)
        return fits

    def _begins(self) -> bool:
        """Something is asked of which the end has to know. False: it has ended."""
        with self._lock:
            self._under_way += self.is_open
            return self.is_open

    def _is_through(self) -> None:
        """The answer is there: if it was ended meanwhile, tell now."""
        with self._lock:
            self._under_way -= 1
            ended = None if self._under_way else self._ended
        if ended is not None:
            self._tell_end(*ended)

    def _paying(self) -> Iterator[Part]:
        for part in self._parts:
            if any(self._shares[index].unit in PAYS_OUTPUT for index in part.indices):
                yield part

    def book(self, part: Part, taken: Charged, spent: int = 0) -> None:
        """Enter what the server took for a part; of output more than all parts have room for goes back."""
        _, output, receipts = taken
        for index, (units, mark, born) in zip(part.indices, receipts, strict=True):
            share = self._shares[index]
            share.add(units, mark, born)
            if share.unit in PAYS_OUTPUT:
                share.listed = max(0, min(output - spent, units))
        if not spent and self._granted is not None and output > self._granted:
            self._give_back_more(part, output - self._granted)

    def _give_back_more(self, part: Part, units: int) -> None:
        """Other parts had less room for output. What is left is no longer listed: it ends with its window."""
        dues: list[Due] = []
        for place, index in enumerate(part.indices):
            share = self._shares[index]
            if share.unit in PAYS_OUTPUT:
                dues.append(Due(place, share.give_up(units), 0, self.id, share.listed))
                share.listed = 0
        self._limiter.note(part, dues)

    def _owe(self, part: Part, missing: int) -> None:
        dues: list[Due] = []
        for place, index in enumerate(part.indices):
            share = self._shares[index]
            if share.unit in PAYS_OUTPUT:
                share.charged += missing
                dues.append(Due(place, debit=missing))
        self._limiter.note(part, dues)

    # --- more, and the end

    def charge(self, units: int, /) -> LimitResult:
        """Take more units of the policies of requests and cost, or of none."""
        return ask(self._limiter.store, self._charge(units))

    async def charge_async(self, units: int, /) -> LimitResult:
        """`charge` without blocking the loop."""
        return await ask_async(self._limiter.store, self._charge(units))

    def _charge(self, units: int) -> Way[LimitResult]:
        limiter = self._limiter
        if not self.is_open:
            return (yield from limiter.peeking(self._keys(), units))
        return (yield from limiter.charging_more(self._keys(), units))

    def _keys(self) -> tuple[Any, ...]:
        return tuple(share.key for share in self._shares)

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage."""
        given = [None if tokens is None else number(tokens) for tokens in (input_tokens, output_tokens)]
        self._end(given[0], given[1], releases=False)

    def release(self) -> None:
        """End with nothing used."""
        self._end(None, None, releases=True)

    def _end(self, used_input: int | None, used_output: int | None, *, releases: bool, wakes: bool = True) -> None:
        if not self.is_open:  # also in a forked child, where nobody may ever give the lock back
            return
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            self._ended = (used_input, used_output, releases)
            if self._under_way:  # who gets the answer tells the end, when it is known what is held
                return
        self._tell_end(*self._ended, wakes=wakes)

    def _tell_end(
        self,
        used_input: int | None,
        used_output: int | None,
        releases: bool,
        *,
        wakes: bool = True,
    ) -> None:
        output = self.spent if used_output is None else used_output
        for part in self._parts:
            dues: list[Due] = []
            for place, index in enumerate(part.indices):
                share = self._shares[index]
                due = self._due(share, used_input, output, releases=releases)
                back = share.give_up(share.charged - due)
                debit = max(0, due - share.charged)
                share.charged += debit
                listed = self.id if share.unit in PAYS_OUTPUT else 0
                if back or debit or share.listed:
                    dues.append(Due(place, back, debit, listed, share.listed))
            if dues:
                self._limiter.note(part, dues, wakes=wakes)

    @staticmethod
    def _due(share: Share, used_input: int | None, output: int, *, releases: bool) -> int:
        if share.unit in STAYS:
            return share.charged
        if releases or share.unit == SLOT:
            return 0
        of_input = share.fixed if used_input is None else used_input
        return {"input-tokens": of_input, "output-tokens": output, "tokens": of_input + output}[share.unit]

    def __del__(self) -> None:
        """Settle as spent: a cancelled task forgets what it holds."""
        if self._is_open and self._process == os.getpid():
            self._end(None, None, releases=False, wakes=False)

    # --- keeping

    def renewals(self, now: float) -> list[tuple[Part, Any, Share | None]]:
        """What the server must be told so that it is still held; then `kept` with each answer, at last `keep_ends`."""
        found: list[tuple[Part, Any, Share | None]] = []
        if self._begins():
            for part in self._parts:
                found += [(part, *renewal) for renewal in self._renewals(part, now)]
            if not found:
                self._is_through()
        return found

    def _renewals(self, part: Part, now: float) -> Iterator[tuple[Any, Share | None]]:
        for place, index in enumerate(part.indices):
            share = self._shares[index]
            lease = self._limiter.leases_s[index] if share.unit == SLOT else LEASE_S
            if not share.receipts or now - share.taken_at < lease / RENEWED_AFTER:
                continue
            if share.unit == SLOT:
                mark, born, _ = share.receipts[-1]
                yield part.renew(place, share.key, mark, born), share
            elif share.unit in PAYS_OUTPUT and self.id:
                share.taken_at = now
                yield part.beat(place, share.key, self.id, self._limiter.lease_us), None

    def kept(self, share: Share | None, answer: Any, now: float) -> None:
        """The server's answer to a renewal."""
        if share is None or answer is FAILED:
            return
        _, born, units = share.receipts.pop()
        if answer is None:
            share.charged -= units
        else:
            share.receipts.append((answer, born, units))
            share.taken_at = now

    def keep_ends(self) -> None:
        """All answers to `renewals` are there."""
        self._is_through()


def number(tokens: Any) -> int:
    """A number of tokens within what can be counted. `UsageError` for what is none."""
    if type(tokens) is not int or tokens < 0:
        msg = f"number of tokens must be an integer, not negative, got {tokens!r:.100}"
        raise UsageError(msg)
    return min(tokens, MAX_LIMIT)
