"""Times and limits as header fields say them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.told import HeaderFields

MAX_SECONDS = 999_999_999_999_999
"""Largest integer of a structured field (RFC 8941); also stands for "never"."""
LONG_WAIT_S = 60.0
"""Beyond this, official clients either sleep or give up at random: tell them not to retry."""
PARTS = {"tokens": ("input-tokens", "output-tokens")}
"""Where no policy counts all tokens, what is left is told by those that count a part of them."""


def seconds(duration: float) -> int:
    """Whole seconds, rounded up: a client that waits them is never too early."""
    return MAX_SECONDS if duration > MAX_SECONDS else math.ceil(duration)


def retry_fields(wait_s: float | None) -> HeaderFields:
    """When to come again: nothing for None, and no time for `inf`, as what never fits must not be waited for."""
    fields: HeaderFields = []
    if wait_s is None:
        return fields
    if math.isfinite(wait_s):
        fields = [(b"retry-after", b"%d" % seconds(wait_s)), (b"retry-after-ms", b"%d" % seconds(wait_s * 1000))]
    return [*fields, (b"x-should-retry", b"false")] if wait_s > LONG_WAIT_S else fields


def tightest(results: Sequence[LimitResult], units: Mapping[str, str], unit: str) -> LimitResult | None:
    """The policy of a unit of which the least is left, and of these the one that takes longest to be free."""
    counting = [one for one in results if units.get(one.policy) == unit]
    if not counting:
        parts = PARTS.get(unit, ())
        counting = [one for one in results if units.get(one.policy) in parts]
    return min(counting, key=_room, default=None)


def _room(result: LimitResult) -> tuple[int, float]:
    return result.remaining, -result.reset_after
