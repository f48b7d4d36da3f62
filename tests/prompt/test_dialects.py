"""Dialects: the bodies of each API, and tables of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prompt.examples import ANTHROPIC, REALISTIC, SAID, SNAKES
from prompt.helpers import SECRET, facts, said
from ratelimit_guard.prompt import DIALECTS, Prompt, Reader

PARAMETERS: dict[str, dict[str, Any]] = {
    "openai-chat": {
        "model": "gpt-5-mini", "max_tokens": 300, "n": 2, "logprobs": True, "stream": True, "user_id": "customer-17",
        "tools": 1, "temperature": 0.2,
    },
    "openai-responses": {
        "model": "gpt-5", "max_tokens": 512, "n": None, "logprobs": False, "stream": False, "user_id": "reader-9",
        "tools": 2, "temperature": 1.0,
    },
    "openai-completions": {
        "model": "gpt-3.5-turbo-instruct", "max_tokens": 7, "n": 5, "logprobs": True, "stream": False, "user_id": "u-1",
        "tools": 0, "temperature": 0.0,
    },
    "openai-embeddings": {
        "model": "text-embedding-3-small", "max_tokens": None, "n": None, "logprobs": False, "stream": False,
        "user_id": "guest", "tools": 0, "temperature": None,
    },
    "anthropic": {
        "model": "claude-opus-4-1", "max_tokens": 1024, "n": None, "logprobs": False, "stream": True,
        "user_id": "account-3", "tools": 1, "temperature": 0.5,
    },
    "gemini": {
        "model": None, "max_tokens": 800, "n": 3, "logprobs": True, "stream": False, "user_id": None, "tools": 1,
        "temperature": 0.9,
    },
}  # fmt: skip


def parameters(prompt: Prompt) -> dict[str, Any]:
    """What the accessors say."""
    return {name: getattr(prompt.fields, name) for name in PARAMETERS["gemini"]}


def by_each(name: str, body: dict[str, Any]) -> list[Prompt]:
    """The body as read by its own dialect, and by a reader of all."""
    return [reader.read(json.dumps(body).encode()) for reader in (Reader(name, secret=SECRET), Reader(secret=SECRET))]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", REALISTIC)
def test_body_of_each_api_is_read(name: str, indent: int | None) -> None:
    """A body as the API's documentation has it: who says what, and what is asked for."""
    body = json.dumps(REALISTIC[name], indent=indent).encode()
    for reader in (Reader(name, secret=SECRET), Reader(secret=SECRET)):
        prompt = reader.read(body)
        assert prompt.problem is None
        assert said(prompt) == SAID[name]
        assert parameters(prompt) == PARAMETERS[name]
        assert prompt.fields.user == SAID[name][-1][1]
        assert prompt.fields.system == "\n".join(text for role, text in SAID[name] if role == "system")
        spans = [body[start:end] for turn in prompt.fields.turns for start, end in turn.spans]
        assert "\n".join(json.loads(span) for span in spans) == "\n".join(text for _, text in SAID[name])


def test_every_built_in_dialect_has_a_realistic_body() -> None:
    """A new dialect comes with a test."""
    assert set(REALISTIC) == set(DIALECTS)


def test_gemini_takes_snakes_and_single_parts() -> None:
    """The other spelling of every name, one object in place of an array, and a bare string."""
    for prompt in by_each("gemini", SNAKES):
        assert said(prompt) == [("system", "You are a snake."), ("user", "Which kind?")]
        assert (prompt.fields.max_tokens, prompt.fields.n, prompt.fields.temperature) == (64, 1, 0.1)
    for prompt in by_each("gemini", {"contents": "Hello"}):
        assert said(prompt) == [("user", "Hello")]
    for prompt in by_each("gemini", {"requests": [{"content": {"parts": [{"text": "a"}]}}]}):
        assert said(prompt) == [("user", "a")]


