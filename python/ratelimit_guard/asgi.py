"""ASGI: the guard before an app, as a pure middleware. Nothing is buffered; the app's own behaviour is unchanged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.request import from_scope
from ratelimit_guard.websocket import Socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from os import PathLike

    from ratelimit_guard.decision import Decision

    Message = Any  # Starlette, Litestar and asgiref have three types for it
    Scope = Any
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]
    Fields = list[tuple[bytes, bytes]]


class RateLimitMiddleware:
    """Answers requests beyond their limits itself and lets the others through, with header fields added.

    Give a guard, or the path of a tier file. Foreign scope types pass untouched. A websocket is charged at the
    handshake, and for every message that it receives if its route has a `message_cost`. What a handler's own limit
    raises (`guard.limit`, `guard.dependency`) becomes the refusal that it means.
    """

    def __init__(self, app: App, guard: Guard | None = None, config: str | PathLike[str] | None = None) -> None:
        """Wrap `app`; one guard may stand before many. `ConfigError` for neither or both."""
        self.app = app
        self.guard = Guard.either(guard, config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, then call the app or answer."""
        if scope["type"] != "http":
            other = self._websocket if scope["type"] == "websocket" else self.app
            await other(scope, receive, send)
            return
        guard = self.guard
        decision = guard.check(from_scope(scope))
        response = _Response(send, guard.fields(decision))
        if decision.allowed:
            try:
                await self.app(scope, receive, response.send)
            except (RateLimitExceeded, AccessBlocked) as error:
                if error.decision is None or response.started:
                    raise
                response.refused = error.decision
            if response.refused is None:
                return
            decision = response.refused
        status, headers, body = guard.refusal(decision)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        guard, request = self.guard, from_scope(scope)
        plan = guard.plan(request)
        decision = EXEMPT if plan is None else guard.charge(request, plan, plan.rules.cost)
        socket = Socket(guard, request, plan, receive, send, guard.fields(decision))
        if not decision.allowed:
            await socket.deny(decision)
            return
        try:
            await self.app(scope, socket.receive, socket.send)
        except (RateLimitExceeded, AccessBlocked) as error:
            if error.decision is None or socket.ended:
                raise
            await socket.deny(error.decision)


class _Response:
    """The app's response on its way out: adds the fields to its start."""

    started = False
    refused: Decision | None = None
    """The handler's own limit, whose error page has been held back."""

    def __init__(self, send: Send, fields: Fields) -> None:
        self._send = send
        self._fields = fields

    async def send(self, message: Message) -> None:
        if self.refused is not None:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 500 and (refused := _being_handled()) is not None:
                self.refused = refused
                return
            self.started = True
            if self._fields:
                message = {**message, "headers": [*message.get("headers", ()), *self._fields]}
        await self._send(message)


def _being_handled() -> Decision | None:
    """The refusal that the app is making an error page of: mounted apps answer what nobody catches, then raise it."""
    error = sys.exc_info()[1]
    return error.decision if isinstance(error, RateLimitExceeded | AccessBlocked) else None
