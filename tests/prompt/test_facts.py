"""What each fact says, and how much of it is kept."""

from __future__ import annotations

import copy
import pickle
from itertools import product
from math import sqrt
from random import Random
from struct import unpack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt.helpers import PANGRAM, READER, SECRET, STORY, ask, chat, facts, message, read
from ratelimit_guard._core import prompt as core
from ratelimit_guard.prompt import Reader
from ratelimit_guard.sketch import MinHash

if TYPE_CHECKING:
    from collections.abc import Callable


def test_conversation_is_the_same_while_it_grows() -> None:
    """Each request of a conversation begins with what the first one had."""
    turns = [message("user", [{"type": "text", "text": "How do owls fly?"}])]
    first = READER.read(ask("How do owls fly?")).conversation
    assert first == READER.read(chat(*turns)).conversation != 0
    for number in range(40):
        turns += [message("assistant", f"Answer {number}"), message("user", f"Question {number}")]
        made = READER.read(chat(message("system", f"It is {number} o'clock"), *turns))
        assert made.conversation == first
        assert made.user_turns == made.assistant_turns + 1 == number + 2
    assert READER.read(ask("How do cows fly?")).conversation != first
    assert READER.read(chat(message("assistant", "How do owls fly?"))).conversation == 0


STARTS = st.lists(
    st.tuples(
        st.text('ab \n.é漢😀\u0301\\"', max_size=20), st.sampled_from([1, 1, 1, 15, 60])
    ),  # what is read of a turn is bounded: invisible marks too
    min_size=1,
    max_size=4,
)


@given(STARTS, st.booleans(), st.sampled_from(["", "Be kind.", "owl"]))
def test_conversation_begins_alike_however_long(parts: list[tuple[str, int]], ascii_only: bool, system: str) -> None:
    """The first request, where the user's first turn is the last one too, and all that follow have one identifier."""
    texts = [{"type": "text", "text": text * times} for text, times in parts]
    turns = [message("system", system * (20_000 if system == "owl" else 1)), message("user", texts)]
    more = [message("assistant", "a " * 900), message("user", "and then?")]
    first = READER.read(chat(*turns, ascii_only=ascii_only)).conversation
    for grown in (more, more * 12):
        same = READER.read(chat(*turns, *grown, ascii_only=ascii_only)).conversation == first
        assert same


def test_conversation_begins_alike_behind_what_cannot_be_seen() -> None:
    """A thousand characters without ink before the first word hide nothing; what reads more of them is bounded."""
    for hidden in (10, 1_000):
        turns = [message("user", "\u200b" * hidden + "How do owls fly?")]
        grown = [*turns, message("assistant", "Well."), message("user", "Why?")]
        assert READER.read(chat(*turns)).conversation == READER.read(chat(*grown)).conversation


TEXTS = st.text(max_size=100) | st.text("aé1 .\n\"'\\漢😀ß\u0301x", max_size=1_000) | st.just(STORY * 3)


@given(TEXTS, TEXTS, st.booleans())
def test_answer_is_what_comes_back(question: str, text: str, ascii_only: bool) -> None:
    """The hash of a reply is the one that the next request shows, however the client writes it."""
    turns = [message("user", question), message("assistant", text), message("user", "go on")]
    made = READER.read(chat(*turns, ascii_only=ascii_only)).answers
    assert [(one, words) for one, _, words in made] == [READER.answer(text)]
    lines = [{"type": "text", "text": line} for line in text.split("\n")]
    in_parts = READER.read(chat(turns[0], message("assistant", lines), turns[2])).answers
    assert in_parts == made


def test_answer_counts_its_first_words() -> None:
    """Thirty-two words identify a turn; what follows may be cut off or differ."""
    words = [f"word{number}" for number in range(40)]
    assert READER.answer(" ".join(words)) == READER.answer(" ".join(words[:32])) != READER.answer(" ".join(words[:31]))
    assert READER.answer(" ".join(words))[1] == 32
    assert READER.answer("") == READER.answer(" ...\n") == (0, 0)
    assert READER.answer("\ud800 one \udfff two") == READER.answer("one two")


LONG_WORDS = {
    "german": [f"Donaudampfschifffahrt{chr(97 + number)}" for number in range(32)],
    "hindi": [f"प्रश्न{chr(0x915 + number)}" for number in range(32)],
    "code": [f"get_customer_address_{chr(97 + number)}" for number in range(26)] + ["a"] * 6,
    "table": [f"a{number}" + " " * 20 for number in range(32)],
}


