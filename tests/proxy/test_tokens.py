"""The official clients where tokens and slots are counted: refusals, waits, streams that are cut or break off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.clients import BROKEN, FIRST, MAX_AT_ONCE_S, MAX_LATE_S, TEXT, skip_unless_there
from proxy.metered import SLICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.clients import Sdk, Seen
    from proxy.helpers import Control
    from proxy.metered import Metered

    Fresh = Callable[[str], str]

STREAMS = ["chat", "completions", "responses", "messages"]
LONG = "word " * 3_000
"""Surely more than 300 tokens: a quarter of them is."""
USED = 10
"""Tokens of prompt and answer, as the upstream says."""
SPOKEN = 100
"""More than the prompt and a few words are estimated at, with an event that cannot be read; less than a slice."""
FIELDS = {"chat": "x-ratelimit-{1}-{0}", "messages": "anthropic-ratelimit-{0}-{1}"}
UNITS, WHAT = ("requests", "tokens"), ("limit", "remaining", "reset")
LENGTH = {"chat": "length", "completions": "length", "responses": "incomplete", "messages": "max_tokens"}


def refused(sdk: Sdk, seen: Seen, call: str, kind: str) -> dict[str, Any]:
    """What a caller can know of a refusal; the header fields of its response."""
    error = seen.error
    assert (error["kinds"][0], error["status_code"], len(seen.facts)) == ("RateLimitError", 429, 1)
    fields: dict[str, Any] = error["fields"]
    if call.startswith("messages"):
        body = error["body"]
        assert (body["type"], body["error"]["type"]) == ("error", "rate_limit_error")
        assert body["error"]["details"] == {"error_code": "rate_limit_exceeded"}
        assert body["request_id"] == fields["request-id"]
        assert error["type"] == ("rate_limit_error" if sdk.age == "newest" else None)
    else:
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", kind)
    name = "request-id" if call.startswith("messages") else "x-request-id"
    assert fields[name].startswith("req_")
    assert error["request_id"] == (fields[name] if sdk.age == "newest" else None)
    return fields


@pytest.mark.parametrize("call", ["chat", "chat_stream", "responses", "embeddings", "messages", "messages_stream"])
@pytest.mark.parametrize("kind", ["requests", "tokens", "never"])
def test_a_refusal_says_of_what(
    sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str, kind: str
) -> None:
    """Typed, with its code, kind and id; not to be tried again in vain; of it nothing is charged."""
    skip_unless_there(sdk, call)
    key = fresh("hour" if kind == "requests" else "short")
    name = f"refused-{kind}-{sdk.age}-{call}"
    if kind != "never":
        assert not sdk.call(call, key, f"script:usage=x60,name={name}").error
    before = metered.settled(key), metered.used(key, "requests")
    seen = sdk.call(call, key, f"script:name={name}", **({"prompt": LONG} if kind == "never" else {}))
    fields = refused(sdk, seen, call, "requests" if kind == "requests" else "tokens")
    assert fields["x-should-retry"] == "false"
    assert ("retry-after-ms" in fields) is (kind != "never")
    assert seen.seconds < MAX_AT_ONCE_S
    assert (metered.settled(key), metered.used(key, "requests")) == before
    assert len(upstream.requests(name)) == (kind != "never")


@pytest.mark.parametrize("call", ["chat", "messages_stream"])
def test_the_slots_are_taken(sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str) -> None:
    """Refused while another call is answered, told to come again in a second; then it is free."""
    key, name = fresh("single"), f"slots-{sdk.age}-{call}"
    asked = {"model": f"script:name={name},stall=1", "stream": True}
    with metered.http.stream("POST", "/v1/messages", json=asked, headers={"x-api-key": key}):
        upstream.wait_open(name, 1)
        fields = refused(sdk, sdk.call(call, key, retries=0), call, "requests")
        assert (fields["retry-after-ms"], "x-should-retry" in fields) == ("1000", False)
    metered.settled(key)
    assert sdk.call(call, key, retries=0).text == TEXT


@pytest.mark.parametrize("call", ["chat", "messages_stream"])
def test_a_client_waits_for_tokens(sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str) -> None:
    """As long as told, and one try more is enough."""
    key, name = fresh("second"), f"tokens-{sdk.age}-{call}"
    assert not sdk.call(call, key, f"script:name={name},usage=x60").error
    metered.settled(key)
    refusal = metered.http.post("/v1/messages", headers={"x-api-key": key}, json={"model": "m", "messages": []})
    assert refusal.status_code == 429
    seen = sdk.call(call, key, f"script:name={name}", retries=1)
    assert seen.text == TEXT
    assert seen.seconds < float(refusal.headers["retry-after-ms"]) / 1_000 + MAX_LATE_S
    assert len(upstream.requests(name)) == 2


@pytest.mark.parametrize("call", FIELDS)
def test_fields_on_every_answer(sdk: Sdk, fresh: Fresh, call: str) -> None:
    """In the way of the API, on a document and then on a stream, as they are while the call is in flight."""
    heads = [fact["fields"] for fact in sdk.call(f"{call}_fields", fresh("wide")).facts]
    assert len(heads) == 2
    for made, fields in enumerate(heads, 1):
        told = {(unit, what): fields[FIELDS[call].format(unit, what)] for unit in UNITS for what in WHAT}
        assert (told["requests", "limit"], told["requests", "remaining"]) == ("60", str(60 - made))
        assert told["tokens", "limit"] == "100000"
        assert 100_000 - made * (SLICE + SPOKEN) < int(told["tokens", "remaining"]) < 100_000
        assert told["tokens", "reset"]
        assert {"ratelimit", "ratelimit-policy"} <= fields.keys()


@pytest.mark.parametrize("call", FIELDS)
def test_fields_of_the_upstream_are_not_the_callers(sdk: Sdk, fresh: Fresh, call: str) -> None:
    """OpenAI and Anthropic tell their customer, the proxy, what is left to it: with every answer."""
    for fact in sdk.call(f"{call}_fields", fresh("wide"), "script:limits=1").facts:
        assert fact["fields"][FIELDS[call].format("requests", "limit")] == "60"


@pytest.mark.parametrize("call", [*STREAMS, "chat_stream", "completions_stream", "responses_stream", "messages_stream"])
def test_what_was_used_is_what_the_upstream_says(sdk: Sdk, fresh: Fresh, metered: Metered, call: str) -> None:
    """Of streams too, whether or not their caller asked for it; the slot is free again."""
    skip_unless_there(sdk, call)
    key = fresh("wide")
    assert sdk.call(call, key).text == TEXT
    assert (metered.settled(key), metered.used(key, "requests")) == (USED, 1)


@pytest.mark.parametrize("how", ["", "cut=1", "gzip=1", "cut=7"])
def test_usage_that_was_not_asked_for_is_not_seen(sdk: Sdk, fresh: Fresh, upstream: Control, how: str) -> None:
    """The upstream was asked for it; no event without choices comes, and none with a usage."""
    key, name = fresh("wide"), f"usage-{sdk.age}-{how}".replace("=", "").replace(",", "")
    for unasked in ({}, {"usage": False}):
        facts = sdk.call("chat_stream", key, f"script:name={name},{how}", **unasked).facts
        assert {(fact["usage"], fact["choices"]) for fact in facts} == {(None, 1)}
    asked = sdk.call("chat_stream", key, f"script:name={name},{how}", usage=True).facts
    assert [(fact["usage"], fact["choices"]) for fact in asked[-2:]] == [(None, 1), (3, 0)]
    for came in upstream.requests(name):
        assert json.loads(came["body"])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("call", ["chat", "chat_stream", "messages", "messages_stream"])
def test_calls_of_tools_pass(sdk: Sdk, fresh: Fresh, metered: Metered, call: str) -> None:
    if (sdk.age, call) == ("oldest", "messages_stream"):
        pytest.skip("anthropic 0.16 has no tools")
    key = fresh("wide")
    seen = sdk.call(call, key, "script:tool=1")
    assert json.loads(seen.text) == {"text": TEXT}
    if "stream" in call:
        assert seen.facts[-1 if call == "chat_stream" else -2]["finish"] in {"tool_calls", "tool_use"}
    assert metered.settled(key) == USED


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("how", ["close", "tear"])
def test_a_stream_that_breaks_off_is_settled_as_far_as_it_came(
    sdk: Sdk, fresh: Fresh, metered: Metered, call: str, how: str
) -> None:
    skip_unless_there(sdk, call)
    key, place = fresh("wide"), FIRST[call] + {"close": 2, "tear": 3}[how]
    seen = sdk.call(f"{call}_stream", key, f"script:{how}={place}", retries=0)
    assert seen.error["kinds"][0] == BROKEN.get((sdk.age, call), BROKEN[sdk.age, ""])
    assert seen.text
    assert 0 < metered.settled(key) < SPOKEN
    assert metered.used(key, "requests") == 1


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("more", [{"timeout": 0.2}, {"leave": 2}])
def test_who_leaves_a_stream_frees_what_it_held(
    sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str, more: dict[str, Any]
) -> None:
    """By a time-out as by closing it: the upstream is not left waiting, and nothing stays reserved."""
    skip_unless_there(sdk, call)
    key, name = fresh("wide"), f"leaves-{sdk.age}-{call}-{len(more)}-{next(iter(more))}"
    seen = sdk.call(f"{call}_stream", key, f"script:name={name},stall=3", retries=0, **more)
    assert bool(seen.error) is ("timeout" in more)
    upstream.wait_open(name, 0)
    assert 0 < metered.settled(key) < SPOKEN


@pytest.mark.parametrize("call", ["chat", "messages"])
def test_who_leaves_before_the_answer_pays_for_the_request_alone(
    sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str
) -> None:
    key, name = fresh("wide"), f"early-{sdk.age}-{call}"
    error = sdk.call(call, key, f"script:name={name},stall=-1", retries=0, timeout=0.2).error
    assert error["kinds"][0] == "APITimeoutError"
    upstream.wait_open(name, 0)
    assert (metered.settled(key), metered.used(key, "requests")) == (0, 1)


@pytest.mark.parametrize("script", ["status=503", "close=-1", "status=429,retry_after=0"])
def test_an_error_of_the_upstream_costs_the_request_alone(
    sdk: Sdk, fresh: Fresh, metered: Metered, script: str
) -> None:
    key = fresh("wide")
    assert sdk.call("chat", key, f"script:{script}", retries=0).error
    assert (metered.settled(key), metered.used(key, "requests")) == (0, 1)


@pytest.mark.parametrize("call", STREAMS)
def test_a_stream_whose_tokens_end_raises(
    sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str
) -> None:
    """A typed error that says why, after all that was paid for; the upstream stops; the tokens are gone."""
    skip_unless_there(sdk, call)
    key, name = fresh("short"), f"cut-{sdk.age}-{call}"
    seen = sdk.call(f"{call}_stream", key, f"script:name={name},chunks=20000", retries=0)
    assert seen.error["kinds"][0] in {"APIError", "APIStatusError"}
    if call != "messages":
        assert (seen.error["code"], seen.error["type"]) == ("rate_limit_exceeded", "tokens")
    if call == "messages" or sdk.age == "newest":
        assert "the limit of tokens was reached" in seen.error["error"]
    assert 0 < seen.text.count("wörd") < 300
    assert not any(fact.get("finish") for fact in seen.facts)
    upstream.wait_open(name, 0)
    assert 300 - SPOKEN < metered.settled(key, "short") <= metered.used(key, "tokens") < 300 + SLICE
    refused(sdk, sdk.call("chat", key, retries=0, prompt="word " * SPOKEN), "chat", "tokens")


@pytest.mark.parametrize("call", STREAMS)
def test_a_stream_whose_tokens_end_may_end_cleanly(
    sdk: Sdk, fresh: Fresh, finishing: Metered, upstream: Control, call: str
) -> None:
    """With `on_exhausted = "finish"`, as at max_tokens."""
    skip_unless_there(sdk, call)
    key, name = fresh("short"), f"finish-{sdk.age}-{call}"
    seen = sdk.call(f"{call}_stream", key, f"script:name={name},chunks=20000", retries=0, proxy=finishing.url)
    assert not seen.error
    assert 0 < seen.text.count("wörd") < 300
    assert [fact["finish"] for fact in seen.facts if fact["finish"]] == [LENGTH[call]]
    upstream.wait_open(name, 0)
    assert 300 - SPOKEN < finishing.settled(key, "short") <= 300


@pytest.mark.parametrize("call", STREAMS)
def test_a_coded_stream_whose_tokens_end_raises_too(sdk: Sdk, fresh: Fresh, metered: Metered, call: str) -> None:
    """It is broken off: no end that looks like one."""
    skip_unless_there(sdk, call)
    key = fresh("short")
    seen = sdk.call(f"{call}_stream", key, "script:gzip=2,chunks=20000", retries=0)
    assert metered.settled(key, "short") > 300 - SPOKEN
    assert seen.error
    assert not any(fact.get("finish") for fact in seen.facts)
