"""Decodes a response that passes, to read it: what is passed on stays as it came.

Reading is a courtesy, so its work is bounded: what decodes to too much, or not at all, is given up.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

MAX_PIECE = 1 << 20
"""Bytes that one piece may decode to: sixteen times a server's usual piece of 64 KiB, where compressed text is a tenth
of its length, and a millisecond of work.
"""
MAX_DECODED = 64 << 20
"""Bytes that a response may decode to: 300,000 events of a stream, more than the longest answer has."""
MAX_MEMBERS = 64
"""Members of gzip, or frames, of one response: servers write one, somebody who writes in pieces a few."""

PLAIN = frozenset({"", "identity"})
ZLIB = zlib.MAX_WBITS
ZIPPED = {"gzip": ZLIB | 16, "x-gzip": ZLIB | 16, "deflate": ZLIB}


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


ZSTD = _zstd()
"""The module, where there is one: part of Python from 3.14 on."""
ERRORS: tuple[type[Exception], ...] = (zlib.error, *((ZSTD.ZstdError,) if ZSTD else ()))


class Decoder:
    """Decodes the pieces of one response, wherever they were cut. Not to be shared by threads.

    Reads gzip and deflate, and zstd where Python has it (3.14, or the package backports.zstd). `is_known` says whether
    the coding is one of them; `gave_up`, that nothing more will be decoded: the coding is unknown, the bytes are not of
    it, or there is too much of them. Cost: 1.5 µs for an event, 1 ns for each byte of a long piece.
    """

    __slots__ = ("_coding", "_left", "_member", "_members", "gave_up", "is_known")

    def __init__(self, coding: bytes) -> None:
        """`coding` is the value of Content-Encoding."""
        self._coding = coding.decode("latin-1").strip().lower()
        self.is_known = self._coding in PLAIN or self._coding in ZIPPED or (self._coding == "zstd" and bool(ZSTD))
        self.gave_up = not self.is_known
        self._left = MAX_DECODED
        self._members = 0
        self._member: Any = None

    def feed(self, piece: bytes) -> bytes:
        """What the next piece decodes to, up to the bound; nothing once it gave up."""
        if self._coding in PLAIN:
            return piece
        decoded = bytearray()
        most = min(MAX_PIECE, self._left)
        while piece and not self.gave_up:
            piece = self._decode(piece, decoded, most)
        self._left -= len(decoded)
        return bytes(decoded)

    def _decode(self, piece: bytes, decoded: bytearray, most: int) -> bytes:
        """Decode up to the end of a member. What stands behind it."""
        if self._member is None:
            if self._members == MAX_MEMBERS:
                self.gave_up = True
                return b""
            self._member = _member(self._coding, piece)
            self._members += 1
        try:
            decoded += self._member.decompress(piece, most + 1 - len(decoded))
        except ERRORS:
            self.gave_up = True
            return b""
        if len(decoded) > most:
            del decoded[most:]
            self.gave_up = True
        if not self._member.eof:
            return b""
        rest: bytes = self._member.unused_data
        self._member = None
        return rest


def _member(coding: str, start: bytes) -> Any:
    if coding not in ZIPPED:
        return ZSTD.ZstdDecompressor()
    # Some servers take "deflate" by its word and leave zlib's frame out, which always begins with this.
    is_raw = coding == "deflate" and start[0] & 15 != zlib.DEFLATED
    return zlib.decompressobj(-ZLIB if is_raw else ZIPPED[coding])
