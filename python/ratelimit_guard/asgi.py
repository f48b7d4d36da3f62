"""ASGI: the guard before an app, as a pure middleware. Nothing is buffered; the app's own behaviour is unchanged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ratelimit_guard.answer import AnswerText
from ratelimit_guard.body import read_body
from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.live import UNKNOWN, Answer
from ratelimit_guard.request import Request, from_scope
from ratelimit_guard.response import Refusal, too_slow
from ratelimit_guard.rules import Plan
from ratelimit_guard.watch import Watch
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
        guard, request = self.guard, from_scope(scope)
        plan = guard.plan(request)
        if plan is not None and (watch := guard.watch(plan)) is not None:
            await self._watched(scope, receive, send, _Call(request, plan, watch))
            return
        decision = EXEMPT if plan is None else guard.charge(request, plan, plan.rules.cost)
        await self._run(scope, receive, _Response(send, guard.fields(decision)), decision)

    async def _run(self, scope: Scope, receive: Receive, response: _Response, decision: Decision) -> None:
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
        await _answer(response.server, self.guard.refusal(decision))

    async def _watched(self, scope: Scope, receive: Receive, send: Send, call: _Call) -> None:
        """Before the body what needs none, then the body, then the app, and last the observation."""
        guard, (request, plan, watch) = self.guard, call
        early = guard.peek(request, plan)
        if early is not None:
            await _answer(send, guard.refusal(early))
            return
        body = await read_body(scope, receive, most=watch.max_body_bytes, deadline=watch.body_timeout_s)
        if body.problem == "timeout":
            await _answer(send, too_slow(scope.get("http_version", "1.1")))
            return
        checked = guard.check_body(request, plan, body.bytes, watch)
        receive = body.receive
        if checked.replacement is not None:
            scope, receive = body.replaced(checked.replacement)
        response = _Watched(send, guard.fields(checked.decision))
        try:
            await self._run(scope, receive, response, checked.decision)
        finally:
            # A caller who hangs up in the midst of an answer has it as far as that.
            if response.answered:
                watch.observe(request, checked, response.answer())

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


async def _answer(send: Send, refused: Refusal) -> None:
    status, headers, body = refused
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class _Call(NamedTuple):
    """A request on a route whose prompts are read."""

    request: Request
    plan: Plan
    watch: Watch


class _Response:
    """The app's response on its way out: adds the fields to its start."""

    started = False
    refused: Decision | None = None
    """The handler's own limit, whose error page has been held back."""

    def __init__(self, send: Send, fields: Fields) -> None:
        self.server = send
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
        await self.server(message)


class _Watched(_Response):
    """Reads the answer, too, while it passes."""

    _text: AnswerText | None = None

    @property
    def answered(self) -> bool:
        """Did the app begin an answer that is no error?"""
        return self._text is not None

    def answer(self) -> AnswerText | Answer:
        return UNKNOWN if self._text is None else self._text

    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] == "http.response.body" and self._text is not None:
            if self._text.wanted:
                self._text.feed(message.get("body", b""))
        elif message["type"] == "http.response.start" and self.started and 200 <= message["status"] < 300:
            self._text = AnswerText(message["status"], message.get("headers", ()))


def _being_handled() -> Decision | None:
    """The refusal that the app is making an error page of: mounted apps answer what nobody catches, then raise it."""
    error = sys.exc_info()[1]
    return error.decision if isinstance(error, RateLimitExceeded | AccessBlocked) else None
