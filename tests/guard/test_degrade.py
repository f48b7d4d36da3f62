"""Degrading: the stated values change, and not one byte else."""

from __future__ import annotations

import doctest
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import degrade as module
from ratelimit_guard.degrade import Degraded, DegradeSettings, degrade, header_value
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.prompt import Reader

READER = Reader()
ALL = DegradeSettings(max_tokens=256, model={"big": "small", "huge": "big"})


def run(body: bytes | str, settings: DegradeSettings = ALL) -> Degraded:
    body = body.encode() if isinstance(body, str) else body
    return degrade(body, READER.scan(body), settings)


def test_the_example() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("body", "after", "what"),
    [
        (  # openai-chat
            '{"model":"big","messages":[],"max_completion_tokens":999,"n":3,"logprobs":true,"top_logprobs":5}',
            '{"model":"small","messages":[],"max_completion_tokens":256,"n":1,"logprobs":null,"top_logprobs":null}',
            ("logprobs", "max_tokens=256", "n=1", "model=small"),
        ),
        (  # openai-responses
            '{"model":"big","input":"x","max_output_tokens":999,"top_logprobs":5}',
            '{"model":"small","input":"x","max_output_tokens":256,"top_logprobs":null}',
            ("logprobs", "max_tokens=256", "model=small"),
        ),
        (  # openai-completions
            '{"model":"other","prompt":"x","max_tokens":999,"n":2,"best_of":7,"logprobs":0}',
            '{"model":"other","prompt":"x","max_tokens":256,"n":1,"best_of":1,"logprobs":null}',
            ("logprobs", "max_tokens=256", "n=1"),
        ),
        (  # anthropic
            '{"model":"huge","system":"n: 3","messages":[{"role":"user","content":"x"}],"max_tokens":4096}',
            '{"model":"big","system":"n: 3","messages":[{"role":"user","content":"x"}],"max_tokens":256}',
            ("max_tokens=256", "model=big"),
        ),
        (
            '{"prompt":"x","max_tokens_to_sample":4096}',
            '{"prompt":"x","max_tokens_to_sample":256}',
            ("max_tokens=256",),
        ),
        (  # gemini
            '{"contents":[],"generationConfig":{"maxOutputTokens":999,"candidateCount":4,"responseLogprobs":true,"logprobs":3}}',
            '{"contents":[],"generationConfig":{"maxOutputTokens":256,"candidateCount":1,"responseLogprobs":null,"logprobs":null}}',
            ("logprobs", "max_tokens=256", "n=1"),
        ),
        (
            '{"contents":[],"generation_config":{"max_output_tokens":999,"candidate_count":4}}',
            '{"contents":[],"generation_config":{"max_output_tokens":256,"candidate_count":1}}',
            ("max_tokens=256", "n=1"),
        ),
    ],
)
def test_every_dialect(body: str, after: str, what: tuple[str, ...]) -> None:
    assert run(body) == (after.encode(), what)


@pytest.mark.parametrize(
    ("body", "inserted"),
    [
        ('{"messages":[]}', '{"max_tokens":256,"messages":[]}'),
        (' \n{ "prompt":"x"}', ' \n{"max_tokens":256, "prompt":"x"}'),
        ('{"input":"x"}', '{"max_output_tokens":256,"input":"x"}'),
        # Keys of another API do not keep the cap away.
        ('{"messages":[],"contents":[]}', '{"max_tokens":256,"messages":[],"contents":[]}'),
        ('{"messages":[],"max_output_tokens":5}', '{"max_tokens":256,"messages":[],"max_output_tokens":5}'),
        (
            '{"messages":[],"generationConfig":{"maxOutputTokens":5}}',
            '{"max_tokens":256,"messages":[],"generationConfig":{"maxOutputTokens":5}}',
        ),
        (
            '{"messages":[{"max_tokens":5}],"prompt":"","max_tokens_to_sample":5}',
            '{"max_tokens":256,"messages":[{"max_tokens":5}],"prompt":"","max_tokens_to_sample":5}',
        ),
        ('{"messages":[],"input":""}', '{"max_tokens":256,"max_output_tokens":256,"messages":[],"input":""}'),
        ('{"m\\u0065ssages":[]}', '{"max_tokens":256,"m\\u0065ssages":[]}'),
    ],
)
def test_a_missing_cap_is_put_in_front(body: str, inserted: str) -> None:
    assert run(body) == (inserted.encode(), ("max_tokens=256",))


