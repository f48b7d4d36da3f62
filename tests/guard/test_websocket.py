"""Websockets: denied at the handshake, charged by the message, and otherwise left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import Message, call, complete, fields, http_scope, status
from ratelimit_guard import Guard, RateLimitExceeded
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.config_file import from_dict

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Guard]

DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
CLOSE = {"type": "websocket.close", "code": 1008, "reason": "rate limit exceeded"}
MESSAGES: dict[str, Any] = {
    "policies": {"few": {"quota": "3/minute"}},
    "routes": [{"match": "/v1/realtime", "message_cost": 1}],
}


def websocket(**more: Any) -> dict[str, Any]:
    return {**http_scope("/v1/realtime", **more), "type": "websocket"}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """A websocket that says everything twice."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


HELLO: list[Message] = [
    {"type": "websocket.connect"},
    *({"type": "websocket.receive", "text": str(n)} for n in range(5)),
]


async def test_a_websocket_is_denied_at_the_handshake(make_guard: Make) -> None:
    app = RateLimitMiddleware(echo, make_guard({"policies": {"few": {"quota": "1/minute"}}}))
    accepted = await call(app, websocket(), HELLO)
    assert [message["type"] for message in accepted] == ["websocket.accept", *["websocket.send"] * 5]
    assert await call(app, websocket(), HELLO) == [
        {"type": "websocket.close", "code": 1008, "reason": "rate limit exceeded"}
    ]
    denied = await call(app, websocket(extensions={"websocket.http.response": {}}), HELLO)
    assert [message["type"] for message in denied] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (status(denied), fields(denied)["retry-after"]) == (429, "65")


async def test_messages_of_a_websocket_cost(make_guard: Make) -> None:
    routes = [{"match": "/v1/realtime", "cost": 1, "message_cost": 2}]
    guard = make_guard({"policies": {"few": {"quota": "7/minute"}}, "routes": routes})
    sent = await call(RateLimitMiddleware(echo, guard), websocket(), HELLO)
    assert [message["type"] for message in sent] == ["websocket.accept", *["websocket.send"] * 3, "websocket.close"]


async def test_an_exempt_websocket(make_guard: Make) -> None:
    guard = make_guard({"routes": [{"match": "/v1/realtime", "exempt": True}]})
    for _ in range(9):
        assert len(await call(RateLimitMiddleware(echo, guard), websocket(), HELLO)) == 6


async def test_the_fields_are_in_the_accept(make_guard: Make) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "x", "headers": [(b"a", b"b")]})

    (accept,) = await call(RateLimitMiddleware(app, make_guard({})), websocket(), HELLO)
    assert accept["subprotocol"] == "x"
    assert dict(accept["headers"])[b"ratelimit"] == b'"few";r=2;t=65'
    assert accept["headers"][0] == (b"a", b"b")


async def test_who_is_blocked(make_guard: Make) -> None:
    from ratelimit_guard import Identity

    guard = make_guard(
        {"access": [{"when": {"country": "XX"}, "block": True}]},
        lookup=lambda _: Identity("acme", attributes={"country": "XX"}),
    )
    sent = await call(RateLimitMiddleware(echo, guard), websocket(), HELLO)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "access is not permitted"}]
    assert status(await call(RateLimitMiddleware(echo, guard), websocket(**DENIAL), HELLO)) == 403


async def test_after_a_refused_message_the_client_is_gone(make_guard: Make) -> None:
    """Whoever sends in another task learns it, as of a client who left; a close by the app says nothing more."""
    after: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        assert (message["code"], message["reason"]) == (1008, "rate limit exceeded")
        with pytest.raises(OSError, match="rate limit"):
            await send({"type": "websocket.send", "text": "still there?"})
        await send({"type": "websocket.close", "code": 1000})
        after.append("done")

    sent = await call(RateLimitMiddleware(app, make_guard(MESSAGES)), websocket(), HELLO)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert after == ["done"]


async def test_a_close_of_the_app_is_the_last_word(make_guard: Make) -> None:
    """Messages that arrive later are refused without a second close."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    sent = await call(RateLimitMiddleware(app, make_guard(MESSAGES)), websocket(), HELLO)
    assert [message.get("code") for message in sent] == [None, 1000]


@pytest.mark.parametrize("error", [ConnectionResetError, RuntimeError])
async def test_a_client_who_left_before_the_refusal(make_guard: Make, error: type[Exception]) -> None:
    """Servers raise when one writes to a connection that has gone; the app only sees a disconnect."""
    incoming, seen = [*HELLO], list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not seen or seen[-1] != "websocket.disconnect":
            seen.append((await receive())["type"])

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(_: Any) -> None:
        raise error

    await RateLimitMiddleware(app, make_guard(MESSAGES))(websocket(), receive, send)
    assert seen == ["websocket.connect", "websocket.receive", "websocket.receive", "websocket.disconnect"]


@pytest.mark.parametrize("accepts", [False, True])
@pytest.mark.parametrize("receives", [False, True])
async def test_a_limit_of_the_handler_s_own(make_guard: Make, accepts: bool, receives: bool) -> None:
    guard = make_guard({"routes": [{"match": "/v1/realtime", "exempt": True}]})

    @guard.limit("few", tenant=lambda: "acme", cost=9)
    def dear() -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if receives:
            await receive()
        if accepts:
            await send({"type": "websocket.accept"})
        dear()

    sent = await call(RateLimitMiddleware(app, guard), websocket(), HELLO)
    assert sent[accepts:] == [CLOSE]
    sent = await call(RateLimitMiddleware(app, guard), websocket(**DENIAL), HELLO)
    if accepts:
        assert sent[1:] == [CLOSE]
    else:
        assert status(sent) == 429


async def test_other_errors_and_late_ones_pass(make_guard: Make) -> None:
    guard = make_guard({})

    @guard.limit("few", tenant=lambda: "acme", cost=9)
    def dear() -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1000})
        dear()

    with pytest.raises(RateLimitExceeded):
        await call(RateLimitMiddleware(app, guard), websocket(), HELLO)

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call(RateLimitMiddleware(broken, guard), websocket(), HELLO)


async def test_a_reload_reaches_open_sockets(make_guard: Make) -> None:
    """Messages cost what the configuration in force says, from the next one on; nothing comes after a refusal."""
    guard = make_guard({"policies": {"few": {"quota": "9/minute"}}})
    messages = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": "?"} for _ in range(4))]
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append((await receive())["type"])
        routes = [{"match": "/v1/realtime", "message_cost": 5}]
        guard.replace(from_dict(complete({"policies": {"few": {"quota": "9/minute"}}, "routes": routes})))
        heard.extend([(await receive())["type"] for _ in range(3)])

    sent = await call(RateLimitMiddleware(app, guard), websocket(), messages)
    assert heard == ["websocket.receive", "websocket.receive", "websocket.disconnect", "websocket.disconnect"]
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
