"""The official clients, unmodified, newest and oldest: answers, streams, limits, and what breaks off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from proxy.clients import BROKEN, FIRST, MAX_AT_ONCE_S, MAX_LATE_S, TEXT, skip_unless_there

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.clients import Sdk
    from proxy.helpers import Control
    from proxy.metered import Metered

    Fresh = Callable[[str], str]

CALLS = ["chat", "completions", "responses", "messages"]
STREAMS = {"chat": "stop", "completions": "stop", "responses": "completed", "messages": "end_turn"}


@pytest.mark.parametrize("call", CALLS)
def test_an_answer(sdk: Sdk, fresh: Fresh, call: str) -> None:
    skip_unless_there(sdk, call)
    assert sdk.call(call, fresh("wide")).facts == [{"text": TEXT, "usage": 3}]


def test_embeddings_and_models(sdk: Sdk, fresh: Fresh) -> None:
    key = fresh("wide")
    assert sdk.call("embeddings", key).facts == [{"vector": [0.5, -0.25], "usage": 7}]
    assert sdk.call("models", key).facts == [{"models": ["scripted"]}]


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("how", ["", "cut=1", "gzip=1", "delay_ms=2", "gzip=1,cut=5"])
def test_a_stream_completes(sdk: Sdk, fresh: Fresh, call: str, how: str) -> None:
    """Whole, in its pieces, with the reason of its end, wherever the upstream cuts its bytes."""
    skip_unless_there(sdk, call)
    seen = sdk.call(f"{call}_stream", fresh("wide"), f"script:{how}")
    assert seen.text == TEXT
    assert [fact["text"] for fact in seen.facts if fact["text"]] == ["wörd0 ", "wörd1 ", "wörd2 "]
    assert [fact["finish"] for fact in seen.facts if fact["finish"]] == [STREAMS[call]]


@pytest.mark.parametrize("call", ["chat", "chat_stream", "embeddings", "responses", "messages", "messages_stream"])
def test_a_refusal_is_typed(sdk: Sdk, fresh: Fresh, upstream: Control, call: str) -> None:
    """RateLimitError, before a stream as well; the upstream does not hear of it."""
    skip_unless_there(sdk, call)
    key, name = fresh("hour"), f"refused-{sdk.age}-{call}"
    assert not sdk.call(call, key, f"script:name={name}").error
    seen = sdk.call(call, key, f"script:name={name}", retries=0)
    assert seen.error["kinds"][0] == "RateLimitError"
    assert (seen.error["status_code"], len(seen.facts)) == (429, 1)
    assert "limit hour exceeded" in seen.error["error"]
    if "messages" not in call:
        assert (seen.error["code"], seen.error["type"]) == ("rate_limit_exceeded", "requests")
    assert len(upstream.requests(name)) == 1


@pytest.mark.parametrize("call", ["chat", "messages_stream"])
def test_a_client_waits_as_long_as_told(sdk: Sdk, fresh: Fresh, metered: Metered, upstream: Control, call: str) -> None:
    """One try more is enough, which it would not be after the half a second that clients wait by themselves."""
    key, name = fresh("moment"), f"waited-{sdk.age}-{call}"
    assert not sdk.call(call, key, f"script:name={name}").error
    asked = time.monotonic()
    refusal = metered.http.post("/v1/embeddings", headers={"Authorization": f"Bearer {key}"})
    assert refusal.status_code == 429
    seen = sdk.call(call, key, f"script:name={name}", retries=1)
    waited, told = time.monotonic() - asked, float(refusal.headers["retry-after-ms"]) / 1_000
    assert seen.text == TEXT
    assert told <= waited < told + MAX_LATE_S
    assert len(upstream.requests(name)) == 2


@pytest.mark.parametrize("call", ["chat", "messages"])
def test_a_client_does_not_wait_for_an_hour(sdk: Sdk, fresh: Fresh, call: str) -> None:
    """`x-should-retry: false`: it raises at once, tries left or not."""
    key = fresh("hour")
    assert not sdk.call(call, key).error
    seen = sdk.call(call, key, retries=2)
    assert seen.error["kinds"][0] == "RateLimitError"
    assert seen.seconds < MAX_AT_ONCE_S


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("how", ["close", "tear"])
def test_a_stream_that_breaks_off_raises(sdk: Sdk, fresh: Fresh, call: str, how: str) -> None:
    """A typed error after all that came before it, and never an end that looks like one."""
    skip_unless_there(sdk, call)
    place = {"close": FIRST[call] + 2, "tear": FIRST[call] + 3}[how]
    seen = sdk.call(f"{call}_stream", fresh("wide"), f"script:{how}={place}", retries=0)
    assert seen.error["kinds"][0] == BROKEN.get((sdk.age, call), BROKEN[sdk.age, ""])
    assert seen.text
    assert TEXT.startswith(seen.text)
    assert not any(fact.get("finish") for fact in seen.facts)


@pytest.mark.parametrize("call", ["chat", "messages", "messages_stream"])
def test_an_error_of_the_upstream(sdk: Sdk, fresh: Fresh, call: str) -> None:
    """Passes with its status, body and request's name; none at all is a 502."""
    key = fresh("wide")
    error = sdk.call(call, key, "script:status=503", retries=0).error
    assert "InternalServerError" in error["kinds"]
    assert (error["status_code"], "as the script says" in error["error"]) == (503, True)
    if sdk.age == "newest":
        assert error["request_id"] == "req_upstream"
    error = sdk.call(call, key, "script:close=-1", retries=0).error
    assert (error["status_code"], "cannot be reached" in error["error"]) == (502, True)
