"""`Reservation`: what a call of a model holds while it runs. Reserve, spend, settle; or release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ratelimit_guard.pending import Pending
from ratelimit_guard.stores import is_remote_hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores import Hold

SLICE = 256
"""Output tokens reserved at a time: some seconds of a stream. More would refuse neighbours, fewer cost charges."""


class _Held:
    """The half without I/O: the answer of the limit."""

    __slots__ = ("_hold",)

    def __init__(self, hold: Hold) -> None:
        """Hold what the store gave."""
        self._hold = hold

    @property
    def result(self) -> LimitResult:
        """The answer of the limit; on a refusal `result.retry_after` says how long to wait."""
        return self._hold.result

    @property
    def spent(self) -> int:
        """Output tokens told to `spend` so far."""
        return self._hold.spent

    def __bool__(self) -> bool:
        """Whether the call was admitted."""
        return bool(self._hold.result)

    def __repr__(self) -> str:
        """The answer of the limit."""
        return f"{type(self).__name__}({self._hold.result!r})"


class Reservation(_Held):
    """What a call holds until it is settled, or the reason why it holds nothing. True when it was admitted.

    Slots in flight are renewed while it is open, and what a killed process held is taken back by the others. It
    belongs to the process that made it: in a forked child its methods change nothing. Refused or ended, neither.

    >>> from ratelimit_guard import Limiter
    >>> limiter = Limiter("1000 tokens/minute")
    >>> with limiter.reserve("alice", input_tokens=100, output_tokens=200) as reservation:
    ...     limiter.peek("alice").remaining, reservation.spend(50)
    (700, True)
    >>> limiter.peek("alice").remaining
    850
    """

    __slots__ = ()

    def spend(self, output_tokens: int, slice: int = SLICE) -> bool:  # noqa: A002  the word of the contract
        """Tell that so many output tokens have passed; when the reserve is used up, up to `slice` more are reserved.

        False: there was no room for what has passed. It is charged all the same, and nothing more should be sent.
        """
        return self._hold.spend(output_tokens, slice)

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage; None: as reserved, and as spent so far.

        What was charged beyond it is given back, what is missing is charged, also beyond the limit; slots are freed.
        """
        self._hold.settle(input_tokens, output_tokens)

    def release(self) -> None:
        """End with nothing used: tokens and slots are given back, requests and cost stay charged."""
        self._hold.release()

    def __enter__(self) -> Self:
        """Give the reservation itself; it is false when refused."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Settle what was spent, whatever happened inside, unless that was done."""
        self._hold.settle()


class AsyncReservation(_Held):
    """`Reservation` with coroutines; all that is said there holds here."""

    __slots__ = ()

    async def spend(self, output_tokens: int, slice: int = SLICE) -> bool:  # noqa: A002  the word of the contract
        """Tell that so many output tokens have passed."""
        hold = self._hold
        if is_remote_hold(hold):
            return await hold.spend_async(output_tokens, slice)
        return hold.spend(output_tokens, slice)

    async def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage."""
        self._hold.settle(input_tokens, output_tokens)

    async def release(self) -> None:
        """End with nothing used."""
        self._hold.release()


class PendingReservation(Pending["Hold", AsyncReservation]):
    """A reservation not yet made: `async with` makes and settles it, `await` makes it and leaves it to you.

    It is made once: `UsageError` at a second time.
    """

    __slots__ = ()

    def __init__(self, take: Callable[[], Hold | Awaitable[Hold]]) -> None:
        """Remember how; nothing is charged before it is awaited."""
        twice = "a reservation is made once: call limiter.reserve(key) again for another one"
        super().__init__(take, AsyncReservation, AsyncReservation.settle, twice)
