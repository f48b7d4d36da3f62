"""Maps: the logs of gateways as they write them, and maps that operators write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from audit.logs import NOTHING, PREAMBLE, attacker, honest, jsonl, kind, levels, mixed, records, restricted, written
from detection.kinds import ask
from ratelimit_guard.audit import audit
from ratelimit_guard.audit.maps import PRESETS, REQUIRED, read_map
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from audit.logs import Record
    from ratelimit_guard.audit import AccountResult

ODD = [
    ask(f'Say "{word}" \\ twice,\r\n\tthen \u0001 and \x7f:\n{word} {number} 💥 naïve \u2028 \ud7ff', 90 + number)
    for number, word in enumerate(("“Zürich”", "東京の天気", "C:\\new\\table", '{"a": "b"}', "</script>", "\\u0041"))
]
"""Prompts with all that somebody may escape wrongly."""


def traffic() -> list[Record]:
    """Every kind of text, with refused calls and embeddings between."""
    chinese = records("chinese", kind("walk-chinese", 40), start=1_800_000_000.3)
    odd = records("odd", ODD * 3, start=1_800_000_000.7)
    every = mixed(honest(40), attacker(number=60), chinese, odd)
    for number, record in enumerate(every):
        record["status"] = 429 if number % 50 == 49 else 200
        record["path"] = "/v1/embeddings" if number % 60 == 59 else record["path"]
    return every


def litellm(record: Record) -> Record:
    """A StandardLoggingPayload, as LiteLLM's file, S3 and GCS loggers write it."""
    is_answered = record["status"] == 200
    tokens = record["usage"]["completion_tokens"]
    answer = {"role": "assistant", "content": "Here is what I think.\nFirst of all: no.", "tool_calls": None}
    return {
        "id": record["id"],
        "trace_id": f"trace-{record['id']}",
        "call_type": "aembedding" if record["path"] == "/v1/embeddings" else "acompletion",
        "cache_hit": None,
        "stream": True,
        "status": "success" if is_answered else "failure",
        "custom_llm_provider": "openai",
        "saved_cache_cost": 0.0,
        "startTime": record["time"],
        "endTime": record["time"] + 1.5,
        "completionStartTime": record["time"] + 0.2,
        "response_time": 1.5,
        "model": "gpt-5",
        "metadata": {
            "user_api_key_hash": record["account"],
            "user_api_key_alias": "an alias",
            "user_api_key_team_id": record["tenant"],
            "user_api_key_org_id": "an organisation",
            "requester_metadata": {"messages": [{"role": "user", "content": "not a prompt"}]},
        },
        "response_cost": 0.001,
        "total_tokens": tokens + 20,
        "prompt_tokens": 20,
        "completion_tokens": tokens,
        "request_tags": ["User-Agent: openai"],
        "end_user": "",
        "requester_ip_address": "192.0.2.7",
        "messages": record["request"]["messages"],
        "response": {"id": "chatcmpl-1", "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}]},
        "error_str": None if is_answered else "rate limited",
        "model_parameters": {"temperature": 0.7, "stream": True},
        "hidden_params": {"model_id": None, "additional_headers": {"x-ratelimit-limit-requests": 9}},
    }


def spend_log(record: Record) -> Record:
    """A row of LiteLLM_SpendLogs, exported as JSON: the body is an object, or a string of JSON."""
    body = record["request"]
    return {
        "request_id": record["id"],
        "call_type": "aembedding" if record["path"] == "/v1/embeddings" else "acompletion",
        "api_key": record["account"],
        "spend": 0.001,
        "completion_tokens": record["usage"]["completion_tokens"],
        "startTime": record["time"],
        "team_id": record["tenant"],
        "messages": "{}",
        "response": "{}",
        "proxy_server_request": body if record["id"].endswith("1") else json.dumps(body),
        "status": "success" if record["status"] == 200 else "failure",
        "metadata": {"user_api_key_alias": "an alias"},
    }


def as_nginx_escapes(text: str) -> str:
    """`escape=json`: quotes, backslashes and control characters; all else as it came."""
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    return "".join(named.get(char) or (f"\\u{ord(char):04X}" if char < " " else char) for char in text)


def nginx(record: Record) -> str:
    """A line of docs/audit.md's log_format, and the tokens that a gateway behind it knows."""
    values = {
        "msec": f"{record['time']:.3f}",
        "account": record["account"],
        "request_id": record["id"],
        "tenant": record["tenant"],
        "uri": record["path"],
        "status": str(record["status"]),
        "completion_tokens": str(record["usage"]["completion_tokens"]),
        "request_body": json.dumps(record["request"], ensure_ascii=record["id"].endswith("2")),
    }
    return "{" + ",".join(f'"{name}":"{as_nginx_escapes(value)}"' for name, value in values.items()) + "}\n"


WRITERS: dict[str, tuple[str, Callable[[Record], bytes]]] = {
    "litellm": ("litellm", lambda record: jsonl([litellm(record)])),
    "spend logs": ("litellm", lambda record: jsonl([spend_log(record)])),
    "nginx": ("nginx", lambda record: nginx(record).encode()),
}


def judged(path: Path, content: bytes, *words: str) -> tuple[AccountResult, ...]:
    """The accounts of a log that is read by a map."""
    result = audit([written(path, PREAMBLE + content)], baseline=NOTHING, columns=read_map(words))
    assert not result.skipped
    return result.accounts


@pytest.mark.parametrize("gateway", WRITERS)
def test_presets_read_what_gateways_write(gateway: str, tmp_path: Path) -> None:
    """The same traffic gets the same verdicts, to the last digit, whoever wrote it down."""
    every = traffic()
    preset, write = WRITERS[gateway]
    plain = judged(tmp_path / "plain", jsonl(every), "plain")
    assert judged(tmp_path / gateway, b"".join(map(write, every)), preset) == plain
    assert {account.account for account in plain if account.level == "throttle"} == {"attacker"}
    assert sum(account.answered - account.counted for account in plain) > 0


def test_odd_texts_are_read_as_they_were_sent() -> None:
    """The helper that writes like nginx escapes what JSON needs and nothing else."""
    for request in ODD:
        record = records("odd", [request])[0]
        line = json.loads(nginx(record))
        assert json.loads(line["request_body"]) == request.body
        assert json.loads(line["request_body"])["messages"][0]["content"].count('"') >= 2


def test_every_preset_says_what_is_needed() -> None:
    for name, preset in PRESETS.items():
        assert set(REQUIRED) <= set(preset)
        assert read_map([name]) == preset


def test_columns_of_words_replace_those_of_the_plain_map() -> None:
    """`--map account=user.id` leaves everything else where it was."""
    assert read_map(["account=user.id", "time=at,when"]) == PRESETS["plain"] | {
        "account": ("user.id",),
        "time": ("at", "when"),
    }


def test_later_maps_replace_columns_of_earlier_ones(tmp_path: Path) -> None:
    """Column by column, in the order of the command line."""
    file = tmp_path / "map.toml"
    file.write_text('account = ["user.id", "key"]\nstatus = "code"\n')
    assert read_map(["nginx", str(file), "account=who", "account=whoever"]) == PRESETS["nginx"] | {
        "account": ("whoever",),
        "status": ("code",),
    }
    assert read_map([str(file), "nginx"]) == PRESETS["nginx"]
    assert read_map(["account=who", "nginx"])["account"] == PRESETS["nginx"]["account"]


def reshaped(record: Record) -> Record:
    """As a gateway of one's own would have it."""
    return {
        "when": record["time"],
        "caller": {"key.id": None, "key": record["account"]}
        if record["id"].endswith("3")
        else {"id": record["account"]},
        "call": {"body": record["request"], "name": record["id"], "code": record["status"], "to": record["path"]},
        "billing": {"who": {"pays": record["tenant"]}, "out": record["usage"]["completion_tokens"]},
    }


def test_toml_file_maps_any_record(tmp_path: Path) -> None:
    """Nested keys, and several of which the first that is there counts."""
    file = tmp_path / "map.toml"
    file.write_text(
        'time = "when"\naccount = ["caller.id", "caller.key"]\nrequest = "call.body"\nid = "call.name"\n'
        'status = ["call.code"]\npath = "call.to"\ntenant = "billing.who.pays"\nanswer_tokens = "billing.out"\n'
    )
    every = traffic()
    plain = judged(tmp_path / "plain", jsonl(every), "plain")
    assert judged(tmp_path / "own", jsonl(map(reshaped, every)), str(file)) == plain


def test_first_path_that_is_there_and_not_null_counts(tmp_path: Path) -> None:
    """In the order of the map, not of the record."""
    rows: list[dict[str, Any]] = [
        {"b": "second", "a": "first"},
        {"a": None, "b": "second"},
        {"b": "second"},
    ]
    listed = [{"time": 1.8e9 + at, "request": {"prompt": "x"}, **row} for at, row in enumerate(rows)]
    result = audit([written(tmp_path / "log", jsonl(listed))], columns=read_map(["account=a,b"]))
    assert [(account.account, account.requests) for account in result.accounts] == [("first", 1), ("second", 2)]


def test_empty_path_is_the_whole_record(tmp_path: Path) -> None:
    """Where a gateway logs the body's keys beside its own."""
    every = [record | record["request"] | {"request": None} for record in mixed(honest(40), attacker())]
    result = audit([written(tmp_path / "log", every)], baseline=NOTHING, columns=read_map(["request="]))
    assert restricted(result) == {"attacker"}
    assert set(levels(result).values()) == {"none", "throttle"}


def test_map_may_leave_out_what_is_not_needed(tmp_path: Path) -> None:
    """Time, account and request are enough."""
    file = tmp_path / "map.toml"
    file.write_text('time = "time"\naccount = "account"\nrequest = "request"')
    result = audit([written(tmp_path / "log", attacker())], baseline=NOTHING, columns=read_map([str(file)]))
    (account,) = result.accounts
    assert (account.level, account.tenant, account.output_tokens) == ("throttle", "attacker", 0)
    assert account.flagged_request == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["lite-llm"], "no such map: 'lite-llm': write plain, litellm, nginx, a TOML file, or column=path"),
        (["nowhere.toml"], "no such map"),
        (["."], "no such map"),
        (["user=id"], "no such column: 'user': write one of time, account"),
        (["=id"], "no such column: ''"),
        (["Account=id"], "no such column: 'Account'"),
        (["plain", "x" * 500 + "=id"], "no such column: 'xxxx"),
    ],
)
def test_words_that_mean_nothing_are_named(words: list[str], text: str) -> None:
    """With what would be right."""
    with pytest.raises(ConfigError) as raised:
        read_map(words)
    assert text in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"account = ", "cannot read the map"),
        (b"\xff\xfe", "cannot read the map"),
        (b'account = "a"\naccount = "b"', "cannot read the map"),
        (b'user = "id"', "no such column: 'user'"),
        (b"account = 7", "account: write a path"),
        (b'account = ["a", 7]', "account: write a path"),
        (b'account = [["a"]]', "account: write a path"),
        (b'[account]\npath = "a"', "account: write a path"),
        (b'account = "a"', "does not say where time and request stand: add --map time=KEY"),
        (b"", "does not say where time and account and request stand"),
    ],
)
def test_files_that_mean_nothing_are_named(content: bytes, text: str, tmp_path: Path) -> None:
    """With what would be right."""
    file = tmp_path / "map.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_map([str(file)])
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["account=a..b"], "write keys of 1 to"),
        (["account=.a"], "write keys of 1 to"),
        (["account=a,,b", "request="], "another column has it"),
        (["account=" + "k" * 10_000], "write keys of 1 to"),
        (["account=a.b.c.d.e.f.g.h.i"], "more than 8 keys"),
        (["account=id"], "another column has it: give each its own"),
        (["account=a,a"], "another column has it"),
        (["account=" + ",".join(f"key{number}" for number in range(70))], "at most 64 paths"),
    ],
)
def test_paths_that_cannot_be_walked_are_named(words: list[str], text: str, tmp_path: Path) -> None:
    """When the log is opened."""
    with pytest.raises(ConfigError) as raised:
        audit([written(tmp_path / "log", b"{}")], columns=read_map(words))
    assert text in str(raised.value)
