"""`MinHash.from_text`: shingles of words in every script, sampled when there are many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard.sketch import MinHash

THREADS = 8


WORDS = st.lists(st.sampled_from(["red", "green", "blue", "one", "two", "three"]), max_size=40)


def shingles(words: list[str]) -> set[tuple[str, ...]]:
    """Runs of three words; a text of one or two is one run."""
    if len(words) < 3:
        return {tuple(words)} if words else set()
    return {tuple(words[place : place + 3]) for place in range(len(words) - 2)}


@given(WORDS, WORDS)
def test_texts_are_sets_of_word_shingles(ours: list[str], theirs: list[str]) -> None:
    """Two texts are as similar as their sets of three words."""
    left, right = shingles(ours), shingles(theirs)
    one, other = MinHash.from_text(" ".join(ours)), MinHash.from_text("\n".join(theirs).encode())
    assert one.count() == len(left)
    assert one.jaccard(other) == (len(left & right) / len(left | right) if left | right else 1.0)


PLAIN = "the quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.upper(), PLAIN.title(), f"  {PLAIN}\n", PLAIN.replace(" ", "\t\t"), PLAIN.replace(" ", ", "),
        f"«{PLAIN}»!",
        PLAIN.replace("o", "ö"), PLAIN.replace("e", "e\u0301"), PLAIN.replace("q", "\uff51"),
        PLAIN.replace("f", "\U0001d41f"),
        PLAIN.replace("k", "k\u200b"), PLAIN.replace(" ", "\u3000"), PLAIN.replace(" ", "\x1f"),
        PLAIN.replace(" ", "\0"),
        PLAIN.encode(), PLAIN.encode().replace(b" ", b"\xff"), PLAIN.encode().replace(b" ", b" \xed\xa0\x80 "),
        PLAIN.replace(" ", "\ud800"),
    ],
)  # fmt: skip
def test_spelling_of_a_text_makes_no_difference(text: str | bytes) -> None:
    """Case, width, accents, punctuation, and bytes that are no UTF-8."""
    assert MinHash.from_text(text) == MinHash.from_text(PLAIN)


@pytest.mark.parametrize(("upper", "lower"), [("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("STRAẞE", "straße")])
def test_case_makes_no_difference_in_other_scripts(upper: str, lower: str) -> None:
    """Letters of which one case has another number of characters, or two forms."""
    assert MinHash.from_text(f"zwei drei {upper} vier") == MinHash.from_text(f"zwei drei {lower} vier")


@pytest.mark.parametrize(
    ("text", "shingles"),
    [
        ("", 0), (" .,!? \n", 0), ("\u200b\ufeff", 0), ("one", 1), ("one two", 1), ("one two three", 1), ("a b c d", 2),
        ("漢字かなカナ", 4), ("ภาษา", 2), ("😀😁😂🤣", 2), ("😀😀😀😀", 1), ("snake_case is_one word_each", 1),
        ("it's", 1), ("3.14 is pi", 2), ("한국어 문장 입니다", 1), ("a漢b", 1),
    ],
)  # fmt: skip
def test_words_of_every_script_are_counted(text: str, shingles: int) -> None:
    """By spaces where a script has them, else by the character."""
    assert MinHash.from_text(text).count() == shingles
    assert MinHash.from_text(text).is_empty() == (not shingles)


def test_run_without_spaces_is_cut_by_its_own_content() -> None:
    """The same passage within two long runs makes them similar; the runs themselves need not begin alike."""
    passage = "".join(Random(5).choices("abcdefghijklmnop", k=2_000))  # noqa: S311  a test repeats itself
    one, other = MinHash.from_text("xyz" + passage), MinHash.from_text(passage + "qrs")
    assert one.jaccard(other) > 0.9
    assert MinHash.from_text("a" * 32).count() == 1
    assert MinHash.from_text("a" * 10**6).count() <= 5


def test_long_texts_are_sampled_alike() -> None:
    """From 4,096 words on one shingle in eight counts: two texts that share most still compare so."""
    words = [f"word{number}" for number in range(12_000)]
    one, other = MinHash.from_text(" ".join(words)), MinHash.from_text(" ".join(words[:9_000] + words[9_500:]))
    assert one.jaccard(other) == pytest.approx(0.95, abs=0.08)
    assert MinHash.from_text(" ".join(words[:4_000])).count() == pytest.approx(3_998, rel=0.4)
    assert MinHash.from_text(" ".join(words)).count() < 7_500


def test_text_of_many_megabytes_is_read_whole() -> None:
    """Without the lock of the interpreter, and with a sketch no larger than any other."""
    text = "a word after another " * 500_000
    assert MinHash.from_text(text).count() <= 10
    assert MinHash.from_text(text + "and an end") != MinHash.from_text(text)


def test_threads_read_texts_alike() -> None:
    """Each thread has buffers of its own, also for texts that are read without the interpreter lock."""
    texts = [f"{number} some words {number * 7} more " * size for number in range(8) for size in (1, 100, 20_000)]
    alone = [MinHash.from_text(text).to_bytes() for text in texts]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(3):
            assert list(pool.map(lambda text: MinHash.from_text(text).to_bytes(), texts)) == alone
