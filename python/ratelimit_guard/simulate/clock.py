"""When accounts call: sittings of one day, each a list of Unix seconds, in order and without overlap."""

from __future__ import annotations

from math import cos, exp, log, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ratelimit_guard.simulate.scenario import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.simulate.writer import Writer

HOUR = 3_600.0
AWAKE = (2, 1, 1, 1, 1, 3, 6, 10, 12, 13, 13, 12, 12, 13, 13, 12, 11, 12, 13, 15, 15, 12, 8, 4)
"""How many people are at it in each hour of their day."""

ZONES = (-6, 0, 1, 2, 8)
"""Hours that people's clocks are ahead of UTC."""

LESSON = 10 / 24
"""When of a day a class meets."""

LONGEST_SITTING = 12


class Span(NamedTuple):
    """A day, or the part of one that is simulated."""

    start: float
    seconds: float

    @property
    def end(self) -> float:
        """Just after it."""
        return self.start + self.seconds


Sittings: TypeAlias = "list[list[float]]"
Clock: TypeAlias = "Callable[[Writer, int, Span], Sittings]"


def steady(w: Writer, count: int, span: Span) -> Sittings:
    """As programs call: at any time, one by one."""
    return [[time] for time in sorted(span.start + w.random() * span.seconds for _ in range(count))]


def human(w: Writer, count: int, span: Span) -> Sittings:
    """As people call: some minutes at a stretch, when they are awake."""
    zone = w.pick(ZONES) * HOUR
    lengths: list[int] = []
    while sum(lengths) < count:
        lengths.append(min(w.between(1, LONGEST_SITTING), count - sum(lengths)))
    sittings: Sittings = []
    free = span.start
    for begin in sorted(_awake(w, span, zone) for _ in lengths):
        time, sitting = max(begin, free), list[float]()
        for _ in range(lengths[len(sittings)]):
            sitting.append(time)
            time += exp(4.0 + 0.8 * normal(w))
        free = time
        sittings.append(sitting)
    return [kept for one in sittings if (kept := [time for time in one if time < span.end])]


def lesson(w: Writer, count: int, span: Span) -> Sittings:
    """As a class calls: all within one hour."""
    length = min(HOUR, span.seconds / 2)
    begin = span.start + min(LESSON * span.seconds, span.seconds - length)
    return [[time] for time in sorted(begin + w.random() * length for _ in range(count))]


def _awake(w: Writer, span: Span, zone: float) -> float:
    while True:
        time = span.start + w.random() * span.seconds
        if w.random() * max(AWAKE) <= AWAKE[int((time + zone) % DAY // HOUR)]:
            return time


def number(w: Writer, mean: float, spread: float) -> int:
    """How many requests of `mean` an account sends: with `spread`, few send many."""
    wanted = mean * exp(spread * normal(w) - spread * spread / 2)
    return int(wanted) + (w.random() < wanted % 1)


def normal(w: Writer) -> float:
    """A standard normal number (Box and Muller, 1958), the same in every version of Python."""
    return sqrt(-2 * log(1 - w.random())) * cos(2 * pi * w.random())
