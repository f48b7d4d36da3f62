"""Facts of a prompt: the same for every spelling, other ones for other words, and never more than they may be."""

from __future__ import annotations

import json
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from struct import unpack
from threading import Barrier
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt.helpers import (
    COUNTS,
    HASHES,
    LISTS,
    NOTHING,
    PANGRAM,
    READER,
    SECRET,
    STORY,
    ask,
    chat,
    facts,
    is_nothing,
    message,
    read,
    said,
)
from ratelimit_guard import UsageError, prompt
from ratelimit_guard.prompt import DIALECTS, Reader
from ratelimit_guard.sketch import MinHash

THREADS = 8


def every_escape(text: str) -> str:
    """A JSON string in which each character is written as an escape."""
    units = text.encode("utf-16-be", "surrogatepass")
    return '"' + "".join(f"\\u{unit:04x}" for (unit,) in zip(unpack(f">{len(units) // 2}H", units), strict=True)) + '"'


@given(st.text(max_size=200) | st.text("aé1 .\n\"'\\漢😀ß\u0301", max_size=200))
def test_spelling_of_json_makes_no_difference(text: str) -> None:
    """Raw UTF-8, the escapes that JSON needs, and an escape for every character have the same facts."""
    escaped = b'{"messages":[{"role":"user","content":%s}]}' % every_escape(text).encode()
    bodies = (ask(text), ask(text, ascii_only=False), escaped)
    one, *others = (facts(READER.read(body)) for body in bodies)
    assert others == [one, one]


