"""`RedisStore`: counters at a server, exact over all hosts."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.stores.memory import MemoryStore
from ratelimit_guard.stores.redis.address import Address
from ratelimit_guard.stores.redis.allotments import Allotments
from ratelimit_guard.stores.redis.asking import Ask, ask, ask_async, is_on_loop, refuse_loop
from ratelimit_guard.stores.redis.failure import FAILED
from ratelimit_guard.stores.redis.keeper import PROBE_S, ROUND_S, Keeper, jitter, probe, snapshot
from ratelimit_guard.stores.redis.lane import Lane
from ratelimit_guard.stores.redis.limiter import RedisLimiter
from ratelimit_guard.stores.redis.line import AsyncLine, SyncLine, monotonic
from ratelimit_guard.stores.redis.paying import is_plain, paying
from ratelimit_guard.stores.redis.refusals import Refusals
from ratelimit_guard.stores.redis.server import START_S, Server
from ratelimit_guard.stores.redis.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

    from ratelimit_guard._core import ManualClock
    from ratelimit_guard._core.remote import RemotePolicies
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.stores import Bill, OnFull, Store
    from ratelimit_guard.stores.redis.holds import RedisHold, Share
    from ratelimit_guard.stores.redis.part import Part, Put
    from ratelimit_guard.stores.redis.state import StoreEvent

DEFAULT_BUDGET_S = 0.025
"""Of a decision: what a call of a model, which takes a second, does not feel."""
REFUSAL_CACHE_S = 1.0
RENEWALS_AT_ONCE = 128
ENDS_S = 2.0
"""Seconds in which the keeper has to end: it may wait for the server."""


class RedisStore:
    """Counters at a Redis (6.2 and later) or Valkey server, a cluster, or behind Sentinel.

    `url`: `redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://host,host` or
    `redis+sentinel://host,host/service`, with credentials and options as redis-py reads them. A decision takes one call
    of the server; tasks of one loop that ask at the same time share it. `budget_s` is the longest that a decision
    waits; after that, or while the server is away, each policy's `on_store_failure` holds, `local` by counting in
    `fallback` (without one a `MemoryStore`). Refusals of requests are remembered for up to `refusal_cache_s`. With an
    `allotment` a process takes so many units of a hot key ahead: then a window may admit the limit and one allotment
    for each process. `on_event` hears when the server goes and comes. Time is the server's; `clock` is for tests.

    Building it connects, for a second at most. `ConfigError` for a url that names no server; `StoreError` when a server
    answers that will never do: wrong password, no permission, a replica, too old. One that is away is no error.
    """

    def __init__(
        self,
        url: str,
        *,
        budget_s: float = DEFAULT_BUDGET_S,
        fallback: Store | None = None,
        refusal_cache_s: float = REFUSAL_CACHE_S,
        allotment: int = 0,
        clock: ManualClock | None = None,
        on_event: Callable[[StoreEvent], object] | None = None,
    ) -> None:
        """Connect and look whether the server can be used."""
        if not 0.001 <= budget_s <= 60:
            msg = f"budget_s {budget_s!r:.100}: write seconds between 0.001 and 60"
            raise ConfigError(msg)
        self.state = State(Address.parse(url), budget_s, clock, on_event, monotonic)
        self.fallback: Store = MemoryStore(clock=clock) if fallback is None else fallback
        self.refusals = Refusals(self.state.now_s, refusal_cache_s)
        self.allotments = Allotments(allotment, self.state.now_s) if allotment > 0 else None
        self.is_cluster, self.is_closed = self.state.address.is_cluster, False
        self.server = Server(self.state)
        self._sync = SyncLine(self.state)
        self._lanes: tuple[Any, dict[int, Lane]] = (None, {})
        self._lines: dict[Any, tuple[AsyncLine, dict[int, Lane]]] = {}
        self._bound: weakref.WeakSet[Any] = weakref.WeakSet()
        self._held: weakref.WeakSet[RedisHold] = weakref.WeakSet()
        self._keeper = Keeper(self)
        self._lock = threading.Lock()
        self.state.woken = self._keeper.wake
        _STORES.add(self)
        for end in (self._keeper.stop, self._sync.close, self.server.close):
            weakref.finalize(self, end)
        self.server.check()

    # --- the contract

    def bind(self, namespace: str, policies: Sequence[Policy], on_full: OnFull = "refuse") -> RedisLimiter:  # noqa: ARG002  a server is never full of counters alone
        """Give the policies their counters. `ConfigError` for none, more than 16, or two of one name."""
        limiter = RedisLimiter(self, namespace, policies)
        self.registered(limiter.remote)
        return limiter

    def registered(self, policies: RemotePolicies) -> None:
        """Enter policies at the server, now or when it answers."""
        self.known(policies)
        self.server.register(policies)

    def known(self, policies: RemotePolicies) -> None:
        """Enter policies again whenever the server was away."""
        self._bound.add(policies)

    def pay(self, bills: Sequence[Bill], *, gate: bool) -> list[Any]:
        """Pay each bill by itself, in one call; with `gate` the first one decides whether the others are paid."""
        refuse_loop()
        if is_plain(bills):
            [bill] = bills
            return [bill.bound.acquire_each(bill.keys, bill.cost, bill.confirmed)]
        return ask(self, paying(self, bills, gate=gate))

    async def pay_async(self, bills: Sequence[Bill], *, gate: bool) -> list[Any]:
        """`pay` without blocking the loop."""
        if is_plain(bills):
            [bill] = bills
            return [await bill.bound.acquire_each_async(bill.keys, bill.cost, bill.confirmed)]
        return await ask_async(self, paying(self, bills, gate=gate))

    def connect(self) -> Redis:
        """A new client of redis-py that waits up to a second at each step, for what is exchanged besides decisions."""
        client: Redis = self.state.address.client(START_S)
        return client

    # --- asking

    def ask(self, asked: Ask) -> list[Any]:
        """The answers to questions of one tag; `FAILED` in the place of those that there are not."""
        batch = self.state.batch(asked.tag)
        noted = len(batch)
        try:
            for put in asked.puts:
                put(batch)
        except Exception:  # a key too long, say; what was noted is not its doing
            self._sync.call(asked.tag, batch)
            raise
        answers = self._sync.call(asked.tag, batch)
        if answers is None:
            self.state.outbox.lost += noted
            return [FAILED] * len(asked.puts)
        return answers[noted:]

    def ask_one(self, put: Put) -> Any:
        """The answer to one question, or `FAILED`; not of a cluster."""
        return self.ask(Ask(0, (put,)))[0]

    async def ask_async(self, asked: Ask) -> list[Any]:
        """`ask` on the running loop, together with what other tasks ask."""
        lane = self.lane(asked.tag)
        futures = [lane.ask(put) for put in asked.puts]
        return [await future for future in futures]

    def lane(self, tag: int) -> Lane:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        known, lanes = self._lanes
        if known is not loop:
            with self._lock:
                self._lines = {loop: lines for loop, lines in self._lines.items() if not loop.is_closed()}
                if loop not in self._lines:
                    self._lines[loop] = AsyncLine(self.state, loop), {}
            lanes = self._lines[loop][1]
            self._lanes = (loop, lanes)
        lane = lanes.get(tag)
        if lane is None:
            lane = lanes[tag] = Lane(self._lines[loop][0], tag)
        return lane

    def note(self, tag: int, put: Put, *, wakes: bool = True) -> None:
        """Tell the server with what is asked next, or soon."""
        self.state.outbox.note(tag, put)
        if self.state.is_timed:  # no keeper: its time would be another one
            if wakes and not is_on_loop():
                self.flush()
        elif wakes:
            self._wake()

    def holds(self, hold: RedisHold) -> None:
        """It has to be renewed as long as it is open."""
        if hold.is_metered:
            self._held.add(hold)
            self._wake()

    def kept_ahead(self) -> None:
        """Units are held that may have to be given back."""
        self._wake()

    def _wake(self) -> None:
        if not (self.state.is_timed or self.is_closed):
            self._keeper.wake()

    @property
    def is_down(self) -> bool:
        """Is it, or a part of it, known not to answer?"""
        return any(breaker.is_open for breaker in self.state.breakers)

    # --- keeping

    def round(self) -> float | None:
        """What the keeper does: probes, notes, renewals. Seconds until the next round; None: when woken."""
        self._probe()
        is_ahead = self.allotments is not None and self.allotments.give_back()
        self.flush()
        self.keep()
        if self.is_down:
            return PROBE_S
        waits = is_ahead or any(hold.is_open for hold in snapshot(self._held)) or self.state.outbox.waiting()
        return ROUND_S if waits else None

    def _probe(self) -> None:
        for tag, breaker in enumerate(self.state.breakers):
            if breaker.due(self.state.now(), jitter()) and self._sync.probe(tag, probe(tag)):
                for policies in snapshot(self._bound):
                    self.server.register(policies)

    def flush(self) -> None:
        """Send what was noted."""
        for tag in self.state.outbox.waiting():
            while len(batch := self.state.batch(tag)):
                if self._sync.call(tag, batch) is None:
                    self.state.outbox.lost += len(batch)

    def keep(self) -> int:
        """Renew what this process holds; how many reservations of others were taken back."""
        now, before = self.state.now_s(), self.state.reclaimed
        held = [(hold, renewals) for hold in snapshot(self._held) if (renewals := hold.renewals(now))]
        due = [(hold, part, put, share) for hold, renewals in held for part, put, share in renewals]
        for tag in {part.tag for _, part, _, _ in due}:
            self._renew(tag, [row for row in due if row[1].tag == tag], now)
        for hold, _ in held:
            hold.keep_ends()
        return self.state.reclaimed - before

    def _renew(self, tag: int, due: list[tuple[RedisHold, Part, Put, Share | None]], now: float) -> None:
        for start in range(0, len(due), RENEWALS_AT_ONCE):
            rows, batch = due[start : start + RENEWALS_AT_ONCE], _remote.RemoteBatch()
            for _, _, put, _ in rows:
                put(batch)
            answers = self._sync.call(tag, batch)
            for (hold, _, _, share), answer in zip(rows, answers or [FAILED] * len(rows), strict=True):
                hold.kept(share, answer, now)

    # --- operators

    def stats(self) -> dict[str, int]:
        """`live` counters of all namespaces, `down` parts, `failures` of calls, `lost` notes. Scans all keys."""
        self.flush()
        state = self.state
        down = sum(breaker.is_open for breaker in state.breakers)
        live = self.server.count("counters")
        return {"live": live, "down": down, "failures": state.failures, "lost": state.outbox.lost}

    def leases(self) -> dict[str, int]:
        """`live` reservations at the server, and those `reclaimed` by this process from owners that were gone."""
        self.flush()
        return {"live": self.server.count("reservations"), "reclaimed": self.state.reclaimed, "unlisted": 0}

    def close(self) -> None:
        """Send what was noted and end this process's connections; those of loops end with their loops."""
        self.is_closed = True
        self._keeper.stop(ENDS_S)
        if self.allotments is not None:
            self.allotments.give_back(everything=True)
        self.flush()
        self._sync.close()
        self.server.close()

    async def aclose(self) -> None:
        """End the running loop's connections."""
        known = self._lines.pop(asyncio.get_running_loop(), None)
        self._lanes = (None, {})
        if known is not None:
            await known[0].close()

    def after_fork(self) -> None:
        """In a child: what the parent has under way is the parent's."""
        self._lock = threading.Lock()
        _ORPHANS.append(self._lines)
        self._lanes, self._lines = (None, {}), {}
        self.state.outbox.forget()
        if self.allotments is not None:
            self.allotments.forget()
        self._sync.forget()
        self.server.forget()
        self._keeper.forget()
        for breaker in self.state.breakers:
            breaker.forget()
        if self.is_down:
            self._keeper.wake()

    def __repr__(self) -> str:
        """Where it is."""
        return f"RedisStore({str(self.state.address)!r})"


_STORES: weakref.WeakSet[RedisStore] = weakref.WeakSet()
_ORPHANS: list[Any] = []
"""Connections of a parent's loops. Were they to end here, they would be taken out of the set that the parent polls."""


def _after_fork() -> None:
    for store in list(_STORES):
        store.after_fork()


def _at_exit() -> None:
    for store in list(_STORES):
        if not store.is_closed:
            store.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
