"""Coalescing: decisions that come while others are on their way go to the server together, in one script call.

One lane belongs to one event loop and one hash tag (a single server has one tag). What is asked in one turn of the loop
makes a batch; a few batches are under way at a time, and what comes meanwhile waits for the next one, so that batches
grow with the load. Each has a deadline from its opening on: nobody waits longer than the budget.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.line import IN_FLIGHT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from ratelimit_guard._core.remote import RemoteBatch
    from ratelimit_guard.stores.redis.line import AsyncLine

    Put = Callable[[RemoteBatch], object]

MAX_BATCH = 256
"""Questions of a batch: some two milliseconds of the server's time."""
MIN_BATCH = 32
"""Questions that are not parted: for fewer a second call costs more than it saves."""
MAX_COUNTERS = 512
"""Counters of a batch beyond which nothing is added to it: four milliseconds, a part of the budget."""
GRACE_S = 0.005
"""For answers that came while the loop itself stood still."""


class Lane:
    """Asks the server for tasks of one loop."""

    def __init__(self, line: AsyncLine, tag: int) -> None:
        """`line` talks to the server."""
        self._line, self._tag = line, tag
        self._open: _Round | None = None
        self._waiting: list[_Round] = []
        self._under_way = 0
        self._asking = self._peak = 0
        """Questions without an answer, and the most that there were of late."""

    def ask(self, put: Put) -> asyncio.Future[Any]:
        """Add a question to the batch that is open; its answer, or `FAILED`."""
        [future] = self.ask_all((put,))
        return future

    def ask_all(self, puts: Sequence[Put]) -> list[asyncio.Future[Any]]:
        """The same of questions that stay together: one may depend on another."""
        opened, self._asking = self._open, self._asking + len(puts)
        if opened is None or opened.count + len(puts) > opened.most or opened.batch.counters >= MAX_COUNTERS:
            opened = self._new()
        asked: list[asyncio.Future[Any]] = []
        for put in puts:
            put(opened.batch)
            asked.append(self._line.loop.create_future())
            opened.futures.append(asked[-1])
            opened.count += 1
        return asked

    def _new(self) -> _Round:
        loop = self._line.loop
        # Half of those who ask: while the server works on their batch, the answers of the others are handed out.
        self._peak = max(self._asking, self._peak - self._peak // 8)
        opened = self._open = _Round(self._line.noted(self._tag))
        opened.most = min(MAX_BATCH, max(MIN_BATCH, -(-self._peak // IN_FLIGHT)))
        opened.timer = loop.call_later(self._line.budget_s, self._expire, opened)
        self._waiting.append(opened)
        loop.call_soon(self._flush)
        return opened

    def _flush(self) -> None:
        while self._waiting and self._under_way < IN_FLIGHT:
            first = self._waiting.pop(0)
            if first is self._open:
                self._open = None
            self._under_way += 1
            first.task = self._line.loop.create_task(self._line.call(self._tag, first.batch))
            first.task.add_done_callback(partial(self._ended, first))

    def _ended(self, sent: _Round, task: asyncio.Task[list[Any] | None]) -> None:
        """However it ended: a task that is cancelled before its first step runs no code of its own."""
        self._under_way -= 1
        answers = None if task.cancelled() else task.result()
        if answers is None:
            self._line.lost(sent.skipped)
        self._asking -= sent.answer(answers)
        self._flush()

    def _expire(self, late: _Round) -> None:
        """The budget is used up: its callers get the failure policy, whatever becomes of it."""
        loop, timer = self._line.loop, late.timer
        if timer is not None and not late.is_graced and loop.time() > timer.when() + GRACE_S:
            late.is_graced, late.timer = True, loop.call_later(GRACE_S, self._expire, late)
            return
        if late is self._open:
            self._open = None
        if late in self._waiting:
            self._waiting.remove(late)
            self._line.lost(late.skipped)
        self._line.timed_out(self._tag)
        if late.task is not None:
            late.task.cancel()
        self._asking -= late.answer(None)


class _Round:
    """A batch and those who wait for it."""

    __slots__ = ("batch", "count", "futures", "is_graced", "most", "skipped", "task", "timer")

    def __init__(self, batch: RemoteBatch) -> None:
        """`batch` may hold notes already, whose answers nobody waits for."""
        self.batch = batch
        self.skipped, self.count, self.is_graced = len(batch), 0, False
        self.most = MAX_BATCH
        self.futures: list[asyncio.Future[Any]] = []
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[list[Any] | None] | None = None

    def answer(self, answers: Sequence[Any] | None) -> int:
        """Tell everybody who still waits; None: there is no answer. What comes after the budget is for nobody. How many
        questions that ends.
        """
        if self.timer is not None:
            self.timer.cancel()
        futures, self.futures = self.futures, []
        if not futures:
            return 0
        told = [FAILED] * len(futures) if answers is None else answers[self.skipped :]
        for future, answer in zip(futures, told, strict=True):
            if not future.done():
                future.set_result(answer)
        return len(futures)
