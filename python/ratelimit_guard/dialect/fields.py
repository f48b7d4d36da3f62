"""Times and limits as header fields say them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ratelimit_guard.dialect.told import HeaderFields

MAX_SECONDS = 999_999_999_999_999
"""Largest integer of a structured field (RFC 8941); also stands for "never"."""
LONG_WAIT_S = 60.0
"""Beyond this, official clients either sleep or give up at random: tell them not to retry."""


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
