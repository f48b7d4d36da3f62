"""Configurations, requests and an ASGI server of a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratelimit_guard import MemoryStore, SharedStore
from ratelimit_guard.request import Request

if TYPE_CHECKING:
    from ratelimit_guard import Guard

Message = dict[str, Any]


def table(guard: Guard) -> MemoryStore | SharedStore:
    """The guard's counters themselves, behind the server where there is one."""
    store: Any = guard.store
    found = getattr(store, "table", store)
    assert isinstance(found, MemoryStore | SharedStore)
    return found


def complete(values: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"version": 1, "store": {"kind": "memory", "capacity": 10_000}}
    defaults["policies"] = {"few": {"quota": "3/minute"}}
    values = {**defaults, **values}
    return {"tiers": {"anonymous": {"policies": list(values["policies"])}}, **values}


def request(
    path: str = "/v1/chat",
    method: str = "POST",
    headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
    peer: str | None = "192.0.2.1",
    native: dict[str, Any] | None = None,
) -> Request:
    if isinstance(headers, dict):
        headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request(method, path, headers or [], peer, native or {})


def http_scope(path: str = "/v1/chat", method: str = "POST", **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.1", 4711),
        **more,
    }


async def call(app: Any, scope: dict[str, Any], messages: list[Message] | None = None) -> list[Message]:
    """Run the app over the messages; what it sent. After the last message the client is gone."""
    incoming = list(messages if messages is not None else [{"type": "http.request", "body": b"", "more_body": False}])
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def status(sent: list[Message]) -> int:
    return int(sent[0]["status"])


def fields(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Answers "ok"."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})
