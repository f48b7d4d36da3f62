"""The client against a real server: order, real answers, bounds, and never against somebody else's machine."""

from __future__ import annotations

import socket
from collections import defaultdict
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.simulate import Call, Campaign, Result, Scenario, drive, generate
from ratelimit_guard.simulate import client as module
from ratelimit_guard.simulate.client import answer_of
from ratelimit_guard.simulate.http import Target
from simulate.server import answer, serving

if TYPE_CHECKING:
    from simulate.server import Server

TRAFFIC = Scenario(
    heavy=1, heavy_requests=60, small=10, campaigns=(Campaign("composed", 5, 4.0), Campaign("relay", 6, 20.0))
)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """A day of some accounts."""
    return list(generate(TRAFFIC, 1))


async def driven(server: Server, calls: list[Call]) -> list[Result]:
    """The results of calls."""
    results: list[Result] = []
    assert await drive(calls, server.url, concurrency=16, on_result=results.append)
    return results


async def test_every_call_arrives_as_it_is(calls: list[Call]) -> None:
    """With credential, id, simulated time and address; the path of chat completions is added."""
    with serving() as server:
        results = await driven(server, calls)
    assert {result.call.id for result in results} == {call.id for call in calls}
    assert {(result.status, result.error) for result in results} == {(200, "")}
    assert all(0 < result.seconds < 30 for result in results)
    assert all(result.headers == {"guard-degraded": "campaign"} for result in results)
    known = {call.id: call for call in calls}
    for arrival in server.arrivals:
        call = known[arrival.headers["x-request-id"]]
        assert arrival.path == "/v1/chat/completions"
        assert arrival.headers["authorization"] == f"Bearer {call.credential}"
        assert arrival.headers["x-simulated-time"] == f"{call.time:.6f}"
        assert arrival.headers["x-forwarded-for"] == call.address
        assert arrival.messages[-1] == {"role": "user", "content": call.messages[-1].content}


async def test_order_of_an_account_is_kept(calls: list[Call]) -> None:
    """However many connections: an account's calls arrive as they were made."""
    with serving() as server:
        await driven(server, calls)
    made, arrived = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for call in calls:
        made[f"Bearer {call.credential}"].append(call.id)
    for arrival in server.arrivals:
        arrived[arrival.headers["authorization"]].append(arrival.headers["x-request-id"])
    assert arrived == made


async def test_real_answers_come_back(calls: list[Call]) -> None:
    """Conversations go on with what the server said, also when they hop between accounts."""
    with serving() as server:
        await driven(server, calls)
    known = {call.id: call for call in calls}
    quoted = 0
    for arrival in server.arrivals:
        messages = known[arrival.headers["x-request-id"]].messages
        for sent, message in zip(arrival.messages, messages, strict=True):
            if message.answer_of:
                assert sent["content"] == answer(message.answer_of)
                quoted += 1
    assert quoted > 50


async def test_old_answers_are_forgotten(calls: list[Call], monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the invented answer stands in for one that was given too long ago."""
    monkeypatch.setattr(module, "MAX_ANSWERS", 1)
    with serving() as server:
        await driven(server, calls)
    known = {call.id: call for call in calls}
    replaced = {
        sent["content"] == message.content
        for arrival in server.arrivals
        for sent, message in zip(arrival.messages, known[arrival.headers["x-request-id"]].messages, strict=True)
        if message.answer_of
    }
    assert True in replaced


async def test_refusal_is_a_result(calls: list[Call]) -> None:
    """A 429 is no error; it says when to come back, and its text is nobody's answer."""
    with serving(refuse=True) as server:
        results = await driven(server, calls)
    assert {result.status for result in results} == {429}
    assert {result.headers["retry-after-ms"] for result in results} == {"1500"}
    assert not any("real words" in sent["content"] for arrival in server.arrivals for sent in arrival.messages)


async def test_limit_bounds_the_calls(calls: list[Call]) -> None:
    """Not one more is sent."""
    with serving() as server:
        assert await drive(calls, server.url, limit=7)
    assert len(server.arrivals) == 7


async def test_timeout_bounds_the_run(calls: list[Call]) -> None:
    """A run that would take years ends when it should, and says so."""
    with serving() as server:
        assert not await drive(calls, server.url, speed=1e-9, timeout=0.2)
    assert len(server.arrivals) == 1


async def test_speed_compresses_simulated_time(calls: list[Call]) -> None:
    """Three calls in 2,000 simulated seconds at 20,000 a second: a tenth of a second, and in their order."""
    paced = [replace(call, time=1_000.0 * place) for place, call in enumerate(calls[:3])]
    with serving() as server:
        began = perf_counter()
        assert await drive(paced, server.url, speed=20_000)
        assert perf_counter() - began >= 0.1
    assert [one.headers["x-request-id"] for one in server.arrivals] == [call.id for call in paced]


async def test_server_that_is_not_there_is_an_error_of_each_call(calls: list[Call]) -> None:
    """Results say so, nothing raises."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        results: list[Result] = []
        assert await drive(calls, f"http://127.0.0.1:{nobody.getsockname()[1]}", limit=3, on_result=results.append)
    assert [result.status for result in results] == [None] * 3
    assert all("ConnectionRefusedError" in result.error for result in results)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1",
        "http://10.0.0.1:8000/",
        "http://0.0.0.0:8000/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "https://[2001:db8::1]/",
    ],
)
async def test_remote_host_is_refused(url: str, calls: list[Call]) -> None:
    """Nothing leaves this machine unless the operator says so."""
    with pytest.raises(ConfigError, match="--allow-remote"):
        await drive(calls, url)
    assert Target.of(url, allow_remote=True)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://localhost/", "http://", "http://[::1/", "http://a:b/"])
def test_url_that_is_none_is_refused(url: str) -> None:
    """With the reason."""
    with pytest.raises(ConfigError, match="url: "):
        Target.of(url, allow_remote=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_loopback_is_this_machine(host: str) -> None:
    """By any of its names; a path of one's own is kept."""
    assert Target.of(f"http://{host}:81", allow_remote=False)[1:] == (81, False, "/v1/chat/completions", f"{host}:81")
    assert Target.of(f"http://{host}/chat?a=1", allow_remote=False).path == "/chat?a=1"


@pytest.mark.parametrize("settings", [{"speed": 0.0}, {"speed": float("nan")}, {"concurrency": 0}])
async def test_wrong_setting_is_refused(settings: dict[str, float], calls: list[Call]) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="must be positive"):
        await drive(calls, "http://127.0.0.1:1", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 1}}]}',
    ],
)
def test_answer_that_is_none_is_no_text(body: bytes) -> None:
    """Whatever a server sends."""
    assert answer_of(body) is None
