"""Other encodings: what `json.loads` decodes and HTTP compresses has the facts of the plain body, bounded."""

from __future__ import annotations

import codecs
import gzip
import json
import tracemalloc
import zlib
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt.helpers import SECRET, facts, is_nothing, said
from ratelimit_guard import prompt
from ratelimit_guard.prompt import MAX_BYTES, Reader

READER = Reader(secret=SECRET)
DOCUMENT = {
    "model": "m",
    "max_tokens": 5,
    "messages": [{"role": "system", "content": "Sei nett."}, {"role": "user", "content": "Größe? 漢字 😀 {x}"}],
}
TEXT = json.dumps(DOCUMENT, ensure_ascii=False)
PLAIN = TEXT.encode()
WANTED = facts(READER.read(PLAIN))
BOMS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def raw_deflate(data: bytes) -> bytes:
    """Deflate without its envelope, as some clients send it by mistake."""
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return pack.compress(data) + pack.flush()


@pytest.mark.parametrize("encoding", BOMS)
@pytest.mark.parametrize("marked", [True, False])
def test_encoding_that_json_detects_is_read(encoding: str, marked: bool) -> None:
    """UTF-16 and UTF-32, either end first, with a byte order mark or without: same facts, and spans that fit."""
    body = BOMS[encoding] * marked + TEXT.encode(encoding)
    assert json.loads(body) == DOCUMENT
    made = READER.read(body)
    assert facts(made) == WANTED
    assert said(made) == said(READER.read(PLAIN))
    plain = made.fields.body
    assert json.loads(plain.decode("utf-8-sig")) == DOCUMENT
    spans = [plain[start:end] for turn in made.fields.turns for start, end in turn.spans]
    assert [json.loads(span) for span in spans] == ["Sei nett.", "Größe? 漢字 😀 {x}"]
    assert {name: json.loads(plain[start:end]) for name, ((start, end),) in made.fields.spans.items()} == {
        "model": "m", "max_tokens": 5,
    }  # fmt: skip


@given(st.text(max_size=12), st.sampled_from(sorted(BOMS)), st.booleans(), st.booleans())
def test_any_text_in_any_encoding_is_read_as_json_reads_it(text: str, encoding: str, marked: bool, whole: bool) -> None:
    """Taken or refused as `json.loads` does, whatever it takes the encoding for."""
    body = BOMS[encoding] * marked + (json.dumps({"prompt": text}, ensure_ascii=False) if whole else text).encode(
        encoding
    )
    try:
        document = json.loads(body)
    except ValueError:
        assert READER.read(body).problem in {"not-json", "not-utf-8"}
        return
    made = READER.read(body)
    assert made.problem is None
    assert made.fields.user == (document["prompt"] if whole else "")


@pytest.mark.parametrize("encoding", BOMS)
@pytest.mark.parametrize("marks", [2, 3])
def test_second_byte_order_mark_is_refused(encoding: str, marks: int) -> None:
    """One mark belongs to the encoding, another is no JSON, as for `json.loads`."""
    body = BOMS[encoding] * marks + TEXT.encode(encoding)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(body)
    assert READER.read(body).problem in {"not-json", "not-utf-8"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8"])
def test_half_characters_are_no_obstacle(encoding: str) -> None:
    """`json.loads` lets raw lone surrogates pass, so they hide nothing."""
    body = '{"prompt":"one \ud800 two\udfff"}'.encode(encoding, "surrogatepass")
    assert json.loads(body) == {"prompt": "one \ud800 two\udfff"}
    made = READER.read(body)
    assert made.problem is None
    assert facts(made) == facts(READER.read(b'{"prompt":"one  two"}'))


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt":"Größe"}'.encode("latin-1"), '{"prompt":"Größe"}'.encode("cp037"),
        '{"prompt":"漢字"}'.encode("shift-jis"),
        '{"prompt":"漢字"}'.encode("utf-16")[:-1], '{"prompt":"漢字"}'.encode("utf-32")[:-3], codecs.BOM_UTF16_LE,
        '{"prompt":"+AGE-"'.encode("utf-7"), b"\xff\xfe\x00\xd8", b"\x00\x00\x11\x00" * 4, b"\xff\xfe{}",
    ],
    ids=repr,
)  # fmt: skip
def test_encoding_that_json_does_not_take_is_refused(body: bytes) -> None:
    """What no parser reads has a problem and no facts: also when it is cut within a character."""
    with pytest.raises(ValueError, match=r"."):
        json.loads(body)
    assert is_nothing(READER.read(body))
    assert READER.read(body).problem in {"not-utf-8", "not-json"}