def test_anthropic_system_may_be_a_string() -> None:
    """The short form of the system prompt, and the old form of the whole body."""
    for prompt in by_each("anthropic", ANTHROPIC | {"system": "Be kind."}):
        assert said(prompt)[0] == ("system", "Be kind.")
    for prompt in by_each("anthropic", {"prompt": "\n\nHuman: Hi\n\nAssistant:", "max_tokens_to_sample": 9}):
        assert said(prompt) == [("user", "\n\nHuman: Hi\n\nAssistant:")]
        assert prompt.fields.max_tokens == 9


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("once", ["once"]), ([1, 2, 3], ["1, 2, 3"]), ([[1, 2], [3]], ["1, 2\n3"]), (["a", 1, 2, "b"], ["a\n1, 2\nb"]),
        ([], []), ({}, []), (None, []), (True, []), (17, ["17"]), ([["a"]], ["a"]), ([[["a"]]], []),
    ],
)  # fmt: skip
def test_completion_prompts_of_every_form_are_read(prompt: object, texts: list[str]) -> None:
    """A string, strings, tokens, arrays of tokens, and what the API would refuse."""
    for read in by_each("openai-completions", {"prompt": prompt}):
        assert [text for _, text in said(read)] == texts


@pytest.mark.parametrize(
    ("batch", "text"),
    [(["The food was delicious", "The waiter was kind"], "The food was delicious\nThe waiter was kind"),
     ([[1, 2], [3]], "1, 2\n3"), ([1, 2, 3], "1, 2, 3")],
)  # fmt: skip
def test_batch_of_embeddings_is_read_whole(batch: object, text: str) -> None:
    """Texts in a list are one turn, so that all of them have facts; a reader of all dialects finds the same."""
    own, any_of_them = by_each("openai-embeddings", {"model": "m", "input": batch})
    assert said(own) == [("user", text)]
    assert said(any_of_them) == [("user", text)]
    assert facts(any_of_them) == facts(own)


def test_known_api_is_not_distracted_by_decoys() -> None:
    """What only other APIs look at changes no field and no fact."""
    decoys = {
        "input": "ignore me", "contents": "ignore me", "instructions": "ignore me", "suffix": "ignore me",
        "systemInstruction": {"parts": {"text": "ignore me"}}, "max_completion_tokens": 1, "max_output_tokens": 1,
        "generationConfig": {"maxOutputTokens": 1, "temperature": 1.0}, "n": 9, "user": "x", "functions": [1, 2],
    }  # fmt: skip
    reader = Reader("anthropic", secret=SECRET)
    plain = reader.read(json.dumps(ANTHROPIC).encode())
    for body in (decoys | ANTHROPIC, ANTHROPIC | decoys):
        prompt = reader.read(json.dumps(body).encode())
        assert said(prompt) == SAID["anthropic"]
        assert parameters(prompt) == PARAMETERS["anthropic"]
        assert facts(prompt) == facts(plain)
        assert facts(Reader(secret=SECRET).read(json.dumps(body).encode())) != facts(plain)


def test_last_of_a_repeated_key_counts() -> None:
    """As in every parser that the application may use; what only the first had is gone, and its places with it."""
    body = (
        b'{"messages":[{"role":"user","content":"first"}],"max_tokens":1,"model":"a",'
        b'"messages":[{"role":"user","content":"one","content":"two","role":"system","role":"assistant"}],'
        b'"max_tokens":2,"model":"b","model":null}'
    )
    prompt = Reader("openai-chat", secret=SECRET).read(body)
    assert said(prompt) == [("assistant", "two")]
    assert (prompt.fields.max_tokens, prompt.fields.model) == (2, None)
    assert {name: len(places) for name, places in prompt.fields.spans.items()} == {"max_tokens": 1, "model": 1}


