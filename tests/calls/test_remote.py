"""Calls over a store at a server: what holds over counters in memory holds here, and what is asked is little."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from calls import hostile, test_calls, test_hostile, test_streams
from calls.helpers import CHAT, Scene, ask, chunk, event_of, usage
from guard.helpers import http_scope, table
from guard.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard.config import Config
    from ratelimit_guard.testing import ManualClock

WORDS = "some words of an answer "

# The whole suites once more; the fixture below gives their guards a server.
for _suite in (test_calls, test_streams, test_hostile):
    globals().update({name: test for name, test in vars(_suite).items() if name.startswith("test_")})


@pytest.fixture(autouse=True, scope="module")
def server() -> Iterator[None]:
    """Guards count at a server."""

    def opened(config: Config, clock: ManualClock | None = None) -> Server:
        return Server(clock, config.store.capacity)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ratelimit_guard.guard.open_store", opened)
        yield


def asked(scene: Scene) -> list[str]:
    store: Any = scene.guard.store
    words = list(store.asked)
    store.asked.clear()
    return words


def stream(scene: Scene, events: int = 1_000) -> None:
    scene.upstream.events([chunk(WORDS) for _ in range(events)])


async def test_a_call_is_one_round_trip(clock: ManualClock) -> None:
    scene = Scene(clock)
    scene.upstream.document({"choices": [], "usage": usage(40, 60)})
    assert (await scene.post(ask())).status == 200
    assert asked(scene) == ["pay"]
    assert (scene.left("tokens"), scene.left("slots"), scene.left("calls")) == (9_900, 2, 99)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"70000")], [(b"content-length", b"9" * 30)]])
async def test_a_long_body_is_not_read_of_who_is_refused(clock: ManualClock, headers: Any) -> None:
    scene = Scene(clock, {"policies": {"calls": {"quota": "1/hour"}, "tokens": {"quota": "9_000 tokens/hour"}}})
    scene.upstream.document({"choices": [], "usage": usage(1, 1)})
    assert (await scene.post(ask("x" * 70_000))).status == 200
    assert asked(scene) == ["peek_each_async", "pay"]

    async def receive() -> Any:
        raise AssertionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await scene.app(http_scope(CHAT, headers=headers), receive, send)
    assert (sent[0]["status"], asked(scene)) == (429, ["peek_each_async"])
    assert (await scene.post(ask())).status == 429
    assert asked(scene) == ["pay"]


async def test_a_refused_top_up_ends_the_stream(clock: ManualClock) -> None:
    """What was sent is asked for piece by piece, and once it is refused no more."""
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"})
    stream(scene)
    reply = await scene.post(ask("hi", stream=True))
    words = asked(scene)
    assert (words[0], set(words[1:])) == ("pay", {"top_up"})
    assert "error" in reply.data()[-1]
    assert scene.used[0].ended == "cut"
    assert len(words) - 1 == scene.upstream.sent
    assert scene.left("tokens") == 0


async def test_a_policy_that_only_watches_is_asked_until_it_refuses(clock: ManualClock) -> None:
    policies = {"few": {"quota": "300 tokens/hour", "mode": "shadow"}}
    scene = Scene(clock, {"policies": policies})
    stream(scene, 200)
    reply = await scene.post(ask("hi", stream=True))
    assert reply.data()[-1] == "[DONE]"
    assert scene.used[0].would_cut
    assert 0 < asked(scene).count("top_up") < 100
    assert scene.left("few") == 0


@pytest.mark.parametrize("word", ["pay", "top_up"])
async def test_a_cancelled_call_holds_nothing(clock: ManualClock, word: str) -> None:
    """Also where it is cancelled before it knows what it holds: what then comes is given back."""
    scene = Scene(clock)
    stream(scene, 5)
    store: Any = scene.guard.store
    waiting, answer = asyncio.Event(), asyncio.Event()

    async def wait(what: str) -> None:
        if what == word:
            waiting.set()
            await answer.wait()

    store.wait = wait
    task = asyncio.create_task(scene.post(ask("hi", stream=True)))
    await waiting.wait()
    assert scene.left("slots") == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (scene.left("slots"), table(scene.guard).leases()["live"]) == (2, 0)
    assert scene.left("tokens") > 9_900


async def test_a_cancelled_call_of_a_store_that_fails(clock: ManualClock) -> None:
    """There is nothing to give back, and nobody is told."""
    scene = Scene(clock)
    store: Any = scene.guard.store
    waiting, answer = asyncio.Event(), asyncio.Event()
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def wait(_: str) -> None:
        waiting.set()
        await answer.wait()
        raise LookupError

    store.wait = wait
    task = asyncio.create_task(scene.post(ask("hi")))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert told == []


def test_wsgi_asks_in_line(clock: ManualClock) -> None:
    scene = Scene.of(clock, {"tokens": "300 tokens/hour"})
    pieces = [event_of(chunk(WORDS)) for _ in range(1_000)]
    server = hostile.Server(scene, hostile.generating(hostile.EVENTS, pieces))
    body = server.post(ask("hi", stream=True))
    words = asked(scene)
    assert (words[0], set(words[1:])) == ("pay", {"top_up"})
    assert (b"error" in body, len(server.pieces) < 100) == (True, True)
    assert scene.left("tokens") == 0
