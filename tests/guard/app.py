"""Apps for the server tests: `TIERS` names the tier file, the answer is the worker's process id.

`/endless` streams until the client leaves, `/ended` counts how many such streams have come to their end.
"""

from __future__ import annotations

import asyncio
import os
from itertools import repeat
from typing import TYPE_CHECKING, Any

from ratelimit_guard import Guard
from ratelimit_guard import asgi as asgi_side
from ratelimit_guard import wsgi as wsgi_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEXT = (b"content-type", b"text/plain")
ended = 0


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    kind, path = scope["type"], scope.get("path")
    if kind == "lifespan":
        await _lifespan(receive, send)
    elif kind == "websocket":
        await _echo(receive, send)
    elif path == "/endless":
        await _endless(receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
        await send({"type": "http.response.body", "body": b"%d" % (ended if path == "/ended" else os.getpid())})


async def _lifespan(receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await send({"type": "lifespan.shutdown.complete"})


async def _echo(receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def _endless(receive: Any, send: Any) -> None:
    global ended  # noqa: PLW0603  of this worker
    assert (await receive())["type"] == "http.request"
    leaving = asyncio.ensure_future(receive())
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    while not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * 1_000, "more_body": True})
        await asyncio.sleep(0)
    assert leaving.result()["type"] == "http.disconnect"
    ended += 1


def _wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    return _pieces() if path == "/endless" else [b"%d" % (ended if path == "/ended" else os.getpid())]


def _pieces() -> Iterator[bytes]:
    global ended  # noqa: PLW0603  of this worker
    try:
        yield from repeat(b"x" * 1_000)
    finally:
        ended += 1


guard = Guard.from_file(os.environ["TIERS"], reload_every=0.05)
asgi = asgi_side.RateLimitMiddleware(_asgi, guard)
wsgi = wsgi_side.RateLimitMiddleware(_wsgi, guard)