def test_a_byte_order_mark_stays_in_front() -> None:
    assert run(b'\xef\xbb\xbf{"messages":[]}').body == b'\xef\xbb\xbf{"max_tokens":256,"messages":[]}'


@pytest.mark.parametrize(
    "body",
    [
        '{"contents":[]}',
        '{"contents":[],"generationConfig":{}}',
        '{"messages":[],"max_tokens":256,"n":1,"logprobs":false,"top_logprobs":null,"model":"small"}',
        '{"messages":[],"max_completion_tokens":1e2,"n":null}',
        '{"messages":[],"max_tokens":0.5}',
        '{"messages":[],"max_tokens":5,"model":["big"]}',
        '{"messages":[],"max_tokens":5,"model":"BIG"}',
        '{"messages":[],"max_tokens":5,"meta":{"n":9,"logprobs":true,"model":"big"}}',
        "{}",
        "[]",
        '[{"messages":[],"n":3}]',
        '"x"',
        '{"messages":[],"n":3',
        "",
        b"\xff",
        "[" * 3000,
    ],
)
def test_nothing_to_change_gives_the_same_object(body: bytes | str) -> None:
    body = body.encode() if isinstance(body, str) else body
    after = run(body)
    assert after.body is body
    assert after.what == ()


@pytest.mark.parametrize(
    "value",
    [
        "257",
        "0",
        "-1",
        "null",
        '"300"',
        '"3"',
        "[]",
        '{"a":[1]}',
        "true",
        "NaN",
        "Infinity",
        "1e400",
        "2.57E+2",
        "9" * 5000,
    ],
)
def test_what_is_no_number_up_to_the_cap_becomes_the_cap(value: str) -> None:
    assert run(f'{{"messages":[],"max_tokens":{value}}}').body == b'{"messages":[],"max_tokens":256}'


@pytest.mark.parametrize("value", ["2", "0", "-1", '"1"', "[1]", "NaN"])
def test_what_is_no_single_answer_becomes_one(value: str) -> None:
    assert run(f'{{"max_tokens":1,"n":{value}}}') == (b'{"max_tokens":1,"n":1}', ("n=1",))


def test_every_spelling_in_one_body() -> None:
    body = (
        '{"max_tokens":null,"max_completion_tokens":9e9,"messages":[],"max_output_tokens":3,'
        '"generationConfig":{"maxOutputTokens":999}}'
    )
    after = run(body)
    assert after.body.decode() == body.replace("null", "256").replace("9e9", "256").replace("999", "256")
    assert after.what == ("max_tokens=256",)


def test_keys_in_escapes_and_keys_that_come_twice() -> None:
    body = r'{"n":9,"\u006e":8,"max_tokens":1,"messages":[],"\u006dodel":"b\u0069g"}'
    after = run(body)
    assert after.body.decode() == r'{"n":9,"\u006e":1,"max_tokens":1,"messages":[],"\u006dodel":"small"}'


def test_switched_off() -> None:
    off = DegradeSettings(strip_logprobs=False, single=False)
    assert run('{"n":3,"logprobs":true,"messages":[],"model":"big"}', off).what == ()


@pytest.mark.parametrize(
    ("fallback", "value"),
    [
        ("gpt-4o-mini", b"model=gpt-4o-mini"),
        ("org/small:3", b"model=org/small:3"),
        ("4o", b'model="4o"'),
        ('a "b" \\', b'model="a \\"b\\" \\\\"'),
        ("klein\u00e9", b"model"),
        ("a\r\nb: c", b"model"),
        ("x\n", b"model"),
    ],
)
def test_names_of_models_in_the_header(fallback: str, value: bytes) -> None:
    after = run('{"model":"big"}', DegradeSettings(model={"*": fallback}))
    assert header_value(after.what) == value
    assert json.loads(after.body) == {"model": fallback}


