"""Bodies that no client sends: a stated problem or no facts, bounded, and never an exception."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt.examples import REALISTIC
from prompt.helpers import SECRET, ask, chat, facts, is_nothing, message
from ratelimit_guard._core import prompt as core
from ratelimit_guard.prompt import Prompt, Reader
from ratelimit_guard.sketch import MinHashLSH

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
READER = Reader(secret=SECRET)
PROBLEMS = {"too-large", "too-deep", "too-many", "not-json", "not-utf-8", "content-encoding", "not-gzip"}


def check_bounds(made: Prompt) -> None:
    """No fact is larger than it may be."""
    assert made.words <= core.MAX_WORDS
    assert len(made.keys) <= 128
    assert made.keys == sorted(set(made.keys))
    assert len(made.prefixes) <= 3
    assert len(made.segments) <= 32
    assert len(made.answers) <= 8
    assert len(made.features) == 128
    assert len(made.minhash.to_bytes()) <= 1_040
    hashes = [made.digest, made.system, made.template, made.conversation, *made.keys, *made.prefixes]
    hashes += [number for row in (*made.segments, *made.answers) for number in row]
    assert all(0 <= number < 2**64 for number in hashes)


@pytest.mark.parametrize("name", REALISTIC)
def test_body_cut_anywhere_is_refused(name: str) -> None:
    """An object that ends early is no JSON at any byte, also inside a character or escape."""
    text = json.dumps(REALISTIC[name] | {"note": "漢字 é 😀 \\"}, ensure_ascii=False)
    for body in (text.encode(), json.dumps(json.loads(text)).encode()):
        for length in range(len(body)):
            made = READER.read(body[:length])
            assert made.problem in {"not-json", "not-utf-8"}, length
            assert is_nothing(made), length
        assert READER.read(body).problem is None


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"messages":' * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"messages":[{"content":' + b"[" * 10_000 + b"]" * 10_000 + b"}]}", b'{"prompt":' + b"[" * 10_000,
        b'{"tools":' + b'[{"a":' * 5_000 + b"1" + b"}]" * 5_000 + b"}", b" " * MIB + b"[" * MIB,
        b'{"input":[{"content":[{"text":' + b'{"text":' * 10_000,
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_deep_nesting_is_a_problem(body: bytes) -> None:
    """No recursion, whatever is nested in what."""
    made = READER.read(body)
    assert made.problem == "too-deep"
    assert is_nothing(made)


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ('{"messages":[{"content":', "}]}"), ('{"prompt":', "}"), ('{"x":[', "]}"), ('[{"y":', "}]")],
)
def test_nesting_is_counted_from_the_body_on(before: str, after: str) -> None:
    """As many open arrays and objects as allowed, one more is too deep; wherever the nest begins."""
    around = sum(before.count(each) for each in "[{")
    for depth, problem in [(core.MAX_DEPTH, None), (core.MAX_DEPTH + 1, "too-deep")]:
        nest = "[" * (depth - around) + "]" * (depth - around)
        assert READER.read((before + nest + after).encode()).problem == problem


def test_body_of_fifty_megabytes_is_too_large() -> None:
    """Refused by its length before anything is read or copied."""
    for body in (b" " * (50 * MIB), b'{"prompt":"' + b"a" * (50 * MIB) + b'"}'):
        tracemalloc.start()
        try:
            made = READER.read(body)
            assert tracemalloc.get_traced_memory()[1] < MIB
        finally:
            tracemalloc.stop()
        assert made.problem == "too-large"
        assert is_nothing(made)


def test_body_of_fifty_megabytes_can_be_allowed() -> None:
    """A larger cap is a matter of configuration; facts cost no more."""
    made = Reader(secret=SECRET, max_bytes=64 * MIB).read(b'{"prompt":"' + b"word " * (10 * MIB) + b'"}')
    assert made.problem is None
    assert made.left_out >= 50 * MIB - core.MAX_TEXT
    check_bounds(made)


SMILEY = "😀"
LONG = {
    "emoji": SMILEY * (MIB // 4),
    "base64": base64.b64encode(bytes(range(256)) * 3_072).decode(),
    "one word": "a" * MIB,
    "one word of letters": "".join(chr(97 + number * number % 26) for number in range(MIB)),
    "one line of digits": "0123456789" * (MIB // 10),
    "marks on one letter": "a" + "\u0301" * (MIB // 2),
    "nothing to see": "\u200b" * (MIB // 3),
    "quotes": '"' * (MIB // 2),
    "backslashes": "\\" * (MIB // 2),
    "half characters": "\ud83d" * (MIB // 6),
    "one separator": "\x1f" * (MIB // 6),
    "sentences": "Ha ha ha! " * (MIB // 10),
    "lines": "\n" * (MIB // 2),
    "letters": "a b " * (MIB // 4),
    "ligatures": "\ufdfa" * (MIB // 3),
    "chinese": "漢字" * (MIB // 6),
    "numbers": "1.5 " * (MIB // 4),
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", LONG)
def test_megabyte_of_one_kind_is_bounded(name: str, ascii_only: bool) -> None:
    """Nothing grows with what a client can write a lot of, in any role."""
    text = LONG[name]
    for role in ("user", "system", "assistant", "tool"):
        body = chat(message("user", "x"), message(role, text), message("user", "y"), ascii_only=ascii_only)
        made = READER.read(body)
        assert made.problem is None
        check_bounds(made)
    made = READER.read(ask(text, ascii_only=ascii_only))
    check_bounds(made)
    assert made.left_out > 0
    assert READER.answer(text)[1] <= 32


def test_long_passage_in_one_word_is_found_again() -> None:
    """A run without spaces is cut by its own bytes: the same passage elsewhere has the same pieces."""
    passage = base64.b64encode(bytes(number * number % 251 for number in range(3_000))).decode()
    one, other = READER.read(ask("see " + passage)), READER.read(ask("and now look at this:Q" + passage))
    assert one.minhash.jaccard(other.minhash) > 0.9


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not-json"), (b" \n", "not-json"), (b"{", "not-json"), (b"{}{}", "not-json"), (b"{},", "not-json"),
        (b"[1,]", "not-json"), (b'{"a":1,}', "not-json"), (b"{'a':1}", "not-json"), (b'{"a" 1}', "not-json"),
        (b"{a:1}", "not-json"), (b"tru", "not-json"), (b"nul", "not-json"), (b"nan", "not-json"), (b"+1", "not-json"),
        (b"01", "not-json"), (b"1.", "not-json"), (b".5", "not-json"), (b"1e", "not-json"), (b"-", "not-json"),
        (b"-Inf", "not-json"), (b'"\\x41"', "not-json"), (b'"\\u12g4"', "not-json"), (b'"\\u 123"', "not-json"),
        (b'"\\u+123"', "not-json"), (b'"tab\there"', "not-json"), (b'"nul\x00"', "not-json"), (b'"open', "not-json"),
        (b'"\\', "not-json"), (b'"\\u123', "not-json"), (b"\x00", "not-json"), (b"{}\x00", "not-json"),
        (b"/* */{}", "not-json"), (b"{}//", "not-json"), (b"\x0b{}", "not-json"), (b"\xc2\xa0{}", "not-json"),
        (b"a=1&b=2", "not-json"), (b"<xml/>", "not-json"), (b'"\xff"', "not-utf-8"), (b'"\xc3"', "not-utf-8"),
        (b'"\xc0\x80"', "not-utf-8"), (b'"\xf5\x80\x80\x80"', "not-utf-8"), (b'"\xe2\x82"', "not-utf-8"),
        (b'{"a":"\xf4\x90\x80\x80"}', "not-utf-8"), (b"\x80", "not-utf-8"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_a_problem(body: bytes, problem: str) -> None:
    """As `json.loads` refuses it, with the reason."""
    with pytest.raises(ValueError, match=r"."):
        json.loads(body)
    made = READER.read(body)
    assert made.problem == problem
    assert is_nothing(made)
    assert made.fields.turns == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"prompt":"\\u0000"}', "\0"), (b'{"prompt":"\\ud800"}', "\ufffd"),
        (b'{"prompt":"\\udfff\\ud800x"}', "\ufffd\ufffdx"),
        (b'{"prompt":"\\ud83d\\ud83d\\ude00"}', "\ufffd😀"), (b'{"prompt":"\\uD83D\\uDE00"}', "😀"),
        (b'{"prompt":"\\ud83dx\\ude00"}', "\ufffdx\ufffd"),
        (b'{"pr\\u006Fmpt":"\\/\\b\\f\\n\\r\\t\\"\\\\"}', '/\b\f\n\r\t"\\'),
        (b'\xef\xbb\xbf{"prompt":"bom"}', "bom"), (b'{"prompt":"\xf4\x8f\xbf\xbf"}', "\U0010ffff"),
        (b'{"prompt":"\x7f"}', "\x7f"), (b'\r\n\t {"prompt"\n:\t"x"}\r\n', "x"),
    ],
)  # fmt: skip
def test_what_is_odd_json_is_read(body: bytes, text: str) -> None:
    """As `json.loads` reads it; half characters become U+FFFD."""
    made = READER.read(body)
    assert made.problem is None
    assert made.fields.user == text
    check_bounds(made)


def test_too_many_pieces_are_a_problem() -> None:
    """As many texts as allowed, one more is too many; also texts that others replace, roles and parameters."""
    assert READER.read(ask(["a"] * core.MAX_PIECES)).words == min(core.MAX_PIECES, core.MAX_WORDS)
    for body in (
        ask(["a"] * (core.MAX_PIECES + 1)),
        ask(*["a"] * (core.MAX_PIECES + 1)),
        b"{" + b",".join([b'"prompt":"a"'] * (core.MAX_PIECES + 1)) + b"}",
        b"{" + b",".join([b'"model":"a"'] * (core.MAX_PIECES + 1)) + b"}",
        b'{"messages":[{' + b",".join([b'"role":"user"'] * (core.MAX_PIECES + 1)) + b"}]}",
    ):
        made = READER.read(body)
        assert made.problem == "too-many"
        assert is_nothing(made)
    assert READER.read(chat(*({"role": "user"} for _ in range(2 * core.MAX_PIECES)))).problem is None


def test_key_that_comes_again_and_again_costs_no_more() -> None:
    """Objects full of one key, nested and replaced, are read in one pass."""
    turn = b'{"role":"user","content":[' + b",".join([b'{"text":"a","text":"b"}'] * 50) + b"]}"
    body = b"{" + b",".join([b'"messages":[%s]' % turn] * (core.MAX_PIECES // 100)) + b"}"
    made = READER.read(body)
    assert made.problem is None
    assert made.words == 50
    assert [turn.text for turn in made.fields.turns] == ["\n".join("b" * 50)]


def test_numbers_of_any_length_are_read() -> None:
    """What Python would refuse to count is a token, or as many as can be said."""
    digits = b"9" * MIB
    fields = READER.scan(b'{"prompt":[%s,1],"max_tokens":%s,"temperature":%s}' % (digits, digits, digits))
    assert [turn.spans for turn in fields.turns] == [[(11, 11 + MIB + 2)]]
    assert fields.max_tokens == 2**64 - 1
    assert fields.temperature is None


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing is raised, and what is refused has no facts."""
    for encoding in ("", "gzip", "deflate", "br"):
        made = READER.read(body, content_encoding=encoding)
        assert made.problem is None or made.problem in PROBLEMS
        assert made.problem is None or is_nothing(made)
        check_bounds(made)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["messages", "input", "prompt", "system", "contents", "tools", "model", "max_tokens"]), JSON)
