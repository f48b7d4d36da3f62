"""The web app of the demo: one question to the limiter per request, 200 or 429."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from demo.ledger import Ledger

if TYPE_CHECKING:
    from ratelimit_guard import Limiter

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class LimitedApp:
    """A pure ASGI app. `shared` decides; `private` only counts what a limiter per process would have let through."""

    def __init__(self, worker: int, shared: Limiter, private: Limiter) -> None:
        self.worker = worker
        self.shared = shared
        self.private = private
        self.ledger = Ledger()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request of the tenant named by `x-api-key`."""
        tenant = dict(scope["headers"]).get(b"x-api-key", b"").decode("latin-1")
        if not tenant:
            await _answer(send, 401, "send your key in x-api-key\n", {})
            return
        began = monotonic_ns()
        result = self.shared.acquire(tenant)
        ended = monotonic_ns()
        alone = self.private.acquire(tenant)
        self.ledger.write(tenant, (began, ended), result.allowed, (ended, monotonic_ns()), alone.allowed)
        headers = {"x-worker": str(self.worker), "x-private-limiter": "admit" if alone else "refuse"}
        if result:
            await _answer(send, 200, f"admitted, {result.remaining} left\n", headers)
        else:
            headers["retry-after"] = str(math.ceil(result.retry_after))
            await _answer(send, 429, f"limit of {result.limit} reached\n", headers)


async def _answer(send: Send, status: int, text: str, headers: dict[str, str]) -> None:
    body = text.encode()
    fields = {"content-type": "text/plain", "content-length": str(len(body)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
