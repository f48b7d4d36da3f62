"""What a call costs at the proxy: usage that lies, Gemini, budgets that many share, answers reserved in full."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from guard.servers import ROOT
from proxy.metered import SLICE
from ratelimit_guard.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from proxy.helpers import Control
    from proxy.metered import Metered

    Fresh = Callable[[str], str]

CHAT = "/v1/chat/completions"
ANSWER = "/v1beta/models/{model}:generateContent"
EVENTS = "/v1beta/models/{model}:streamGenerateContent?alt=sse"
PATHS = [CHAT, "/v1/completions", "/v1/responses", "/v1/messages"]
ASKED = [*((path, stream) for path in PATHS for stream in (False, True)), (ANSWER, False), (EVENTS, True)]
TURNS = [{"role": "user", "content": "Say something."}]
WORDS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": TURNS},
    "/v1/completions": {"prompt": "Say something."},
    "/v1/responses": {"input": "Say something."},
    "/v1/embeddings": {"input": "words"},
    "/v1/messages": {"messages": TURNS},
}
LONG = 20_000
"""Events of a stream that no quota here holds."""


def ask(proxy: Metered, key: str, path: str, model: str, **more: Any) -> httpx2.Response:
    words = WORDS.get(path, {"contents": [{"role": "user", "parts": [{"text": "Say something."}]}]})
    fields = {"authorization": f"Bearer {key}"}
    return proxy.http.post(path.format(model=model), json={"model": model, **words, **more}, headers=fields)


def events(answer: httpx2.Response) -> list[dict[str, Any]]:
    """The data of a stream."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("lie", ["negative", "string", "huge"])
@pytest.mark.parametrize(("path", "stream"), ASKED)
def test_usage_that_is_no_count_is_as_if_nothing_was_said(
    metered: Metered, fresh: Fresh, path: str, stream: bool, lie: str
) -> None:
    """What was counted is settled: more than the upstream's truth would be, and less than was reserved."""
    used = []
    for usage in ("missing", lie):
        key, pad = fresh("lone"), "x" * (20 - len(usage))
        assert ask(metered, key, path, f"script:usage={usage},name={pad}", stream=stream).status_code == 200
        used.append(metered.settled(key, "lone"))
    assert used[0] == used[1]
    assert 10 < used[0] < SLICE


@pytest.mark.parametrize(("path", "stream"), ASKED)
def test_a_usage_that_is_too_much_is_charged(metered: Metered, fresh: Fresh, path: str, stream: bool) -> None:
    """The upstream's word counts, for the call that it is about: others who ask the same model are not refused."""
    key, model = fresh("lone"), f"script:usage=x3,name=much{PATHS.index(path) if path in PATHS else 'g'}{stream}"
    assert ask(metered, key, path, model, stream=stream).status_code == 200
    assert metered.settled(key, "lone") == 30
    model = model.replace("x3", "x1000000")
    assert ask(metered, key, path, model, stream=stream).status_code == 200
    assert metered.settled(key, "lone") == 100_000
    assert ask(metered, key, path, "script:", stream=stream).status_code == 429
    for _ in range(2):
        assert ask(metered, fresh("lone"), path, model, stream=stream).status_code == 200


def test_embeddings_cost_their_prompt(metered: Metered, fresh: Fresh) -> None:
    key = fresh("lone")
    assert ask(metered, key, "/v1/embeddings", "script:").status_code == 200
    assert metered.settled(key, "lone") == 7


@pytest.mark.parametrize("path", [ANSWER, EVENTS])
def test_gemini_is_refused_in_its_words(metered: Metered, fresh: Fresh, path: str) -> None:
    key = fresh("short")
    assert ask(metered, key, path, "script:usage=x60").status_code == 200
    metered.settled(key)
    refusal = ask(metered, key, path, "script:")
    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    details = {one["@type"].rpartition(".")[2]: one for one in error["details"]}
    assert details["RetryInfo"]["retryDelay"] == f"{refusal.headers['retry-after']}s"
    assert details["ErrorInfo"]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert [one["quotaId"] for one in details["QuotaFailure"]["violations"]] == ["short"]
    assert details["RequestInfo"]["requestId"] == refusal.headers["x-request-id"]