@given(st.lists(st.text("abc 1.é漢", max_size=30), min_size=1, max_size=5))
def test_parts_are_lines(parts: list[str]) -> None:
    """Content in parts has the facts of one string of as many lines."""
    in_parts = READER.read(ask([{"type": "text", "text": part} for part in parts]))
    assert facts(in_parts) == facts(READER.read(ask("\n".join(parts))))
    assert facts(READER.read(ask(parts))) == facts(in_parts)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    "text",
    [
        "Crème brûlée à la Zoë", "Tiếng Việt rất đẹp", "Ångström naïve façade", "Ελληνικά άλφα ώμέγα", "ёлка йод",
        "ガギグゲゴ パピプペポ", "ｶﾞｷﾞ ﾊﾟﾋﾟ", "क़लम ज़मीन", "বাংলা কোথা", "ﬁne ﬂour", "① ② ½", "Ⅷ ℃ ™",
        "\uff11\uff12 \uff21\uff22",
    ],
)  # fmt: skip
def test_equivalent_characters_make_no_difference(text: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> None:
    """One text in each normal form of Unicode has one set of facts (not Hangul, nor letters of three parts)."""
    kept = ("digest", "template", "keys", "prefixes", "segments", "features", "words")
    one, other = facts(read(text)), facts(read(unicodedata.normalize(form, text)))
    assert {name: other[name] for name in kept} == {name: one[name] for name in kept}


@pytest.mark.parametrize(
    "other",
    [
        PANGRAM.upper(), PANGRAM.title(), PANGRAM.replace(" ", "  "), PANGRAM.replace(" ", "\u00a0"),
        PANGRAM.replace("o", "ó"), PANGRAM.replace("e", "\uff45"), PANGRAM.replace("t", "t\u200b"),
        PANGRAM.replace("a", "a" + "\u0300\u0316" * 20), PANGRAM.replace("d", "\U0001d41d"),
        PANGRAM.replace("i", "i\u00ad"), PANGRAM.replace("fox", "(fox)"), "\u202e" + PANGRAM,
        PANGRAM + "\ufeff",
    ],
)  # fmt: skip
def test_tricks_with_characters_make_no_difference(other: str) -> None:
    """Case, width, accents, spaces, punctuation and what cannot be seen do not make another prompt."""
    for name in ("words", "digest", "template", "keys", "prefixes", "features", "conversation"):
        assert getattr(read(other), name) == getattr(read(PANGRAM), name), name
    assert read(other).minhash == read(PANGRAM).minhash


@pytest.mark.parametrize(
    "other",
    [
        PANGRAM + " more", PANGRAM.replace("fox", "cat"), PANGRAM.replace("quick brown", "brown quick"),
        PANGRAM.replace("fox", "f ox"), PANGRAM.removesuffix(" nothing"), "",
    ],
)  # fmt: skip
def test_other_words_are_another_prompt(other: str) -> None:
    """A word more, less, changed or moved."""
    for name in ("digest", "template", "minhash"):
        assert getattr(read(other), name) != getattr(read(PANGRAM), name), name


def test_one_secret_gives_one_set_of_facts() -> None:
    """Facts compare between readers of one secret, and between bodies of different dialects."""
    body = chat(
        message("system", "Be kind."), message("user", STORY), message("assistant", STORY), message("user", STORY)
    )
    assert facts(Reader(secret=SECRET).read(body)) == facts(Reader("openai-chat", secret=SECRET).read(body))
    gemini = {"contents": [{"role": "user", "parts": [{"text": STORY}]}]}
    assert facts(READER.read(json.dumps(gemini).encode())) == facts(read(STORY))


def test_another_secret_changes_every_hash() -> None:
    """Nobody without the secret knows what a prompt hashes to; counts stay."""
    body = chat(
        message("system", "Be kind."), message("user", STORY), message("assistant", STORY), message("user", STORY)
    )
    one, other = READER.read(body), Reader(secret=SECRET + b"!").read(body)
    for name in (*HASHES, "features"):
        assert getattr(one, name) != getattr(other, name), name
    for name in LISTS:
        hashes = [{row if isinstance(row, int) else row[0] for row in getattr(each, name)} for each in (one, other)]
        assert hashes[0], name
        assert not hashes[0] & hashes[1], name
    assert {name: getattr(one, name) for name in COUNTS} == {name: getattr(other, name) for name in COUNTS}
    assert READER.answer(STORY)[0] != Reader(secret=SECRET + b"!").answer(STORY)[0]
    assert one.minhash.seed != other.minhash.seed
    with pytest.raises(UsageError, match="seed"):
        one.minhash.jaccard(other.minhash)


def test_readers_without_a_secret_draw_one() -> None:
    """Facts of the process's reader compare; those of two others do not."""
    assert facts(prompt.read(ask(STORY))) == facts(prompt.read(ask(STORY)))
    assert Reader().read(ask(STORY)).digest != Reader().read(ask(STORY)).digest


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b"null", b'"text"', b"5", b'{"messages":[]}', b'{"messages":null}', b'{"prompt":""}',
        b'{"prompt":[]}', b'{"messages":[{"role":"user","content":""}]}', b'{"messages":[{"role":"user"}]}',
        b'{"messages":{"role":"user","content":"no list"}}', b'{"messages":[["user","no object"]]}',
        b'{"Messages":[{"role":"user","content":"no such key"}]}', b'{"prompt":" \\n\\t ... !?"}', b'{"prompt":null}',
        b'{"prompt":"\\u0000\\u200b\\ud800"}',
    ],
)  # fmt: skip
def test_body_without_a_prompt_has_no_facts(body: bytes) -> None:
    """No problem and no words: hashes are 0 and lists empty."""
    made = READER.read(body)
    assert made.problem is None
    assert {**facts(made), "user_turns": 0} == NOTHING
    assert not made
    assert made.fields.body == body
    assert not any(made.features)
    assert made.minhash.is_empty()


def test_facts_are_of_system_and_last_turn() -> None:
    """What was said before counts as conversation only, wherever the system text stands."""
    turns = [message("user", "an old question about owls"), message("assistant", "an old answer")]
    last = [message("user", STORY)]
    system = [message("system", "Be kind to owls, always.")]
    short, early = READER.read(chat(*system, *last)), READER.read(chat(*system, *turns, *last))
    late = READER.read(chat(*turns, *last, *system))
    for name in ("words", "digest", "system", "template", "keys", "prefixes", "segments", "features"):
        assert getattr(short, name) == getattr(early, name) == getattr(late, name), name
    assert short.words == len(STORY.replace(",000", " 000").split()) + 5
    assert short.system == READER.read(chat(*system)).digest
    assert READER.read(chat(*last)).system == 0
    assert READER.read(chat(message("developer", "Be kind to owls, always."))).system == short.system


