"""A websocket between server and app: what its handshake is answered with, and what its messages cost."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ratelimit_guard.asgi import Fields, Message, Receive, Send
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.guard import Guard
    from ratelimit_guard.request import Request
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.spending import Spending

POLICY_VIOLATION = 1008
"""Close code (RFC 6455) of a refused connection or message."""
DENIAL = "websocket.http.response"
"""The ASGI extension with which a handshake can be answered by a whole response."""
EXCEEDED = "rate limit exceeded"
BLOCKED = "access is not permitted"
GONE = {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": EXCEEDED}
"""What the app hears after a refusal."""


class Socket:
    """Receive and send as the app gets them. After a refused message both behave as if the client had gone."""

    __slots__ = (
        "_accepted",
        "_connected",
        "_fields",
        "_guard",
        "_in_force",
        "_plan",
        "_receive",
        "_refused",
        "_request",
        "_send",
        "_spending",
        "ended",
    )

    def __init__(
        self,
        guard: Guard,
        request: Request,
        plan: Plan | None,
        receive: Receive,
        send: Send,
        fields: Fields,
        spending: Spending | None = None,
    ) -> None:
        """Stand between the server's `receive` and `send` and the app. Without a plan messages are free; with
        `spending` they are charged under the policies that held at the handshake.
        """
        self._spending = spending
        self._guard, self._request, self._plan = guard, request, plan
        self._receive, self._send = receive, send
        self._fields = fields
        self._in_force = guard.in_force()
        self._connected = self._accepted = self._refused = False
        self.ended = False
        """Whether the connection has its last word, from the app or from us."""

    async def receive(self) -> Message:
        """The next message, if it fits the limits."""
        if self._refused:
            return GONE
        message = await self._receive()
        self._connected = True
        if self._in_force is not (in_force := self._guard.in_force()):  # a reload: other limits hold from now on
            self._in_force, self._plan = in_force, self._guard.plan(self._request)
        plan = self._plan
        if plan is None or not plan.rules.message_cost or message["type"] != "websocket.receive":
            return message
        decision = await self._charge(plan, plan.rules.message_cost)
        if decision.allowed:
            return message
        await self._close(_reason(decision))
        return GONE

    async def _charge(self, plan: Plan, cost: int) -> Decision:
        if self._spending is None:
            return await self._guard.charge_async(self._request, plan, cost)
        return await self._guard.charge_more(self._request, plan, cost, self._spending)

    async def send(self, message: Message) -> None:
        """Pass the message on. `OSError` after a refusal, as ASGI has it for a client who is gone."""
        kind = message["type"]
        if self._refused:
            if kind != "websocket.close":
                raise ConnectionResetError(EXCEEDED)
            return
        if kind == "websocket.accept":
            self._accepted = True
            message = {**message, "headers": [*(message.get("headers") or ()), *self._fields]}
        elif kind in {"websocket.close", f"{DENIAL}.start"}:
            self.ended = True
        await self._send(message)

    async def deny(self, decision: Decision) -> None:
        """Answer the handshake with the refusal, where the server can; else close."""
        if not self._connected:
            await self._receive()  # the handshake has to be taken before it is answered
        if self._accepted or DENIAL not in (self._request.native.get("extensions") or ()):
            await self._close(_reason(decision))
            return
        self.ended = True
        status, headers, body = self._guard.refusal(decision, self._request)
        with suppress(OSError, RuntimeError):  # the client may be gone by now; servers say so in either way
            await self._send({"type": f"{DENIAL}.start", "status": status, "headers": headers})
            await self._send({"type": f"{DENIAL}.body", "body": body, "more_body": False})

    async def _close(self, reason: str) -> None:
        self._refused = True
        if not self.ended:
            self.ended = True
            with suppress(OSError, RuntimeError):
                await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})


def _reason(decision: Decision) -> str:
    return BLOCKED if decision.result is None else EXCEEDED