@pytest.mark.parametrize("words", LONG_WORDS.values(), ids=LONG_WORDS)
def test_answer_of_long_words_counts_as_many(words: list[str]) -> None:
    """Thirty-two words are thirty-two words in every script; space before them that a client strips changes nothing."""
    text = " ".join(words)
    assert READER.answer(text)[1] == 32
    assert READER.answer("\n\n" + text) == READER.answer(text)
    assert READER.answer(" ".join([*words[:31], "other"])) != READER.answer(text)


def test_answers_are_the_last_eight() -> None:
    """In order, each with the turn before; one answer to two questions is linked to both."""
    turns = [
        each for n in range(12) for each in (message("user", f"question {n}"), message("assistant", f"answer {n}"))
    ]
    answers = READER.read(chat(*turns)).answers
    assert [(one, words) for one, _, words in answers] == [READER.answer(f"answer {n}") for n in range(4, 12)]
    assert len({link for _, link, _ in answers}) == 8
    yes = message("assistant", "yes")
    same = READER.read(chat(turns[0], yes, turns[2], yes)).answers
    assert same[0][0] == same[1][0]
    assert same[0][1] != same[1][1]


def test_digits_change_no_keys_and_slots_no_template() -> None:
    """What a program fills in: numbers, quotations, long words."""
    one = read(STORY)
    numbers = read(STORY.replace("25,000", "31,999").replace("15", "78").replace("3 wheels", "9 wheels"))
    assert (numbers.keys, numbers.prefixes, numbers.template) == (one.keys, one.prefixes, one.template)
    assert numbers.digest != one.digest
    filled = read(STORY.replace("why wheels at all?", "when").replace("15", "123456 7 internationalization"))
    assert filled.template == one.template
    assert filled.keys != one.keys


def test_prefixes_are_the_first_words_of_the_last_turn() -> None:
    """Of 4, 8 and 16 words, as many as there are."""
    words = PANGRAM.split()
    for length, steps in [(0, 0), (3, 0), (4, 1), (7, 1), (8, 2), (15, 2), (16, 3), (20, 3)]:
        assert read(" ".join(words[:length])).prefixes == read(PANGRAM).prefixes[:steps]
    system = chat(message("system", "Be kind to all owls"), message("user", PANGRAM))
    assert READER.read(system).prefixes == read(PANGRAM).prefixes


def test_segments_are_lines_and_sentences() -> None:
    """Each different one of three words or more, with its length, in order; wherever it is, its hash is the same."""
    text = "Tell me a story. No! It has 3.5 pages? Tell me a story.\nThank you\nwith two owls"
    segments = read(text).segments
    assert [words for _, words in segments] == [4, 5, 3]
    again = read("with two owls\nTell me a story").segments
    assert again == [segments[2], segments[0]]
    lines = read("\n".join(f"line number {number} of many" for number in range(100))).segments
    assert len(lines) == 32
    assert lines[:16] == read("\n".join(f"line number {number} of many" for number in range(16))).segments
    assert lines[16:] == read("\n".join(f"line number {number} of many" for number in range(84, 100))).segments


def test_keys_are_few_and_rising() -> None:
    """One in four runs of five words, of long prompts fewer; a passage keeps its keys in a longer text."""
    words = ["".join(letters) for letters in product("abcdefghijklmnopqr", repeat=3)]
    Random(3).shuffle(words)  # noqa: S311  a test repeats itself
    for length in (0, 4, 60, 250, 500, 2_000, 5_000):
        keys = read(" ".join(words[:length])).keys
        assert keys == sorted(set(keys))
        assert len(keys) <= 128
        assert bool(keys) == (length > 4)
        assert len(keys) < length / 2 + 1
    short, long = set(read(STORY).keys), set(read(STORY + " " + " ".join(words[:100])).keys)
    assert short
    assert short <= long
    assert set(read(" ".join(words[:5_000])).keys) & set(read(" ".join(words[2_000:4_000])).keys)


