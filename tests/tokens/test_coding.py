"""Content codings of responses that pass: read wherever they are cut, with bounded work, and never an error."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import coding
from ratelimit_guard.coding import MAX_DECODED, MAX_MEMBERS, MAX_PIECE, Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n' * 50


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"gzip", gzip.compress),
    (b" X-GZIP ", gzip.compress),
    (b"deflate", zlib.compress),
    (b"deflate", raw_deflate),
    (b"zstd", zstd.compress),
    (b"identity", bytes),
    (b"", bytes),
]


def decoded(decoder: Decoder, raw: bytes, piece: int) -> bytes:
    return b"".join(decoder.feed(raw[start : start + piece]) for start in range(0, len(raw), piece))


@pytest.mark.parametrize(("name", "pack"), CODINGS)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_what_was_packed_is_read(name: bytes, pack: Callable[[bytes], bytes], piece: int) -> None:
    decoder = Decoder(name)
    assert decoder.is_known
    assert decoded(decoder, pack(TEXT), piece) == TEXT
    assert not decoder.gave_up


@pytest.mark.parametrize(("name", "pack"), CODINGS[:5])
def test_a_flush_shows_what_came_until_then(name: bytes, pack: Callable[[bytes], bytes]) -> None:
    """Several members are one text, as servers write that pack each piece by itself."""
    if name != b"deflate":
        assert decoded(Decoder(name), pack(TEXT) + pack(b"more"), 7) == TEXT + b"more"
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS)
    decoder = Decoder(b"deflate")
    for _ in range(3):
        assert decoder.feed(packer.compress(TEXT) + packer.flush(zlib.Z_SYNC_FLUSH)) == TEXT


@pytest.mark.parametrize("name", [b"br", b"compress", b"gzip, gzip", b"\xff"])
def test_other_codings_are_unknown(name: bytes) -> None:
    decoder = Decoder(name)
    assert (decoder.is_known, decoder.gave_up, decoder.feed(gzip.compress(TEXT))) == (False, True, b"")


@pytest.mark.parametrize("name", [b"gzip", b"zstd"])
def test_without_its_module_a_coding_is_unknown(name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "ZSTD", None)
    assert Decoder(name).is_known == (name == b"gzip")


@pytest.mark.parametrize(("name", "pack"), CODINGS[:5])
def test_a_bomb_in_one_piece_is_given_up(name: bytes, pack: Callable[[bytes], bytes]) -> None:
    decoder = Decoder(name)
    assert len(decoder.feed(pack(bytes(MAX_PIECE + 1)))) == MAX_PIECE
    assert decoder.gave_up
    assert decoder.feed(b"x") == b""
    decoder = Decoder(name)
    assert len(decoder.feed(pack(bytes(MAX_PIECE)))) == MAX_PIECE
    assert not decoder.gave_up


def test_a_bomb_in_many_pieces_is_given_up() -> None:
    decoder = Decoder(b"gzip")
    piece = gzip.compress(bytes(MAX_PIECE))
    sizes = [len(decoder.feed(piece)) for _ in range(MAX_DECODED // MAX_PIECE)]
    assert set(sizes) == {MAX_PIECE}
    assert len(decoder.feed(piece)) == 0
    assert decoder.gave_up


def test_too_many_members_are_given_up() -> None:
    decoder = Decoder(b"gzip")
    assert decoder.feed(gzip.compress(b"x") * (MAX_MEMBERS + 5)) == b"x" * MAX_MEMBERS
    assert decoder.gave_up


@given(name=st.sampled_from([name for name, _ in CODINGS[:5]]), raw=st.binary(max_size=100), piece=st.integers(1, 100))
def test_any_bytes_decode_to_something_or_nothing(name: bytes, raw: bytes, piece: int) -> None:
    for start in (b"", gzip.compress(TEXT)[:60], zlib.compress(TEXT)[:60], zstd.compress(TEXT)[:30]):
        assert len(decoded(Decoder(name), start + raw, piece)) <= MAX_DECODED


def test_a_text_is_cut_by_nothing_but_the_bounds() -> None:
    broken = gzip.compress(TEXT)[:-20]
    decoder = Decoder(b"gzip")
    found: Any = decoded(decoder, broken, 3)
    assert TEXT.startswith(found)
    assert found
    assert not decoder.gave_up
