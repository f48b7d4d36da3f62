"""Slow limiters that are obviously right. Times are whole nanoseconds, arithmetic is exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil


@dataclass
class Log:
    """Every charge with its time: the exact answer to "how much was used in the last `window`"."""

    charges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, now: int, cost: int) -> None:
        """Note a charge."""
        self.charges.append((now, cost))

    def used(self, now: int, window: int) -> int:
        """Units charged less than `window` ago."""
        return sum(cost for at, cost in self.charges if now - at < window)


@dataclass
class StrictWindow:
    """In no window of its length more than `limit`; may refuse because of charges up to 9/8 of a window old."""

    limit: int
    window: int
    log: Log = field(default_factory=Log)

    def may_admit(self, now: int, cost: int) -> bool:
        """Does the promise leave room?"""
        return self.log.used(now, self.window) + cost <= self.limit

    def must_admit(self, now: int, cost: int) -> bool:
        """Would it be wrong to refuse?"""
        step = ceil(
            Fraction(self.limit, 16_383)
        )  # what is carried from one part to the next, see docs/quota-strings.md
        kept = self.log.used(now, 9 * ceil(Fraction(self.window, 8)))
        return kept + (step - 1) + cost <= self.limit

    def take(self, now: int, cost: int) -> None:
        """Charge."""
        self.log.add(now, cost)


@dataclass
class SlidingWindow:
    """The current window's count plus what is left of the previous one's, rounded up."""

    limit: int
    window: int
    counts: dict[int, int] = field(default_factory=dict)

    def may_admit(self, now: int, cost: int) -> bool:
        """Does the formula leave room?"""
        number, into = divmod(now, self.window)
        fading = ceil(Fraction(self.counts.get(number - 1, 0) * (self.window - into), self.window))
        return fading + self.counts.get(number, 0) + cost <= self.limit

    must_admit = may_admit

    def take(self, now: int, cost: int) -> None:
        """Charge."""
        number = now // self.window
        self.counts[number] = self.counts.get(number, 0) + cost


@dataclass
class Bucket:
    """A bucket of `burst` tokens that gains `rate` tokens per nanosecond."""

    burst: int
    rate: Fraction
    tokens: Fraction = Fraction(-1)
    at: int = 0

    def level(self, now: int) -> Fraction:
        """Tokens at `now`."""
        if self.tokens < 0:
            return Fraction(self.burst)
        return min(Fraction(self.burst), self.tokens + (now - self.at) * self.rate)

    def take(self, now: int, cost: int) -> None:
        """Charge, into debt if need be."""
        self.tokens, self.at = max(Fraction(0), self.level(now) - cost), now


@dataclass
class TokenBucket:
    """Never more than burst + rate x time; intervals round up, so the rate may be lower by one part in 256."""

    limit: int
    window: int
    burst: int

    def __post_init__(self) -> None:
        """Two buckets: the promise, and the slowest that still keeps it reasonably."""
        rate = Fraction(self.limit, self.window)
        self.ideal = Bucket(self.burst, rate)
        self.slowest = Bucket(self.burst, rate * Fraction(255, 256))

    def may_admit(self, now: int, cost: int) -> bool:
        """Does the promise leave room?"""
        return self.ideal.level(now) >= cost

    def must_admit(self, now: int, cost: int) -> bool:
        """Would it be wrong to refuse?"""
        return self.slowest.level(now) >= min(cost + Fraction(1, 100), Fraction(self.burst)) and cost <= self.burst

    def take(self, now: int, cost: int) -> None:
        """Charge."""
        self.ideal.take(now, cost)
        self.slowest.take(now, cost)


Naive = StrictWindow | SlidingWindow | TokenBucket


def naive(limit: int, window_s: float, burst: int | None, algorithm: str) -> Naive:
    """The slow twin of a quota."""
    window = round(window_s * 1e9)
    if algorithm == "token-bucket":
        return TokenBucket(limit, window, limit if burst is None else burst)
    return SlidingWindow(limit, window) if algorithm == "sliding-window" else StrictWindow(limit, window)
