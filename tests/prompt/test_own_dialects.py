"""Readers of APIs of one's own: tables that are wrong say where, and settings are checked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prompt.examples import ANTHROPIC, CHAT, SAID
from prompt.helpers import SECRET, ask, said
from ratelimit_guard import ConfigError
from ratelimit_guard._core import prompt as core
from ratelimit_guard.prompt import DIALECTS, Reader


def test_own_dialect_stands_alone() -> None:
    """Only what it names is found; text outside of messages is the user's."""
    table = {"q": "text", "rules": "system", "log[].who": "role", "log[].what": "text", "opts.limit": "max_tokens"}
    body = {"q": "why?", "rules": "none", "log": [{"what": "hi", "who": "ai"}], "opts": {"limit": 5}, "prompt": "no"}
    prompt = Reader(("mine", table), secret=SECRET).read(json.dumps(body).encode())
    assert said(prompt) == [("user", "why?"), ("system", "none"), ("assistant", "hi")]
    assert prompt.fields.max_tokens == 5


def test_own_dialect_extends_built_in_ones() -> None:
    """A gateway that adds fields needs to name only those."""
    reader = Reader("openai-chat", ("mine", {"extra.context[]": "system", "messages[].note": "text"}), secret=SECRET)
    body = CHAT | {"extra": {"context": ["Today is Monday", 5]}}
    prompt = reader.read(json.dumps(body).encode())
    assert said(prompt) == [*SAID["openai-chat"], ("system", "Today is Monday\n5")]


def test_same_field_of_two_dialects_is_no_conflict() -> None:
    """Dialects may overlap, and one may be named twice."""
    reader = Reader("anthropic", "anthropic", ("mine", dict(DIALECTS["anthropic"])), secret=SECRET)
    assert said(reader.read(json.dumps(ANTHROPIC).encode())) == SAID["anthropic"]


@pytest.mark.parametrize("field", ["system", "user", "role", "model"])
def test_conflicting_field_is_a_config_error(field: str) -> None:
    """Two meanings of one place cannot both hold; the error says where."""
    with pytest.raises(ConfigError, match=r"\"mine\".*messages\[\]\.content"):
        Reader("openai-chat", ("mine", {"messages[].content": field}))


@pytest.mark.parametrize("field", ["", "texts", "Text", "max_completion_tokens", "user ", "\x00", "m" * 1_000])
def test_unknown_field_is_a_config_error(field: str) -> None:
    """The error names dialect and path, and the fields there are."""
    with pytest.raises(ConfigError, match=r"mine.*a\[\]\.b.*no such field: write text, system, .*temperature"):
        Reader(("mine", {"a[].b": field}))


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "a.", ".a", "a..b", "a[", "a]", "a][", "[a]", "a[0]", "a[]b", "a[].[]", "a.[]", "a[[]]", "[][", "a[ ]",
        ".".join("a" * 17), "a" + "[]" * 16, "[]" * 17, "a" + "[]" * 10_000, "k" * 65, "é" * 33,
    ],
)  # fmt: skip
def test_malformed_path_is_a_config_error(path: str) -> None:
    """The error names dialect and path, and says what to write."""
    with pytest.raises(ConfigError, match="mine") as caught:
        Reader(("mine", {path: "text"}))
    assert path[:20] in str(caught.value)


def test_longest_paths_are_looked_for() -> None:
    """Sixteen steps, keys of 64 bytes, array in array: what is allowed works, also at the root."""
    for path, body in [
        (".".join("a" * 16), '{"a":' * 16 + '"x"' + "}" * 16),
        ("a" + "[]" * 15, '{"a":' + "[" * 15 + '"x"' + "]" * 15 + "}"),
        ("[]" * 16, "[" * 16 + '"x"' + "]" * 16),
        ("k" * 64, '{"' + "k" * 64 + '":"x"}'),
        ("é" * 32, '{"' + "\\u00e9" * 32 + '":"x"}'),
        ("a b/c", '{"a b\\/c":"x"}'),
    ]:
        assert [turn.text for turn in Reader(("mine", {path: "text"})).scan(body.encode()).turns] == ["x"]


def test_too_many_paths_are_a_config_error() -> None:
    """256 paths of one table, 64 keys of one object: a scan is bounded."""
    paths = {f"k{number % 64}.m{number}": "text" for number in range(257)}
    Reader(("mine", dict(list(paths.items())[:256])))
    with pytest.raises(ConfigError, match="256"):
        Reader(("mine", paths))
    keys = {f"k{number}": "text" for number in range(65)}
    Reader(("mine", dict(list(keys.items())[:64])))
    with pytest.raises(ConfigError, match="64"):
        Reader(("mine", keys))


