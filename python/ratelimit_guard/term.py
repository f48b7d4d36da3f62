"""What the host does that judges for a fleet: it takes over, reads what others observed, tells verdicts, and saves."""

from __future__ import annotations

import hashlib
import logging
import secrets
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias

from ratelimit_guard.errors import StoreError
from ratelimit_guard.exchange import MAX_STATE_BYTES, READ_AT_ONCE, packed, unpacked

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from ratelimit_guard._core.live import Live
    from ratelimit_guard.exchange import Batch, Exchange

    Stage: TypeAlias = Literal["adopt", "settle", "judge"]

READS = 16
"""Times that a round reads from the stream: 16 MiB at most."""
MAX_WAITING_BYTES = 1 << 21
"""Half of the ring is left to this host's own requests."""
SETTLE_S = 30.0
"""So long the first save may take; where none can be made at all, some batches may count twice."""
MAX_SENDERS = 4_096
PUBLISH_EVERY_S = 0.5
PUBLISH_BYTES_PER_S = 1 << 20
"""Large verdicts are told less often: each host fetches all of them."""
REFRESH_S = 3_600.0
"""Verdicts that stay the same are told again before they expire."""
KEEP_EVERY_S = 60.0
"""What a host that takes over may not know: so much of what the host before saw itself."""
KEEP_SOON_S = 2.0
"""The same of a conviction, which is not told before it is kept: nobody forgets what others have heard."""
HOLD_S = 10.0
"""Where nothing can be kept it is told all the same."""
MAX_UNPACKED = 1 << 30
log = logging.getLogger("ratelimit_guard")
TOO_LARGE = "detector: the state has %d bytes and the server keeps %d: a host that takes over forgets campaigns"


class Term:
    """From winning the lock, on a host that does not fold, until it is lost. `number` counts the terms of all hosts."""

    def __init__(self, live: Live, exchange: Exchange, state: Path, number: int, counts: Counter[str]) -> None:
        """`counts` gets `received`, `lost` and `refused`."""
        self.number, self.place = number, (0, 0)
        self._live, self._exchange, self._state, self._counts = live, exchange, state, counts
        self._stage: Stage = "adopt"
        self._others: bytes | None = None
        self._is_asked, self._settled = False, (0, 0.0)
        self._expected: dict[bytes, int] = {}
        self._folded: object = None
        self._told, self._version = b"", 0
        self._name = secrets.token_hex(8)
        self._saved: object = None
        self._is_said = False
        self._convicted: object = None
        self._saves_up_to, self._asked_at = 0, -inf
        self._publish_at = self._refresh_at = self._kept_at = -inf

    def renew(self, number: int) -> None:
        """The server forgot: tell everything again."""
        self.number = number
        self._refresh_at = self._kept_at = -inf
        self._saved = None

    def step(self, now: float) -> bool:
        """One round. False: another host judges by now."""
        if self._stage == "adopt":
            self._adopt(now)
        elif self._stage == "settle":
            self._settle(now)
        else:
            self._read()
            return self._keep(now) and self._publish(now)
        return True

    def last(self) -> None:
        """Save what was saved when this host stopped folding."""
        if self._stage == "judge":
            self._saved, self._kept_at, self._saves_up_to = None, -inf, 0
            self._keep(0.0)

    def _adopt(self, now: float) -> None:
        """Go on with what the host before knew, once this one does not fold any longer."""
        if not self._is_asked:
            self._others, self._is_asked = self._exchange.state(), True
        if self._others is not None:
            try:
                if self._live.adopt(unpacked(self._others, MAX_UNPACKED)) is None:
                    return
            except StoreError as error:
                self._refuse(error)
        self._others = None
        self._live.forward(forwards=False)
        self._stage, self._settled = "settle", (0, now)

    def _settle(self, now: float) -> None:
        """Wait until all is folded that was here already; then it is known up to where the stream was read."""
        end, since = self._settled
        end = end or self._live.save() or 0
        self._settled = end, since
        if (end and self._live.stats()["saved_up_to"] >= end) or now - since > SETTLE_S:
            self.place, self._stage = self._live.read_up_to, "judge"

    def _read(self) -> None:
        for _ in range(READS):
            if self._live.stats()["waiting_bytes"] > MAX_WAITING_BYTES:
                return
            batches = self._exchange.read(self.place)
            for batch in batches:
                self._put(batch)
                self.place = batch.place
            if len(batches) < READ_AT_ONCE:
                return

    def _put(self, batch: Batch) -> None:
        expected = self._expected.get(batch.sender, batch.number)
        if batch.number < expected:
            return  # its sender did not hear that it had arrived
        try:
            told, count = self._live.put(batch.records, batch.place)
        except StoreError as error:
            self._refuse(error)
            return
        if len(self._expected) >= MAX_SENDERS:
            self._expected.clear()
        self._expected[batch.sender] = batch.number + count
        self._counts["received"] += told
        self._counts["lost"] += batch.number - expected + count - told

    def _publish(self, now: float) -> bool:
        folded, is_old = self._live.stats()["folded"], now >= self._refresh_at
        if now < self._publish_at or (folded == self._folded and not is_old):
            return True
        if self._saves_up_to and now < self._asked_at + HOLD_S:
            return True
        verdicts = self._live.verdicts()
        digest = hashlib.blake2b(verdicts).digest()
        self._folded, self._publish_at = folded, now + PUBLISH_EVERY_S
        if digest == self._told and not is_old:
            return True
        told = packed(verdicts)
        if not self._exchange.publish(f"{self._name}-{self._version}", told):
            return False
        self._told, self._version = digest, self._version + 1
        self._publish_at, self._refresh_at = (
            now + max(PUBLISH_EVERY_S, len(told) / PUBLISH_BYTES_PER_S),
            now + REFRESH_S,
        )
        return True

    def _keep(self, now: float) -> bool:
        """Save at the server what was saved here, soon when campaigns were convicted, or are none any longer."""
        stats = self._live.stats()
        if stats["convicted"] != self._convicted:
            self._convicted, self._saves_up_to, self._asked_at = stats["convicted"], self._live.save() or 0, now
        wait = KEEP_SOON_S if self._saves_up_to else KEEP_EVERY_S
        is_on_disk = stats["saved"] != self._saved and stats["saved_up_to"] >= self._saves_up_to
        if not is_on_disk or now < self._kept_at + wait:
            return True
        self._saved, self._kept_at, self._saves_up_to = stats["saved"], now, 0
        return self._hand_over()

    def _hand_over(self) -> bool:
        try:
            state = packed(self._state.read_bytes())
        except OSError as error:  # not the server's, which would be away
            log.warning("detector: %s", error)
            return True
        if len(state) <= MAX_STATE_BYTES:
            return self._exchange.keep(state, self.place)
        if not self._is_said:
            log.warning(TOO_LARGE, len(state), MAX_STATE_BYTES)
            self._is_said = True
        return True

    def _refuse(self, error: StoreError) -> None:
        self._counts["refused"] += 1
        if self._counts["refused"] == 1:
            log.warning("detector: %s (what follows is only counted)", error)
