"""The circuit breaker (Nygard, 2007): who does not answer is left alone, and asked again now and then by one probe."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES = 3
"""Failures in a row that open it: one may be a burst of load, three are an outage."""
FIRST_PROBE_S, LAST_PROBE_S = 0.1, 1.0
"""Between two probes: at first short, for restarts; then so that a fleet's probes are no load."""
STEADY_S = 5.0
"""Who fails again sooner after it came back is not asked more often than before."""


class Breaker:
    """Closed while calls succeed. Thread-safe; times are seconds of any clock that does not step back."""

    def __init__(self, tell: Callable[[bool, str], None]) -> None:
        """`tell(is_open, why)` hears of each change, once."""
        self.is_open = False
        self._tell = tell
        self._failures, self._pause, self._probe_at = 0, FIRST_PROBE_S, 0.0
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """A call was answered."""
        if self._failures or self.is_open:
            with self._lock:
                was_open, self.is_open, self._failures = self.is_open, False, 0
            if was_open:
                self._tell(False, "answers again")

    def failed(self, why: str, now: float, *, at_once: bool = False) -> None:
        """A call was not answered. `at_once`: another one would not be either."""
        with self._lock:
            self._failures += 1
            opens = not self.is_open and (at_once or self._failures >= FAILURES)
            if opens:
                if now - self._probe_at > STEADY_S:
                    self._pause = FIRST_PROBE_S
                self.is_open, self._probe_at = True, now + self._pause
        if opens:
            self._tell(True, why)

    def due(self, now: float, jitter: float) -> bool:
        """Is it time for a probe? Then the caller makes it. `jitter`, 0..1, keeps hosts from probing in step."""
        with self._lock:
            if not self.is_open or now < self._probe_at:
                return False
            self._probe_at = now + self._pause * (0.5 + jitter)
            self._pause = min(2 * self._pause, LAST_PROBE_S)
        return True

    def forget(self) -> None:
        """After a fork: who held the lock is a thread of the parent."""
        self._lock = threading.Lock()