def test_a_named_model_comes_before_any_other() -> None:
    settings = DegradeSettings(model={"*": "tiny", "big": "small", "tiny": "tiny"})
    for model, fallback in (("big", "small"), ("\ud800", "tiny"), ("tiny", "tiny")):
        assert json.loads(run(json.dumps({"model": model}), settings).body) == {"model": fallback}


def test_a_compressed_body_becomes_plain() -> None:
    body = gzip.compress(b'{"messages":[],"max_tokens":1,"n":3}')
    fields = READER.read(body, content_encoding="gzip").fields
    assert degrade(body, fields, ALL) == (b'{"messages":[],"max_tokens":1,"n":1}', ("n=1",))
    assert degrade(body, fields, DegradeSettings(single=False)).body is body


def test_places_inside_each_other() -> None:
    reader = Reader(("odd", {"a": "n", "a.b": "max_tokens"}))
    body = b'{"a":{"b":999}}'
    assert degrade(body, reader.scan(body), ALL).body == b'{"a":1}'


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"max_tokens": 2**31}, {"model": {"big": ""}}])
def test_settings_that_mean_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DegradeSettings(**wrong)


# Against a walk over the parsed body

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 600)
    | st.floats(0, 600)
    | st.sampled_from(["big", "300", "\ud800", "é"])
)
CAPS = ["max_tokens", "max_completion_tokens", "max_tokens_to_sample", "max_output_tokens"]
OTHERS = ["model", "n", "best_of", "logprobs", "top_logprobs", "messages", "prompt", "input", "contents", "x\n"]
GEMINI = ["generationConfig", "maxOutputTokens", "candidateCount", "responseLogprobs"]
NAMES = st.sampled_from([*CAPS, *OTHERS, *GEMINI])


class Pairs(list[tuple[str, Any]]):
    """An object of which keys may come twice."""


VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=5).map(Pairs)
)
BODIES = st.lists(st.tuples(NAMES, VALUES), max_size=8).map(Pairs)


def written(value: Any, escape: bool) -> str:
    if isinstance(value, Pairs):
        return "{" + " ,".join(f"{key(name, escape)}: {written(inner, escape)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner, escape) for inner in value) + "]"
    return json.dumps(value)


def key(name: str, escape: bool) -> str:
    return f'"\\u{ord(name[0]):04x}{json.dumps(name[1:])[1:]}' if escape else json.dumps(name)


def expected(parsed: dict[str, Any]) -> dict[str, Any]:
    """The slow twin."""
    after = {name: replaced(name, value) for name, value in parsed.items()}
    config = parsed.get("generationConfig")
    if isinstance(config, dict):
        gemini = {
            "maxOutputTokens": "max_tokens",
            "max_output_tokens": "max_tokens",
            "candidateCount": "n",
            "responseLogprobs": "logprobs",
            "logprobs": "logprobs",
        }
        after["generationConfig"] = {
            name: replaced(gemini[name], value) if name in gemini else value for name, value in config.items()
        }
    no_cap = not {"max_tokens", "max_completion_tokens"} & set(parsed)
    is_stored = isinstance(parsed.get("prompt"), dict)
    is_completion = "prompt" in parsed and not is_stored and "max_tokens_to_sample" not in parsed
    if no_cap and ("messages" in parsed or is_completion):
        after["max_tokens"] = 256
    if ("input" in parsed or is_stored) and "max_output_tokens" not in parsed:
        after["max_output_tokens"] = 256
    return after


def replaced(name: str, value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in {"logprobs", "top_logprobs"}:
        return None if value is not False else False
    if name in CAPS:
        return value if number and 0 < value <= 256 else 256
    if name in {"n", "best_of"}:
        return value if value is None or (number and 0 < value <= 1) else 1
    if name == "model" and value == "big":
        return "small"
    return value


@given(body=BODIES, escape=st.booleans())
def test_nothing_but_the_stated_fields_changes(body: Pairs, escape: bool) -> None:
    text = written(body, escape)
    after = run(text)
    parsed = json.loads(text)
    assert json.loads(after.body) == expected(parsed)
    assert bool(after.what) == (after.body != text.encode())
    assert run(after.body) == (after.body, ())
