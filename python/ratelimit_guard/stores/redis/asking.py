"""Questions and who asks them: a way through several questions is written once, and driven by a thread or by a task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from ratelimit_guard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ratelimit_guard._core.remote import RemoteBatch
    from ratelimit_guard.stores.redis.store import RedisStore

T = TypeVar("T")


class Ask(NamedTuple):
    """Questions that go to the counters of one hash tag in one call. Answered by a list."""

    tag: int
    puts: tuple[Callable[[RemoteBatch], object], ...]


Way: TypeAlias = "Generator[Ask, list[Any], T]"
"""Yields questions, is sent their answers, returns the outcome."""


def ask(store: RedisStore, way: Way[T]) -> T:
    """Go a way and wait for each answer. `UsageError` on a running event loop, which it would block."""
    refuse_loop()
    try:
        asked = next(way)
        while True:
            asked = way.send(store.ask(asked))
    except StopIteration as end:
        outcome: T = end.value
        return outcome


async def ask_async(store: RedisStore, way: Way[T]) -> T:
    """Go a way on the running loop."""
    try:
        asked = next(way)
        while True:
            asked = way.send(await store.ask_async(asked))
    except StopIteration as end:
        outcome: T = end.value
        return outcome


async def ask_whole(store: RedisStore, way: Way[T], undo: Callable[[T], object] | None = None) -> T:
    """The same to its end, also when the task that asks is cancelled: then `undo` gets what nobody waits for."""
    going = asyncio.ensure_future(ask_async(store, way))
    try:
        return await asyncio.shield(going)
    except asyncio.CancelledError:
        if undo is not None:
            going.add_done_callback(lambda ended: ended.cancelled() or ended.exception() or undo(ended.result()))
        raise


def refuse_loop() -> None:
    """`UsageError` on a running event loop."""
    if is_on_loop():
        msg = "this would block the event loop until the server answers: use AsyncLimiter, or a thread"
        raise UsageError(msg)


def is_on_loop() -> bool:
    """Does an event loop run in this thread?"""
    return asyncio._get_running_loop() is not None  # noqa: SLF001  what asyncio has for libraries like this one