def test_a_stream_of_gemini_is_cut(metered: Metered, fresh: Fresh, upstream: Control) -> None:
    key = fresh("short")
    *passed, last = events(ask(metered, key, EVENTS, f"script:name=gemini,chunks={LONG}"))
    assert all(event["candidates"] for event in passed)
    assert (last["error"]["code"], last["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    upstream.wait_open("gemini", 0)
    assert SLICE < metered.settled(key, "short") <= 300


def test_a_stream_of_gemini_ends_as_at_its_maximum(finishing: Metered, fresh: Fresh) -> None:
    key = fresh("short")
    last = events(ask(finishing, key, EVENTS, f"script:chunks={LONG}"))[-1]
    assert [one["finishReason"] for one in last["candidates"]] == ["MAX_TOKENS"]
    assert SLICE < finishing.settled(key, "short") <= 300


def test_a_line_without_end_is_cut_with_an_error_too(metered: Metered, fresh: Fresh) -> None:
    """64 KiB beyond the last token."""
    answer = ask(metered, fresh("short"), CHAT, "script:endless=1000000", stream=True)
    assert len(answer.content) < 200_000
    assert events(answer)[-1]["error"]["code"] == "rate_limit_exceeded"


def test_many_share_a_budget(metered: Metered, fresh: Fresh) -> None:
    """Together they use no more than it, and a slice for each of the streams in flight."""
    keys = [fresh("crowd") for _ in range(6)]

    def stream(key: str) -> httpx2.Response:
        return ask(metered, key, CHAT, f"script:chunks={LONG}", stream=True)

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(stream, keys))
    used = sum(metered.settled(key) for key in keys)
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert 300 - SLICE < used <= 300 + len(keys) * SLICE
    late = ask(metered, fresh("crowd"), CHAT, "script:")
    assert (late.status_code, late.json()["violated-policies"]) == (429, ["crowd"])
    assert late.json()["error"]["type"] == "tokens"


def test_a_budget_reserved_in_full_is_never_exceeded(firm: Metered, fresh: Fresh) -> None:
    """With `reserve = "max-tokens"`, by what the upstream says: sixteen at once, most of them refused."""
    keys = [fresh("crowd") for _ in range(16)]

    def call(key: str) -> httpx2.Response:
        return ask(firm, key, CHAT, f"script:chunks={LONG},delay_ms=1", max_tokens=50)

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(call, keys))
    for key in keys:
        firm.settled(key)
    said = [answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200]
    assert set(said) == {57}
    assert sum(said) == firm.used(keys[0], "crowd") <= 300
    assert [answer.json()["error"]["type"] for answer in answers if answer.status_code != 200].count("tokens") >= 11


@pytest.mark.parametrize(
    ("path", "asked", "name", "sent"),
    [
        (CHAT, {}, "max_tokens", 100),
        (CHAT, {"max_tokens": 9_999}, "max_tokens", 100),
        (CHAT, {"max_tokens": 10**30}, "max_tokens", 100),
        (CHAT, {"max_tokens": 5}, "max_tokens", 5),
        (CHAT, {"max_completion_tokens": 9_999}, "max_completion_tokens", 100),
        ("/v1/completions", {}, "max_tokens", 100),
        ("/v1/responses", {}, "max_output_tokens", 100),
        ("/v1/responses", {"max_output_tokens": 9_999}, "max_output_tokens", 100),
        ("/v1/messages", {"max_tokens": 9_999}, "max_tokens", 100),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_upstream_gets_the_maximum(
    firm: Metered, fresh: Fresh, upstream: Control, path: str, asked: dict[str, Any], name: str, sent: int, stream: bool
) -> None:
    """So an answer is never longer, and what is settled is what the upstream says."""
    key, called = fresh("wide"), f"firm{path}{stream}{asked}".translate(str.maketrans("", "", ":=,"))
    answer = ask(firm, key, path, f"script:name={called},chunks={LONG}", stream=stream, **asked)
    assert answer.status_code == 200
    [came] = upstream.requests(called)
    assert json.loads(came["body"])[name] == sent
    assert firm.settled(key) == 7 + sent


def test_a_response_to_a_stored_prompt_gets_the_maximum(firm: Metered, fresh: Fresh, upstream: Control) -> None:
    """Of the Responses API, whose `input` is optional beside a prompt that is stored at the upstream."""
    fields = {"authorization": f"Bearer {fresh('wide')}"}
    body = {"model": "script:name=stored", "prompt": {"id": "pmpt_1"}}
    assert firm.http.post("/v1/responses", json=body, headers=fields).status_code == 200
    [came] = upstream.requests("stored")
    sent = json.loads(came["body"])
    assert (sent.get("max_output_tokens"), "max_tokens" in sent) == (100, False)


@pytest.mark.parametrize("path", [ANSWER, EVENTS])
def test_gemini_gets_the_maximum_where_it_asks_for_more(
    firm: Metered, fresh: Fresh, upstream: Control, path: str
) -> None:
    name, config = f"firm{len(path)}", {"maxOutputTokens": 9_999}
    assert ask(firm, fresh("wide"), path, f"script:name={name}", generationConfig=config).status_code == 200
    [came] = upstream.requests(name)
    assert json.loads(came["body"])["generationConfig"] == {"maxOutputTokens": 100}


def test_the_tier_file_is_correct() -> None:
    """By the command that its first line names."""
    result = CliRunner().invoke(app, ["check", str(ROOT / "examples" / "llm_proxy.toml")])
    assert result.exit_code == 0, result.output
    for name in ("requests", "tokens", "at-once", "stranger", "fleet"):
        assert name in result.output
