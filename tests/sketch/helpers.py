"""Sketches as the tests make them."""

from __future__ import annotations

from typing import Any

from ratelimit_guard.sketch import MinHash

EXACT = 128
"""Values of a set that is kept whole."""


def sketch(values: list[Any], num_perm: int = 128, seed: int = 1) -> MinHash:
    """A sketch of these values."""
    made = MinHash(num_perm, seed)
    made.update_batch(values)
    return made


def numbers(start: int, stop: int) -> list[str]:
    """As many different values."""
    return [f"value-{number}" for number in range(start, stop)]