def test_any_json_is_read(key: str, value: object) -> None:
    """Whatever stands where a prompt belongs."""
    for body in ({key: value}, {key: [value]}, {key: [{"role": value, "content": value, "parts": value}]}):
        made = READER.read(json.dumps(body).encode())
        assert made.problem is None
        check_bounds(made)
        for turn in made.fields.turns:
            assert turn.role in {"system", "user", "assistant", "tool"}
            assert turn.spans


def colliders() -> Iterator[bytes]:
    """Prompts that share nearly everything: they meet in most bands of an index."""
    shared = " ".join(f"instruction{chr(97 + number // 26)}{chr(97 + number % 26)} follows" for number in range(30))
    for number in range(3_000):
        yield ask(
            f"{shared} {'abcdefghij'[number % 10]}{'abcdefghij'[number // 10 % 10]}{'abcdefghij'[number // 100 % 10]}"
        )


def test_prompts_that_collide_in_an_index_are_bounded() -> None:
    """A crowd in the same places costs neither memory nor answers, and pushes no stranger out."""
    index = MinHashLSH(capacity=4_000)
    size = index.size_bytes
    stranger = READER.read(ask("Could you translate this short letter to my landlord into polite French?")).minhash
    index.insert(9_999, stranger)
    crowd = [READER.read(body).minhash for body in colliders()]
    for number, sketch in enumerate(crowd):
        index.insert(number, sketch)
    assert index.size_bytes == size
    found = index.search(crowd[0])
    assert 16 <= len(found) <= 16 * index.bands
    assert [similarity for _, similarity in found] == sorted((similarity for _, similarity in found), reverse=True)
    assert index.query(stranger) == [9_999]


def test_unreadable_bodies_leave_nothing_behind() -> None:
    """After any problem the same reader reads the next body as a new one does."""
    body = chat(message("system", "Be kind."), message("user", "Hello there, how are you today?"))
    wanted = facts(Reader(secret=SECRET).read(body))
    bad = [b"[" * 2_000, body[:-1], b"{" + b'"prompt":"a",' * 20_000, b"\xff", b" " * (17 * MIB), ask(SMILEY * 90_000)]
    for each in bad:
        READER.read(each)
        assert facts(READER.read(body)) == wanted
        assert [turn.role for turn in READER.scan(body).turns] == ["system", "user"]
