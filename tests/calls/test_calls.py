"""Calls through the middleware: what is reserved, settled, given back and never charged."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from calls.helpers import CHAT, GEMINI, POLICIES, ROUTES, Scene, ask, chunk, usage
from guard.helpers import complete
from ratelimit_guard import ConfigError, Guard

if TYPE_CHECKING:
    from ratelimit_guard.testing import ManualClock

LONG = "word " * 400


async def test_a_document_is_settled_by_its_usage(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": [], "usage": usage(40, 60)})
    reply = await scene.post(ask())
    assert reply.status == 200
    assert (scene.left("tokens"), scene.left("slots"), scene.left("calls")) == (9_900, 2, 99)
    used = scene.used[0]
    assert (used.model, used.input_tokens, used.output_tokens, used.said) == ("m", 40, 60, (40, 60))
    assert (used.ended, used.would_cut) == ("complete", False)


@pytest.mark.parametrize("wrong", [-1, "60", None, 10**18, 1e18, True, [60], {}])
async def test_usage_that_is_no_count_is_not_believed(clock: ManualClock, wrong: Any) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": [{"message": {"content": LONG}}], "usage": usage(wrong, wrong)})
    await scene.post(ask())
    counted = scene.used[0]
    assert 300 <= counted.output_tokens <= 600
    assert scene.left("tokens") == 10_000 - counted.input_tokens - counted.output_tokens


@pytest.mark.parametrize("body", [b"", b"not json", b"{", b"\xff\xfe", b"[" * 5_000])
async def test_what_is_no_prompt_is_estimated_by_its_length(clock: ManualClock, body: bytes) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": []})
    scene.upstream.bodies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": scene.upstream.headers})
        await send({"type": "http.response.body", "body": b"{}"})

    scene.app.app = app
    assert (await scene.post(body)).status == 200
    assert scene.used[0].estimated_input == len(body) // 4


async def test_a_refused_call_charges_nothing(clock: ManualClock) -> None:
    for refusing in POLICIES:
        quotas = {name: section["quota"] for name, section in POLICIES.items()}
        quotas[refusing] = {"calls": "1/hour", "tokens": "300 tokens/hour", "slots": "1 concurrent-requests"}[refusing]
        scene = Scene.of(clock, quotas)
        scene.upstream.document({"choices": [], "usage": usage(100, 200)})
        if refusing == "slots":
            started, go_on = asyncio.Event(), asyncio.Event()

            async def wait(_: int, started: asyncio.Event = started, go_on: asyncio.Event = go_on) -> None:
                started.set()
                await go_on.wait()

            scene.upstream.before = wait
            first = asyncio.create_task(scene.post(ask()))
            await started.wait()
        else:
            assert (await scene.post(ask())).status == 200
        before = {name: scene.left(name) for name in quotas}
        reply = await scene.post(ask())
        assert reply.status == 429, refusing
        assert {name: scene.left(name) for name in quotas} == before
        assert reply.json()["error"]["code"] == "rate_limit_exceeded"
        assert reply.json()["error"]["type"] == ("tokens" if refusing == "tokens" else "requests")
        if refusing == "slots":
            go_on.set()
            assert (await first).status == 200
            assert scene.left("slots") == 1


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_a_failed_call_gives_all_back_but_the_request(clock: ManualClock, status: int) -> None:
    scene = Scene(clock)
    scene.upstream.document({"error": {"message": "no"}}, status)
    assert (await scene.post(ask(LONG))).status == status
    assert (scene.left("tokens"), scene.left("slots"), scene.left("calls")) == (10_000, 2, 99)
    assert scene.used[0].ended == "failed"


async def test_an_app_that_raises_gives_all_back(clock: ManualClock) -> None:
    scene = Scene(clock)

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    scene.app.app = broken
    with pytest.raises(LookupError):
        await scene.post(ask(LONG))
    assert (scene.left("tokens"), scene.left("slots")) == (10_000, 2)


@pytest.mark.parametrize("began", [False, True])
async def test_a_cancelled_call_gives_back_what_it_has_not_used(clock: ManualClock, began: bool) -> None:
    scene = Scene(clock)
    scene.upstream.events([chunk(LONG), chunk(LONG)])
    waiting = asyncio.Event()

    async def wait(number: int) -> None:
        if number == int(began):
            waiting.set()
            await asyncio.Event().wait()

    scene.upstream.before = wait
    task = asyncio.create_task(scene.post(ask(stream=True)))
    await waiting.wait()
    assert (scene.left("slots"), scene.left("tokens") < 9_800) == (1, True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.left("slots") == 2
    spent = 10_000 - scene.left("tokens")
    assert (300 <= spent <= 600) if began else spent < 50


async def test_a_client_that_hangs_up_pays_for_what_it_got(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.events([chunk(LONG), chunk(LONG)])

    def gone(number: int) -> None:
        if number == 1:
            raise ConnectionResetError

    scene.upstream.before = gone
    with pytest.raises(ConnectionResetError):
        await scene.post(ask(stream=True))
    assert scene.left("slots") == 2
    assert scene.used[0].ended == "broken"
    assert 300 <= scene.used[0].output_tokens <= 600
    assert scene.left("tokens") == 10_000 - scene.used[0].input_tokens - scene.used[0].output_tokens


async def test_embeddings_reserve_no_answer(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"out": "100 output-tokens/minute", "in": "1_000 input-tokens/minute"})
    scene.upstream.document({"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}})
    seen: list[int] = []
    scene.upstream.before = lambda _: seen.append(scene.left("out"))
    assert (await scene.post({"model": "e", "input": "a text"}, "/v1/embeddings")).status == 200
    assert (seen, scene.left("out"), scene.left("in")) == ([100], 100, 993)


async def test_a_small_quota_is_not_refused_for_its_slice(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "60 tokens/minute"})
    scene.upstream.document({"choices": [], "usage": usage(12, 20)})
    assert (await scene.post(ask("hi"))).status == 200
    assert scene.left("tokens") == 28


async def test_a_prompt_that_never_fits_is_refused_for_good(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "60 tokens/minute"})
    reply = await scene.post(ask("word " * 5_000))
    assert (reply.status, reply.head["x-should-retry"], "retry-after" in reply.head) == (429, "false", False)
    assert scene.upstream.bodies == []


async def test_ratios_are_learned_for_each_model(clock: ManualClock) -> None:
    scene = Scene(clock, {"policies": {"tokens": {"quota": "10_000_000 tokens/minute"}}})
    reserved: list[int] = []
    scene.upstream.before = lambda _: reserved.append(10_000_000 - scene.left("tokens"))
    scene.upstream.document({"choices": [], "usage": usage(1_200, 1)})
    total = 0
    for _ in range(60):
        await scene.post(ask(LONG))
        reserved[-1] -= total
        total += 1_201
    assert reserved[0] < 800 < 1_200 + 256 <= reserved[-1] < 1_600
    await scene.post({**ask(LONG), "model": "other"})
    assert reserved[-1] - total == reserved[0]


async def test_firm_reservations_enforce_max_tokens(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "2_000 tokens/minute"}, reserve="max-tokens", max_tokens=500)
    seen: list[int] = []
    scene.upstream.before = lambda _: seen.append(2_000 - scene.left("tokens"))
    scene.upstream.document({"choices": [], "usage": usage(10, 5)})
    for more, expected in (({}, 500), ({"max_tokens": 100}, 100), ({"max_tokens": 9_999}, 500), ({"n": 2}, 1_000)):
        before = 2_000 - scene.left("tokens")
        assert (await scene.post(ask("hi", **more))).status == 200
        assert expected < seen[-1] - before < expected + 40
        assert scene.upstream.bodies[-1]["max_tokens"] == min(expected, 500)
    assert (await scene.post(ask("hi", n=4))).status == 429


async def test_shadow_policies_see_tokens_and_refuse_nothing(clock: ManualClock) -> None:
    policies = {"tokens": {"quota": "50 tokens/minute", "mode": "shadow"}, "calls": {"quota": "9/minute"}}
    events: list[Any] = []
    scene = Scene(clock, {"policies": policies}, hooks=[events.append])
    scene.upstream.document({"choices": [], "usage": usage(10, 45)})
    for _ in range(2):
        assert (await scene.post(ask("hi"))).status == 200
    assert scene.left("tokens") == 0
    assert [event.decision.would_refuse for event in events] == [(), ("tokens",)]


async def test_slots_hold_for_requests_without_a_prompt(clock: ManualClock) -> None:
    scene = Scene(clock)
    seen: list[int] = []
    scene.upstream.before = lambda _: seen.append(scene.left("slots"))
    scene.upstream.document({"data": []})
    assert (await scene.post(b"", "/v1/models", method="GET", headers=[])).status == 200
    assert (seen, scene.left("slots"), scene.left("tokens")) == ([1], 2, 10_000)


async def test_what_is_configured_wrongly() -> None:
    tokens = {"policies": {"tokens": {"quota": "9 tokens/minute"}}}
    with pytest.raises(ConfigError, match="body = true, and there is none"):
        Guard.from_dict(complete(tokens))
    guard = Guard.from_dict(complete({"policies": POLICIES, "routes": ROUTES}))
    with pytest.raises(ConfigError, match="counts concurrent-requests"):
        guard.limit("slots")
    with pytest.raises(ConfigError, match="slice"):
        Guard.from_dict(complete({**tokens, "routes": ROUTES, "tokens": {"slice": 0}}))
    with pytest.raises(ConfigError, match="dialect"):
        Guard.from_dict(complete({**tokens, "routes": [{"match": CHAT, "body": True, "dialect": "morse"}]}))


async def test_a_reload_keeps_what_is_reserved(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": [], "usage": usage(40, 60)})

    def change(_: int) -> None:
        policies = {**POLICIES, "tokens": {"quota": "20_000 tokens/minute"}}
        scene.guard.replace(Guard.from_dict(complete({"policies": policies, "routes": ROUTES})).config)

    scene.upstream.before = change
    assert (await scene.post(ask())).status == 200
    assert (scene.left("tokens"), scene.left("slots")) == (19_900, 2)


async def test_a_body_that_is_too_long_is_estimated_by_its_length(clock: ManualClock) -> None:
    scene = Scene(
        clock, {"policies": {"tokens": {"quota": "1_000_000 tokens/minute"}}, "tokens": {"max_body_bytes": 1_024}}
    )
    scene.upstream.document({"choices": [], "usage": usage(None, 1)})
    body = json.dumps(ask(LONG)).encode()
    assert (await scene.post(body)).status == 200
    assert (await scene.post(body, headers=[])).status == 200  # chunked: nobody says how long
    assert [event.estimated_input for event in scene.used] == [len(body) // 4, len(body) // 4]
    assert scene.upstream.bodies == [ask(LONG), ask(LONG)]


async def test_a_new_model_may_be_named_by_anybody(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": [], "usage": usage(10, 1)})
    for model in ("", "x" * 100_000, "\r\nx: y", 7, None, ["m"]):
        assert (await scene.post({**ask(), "model": model})).status == 200
    assert [event.model for event in scene.used] == ["", "x" * 256, "\r\nx: y", "", "", ""]


async def test_models_have_quotas_of_their_own(clock: ManualClock) -> None:
    policies = {
        "one": {"quota": "1_000 tokens/hour", "per": "model"},
        "each": {"quota": "600 tokens/hour", "per": "account+model"},
        "calls": {"quota": "3/hour", "per": "model"},
    }
    scene = Scene(clock, {"policies": policies})
    scene.upstream.document({"choices": [], "usage": usage(100, 300)})
    assert (await scene.post(ask())).status == 200
    assert (scene.left("one", "model:m"), scene.left("each", "model:1:m:address:192.0.2.1")) == (600, 200)
    assert (await scene.post({"contents": []}, GEMINI)).status == 200
    assert (scene.left("one", "model:gemini"), scene.left("one", "model:m")) == (600, 600)
    assert [(await scene.post(ask())).status for _ in range(2)] == [200, 429]  # what it used too much stays a debt
    assert (await scene.post({**ask(), "model": "n"})).status == 200


async def test_a_limit_of_calls_per_model_needs_no_tokens(clock: ManualClock) -> None:
    scene = Scene(clock, {"policies": {"calls": {"quota": "1/hour", "per": "model"}}})
    scene.upstream.document({})
    assert [(await scene.post({**ask(), "model": model})).status for model in "aab"] == [200, 429, 200]
    assert scene.used == []
