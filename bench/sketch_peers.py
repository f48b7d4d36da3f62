"""Adapters to the peers that sketch and index texts, each the fastest way it offers for one text at a time."""

from __future__ import annotations

import re
from typing import Any

import datasketch
import rensa
from gaoya.minhash import MinHashStringIndex
from xxhash import xxh32_intdigest

PERMUTATIONS = 128
WORD = re.compile(r"[a-z0-9_]+")
WORD_BYTES = re.compile(rb"[a-z0-9_]+")
WORDS = (3, 3)


def shingles(text: str) -> list[str]:
    """Word 3-shingles, for the peers that take a list."""
    words = WORD.findall(text.lower())
    return list(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def shingles_bytes(text: str) -> list[bytes]:
    words = WORD_BYTES.findall(text.lower().encode())
    return list(map(b" ".join, zip(words, words[1:], words[2:], strict=False)))


def rensa_r(text: str, seed: int = 1) -> rensa.RMinHash:
    sketch = rensa.RMinHash(PERMUTATIONS, seed)
    sketch.update(shingles(text))
    return sketch


def rensa_c(text: str) -> rensa.CMinHash:
    sketch = rensa.CMinHash(PERMUTATIONS, 1)
    sketch.update(shingles(text))
    return sketch


def datasketch_default(text: str) -> datasketch.MinHash:
    sketch = datasketch.MinHash(PERMUTATIONS)
    sketch.update_batch(shingles_bytes(text))
    return sketch


class DatasketchTuned:
    """Permutations drawn once and shared by `copy`, and a faster hash than SHA-1."""

    def __init__(self, seed: int = 1) -> None:
        self.empty = datasketch.MinHash(PERMUTATIONS, seed=seed, hashfunc=xxh32_intdigest)

    def sketch(self, text: str) -> datasketch.MinHash:
        sketch = self.empty.copy()
        sketch.update_batch(shingles_bytes(text))
        return sketch


def gaoya(threshold: float = 0.8, bands: int = 16, rows: int = 8) -> MinHashStringIndex:
    """32-bit hashes; small vectors, which its documentation says are smallest and fastest where duplicates are few."""
    return MinHashStringIndex(32, threshold, bands, rows, None, "word", True, WORDS, "smallvec")


class Index:
    """An index by threshold, bands, rows and capacity: `sketch` makes of a text what `insert` and `query` take."""

    sketch: Any
    insert: Any
    query: Any


class RensaIndex(Index):
    """Gives candidates and compares nothing."""

    def __init__(self, threshold: float, bands: int, _rows: int, _capacity: int) -> None:
        index = rensa.RMinHashLSH(threshold, PERMUTATIONS, bands)
        self.sketch, self.insert, self.query = rensa_r, index.insert, index.query


class GaoyaIndex(Index):
    """Takes texts, and sketches in `insert` and again in `query`; compares candidates by their sketches."""

    def __init__(self, threshold: float, bands: int, rows: int, _capacity: int) -> None:
        index = gaoya(threshold, bands, rows)
        self.sketch, self.insert, self.query = str, index.insert_document, index.query


class DatasketchIndex(Index):
    """Gives candidates and compares nothing."""

    def __init__(self, threshold: float, bands: int, rows: int, _capacity: int) -> None:
        index = datasketch.MinHashLSH(threshold, PERMUTATIONS, params=(bands, rows))
        self.sketch, self.insert, self.query = DatasketchTuned().sketch, index.insert, index.query