def test_recoded_body_is_bounded_as_any_other() -> None:
    """The cap holds for the body as sent, and for the UTF-8 that it becomes."""
    body = json.dumps({"prompt": "漢字" * 20}, ensure_ascii=False).encode("utf-16-le")
    plain = len(body.decode("utf-16-le").encode())
    assert len(body) < plain
    for most, problem in [(len(body) - 1, "too-large"), (plain - 1, "too-large"), (plain, None)]:
        assert Reader(secret=SECRET, max_bytes=most).read(body).problem == problem


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", PLAIN), ("identity", PLAIN), (" ", PLAIN), ("gzip", gzip.compress(PLAIN)), ("GZip ", gzip.compress(PLAIN)),
        ("x-gzip", gzip.compress(PLAIN)), ("deflate", zlib.compress(PLAIN)), ("gzip", gzip.compress(PLAIN, 0)),
        ("gzip", gzip.compress(TEXT.encode("utf-16"))), ("deflate", zlib.compress(TEXT.encode("utf-32-be"), 9)),
        ("gzip", gzip.compress(codecs.BOM_UTF8 + PLAIN)),
    ],
)  # fmt: skip
def test_content_encoding_of_http_is_understood(encoding: str, body: bytes) -> None:
    """Gzip and deflate, however the header is written; spans point into the plain body."""
    for made in (READER.read(body, content_encoding=encoding), prompt.read(body, content_encoding=encoding)):
        assert made.problem is None
        assert said(made) == said(READER.read(PLAIN))
        ((start, end),) = made.fields.spans["max_tokens"]
        assert made.fields.body[start:end] == b"5"
    assert facts(READER.read(body, content_encoding=encoding)) == WANTED


def test_gzip_of_several_members_is_one_body() -> None:
    """A gzip file is one member or more (RFC 1952): `gzip.decompress` joins them, so nothing hides in the second."""
    body = gzip.compress(PLAIN[:40]) + gzip.compress(PLAIN[40:]) + gzip.compress(b"")
    assert gzip.decompress(body) == PLAIN
    assert facts(READER.read(body, content_encoding="gzip")) == WANTED


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate", "gzip;q=1", "*", "\uff47zip", "g\0zip"]
)  # fmt: skip
def test_content_encoding_that_is_not_understood_is_a_problem(encoding: str) -> None:
    """Said, and nothing read: also when the body happens to be plain."""
    for body in (PLAIN, gzip.compress(PLAIN), b""):
        made = READER.read(body, content_encoding=encoding)
        assert made.problem == "content-encoding"
        assert is_nothing(made)


BROKEN = {
    "plain": PLAIN,
    "not deflate": b"\x1f\x8b" + b"\xff" * 40,
    "raw deflate": raw_deflate(PLAIN),
    "wrong sum": gzip.compress(PLAIN)[:-8] + b"\0" * 8,
    "dictionary": b"\x78\xbb" + b"\0" * 40,
    "changed": bytes(byte ^ (place == 40) for place, byte in enumerate(gzip.compress(PLAIN))),
}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_compression_is_a_problem(name: str, encoding: str) -> None:
    """What does not unpack whole has no facts."""
    made = READER.read(BROKEN[name], content_encoding=encoding)
    assert made.problem == "not-gzip"
    assert is_nothing(made)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compression_cut_anywhere_is_a_problem(pack: Any) -> None:
    """Also when only the checksum is missing, by which time all text is there."""
    body = pack(PLAIN)
    for length in range(len(body)):
        made = READER.read(body[:length], content_encoding="gzip")
        assert made.problem in ({"not-gzip"} if length else {"not-gzip", "not-json"}), length
        assert is_nothing(made), length


