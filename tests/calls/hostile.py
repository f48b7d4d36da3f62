"""What the adversarial tests have in common: calls through both middlewares, and what must hold after their end."""

from __future__ import annotations

import io
import json
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from calls.helpers import CHAT, Scene
from guard.helpers import Message, http_scope, table
from ratelimit_guard.wsgi import RateLimitMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ME = "account:address:192.0.2.1"
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]
START = "http.response.start"
BODY = "http.response.body"


def balanced(scene: Scene, limit: int = 10_000, slots: int = 2) -> None:
    """Nothing is in flight, and of the tokens just that is gone which the hooks were told."""
    used = sum(event.input_tokens + event.output_tokens for event in scene.used)
    assert table(scene.guard).leases()["live"] == 0
    assert (scene.left("slots"), scene.left("tokens")) == (slots, max(0, limit - used))


def replying(*messages: Message) -> Any:
    """An app that reads its body and sends these messages, whatever it is told."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)

    return app


def start(headers: Any = (), status: int = 200, **more: Any) -> Message:
    return {"type": START, "status": status, "headers": headers, **more}


def part(content: bytes, more: bool = True) -> Message:
    return {"type": BODY, "body": content, "more_body": more}


async def exchange(scene: Scene, body: Any, path: str = CHAT, server: Any = None, **scope: Any) -> list[Message]:
    """All messages that reached the server, in their order. `server` may raise for one."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(raw))]
    incoming: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if server is not None:
            server(message)
        sent.append(message)

    await scene.app(http_scope(path, **{"headers": headers, **scope}), receive, send)
    return sent


class Server:
    """A WSGI server that calls an app behind the guard as PEP 3333 wants, and hangs up after `most` pieces."""

    def __init__(self, scene: Scene, app: Callable[..., Any], most: int | None = None) -> None:
        self.app, self.most = RateLimitMiddleware(app, scene.guard), most
        self.status, self.headers = "", list[tuple[str, str]]()
        self.pieces: list[bytes] = []

    def post(self, body: Any, path: str = CHAT, **more: Any) -> bytes:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1"}
        environ |= {"CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw), **more}
        setup_testing_defaults(environ)
        pieces: Any = self.app(environ, self._start)
        try:
            self.pieces += islice(pieces, self.most)
        finally:
            getattr(pieces, "close", lambda: None)()
        return b"".join(self.pieces)

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None and any(self.pieces):
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self.pieces.append


def generating(headers: Sequence[tuple[bytes, bytes]], pieces: Iterable[bytes], status: str = "200 OK") -> Any:
    """A WSGI app that is a generator."""

    def app(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
        yield from pieces

    return app


class Memory:
    """The most memory of this process at once, over a block, in bytes: Python's and the compiled module's."""

    def __enter__(self) -> Memory:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()
        return self

    def __exit__(self, *_: object) -> None:
        self.grown = self._peak() - self._before

    @staticmethod
    def _peak() -> int:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        assert found is not None
        return int(found[1]) << 10
