"""A model's server for the client to talk to: a real uvicorn in a thread, which notes what arrives."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, MutableMapping

    Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the server saw it."""

    path: str
    headers: dict[str, str]
    messages: list[dict[str, str]]


@dataclass(slots=True)
class Server:
    """An ASGI app: answers each request with words of its own, or refuses all."""

    url: str = ""
    refuse: bool = False
    arrivals: list[Arrival] = field(default_factory=list[Arrival])

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Scope]],
        send: Callable[[Scope], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.arrivals.append(Arrival(scope["path"], headers, json.loads(body)["messages"]))
        text = answer(headers["x-request-id"])
        content = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        fields = [(b"content-length", str(len(content)).encode()), (b"guard-degraded", b"campaign")]
        if self.refuse:
            fields.append((b"retry-after-ms", b"1500"))
        await send({"type": "http.response.start", "status": 429 if self.refuse else 200, "headers": fields})
        await send({"type": "http.response.body", "body": content})


def answer(request: str) -> str:
    """What the server says to a request."""
    return f"the real words about {request}"


@contextmanager
def serving(*, refuse: bool = False) -> Generator[Server]:
    """A server on a free port: it listens before it runs, so nobody has to wait for it."""
    app = Server(refuse=refuse)
    # Named TCP, or asyncio leaves Nagle's algorithm on, and every answer takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        app.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_level="critical"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield app
        finally:
            server.should_exit = True
            thread.join()
