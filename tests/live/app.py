"""Apps for real servers: `TIERS` names the tier file; the answer is the body that came, as a stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from live.helpers import lookup
from ratelimit_guard import Guard
from ratelimit_guard import asgi as asgi_side
from ratelimit_guard import wsgi as wsgi_side

if TYPE_CHECKING:
    from collections.abc import Iterator


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
        return
    pieces, more = list[bytes](), True
    while more and (message := await receive())["type"] == "http.request":
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def _wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    while piece := environ["wsgi.input"].read(100):
        yield piece


guard = Guard.from_file(os.environ["TIERS"], lookup=lookup, reload_every=None)
asgi = asgi_side.RateLimitMiddleware(_asgi, guard)
wsgi = wsgi_side.RateLimitMiddleware(_wsgi, guard)
