"""Sketches: small summaries of large sets and streams.

`MinHash` says how similar two texts or sets are, `MinHashLSH` finds what is similar, `HyperLogLog` counts what is
different, `SpaceSaving` finds what is frequent. Names and meaning are those of datasketch where they mean the same.

    >>> from ratelimit_guard.sketch import MinHash, MinHashLSH
    >>> one = MinHash.from_text("please translate the following text to German")
    >>> two = MinHash.from_text("Please translate the following text to French!")
    >>> round(one.jaccard(two), 3)
    0.667
    >>> index = MinHashLSH(capacity=1_000, threshold=0.5)
    >>> index.insert(1, one)
    >>> index.query(two)
    [1]
"""

from __future__ import annotations

from ratelimit_guard._core import sketch as _sketch

HyperLogLog = _sketch.HyperLogLog
MinHash = _sketch.MinHash
MinHashLSH = _sketch.MinHashLSH
SpaceSaving = _sketch.SpaceSaving

__all__ = ["HyperLogLog", "MinHash", "MinHashLSH", "SpaceSaving"]
