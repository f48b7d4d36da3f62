"""What a coroutine holds once it is awaited: taken once, and ended with its block."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from ratelimit_guard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType

T = TypeVar("T")
H = TypeVar("H")


class Pending(Generic[T, H]):
    """Not yet taken: `async with` takes it and ends it, `await` takes it and leaves it to you.

    It is taken once: `UsageError` at a second time, which would forget the first one until its lease ends.
    """

    __slots__ = ("_end", "_held", "_hold", "_take", "_twice")

    def __init__(
        self,
        take: Callable[[], T | Awaitable[T]],
        hold: Callable[[T], H],
        end: Callable[[H], Awaitable[object]],
        twice: str,
    ) -> None:
        """Remember how to take it, what holds it and how it ends; nothing is charged before it is awaited. `twice` is
        told at a second time.
        """
        self._take: Callable[[], T | Awaitable[T]] | None = take
        self._hold = hold
        self._end, self._twice = end, twice
        self._held: H | None = None

    def __await__(self) -> Generator[None, None, H]:
        """Take it."""
        return self._open().__await__()

    async def __aenter__(self) -> H:
        """Take it; what it gives is false when refused."""
        self._held = await self._open()
        return self._held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End it, whatever happened inside."""
        if self._held is not None:
            await self._end(self._held)

    async def _open(self) -> H:
        take, self._take = self._take, None
        if take is None:
            raise UsageError(self._twice)
        taken = take()
        return self._hold(cast("T", await taken if isawaitable(taken) else taken))
