"""`@guard.limit(..., prompt=...)`: what a function is asked, seen by the detector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from live.helpers import Scene, question, seen, values
from ratelimit_guard import AccessBlocked, ConfigError, Identity, RateLimitExceeded
from ratelimit_guard.limit import body_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def learned(**changes: Any) -> Scene:
    return Scene(values(policies={"few": {"quota": "100/hour"}}, **changes)).learn()


def test_a_function() -> None:
    """The campaign's budget and then a refusal that says all; each call that runs is observed."""
    scene = learned()
    ran: list[str] = []

    @scene.guard.limit(
        "few", tenant=lambda who, _: f"org-{who}", account=lambda who, _: who, prompt=lambda _, asked: asked
    )
    def answer(who: str, asked: bytes) -> str:
        ran.append(who)
        return who

    told = seen(scene)
    attacks = scene.attacks(7)
    for call in attacks[:5]:
        assert answer(call.account, call.body) == call.account
    with pytest.raises(RateLimitExceeded) as caught:
        answer(attacks[5].account, attacks[5].body)
    decision = caught.value.decision
    assert decision is not None
    assert (decision.action, decision.is_abnormal) == ("refuse", True)
    assert scene.guard.refusal(decision).status == 429
    assert answer("somebody", question()) == "somebody"
    assert len(ran) == 6
    assert seen(scene) == told + 6
    assert len(scene.events) == 7


async def test_other_kinds_of_functions() -> None:
    """Coroutine functions, generators of both kinds and methods, with the tier's own policies."""
    scene = learned()

    class Model:
        @scene.guard.limit(tenant=lambda _, asked: "org-m", prompt=lambda _, asked: asked)
        async def one(self, asked: str) -> str:
            return asked

        @scene.guard.limit(tenant=lambda _, asked: Identity("org-m", "b"), prompt=lambda _, asked: asked)
        def many(self, asked: str) -> Iterator[str]:
            yield asked

        @scene.guard.limit(tenant=lambda _, asked: "org-m", prompt=lambda _, asked: asked)
        async def stream(self, asked: str) -> AsyncIterator[str]:
            yield asked

    model = Model()
    told = seen(scene)
    assert await model.one("Why?") == "Why?"
    assert list(model.many("Why?")) == ["Why?"]
    assert [piece async for piece in model.stream("Why?")] == ["Why?"]
    assert seen(scene) == told + 3
    said = json.loads(scene.attack().body)["messages"][-1]["content"]
    for _ in range(5):
        await model.one(said)
    with pytest.raises(RateLimitExceeded, match="campaign"):
        await model.one(said)
    with pytest.raises(RateLimitExceeded, match="campaign"):
        next(model.many(said))
    with pytest.raises(RateLimitExceeded, match="campaign"):
        await anext(model.stream(said))


def test_who_is_blocked() -> None:
    """Another error, which says why."""
    scene = learned(detector={"block": True})
    scene.climb("block")

    @scene.guard.limit("few", tenant=lambda _: "org-n", prompt=lambda asked: asked)
    def answer(asked: bytes) -> None:
        raise AssertionError

    with pytest.raises(AccessBlocked, match="campaign C1 is blocked") as caught:
        answer(scene.attack().body)
    assert caught.value.decision is not None
    assert scene.guard.refusal(caught.value.decision).status == 403


def test_without_a_prompt_nobody_looks() -> None:
    scene = learned()

    @scene.guard.limit("few", tenant=lambda _: "org-n")
    def answer(asked: bytes) -> None: ...

    told = seen(scene)
    for call in scene.attacks(9):
        answer(call.body)
    assert seen(scene) == told


def test_a_prompt_without_a_detector() -> None:
    """Is not asked for: the same code works under both files."""
    config = {name: value for name, value in values(routes=[]).items() if name not in {"detector", "campaign"}}
    scene = Scene(config)

    @scene.guard.limit("few", tenant=lambda _: "org-n", prompt=lambda _: 1 / 0)
    def answer(asked: bytes) -> int:
        return len(asked)

    assert answer(b"1") == 1


def test_more_policies_than_a_prompt_leaves_room_for() -> None:
    """Only a function with a prompt pays from a budget: others may have as many as before."""
    names = [f"p{number}" for number in range(16)]
    policies = {name: {"quota": "9/hour"} for name in names}
    scene = Scene(values(policies=policies, tiers={"anonymous": {"policies": names[:1]}}))

    @scene.guard.limit(*names, tenant=lambda: "org-n")
    def plain() -> int:
        return 1

    assert plain() == 1
    with pytest.raises(ConfigError, match="more than 16"):
        scene.guard.limit(*names, tenant=lambda: "org-n", prompt=lambda: "")


@pytest.mark.parametrize("tenant", ["\ud800", "\x00", "n" * 10_000, "", "ü"])
@pytest.mark.parametrize(
    "prompt", ["\ud800", "", "x" * 100_000, b"\xff", b"", [], [{"role": "user", "content": object()}]]
)
def test_odd_arguments(tenant: str, prompt: Any) -> None:
    """Nothing that is asked brings the function down."""
    scene = Scene()

    @scene.guard.limit("few", tenant=lambda: tenant, account=lambda: tenant, prompt=lambda: prompt)
    def answer() -> int:
        return 1

    assert answer() == 1


def test_bodies() -> None:
    """Bytes as they are; a text is a prompt, a list are messages."""
    messages = [{"role": "user", "content": "Why?"}]
    assert body_of(b"{}") == b"{}"
    assert json.loads(body_of("Why?")) == {"prompt": "Why?"}
    assert json.loads(body_of(messages)) == {"messages": messages}
    assert json.loads(body_of(tuple(messages))) == {"messages": messages}
