"""One detector over the hosts of a fleet: observations go to the host that judges, its verdicts to all.

A thread of the elected process of each host does it, never a request. While the server is away verdicts stay as they
are and observations wait in the host's own memory.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias

from ratelimit_guard.errors import StoreError
from ratelimit_guard.exchange import MAX_BATCH_BYTES, MAX_VERDICTS_BYTES, TROUBLES, Exchange, unpacked
from ratelimit_guard.term import Term

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard._core.live import Live
    from ratelimit_guard.exchange import Connect

    Role: TypeAlias = Literal["idle", "alone", "member", "correlator"]

TICK_S = 0.1
"""Between two rounds of the elected process."""
LOOK_S = 0.5
"""Between two looks whether this process is elected."""
RETRY_S = 1.0
LEAD_EVERY_S = 1.0
AGREE_EVERY_S = 3_600.0
"""The common secret is said again before it expires."""
GRACE_S = 2.5
"""The lock must have been free for so long: who had it before the server was away is back earlier, and knows most."""
SEND_EVERY_S = 0.5
MAX_SENDS = 256
"""Batches of a round: all that the ring holds."""
STOP_WITHIN_S = 2.0
SECRET_BYTES = 16
log = logging.getLogger("ratelimit_guard")
AWAY = "detector: Redis cannot be used (%s): what is known of campaigns stays in force, and observations wait here"
STRANGER = (
    "detector: other hosts of this namespace have another secret, as with another baseline: this one works alone "
    "until its workers are restarted"
)


def common_secret(connect: Connect, namespace: str) -> bytes | None:
    """The secret that keys the hashes of all hosts without a baseline; drawn by the first one. None, and a warning,
    when it cannot be had: then this host works alone until its workers are restarted.
    """
    try:
        exchange = Exchange(connect(), namespace, "")
        secret = exchange.agree(secrets.token_bytes(SECRET_BYTES))
        exchange.close()
    except TROUBLES as error:
        text = "detector: Redis cannot be used (%s): this host works alone until its workers are restarted"
        log.warning(text, error)
        return None
    if len(secret) == SECRET_BYTES:
        return secret
    log.warning(STRANGER)
    return None


def mark_of(secret: bytes, *, is_drawn: bool) -> bytes:
    """What stands at the server of a secret: itself, if it was drawn for that; of a baseline's a digest, so that who
    reads it there cannot guess at texts.
    """
    return secret if is_drawn else b"baseline " + hashlib.sha256(secret).hexdigest().encode()


class Fleet:
    """A host's part in a detector over hosts. `start` and `stop` take the place of the detector's own.

    Cost for the elected process: some twenty small commands a second; the others look twice a second whether they are.
    """

    role: Role
    _is_away: bool
    _is_stranger: bool
    _free_since: float
    _agree_at: float
    _lead_at: float
    _send_at: float
    _retry_at: float

    def __init__(
        self, live: Live, connect: Connect, namespace: str, state: Path, secret: bytes, *, is_drawn: bool
    ) -> None:
        """`connect` makes a client of redis-py with timeouts, which answers bytes; `state` is where `live` saves;
        `secret` keys the hashes. `is_drawn`: it is that of `common_secret`, and not a baseline's.
        """
        self._live, self._connect, self._namespace, self._state = live, connect, namespace, state
        self._mark = mark_of(secret, is_drawn=is_drawn)
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self._process = 0
        self._begin()

    def start(self) -> None:
        """Take part from this process on. `StoreError` as `Live.start`."""
        self._process, self._halt = os.getpid(), threading.Event()
        self._begin()
        self._live.forward(forwards=True)  # until it is known who judges
        self._live.start()
        run = partial(self._run, self._halt)
        self._thread = threading.Thread(target=run, name="ratelimit-guard-fleet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No longer; what is known is saved, here and, if this host judged, at the server."""
        self._halt.set()
        thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            thread.join(STOP_WITHIN_S)
        self._live.stop()
        if self._exchange is not None and not self._is_away and not (thread and thread.is_alive()):
            with suppress(*TROUBLES):
                if self._term is not None:
                    self._term.last()
                self._exchange.leave()
                self._exchange.close()
        self._begin()

    def step(self, now: float) -> None:
        """One round, at a time in seconds that never goes back."""
        if not self._live.elected:
            if self.role != "idle":
                self._begin()
            return
        if self._is_stranger or now < self._retry_at:
            return
        try:
            self._round(now)
        except TROUBLES as error:
            self._lose(error, now)
        else:
            if self._is_away:
                log.warning("detector: Redis can be used again")
            self._is_away = False

    def stats(self) -> dict[str, object]:
        """Of the elected process: its host's `role` (`correlator`, `member`, `alone`; of any other process `idle`); is
        the server `away`; observations `sent`, `received`, and `lost` on the way; batches and verdicts `refused`;
        `age_s` of the verdicts of others; how much of the stream is unread, `unread_s`; and `bytes` of each key there.
        """
        exchange, term, age = self._exchange, self._term, None
        if self._learned_at is not None:
            age = max(0.0, time.monotonic() - self._learned_at)
        known = {name: self._counts[name] for name in ("sent", "received", "lost", "refused")}
        found: dict[str, object] = {"role": self.role, "away": self._is_away, **known, "age_s": age}
        if exchange is not None and not self._is_away:
            with suppress(*TROUBLES):
                unread = exchange.unread(term.place) if term else None
                found |= {"unread_s": unread, "bytes": exchange.memory()}
        return found

    def _begin(self) -> None:
        """As a process that was just elected."""
        self.role = "idle"
        self._me = secrets.token_hex(8)
        self._counts = Counter[str]()
        self._exchange: Exchange | None = None
        self._term: Term | None = None
        self._pending: tuple[bytes, int, int] | None = None
        self._version = ""
        self._learned_at: float | None = None
        self._is_away, self._is_stranger = False, False
        self._free_since = inf
        self._agree_at, self._lead_at, self._send_at, self._retry_at = -inf, -inf, -inf, -inf

    def _run(self, halt: threading.Event) -> None:
        while not halt.wait(TICK_S if self._live.elected else LOOK_S):
            try:
                self.step(time.monotonic())
            except Exception:  # or nobody would hear that the fleet has ended
                log.exception("detector: the exchange between hosts broke down and goes on: please report this")
                halt.wait(RETRY_S)

    def _round(self, now: float) -> None:
        if self._exchange is None:
            self._exchange = Exchange(self._connect(), self._namespace, self._me)
        if now >= self._agree_at:
            self._is_stranger = self._exchange.agree(self._mark) != self._mark
            self._agree_at = now + AGREE_EVERY_S
        if self._is_stranger:
            log.warning(STRANGER)
            self._be("alone")
            return
        if now >= self._lead_at:
            self._lead_at = now + LEAD_EVERY_S
            self._elect(self._exchange, now)
        if self._term is not None:
            self._lead_at = self._lead_at if self._term.step(now) else now
        elif self.role == "member":
            self._follow(self._exchange, now)

    def _elect(self, exchange: Exchange, now: float) -> None:
        """See who judges, or become the one."""
        lead = exchange.lead(is_due=self._term is not None or now - self._free_since >= GRACE_S)
        self._free_since = min(self._free_since, now) if lead.who == "free" else inf
        if lead.who == "taken":
            self._be("member")
        elif lead.who == "new":
            # Did the server forget, or this host sleep without being missed? Then nobody knows more than it does.
            if self._term is not None and lead.term in {1, self._term.number + 1}:
                self._term.renew(lead.term)
            else:
                self._be("correlator")
                self._term = Term(self._live, exchange, self._state, lead.term, self._counts)

    def _be(self, role: Role) -> None:
        if role == self.role == "member":
            return
        self.role, self._term, self._pending = role, None, None
        self._version, self._learned_at = "", None
        self._live.forward(forwards=role != "alone")  # a term lets it fold when it has a state to go on with

    def _follow(self, exchange: Exchange, now: float) -> None:
        if now >= self._send_at:
            self._send_at = now + SEND_EVERY_S
            self._send(exchange)
        found = exchange.verdicts(self._version)
        if found is not None:
            self._learn(*found)
        if self._version:
            self._learned_at = now

    def _send(self, exchange: Exchange) -> None:
        for _ in range(MAX_SENDS):
            # The very same is sent again when nobody knows whether it arrived.
            self._pending = self._pending or self._live.take(MAX_BATCH_BYTES)
            if self._pending is None:
                return
            records, count, end = self._pending
            exchange.send(records, self._counts["sent"])
            self._live.sent(end)
            self._pending = None
            self._counts["sent"] += count

    def _learn(self, version: str, verdicts: bytes) -> None:
        try:
            is_told = self._live.learn(unpacked(verdicts, MAX_VERDICTS_BYTES))
        except StoreError as error:
            is_told = True  # the same again would be no better
            self._counts["refused"] += 1
            log.warning("detector: %s", error)
        if is_told:
            self._version = version

    def _lose(self, error: Exception, now: float) -> None:
        """Go on with what is known."""
        self._retry_at, self._free_since, self._agree_at = now + RETRY_S, inf, -inf
        if not self._is_away:
            log.warning(AWAY, error)
        self._is_away = True
        if self.role == "idle":
            # Who was told something before goes on with that; who was not judges by itself.
            self._be("member" if self._live.stats()["learned"] else "alone")