def test_garbage_behind_compression_changes_nothing() -> None:
    """Whether a server takes such a body or not, the prompt in it is the one that was read, or none."""
    for garbage in (b"\0", b"\0" * 500, b"junk", PLAIN, b"\x1f\x8b", b"\xff" * 100_000):
        for pack in (gzip.compress, zlib.compress):
            made = READER.read(pack(PLAIN) + garbage, content_encoding="gzip")
            assert facts(made) == WANTED or (made.problem == "not-gzip" and is_nothing(made))


def test_crowd_of_gzip_members_is_read_in_one_pass() -> None:
    """A hundred thousand empty members are two megabytes: looking for the next one must not copy all that follow."""
    empty = gzip.compress(b"", 9, mtime=0)
    body = empty * 100_000 + gzip.compress(PLAIN)
    start = monotonic()
    made = READER.read(body, content_encoding="gzip")
    assert monotonic() - start < 2.0  # a tenth of it in one pass; minutes for the longest body if each copied the rest
    assert facts(made) == WANTED or made.problem is not None


def bomb(mebibytes: int, wbits: int) -> bytes:
    """Zeros that unpack to a thousand times their size: one packed piece, again and again."""
    pack = zlib.compressobj(9, zlib.DEFLATED, wbits)
    pack.compress(b" " * (1 << 20))
    start = zlib.compressobj(9, zlib.DEFLATED, wbits).flush(zlib.Z_FULL_FLUSH)
    piece = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = piece.compress(bytes(1 << 20)) + piece.flush(zlib.Z_FULL_FLUSH)
    return start + packed * mebibytes


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", zlib.MAX_WBITS | 16), ("deflate", zlib.MAX_WBITS)])
def test_bomb_stops_at_the_cap(encoding: str, wbits: int) -> None:
    """A gigabyte in a megabyte: as much memory as the longest body may take, and a little for the unpacking."""
    body = bomb(1_024, wbits)
    assert len(body) < 3 << 19
    assert len(zlib.decompressobj(wbits).decompress(body, 40 << 20)) == 40 << 20
    tracemalloc.start()
    try:
        made = READER.read(body, content_encoding=encoding)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BYTES
    finally:
        tracemalloc.stop()
    assert made.problem == "too-large"
    assert is_nothing(made)
    assert Reader(max_bytes=10_000).read(body, content_encoding=encoding).problem == "too-large"


def test_cap_holds_for_the_unpacked_body() -> None:
    """As long as allowed, one byte more, and a small cap with a body that is larger packed than plain."""
    for most, problem in [(len(PLAIN), None), (len(PLAIN) - 1, "too-large"), (1, "too-large")]:
        for pack, encoding in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
            made = Reader(secret=SECRET, max_bytes=most).read(pack(PLAIN), content_encoding=encoding)
            assert made.problem == problem


def test_bomb_in_another_encoding_is_bounded() -> None:
    """Unpacked to the cap in UTF-32: recoding it takes a few times the cap, and no more."""
    text = '{"prompt":"' + " a" * (MAX_BYTES // 8 - 10) + '"}'
    body = gzip.compress(text.encode("utf-32-le"), 1)
    tracemalloc.start()
    try:
        made = READER.read(body, content_encoding="gzip")
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_BYTES
    finally:
        tracemalloc.stop()
    assert made.problem is None
    assert made.left_out > 0


def test_scan_is_of_plain_utf8_only() -> None:
    """What a later step edits must be what was sent: other encodings are a problem there."""
    assert READER.scan(PLAIN).problem is None
    for body in (TEXT.encode("utf-16"), TEXT.encode("utf-32-le"), gzip.compress(PLAIN)):
        assert READER.scan(body).problem in {"not-json", "not-utf-8"}