def test_parameter_of_several_names_is_what_costs_most() -> None:
    """Nobody knows which name an application heeds: the largest number counts, and a switch is on when one is."""
    body = {
        "max_tokens": 9_000, "max_completion_tokens": 5, "max_output_tokens": "x", "max_tokens_to_sample": None,
        "generationConfig": {"maxOutputTokens": 8, "candidateCount": 4, "responseLogprobs": True, "logprobs": 0},
        "n": 1, "logprobs": False, "top_logprobs": None, "user": "bob", "safety_identifier": 5,
    }  # fmt: skip
    plain = json.dumps(body).encode()
    fields = Reader(secret=SECRET).scan(plain)
    assert (fields.max_tokens, fields.n, fields.logprobs, fields.user_id) == (9_000, 4, True, "bob")
    assert [json.loads(plain[start:end]) for start, end in fields.spans["max_tokens"]] == [9_000, 5, "x", None, 8]
    assert [json.loads(plain[start:end]) for start, end in fields.spans["user_id"]] == ["bob", 5]


@pytest.mark.parametrize("name", ["model", "user"])
@pytest.mark.parametrize("value", ["", '"', '""', 'a"', '"a', "\\", '\\"', "ключ", "\n", "a b"])
def test_names_are_read_as_they_are(name: str, value: str) -> None:
    """Quotes, backslashes and what else a name may hold or end with."""
    fields = Reader("openai-chat", secret=SECRET).scan(json.dumps({name: value}).encode())
    assert (fields.model if name == "model" else fields.user_id) == value


@pytest.mark.parametrize("name", ["max_tokens", "n"])
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0), ("18446744073709551615", 2**64 - 1), ("null", None), ("1.5", None), ("true", None), ('"7"', None),
        ("-1", None), ("[7]", None), ("NaN", None), ("18446744073709551616", 2**64 - 1),
        ("3e2", 300), ("3.0", 3), ("1e999", 2**64 - 1), ("-0", None), ("0.0", 0),
    ],
)  # fmt: skip
def test_whole_numbers_are_read(name: str, written: str, value: int | None) -> None:
    """A whole number in whatever form; what 64 bits cannot hold is the most that they can; none for another value."""
    fields = Reader("openai-chat", secret=SECRET).scan(f'{{"{name}":{written}}}'.encode())
    assert getattr(fields, name) == value


@pytest.mark.parametrize("name", ["logprobs", "top_logprobs"])
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("5", True), ("0.5", True), ("1", True), ("false", False), ("0", False), ("null", False),
        ('"5"', False), ("-1", False), ("0.0", False), ("-0", False), ("0e5", False), ("{}", False), ("[]", False),
        ("NaN", False),
    ],
)  # fmt: skip
def test_probabilities_are_asked_for_by_true_or_a_number(name: str, written: str, value: bool) -> None:
    """By `true` or by a number above 0, by nothing else."""
    assert Reader("openai-chat", secret=SECRET).scan(f'{{"{name}":{written}}}'.encode()).logprobs is value


@pytest.mark.parametrize("number", ["0", "1", "0.7", "1e-3", "-0.5", "1E+2", "18446744073709551616"])
def test_temperature_is_read_as_json_reads_it(number: str) -> None:
    """Every form of a number gives the float that `json.loads` gives."""
    fields = Reader(secret=SECRET).scan(b'{"temperature":%s}' % number.encode())
    assert fields.temperature == float(json.loads(number))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"0.7"', "true", "[0.7]", "null"])
def test_temperature_that_is_no_number_is_none(value: str) -> None:
    """Nothing can be computed with it."""
    assert Reader(secret=SECRET).scan(b'{"temperature":%s}' % value.encode()).temperature is None


def test_parameter_can_be_edited_where_it_stands() -> None:
    """A span replaces one value and leaves all other bytes alone."""
    body = b'{ "max_tokens"\t: 4096 ,"model":"a\\u0062c", "stream":true, "tools" : [ 1 , 2 ],"temperature":null }'
    fields = Reader("openai-chat", secret=SECRET).scan(body)
    spans = {name: place for name, (place,) in fields.spans.items()}
    assert {name: json.loads(body[start:end]) for name, (start, end) in spans.items()} == json.loads(body)
    start, end = spans["max_tokens"]
    assert json.loads(body[:start] + b"100" + body[end:]) == json.loads(body) | {"max_tokens": 100}
