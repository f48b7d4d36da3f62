"""ASGI: the guard before an app, as a pure middleware. Responses pass as they come; a body is read ahead, up to a cap,
only on routes that say so. The app's own behaviour is unchanged.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ratelimit_guard.body import read_body
from ratelimit_guard.call import IDENTITY
from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.dialect import request_id
from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.passage import EXHAUSTED
from ratelimit_guard.payment import spending_for
from ratelimit_guard.request import from_scope
from ratelimit_guard.response import Refusal, own, too_slow
from ratelimit_guard.websocket import Socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from os import PathLike

    from ratelimit_guard.call import Call
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.passage import Passage

    Message = Any  # Starlette, Litestar and asgiref have three types for it
    Scope = Any
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]
    Fields = list[tuple[bytes, bytes]]

log = logging.getLogger("ratelimit_guard")


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
        if plan is None:
            await self._run(scope, receive, _Response(send, [], partial(guard.refusal, request=request)), EXEMPT)
        elif not plan.rules.is_plain and (call := guard.call(request, plan)) is not None:
            await self._call(scope, receive, send, call)
        else:
            if plan.rules.remote is None:  # without a coroutine, which would suspend for nothing
                decision = guard.charge(request, plan, plan.rules.cost)
            else:
                decision = await guard.charge_async(request, plan, plan.rules.cost)
            dialect = guard.dialect(request, plan)
            refuse = partial(guard.refusal, request=request, dialect=dialect)
            await self._run(scope, receive, _Response(send, guard.fields(decision, dialect), refuse), decision)

    async def _run(self, scope: Scope, receive: Receive, response: _Response, decision: Decision) -> None:
        if decision.allowed:
            try:
                await self.app(scope, receive, response.send)
            except (RateLimitExceeded, AccessBlocked) as error:
                if error.decision is None or response.started:
                    raise
                response.refused = error.decision
            except Exception:
                if not response.cut:
                    raise
                log.debug("the app, told that its caller is gone", exc_info=True)
            if response.refused is None:
                return
            decision = response.refused
        await _answer(response.server, response.refuse(decision))

    async def _call(self, scope: Scope, receive: Receive, send: Send, call: Call) -> None:
        """Before the body what needs none, then the body, then the app, and at last what it used."""
        dialect, refuse = call.dialect, call.refuse
        is_local = call.plan.rules.remote is None
        if (early := call.early() if is_local else await call.early_async()) is not None:
            await _answer(send, refuse(early))
            return
        body = None
        if call.reads:
            most, deadline = call.bounds
            body = await read_body(scope, receive, most=most, deadline=deadline)
            if body.problem == "timeout":
                await _answer(send, too_slow(scope.get("http_version", "1.1"), dialect, request_id(call.request)))
                return
            receive = body.receive
            if (unreadable := call.unreadable(body.bytes)) is not None:
                await _answer(send, unreadable)
                return
        try:
            seen = (None, 0) if body is None else (body.bytes, body.size)
            checked = call.check(*seen) if is_local else await call.check_async(*seen)
            if body is not None and checked.replacement is not None:
                scope, receive = body.replaced(checked.replacement)
            response = _Passing(send, self.guard.fields(checked.decision, dialect), refuse, call)
            await self._run(_plain(scope) if call.asks_usage else scope, receive, response, checked.decision)
        finally:
            call.end()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        guard, request = self.guard, from_scope(scope)
        plan = guard.plan(request)
        spending = None if plan is None else spending_for(plan.rules)
        try:
            decision = EXEMPT
            if plan is not None:
                decision = await guard.charge_async(request, plan, plan.rules.cost, spending)
            await self._connect(
                scope, Socket(guard, request, plan, receive, send, guard.fields(decision), spending), decision
            )
        finally:
            if spending is not None:
                spending.release()

    async def _connect(self, scope: Scope, socket: Socket, decision: Decision) -> None:
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


class _Response:
    """The app's response on its way out: adds the fields to its start."""

    started = False
    cut = False
    """Whether it was ended before the app had ended it."""
    refused: Decision | None = None
    """The handler's own limit, whose error page has been held back."""

    def __init__(self, send: Send, fields: Fields, refuse: Callable[[Decision], Refusal]) -> None:
        self.server, self.refuse = send, refuse
        self._fields = fields

    async def send(self, message: Message) -> None:
        if self.refused is not None:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 500 and (refused := _being_handled()) is not None:
                self.refused = refused
                return
            self.started = True
            headers = self._headers(message)
            if self._fields or headers is not message.get("headers"):
                message = {**message, "headers": own(headers, self._fields)}
        await self.server(message)

    def _headers(self, message: Message) -> Any:
        return message.get("headers", ())


class _Passing(_Response):
    """A response that is counted, or read, while it passes."""

    def __init__(self, send: Send, fields: Fields, refuse: Callable[[Decision], Refusal], call: Call) -> None:
        super().__init__(send, fields, refuse)
        self._call = call
        self._passage: Passage | None = None
        self._trailers = False

    def _headers(self, message: Message) -> Any:
        headers = list(message.get("headers", ()))
        if self._passage is not None:  # a second start is an error, which the server will tell
            return headers
        self._passage, self._trailers = self._call.passage(), bool(message.get("trailers"))
        return self._passage.start(message["status"], headers)

    async def send(self, message: Message) -> None:
        if self.cut:
            raise ConnectionResetError(EXHAUSTED)
        if message["type"] != "http.response.body" or self._passage is None:
            await super().send(message)
            if self._passage is not None:
                self._passage.began = True
            return
        body = message.get("body", b"")
        chunk, more = self._passage.feed(body, more=message.get("more_body", False))
        while self._passage.due:
            rest, more = await self._passage.top_up_async()
            chunk += rest
        if chunk or not more or not body:
            await self.server({**message, "body": chunk, "more_body": more})
        if self._passage.cut:
            self.cut = True
            if self._trailers and not more:
                await self.server({"type": "http.response.trailers", "headers": [], "more_trailers": False})
            if self._passage.is_torn:  # the server breaks off what the app does not end
                raise ConnectionResetError(EXHAUSTED)


def _plain(scope: Scope) -> Scope:
    """The request with the wish for an answer without content coding."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() != IDENTITY[0]]
    return {**scope, "headers": [*headers, IDENTITY]}


def _being_handled() -> Decision | None:
    """The refusal that the app is making an error page of: mounted apps answer what nobody catches, then raise it."""
    error = sys.exc_info()[1]
    return error.decision if isinstance(error, RateLimitExceeded | AccessBlocked) else None
