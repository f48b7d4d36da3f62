"""`Permit`: a slot in flight, given back at the end of a `with` block, by `release()` or when its lease ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ratelimit_guard.pending import Pending
from ratelimit_guard.stores import is_remote_slot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.stores import Slot


class Permit:
    """A slot in flight, or the reason why there is none. True while nothing was refused.

    It belongs to the process that took it: in a forked child `release()` and `renew()` answer False and change nothing.
    A permit that a full table let pass uncounted (`on_full="allow"`) is true but holds no slot: both answer False.

    >>> from ratelimit_guard import Limiter
    >>> limiter = Limiter("1 concurrent-requests; lease=30s")
    >>> with limiter.permit("alice") as permit:
    ...     bool(permit), bool(limiter.permit("alice"))
    (True, False)
    >>> bool(limiter.permit("alice"))
    True
    """

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        """Hold what the store gave."""
        self._slot = slot

    @property
    def result(self) -> LimitResult:
        """The answer of the limit; on a refusal `result.retry_after` says how long to wait."""
        return self._slot.result

    def release(self) -> bool:
        """Free the slot. True when it was still held; False after a refusal, a release or the end of the lease."""
        return self._slot.release()

    def renew(self) -> bool:
        """Start the lease anew, for work that takes longer. False when the slot is gone.

        A slot that nobody renews is free 8/8 to 9/8 of the lease after it was taken.
        """
        return self._slot.renew()

    def __bool__(self) -> bool:
        """Whether the slot was granted."""
        return bool(self._slot.result)

    def __repr__(self) -> str:
        """The answer of the limit."""
        return f"{type(self).__name__}({self._slot.result!r})"

    def __enter__(self) -> Self:
        """Give the permit itself; it is false when refused."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Free the slot, whatever happened inside."""
        self._slot.release()


class AsyncPermit:
    """`Permit` with coroutines; all that is said there holds here."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        """Hold what the store gave."""
        self._slot = slot

    @property
    def result(self) -> LimitResult:
        """The answer of the limit; on a refusal `result.retry_after` says how long to wait."""
        return self._slot.result

    async def release(self) -> bool:
        """Free the slot. True when it was still held."""
        return await self._slot.release_async() if is_remote_slot(self._slot) else self._slot.release()

    async def renew(self) -> bool:
        """Start the lease anew. False when the slot is already gone."""
        return await self._slot.renew_async() if is_remote_slot(self._slot) else self._slot.renew()

    def __bool__(self) -> bool:
        """Whether the slot was granted."""
        return bool(self._slot.result)

    def __repr__(self) -> str:
        """The answer of the limit."""
        return f"{type(self).__name__}({self._slot.result!r})"


class PendingPermit(Pending["Slot", AsyncPermit]):
    """A permit not yet taken: `async with` takes it and frees it, `await` takes it and leaves it to you.

    It is taken once: `UsageError` at a second time, which would forget the first slot until its lease ends.
    """

    __slots__ = ()

    def __init__(self, take: Callable[[], Slot | Awaitable[Slot]]) -> None:
        """Remember how; nothing is charged before it is awaited."""
        twice = "a permit is taken once: call limiter.permit(key) again for another one"
        super().__init__(take, AsyncPermit, AsyncPermit.release, twice)
