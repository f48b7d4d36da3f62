"""What all parts of one store share: where the server is, whether it answers, and what is noted for it."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
)

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.errors import StoreError
from ratelimit_guard.stores.redis.breaker import Breaker
from ratelimit_guard.stores.redis.failure import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import ManualClock
    from ratelimit_guard.stores.redis.address import Address

    Put = Callable[[_remote.RemoteBatch], object]

MAX_NOTES = 65_536
"""Notes that wait for the server. Beyond it the oldest are lost: what they would give back comes back by itself, when
its lease or window ends."""
NOTES_AT_ONCE = 128
"""Notes that go along with a batch: half a millisecond of the server's time."""
DAMAGED_EVERY_S = 60.0
"""Between two complaints about damaged keys, however often they are asked for."""
log = logging.getLogger("ratelimit_guard.store")


class StoreEvent(NamedTuple):
    """What an operator should hear of: `down`, `up`, `damaged`, `lost`."""

    kind: str
    text: str


class Outbox:
    """What is to be told to the server without waiting for it: ends of calls. Thread-safe."""

    def __init__(self, tags: int) -> None:
        """Nothing is noted."""
        self._notes: list[deque[Put]] = [deque() for _ in range(tags)]
        self.lost = 0

    def note(self, tag: int, put: Put) -> None:
        """Send this with what is asked next."""
        notes = self._notes[tag]
        if len(notes) >= MAX_NOTES:
            notes.popleft()
            self.lost += 1
        notes.append(put)

    def batch(self, tag: int) -> _remote.RemoteBatch:
        """A new batch that begins with what was noted."""
        batch, notes = _remote.RemoteBatch(), self._notes[tag]
        for _ in range(min(len(notes), NOTES_AT_ONCE)):
            try:
                put = notes.popleft()
            except IndexError:  # another thread took it
                break
            put(batch)
        return batch

    def waiting(self) -> list[int]:
        """Tags for which something is noted."""
        return [tag for tag, notes in enumerate(self._notes) if notes]

    def forget(self) -> None:
        """After a fork: the notes are the parent's."""
        for notes in self._notes:
            notes.clear()


class State:
    """Shared by lines, lanes, limiters and the keeper of one store."""

    def __init__(
        self,
        address: Address,
        budget_s: float,
        clock: ManualClock | None,
        on_event: Callable[[StoreEvent], object] | None,
        now: Callable[[], float],
    ) -> None:
        """Nothing is connected."""
        self.address, self.budget_s, self._clock, self._on_event, self.now = address, budget_s, clock, on_event, now
        tags = _remote.TAGS if address.is_cluster else 1
        self.outbox = Outbox(tags)
        self.breakers = [Breaker(self._teller(tag)) for tag in range(tags)]
        self.reclaimed = self.failures = self._told_lost = 0
        self._next_damaged = 0.0
        self.woken: Callable[[], None] = lambda: None
        """Called when there is something to do besides answering."""

    @property
    def is_timed(self) -> bool:
        """Does the clock tell the time, and not the server?"""
        return self._clock is not None

    def now_us(self) -> int:
        """The time that is sent along: 0 for the server's own."""
        return 0 if self._clock is None else max(1, round(self._clock.now() * 1e6))

    def now_s(self) -> float:
        """Seconds for what this process remembers."""
        return self.now() if self._clock is None else self._clock.now()

    def batch(self, tag: int) -> _remote.RemoteBatch:
        """A new batch that begins with what was noted; notes stay while the server is away."""
        return _remote.RemoteBatch() if self.breakers[tag].is_open else self.outbox.batch(tag)

    def read(self, batch: _remote.RemoteBatch, reply: Any) -> list[Any]:
        """The answers of a reply. `StoreError` for one that is none."""
        if type(reply) is not bytes:
            msg = f"the server answered {reply!r:.60}, which no script of ours says: is something between it and us?"
            raise StoreError(msg)
        answers, reclaimed = batch.read(reply)
        self.reclaimed += reclaimed
        if FAILED in answers and self.now() >= self._next_damaged:
            self._next_damaged = self.now() + DAMAGED_EVERY_S
            self.tell(
                "damaged", "a key of ours holds what no ratelimit-guard wrote: see `ratelimit-guard store doctor`"
            )
        return answers

    def failed(self, tag: int, error: BaseException, *, at_once: bool = False) -> None:
        """A call was not answered. `at_once`: the next one would not be either."""
        self.failures += 1
        error = root(error)
        if not isinstance(error, MaxConnectionsError):  # more threads than we let connect say nothing of the server
            self.breakers[tag].failed(told(error), self.now(), at_once=at_once or will_recur(error))

    def tell(self, kind: str, text: str) -> None:
        """Log it, and tell the operator's hook."""
        log.log(logging.WARNING if kind == "up" else logging.ERROR, "store %s: %s", self.address, text)
        if self._on_event is not None:
            try:
                self._on_event(StoreEvent(kind, text))
            except Exception:  # the hook is the operator's; the request is the customer's
                log.exception("hook %r failed", self._on_event)

    def _teller(self, tag: int) -> Callable[[bool, str], None]:
        part = f" (keys {{{tag:02}}})" if self.address.is_cluster else ""

        def tell(is_open: bool, why: str) -> None:
            if is_open:
                self.tell("down", f"{why}{part}: policies hold by their on_store_failure until it answers again")
                self.woken()
            else:
                self.tell("up", f"{why}{part}")
                self._tell_lost()

        return tell

    def _tell_lost(self) -> None:
        lost, self._told_lost = self.outbox.lost - self._told_lost, self.outbox.lost
        if lost:
            text = f"{lost} ends of calls may be lost: what they give back comes back when its lease or window ends"
            self.tell("lost", text)


FATAL = (AuthenticationError, NoPermissionError, ReadOnlyError, OutOfMemoryError, ClusterDownError)
"""Errors that the next call would meet too, and that an operator can mend."""


def root(error: BaseException) -> BaseException:
    """What a cluster's client met at the node that it tried last."""
    is_wrapped = isinstance(error, RedisClusterException) and error.__cause__ is not None
    return error.__cause__ or error if is_wrapped else error


def will_recur(error: BaseException) -> bool:
    """Would the next call meet it too? Not when a connection ended: others may be well, and new ones."""
    return isinstance(error, (*FATAL, BusyLoadingError)) or isinstance(error.__context__, ConnectionRefusedError)


def told(error: BaseException) -> str:
    """An error in words for an operator: what, and whose doing."""
    text = f"{type(error).__name__}: {error}".strip(": ")
    hints = {
        AuthenticationError: "check user and password of the store's url",
        NoPermissionError: "the server's ACL forbids it: docs/fleet.md has the least that is needed",
        ReadOnlyError: "it is a replica: name its primary, or Sentinel or the cluster, in the store's url",
        OutOfMemoryError: "it is full: raise maxmemory",
    }
    hint = next((hint for kind, hint in hints.items() if isinstance(error, kind)), "")
    return f"{text[:300]}{': ' if hint else ''}{hint}"