def test_what_is_too_long_is_left_out() -> None:
    """Head and tail of 18 KiB, of too many words the first; how much is missing at least is said."""
    whole = "longest " * (core.MAX_TEXT // 8)
    assert (read(whole).left_out, read(whole).words) == (0, core.MAX_TEXT // 8)
    middle = [read(whole + inside + whole) for inside in ("", "something else", "x" * 50_000)]
    assert all(each.left_out >= len(whole) for each in middle)
    assert middle[0].prefixes == middle[2].prefixes == read(whole).prefixes
    assert middle[0].digest == read(whole + whole * 5 + whole).digest  # the middle of a long prompt is not read
    assert read(whole + whole + "the end").digest != middle[0].digest
    letters = read("a " * (core.MAX_TEXT // 2))
    assert letters.words == core.MAX_WORDS < core.MAX_TEXT // 2
    assert 0 < letters.left_out <= core.MAX_TEXT - 2 * core.MAX_WORDS + 1  # the space behind the last word


def test_system_text_cannot_push_the_user_out_nor_the_other_way() -> None:
    """However long one of them is, some of the other is read."""
    for system, user in (("owl " * 50_000, STORY), (STORY, "owl " * 50_000), ("owl " * 50_000, "cat " * 50_000)):
        made = READER.read(chat(message("system", system), message("user", user)))
        assert made.left_out > 0
        other = READER.read(chat(message("system", system), message("user", "hen " + user)))
        third = READER.read(chat(message("system", "hen " + system), message("user", user)))
        assert len({made.digest, other.digest, third.digest}) == 3
        assert made.words <= core.MAX_WORDS


@pytest.mark.parametrize(
    "content",
    [
        STORY, "漢字かな交じり文の質問です" * 10, "".join(chr(0x4E00 + number) for number in range(100)), "😀😁😂" * 30,
        [{"type": "text", "text": letter} for letter in "abcdefghijklmnopqrstuvwxyz"],
    ],
    ids=["english", "japanese", "chinese", "emoji", "parts"],
)  # fmt: skip
def test_long_system_text_leaves_a_short_turn_whole(content: object) -> None:
    """A turn far below the quarter that is kept for it is read to its end, in every script and in parts."""
    system, turn = message("system", "You are a helpful assistant of the shop. " * 1_000), message("user", content)
    alone = READER.read(chat(turn, ascii_only=False))
    behind, before = (READER.read(chat(*both, ascii_only=False)) for both in ((system, turn), (turn, system)))
    assert alone.left_out == 0
    assert (behind.prefixes, behind.segments) == (before.prefixes, before.segments) == (alone.prefixes, alone.segments)
    assert behind.words == before.words == READER.read(chat(system)).words + alone.words


@pytest.mark.parametrize("text", ["one", "one two", STORY, STORY * 20, "same " * 8_000, "漢字" * 2_000, "😀"])
def test_features_are_a_vector_of_one_length(text: str) -> None:
    """128 signed bytes whose squares sum to 127 squared, but for rounding."""
    features = read(text).features
    assert len(features) == 128
    assert sqrt(sum(number**2 for number in unpack("128b", features))) == pytest.approx(127, abs=6)


def test_features_are_alike_for_texts_that_are() -> None:
    """A word more hardly turns the vector."""

    def cosine(one: str, other: str) -> float:
        left, right = (unpack("128b", read(text).features) for text in (one, other))
        return float(sum(a * b for a, b in zip(left, right, strict=True))) / 127**2

    assert cosine(STORY, STORY + " owls") > 0.9
    assert cosine(STORY, " ".join(reversed(STORY.split()))) > 0.9
    assert abs(cosine(PANGRAM, "Ἄνδρα μοι ἔννεπε Μοῦσα πολύτροπον ὃς μάλα πολλὰ πλάγχθη")) < 0.6


COPIES: list[Callable[[MinHash], MinHash]] = [
    MinHash.copy,
    copy.copy,
    copy.deepcopy,
    lambda made: pickle.loads(pickle.dumps(made)),  # noqa: S301  our own
    lambda made: MinHash.from_bytes(made.to_bytes()),
]


@pytest.mark.parametrize("way", COPIES)
def test_sketch_of_a_prompt_travels(way: Callable[[MinHash], MinHash]) -> None:
    """It can be kept and sent, and compares with later prompts of the same secret."""
    copied = way(read(STORY).minhash)
    assert copied == Reader(secret=SECRET).read(ask(STORY)).minhash
    assert copied.jaccard(read(STORY + " owls").minhash) > 0.9
    copied.update("x")
    assert read(STORY).minhash != copied


def test_sketch_of_a_prompt_is_a_copy() -> None:
    """What is done to it does not change the prompt."""
    made = read(STORY)
    made.minhash.clear()
    made.keys.clear()
    made.answers.append((1, 2, 3))
    made.fields.spans.clear()
    assert facts(made) == facts(read(STORY))
    assert made.fields.spans


def test_sketch_is_that_of_the_shingles() -> None:
    """Two prompts are as alike as their sets of three words."""
    words = [f"w{chr(97 + n)}" for n in range(20)]
    one, other = words, words[:10] + words[15:]
    sets = [{tuple(each[n : n + 3]) for n in range(len(each) - 2)} for each in (one, other)]
    wanted = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert read(" ".join(one)).minhash.jaccard(read(" ".join(other)).minhash) == wanted