def test_role_stands_under_a_key() -> None:
    """An array of roles describes nothing."""
    with pytest.raises(ConfigError, match="mine"):
        Reader(("mine", {"roles[]": "role"}))


def test_unknown_dialect_is_a_config_error() -> None:
    """The error names what there is."""
    with pytest.raises(ConfigError, match=r"'openai'.*openai-chat.*gemini"):
        Reader("openai")


@pytest.mark.parametrize(
    "dialect",
    [
        5, None, b"anthropic", (), ("a",), ("a", "b", "c"), ("a", 5), ("a", None), (5, {}), (None, {}), ("a", {"x": 5}),
        ("a", {5: "text"}), ("a", {"\ud800": "text"}), ("a\ud800", {}), ("anthropic", "gemini"), {},
        ["anthropic", "gemini"],
    ],
    ids=repr,
)  # fmt: skip
def test_dialect_of_another_type_is_refused(dialect: Any) -> None:
    """What is no dialect is a config error, or a type error for what is of no use at all."""
    with pytest.raises((ConfigError, TypeError)):
        Reader(dialect)


def test_message_may_be_the_whole_body() -> None:
    """A role at the top makes the body one message, and so one turn."""
    reader = Reader(("mine", {"role": "role", "title": "text", "text": "text"}), secret=SECRET)
    prompt = reader.read(b'{"title":"Hello","role":"assistant","text":"there"}')
    assert [role for role, _ in said(prompt)] == ["assistant"]
    assert prompt.assistant_turns == 1


def test_one_key_is_one_turn_whatever_messages_it_could_have_had() -> None:
    """Outside of messages a turn is what one key says, unless a message parts it."""
    reader = Reader(("mine", {"a.b": "text", "a.c[].role": "role", "a.c[].text": "text", "a.d": "text"}), secret=SECRET)
    assert said(reader.read(b'{"a":{"b":"x","d":"y"}}')) == [("user", "x\ny")]
    assert said(reader.read(b'{"a":{"b":"x","c":[],"d":"y"}}')) == [("user", "x\ny")]
    parted = said(reader.read(b'{"a":{"b":"x","c":[{"role":"ai","text":"z"}],"d":"y"}}'))
    assert parted == [("user", "x"), ("assistant", "z"), ("user", "y")]


def test_parameter_may_be_a_value_or_in_an_object() -> None:
    """An API that takes both forms of a parameter is described by both paths."""
    reader = Reader(
        ("mine", {"user": "user_id", "user.id": "user_id", "limit": "max_tokens", "limit.most": "max_tokens"})
    )
    for body in (b'{"user":"bob","limit":5}', b'{"user":{"id":"bob"},"limit":{"most":5}}'):
        fields = reader.scan(body)
        assert (fields.user_id, fields.max_tokens) == ("bob", 5)


def test_tools_are_counted_whatever_else_they_are() -> None:
    """Elements that are text as well count one by one."""
    reader = Reader(("mine", {"x": "tools", "x[]": "text"}), secret=SECRET)
    assert reader.scan(b'{"x":["a","b","c"]}').tools == 3
    assert reader.scan(b'{"x":[1,2,3]}').tools == 3


@pytest.mark.parametrize("secret", [b"", b"fifteen bytes.."])
def test_short_secret_is_a_config_error(secret: bytes) -> None:
    """What can be guessed is no secret."""
    with pytest.raises(ConfigError, match="16 bytes"):
        Reader(secret=secret)


@pytest.mark.parametrize("secret", ["sixteen letters!", 5, bytearray(16), [1] * 16])
def test_secret_of_another_type_is_a_type_error(secret: Any) -> None:
    """Only bytes are a secret."""
    with pytest.raises(TypeError):
        Reader(secret=secret)


@pytest.mark.parametrize("most", [0, -1, 2**31, 10**50, 1.5, "1", None])
def test_max_bytes_out_of_range_is_a_config_error(most: Any) -> None:
    """From one byte to what spans can point into."""
    with pytest.raises(ConfigError):
        Reader(max_bytes=most)


def test_max_bytes_is_the_longest_body() -> None:
    """One byte more is too large."""
    reader = Reader(max_bytes=len(ask("hello")))
    assert reader.read(ask("hello")).problem is None
    assert reader.read(ask("hello!")).problem == "too-large"
    assert Reader(max_bytes=2**31 - 1).read(ask("hello")).words == 1


def test_tables_say_what_the_core_knows() -> None:
    """Every field of a built-in dialect is one that a table of one's own may use."""
    fields = {field for table in DIALECTS.values() for field in table.values()}
    assert fields <= {"text", "role", "system", "user", "assistant", "tool", *core.PARAMETERS}
    assert Reader(*((name, table) for name, table in DIALECTS.items()))