def test_turns_are_counted_by_role() -> None:
    """Tools and systems are no turns of the conversation; unknown roles are the user's."""
    body = chat(
        *(message(role, "x") for role in ("system", "user", "assistant", "tool", "wizard", "model", "developer"))
    )
    made = READER.read(body)
    assert (made.user_turns, made.assistant_turns) == (2, 2)
    assert [role for role, _ in said(made)] == ["system", "user", "assistant", "tool", "user", "assistant", "system"]


def test_prompt_and_fields_cannot_be_changed() -> None:
    """A fact is a fact."""
    made = read(STORY)
    for thing, name in [(made, "words"), (made, "new"), (made.fields, "model"), (made.fields.turns[0], "text")]:
        with pytest.raises(AttributeError):
            setattr(thing, name, "x")
    assert "Ada" not in repr(made) + repr(made.fields) + repr(made.fields.turns)


def test_scan_finds_what_read_finds() -> None:
    """Fields without facts: for those who only edit or count."""
    body = chat(message("system", "Be kind."), message("user", [{"text": "a"}, {"text": STORY}]))
    scanned, made = READER.scan(body), READER.read(body).fields
    assert [(turn.role, turn.text, turn.spans) for turn in scanned.turns] == [
        (turn.role, turn.text, turn.spans) for turn in made.turns
    ]
    assert (scanned.system, scanned.user, scanned.model) == ("Be kind.", "a\n" + STORY, "m")
    assert (scanned.problem, scanned.body) == (None, body)


@pytest.mark.parametrize("body", ["{}", bytearray(b"{}"), None, 5, ["{}"], {"prompt": "x"}])
def test_body_of_another_type_is_refused(body: Any) -> None:
    """A body is bytes: anything else is a mistake of the program, not of its client."""
    for call in (READER.read, READER.scan, prompt.read):
        with pytest.raises((UsageError, TypeError), match="bytes"):
            call(body)


def test_sketch_of_a_text_compares_with_prompts() -> None:
    """A text that is no body, such as an attack that is known, beside the prompts of the same reader."""
    assert READER.minhash(STORY) == read(STORY).minhash
    assert READER.minhash("") == read("").minhash
    with pytest.raises(UsageError, match="seed"):
        READER.minhash(STORY).jaccard(MinHash.from_text(STORY))


def test_body_without_a_content_encoding_is_plain() -> None:
    """A header that is absent is None in most frameworks."""
    assert facts(READER.read(ask(STORY), content_encoding=None)) == facts(read(STORY))
    assert facts(READER.read(ask(STORY), content_encoding="")) == facts(read(STORY))


@pytest.mark.parametrize("text", [b"answer", None, 5])
def test_answer_of_another_type_is_a_type_error(text: Any) -> None:
    """An answer is text."""
    with pytest.raises(TypeError):
        READER.answer(text)


def test_threads_get_what_one_thread_gets() -> None:
    """Eight threads with one reader, over bodies of all kinds and sizes."""
    bodies = [
        ask(STORY * (number % 40), f"{number}") if number % 7 else STORY.encode()[:number] for number in range(200)
    ]
    bodies += [
        chat(*(message("assistant", f"{n} {STORY}") for n in range(20)), ascii_only=False),
        ask("漢字😀" * 9_000),
    ]
    alone = [facts(READER.read(body)) for body in bodies]
    barrier = Barrier(THREADS)

    def work(number: int) -> list[dict[str, Any]]:
        barrier.wait()
        order = [*range(number, len(bodies)), *range(number)]
        made = {place: facts(READER.read(bodies[place])) for place in order}
        return [made[place] for place in range(len(bodies))]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(made == alone for made in pool.map(work, range(THREADS)))


def test_unreadable_body_has_a_problem_and_nothing_else() -> None:
    """Half a prompt is none: what stood before the mistake is not found either."""
    made = READER.read(ask(STORY)[:-1])
    assert made.problem == made.fields.problem == "not-json"
    assert is_nothing(made)
    assert (made.fields.turns, made.fields.spans, made.fields.model, made.fields.tools) == ([], {}, None, 0)
    assert (made.fields.system, made.fields.user) == ("", "")


def test_every_dialect_is_read_without_configuration() -> None:
    """The reader of all dialects is the one without any."""
    body = ask(STORY)
    assert facts(Reader(*DIALECTS, secret=SECRET).read(body)) == facts(READER.read(body))
