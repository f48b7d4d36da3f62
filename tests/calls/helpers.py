"""A guard that counts tokens and slots, and an app that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

from guard.helpers import Message, complete, http_scope, table
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ratelimit_guard.events import UsageEvent
    from ratelimit_guard.testing import ManualClock

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/gemini:streamGenerateContent"
POLICIES = {
    "calls": {"quota": "100/minute"},
    "tokens": {"quota": "10_000 tokens/minute"},
    "slots": {"quota": "2 concurrent-requests; lease=30s"},
}
ROUTES = [{"match": path, "body": True} for path in (CHAT, "/v1/embeddings", MESSAGES, GEMINI)]


class Upstream:
    """An app that sends these pieces, and remembers what it got."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[Any] = []
        self.bodies: list[Any] = []
        self.scopes: list[Any] = []
        self.sent = 0
        self.heard_cut = False
        self.before: Callable[[int], Any] = lambda _: None

    def document(self, value: Any, status: int = 200) -> None:
        self.headers = [(b"content-type", b"application/json")]
        self.status, self.pieces = status, [json.dumps(value).encode()]

    def events(self, events: Iterable[Any], *, ending: bytes = b"data: [DONE]\n\n") -> None:
        self.headers = [(b"content-type", b"text/event-stream")]
        self.pieces = [event_of(event) for event in events]
        if ending:
            self.pieces.append(ending)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(json.loads(body) if body else None)
        self.scopes.append(scope)
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            for number, piece in enumerate(self.pieces):
                result = self.before(number)
                if asyncio.iscoroutine(result):
                    await result
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self.sent += 1
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            self.heard_cut = True
            raise


class Scene:
    """One guard, one upstream, a clock that stands still."""

    def __init__(self, clock: ManualClock, values: dict[str, Any] | None = None, **options: Any) -> None:
        self.used: list[UsageEvent] = []
        values = complete({"policies": POLICIES, "routes": ROUTES, **(values or {})})
        self.guard = Guard.from_dict(values, clock=clock, usage_hooks=[self.used.append], **options)
        self.upstream = Upstream()
        self.app = RateLimitMiddleware(self.upstream, self.guard)

    @classmethod
    def of(cls, clock: ManualClock, policies: dict[str, str], **tokens: Any) -> Self:
        return cls(clock, {"policies": {name: {"quota": quota} for name, quota in policies.items()}, "tokens": tokens})

    async def post(self, body: Any, path: str = CHAT, **scope: Any) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(raw))]
        messages: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(http_scope(path, **{"headers": headers, **scope}), receive, send)
        return Reply(sent)

    def left(self, policy: str, key: str = "account:address:192.0.2.1") -> int:
        """What remains of a policy, asked of the counters themselves."""
        from ratelimit_guard import Policy

        quota = self.guard.config.policies[policy].quota
        bound = table(self.guard).bind(self.guard.config.namespace, [Policy(policy, quota)])
        return bound.peek(key, 0).remaining


class Reply:
    """What the client got."""

    def __init__(self, sent: list[Message]) -> None:
        self.status = int(sent[0]["status"])
        self.head = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        self.chunks = [message.get("body", b"") for message in sent[1:]]
        self.body = b"".join(self.chunks)
        self.ended = not sent[-1].get("more_body", False)

    def json(self) -> Any:
        return json.loads(self.body)

    def data(self) -> list[Any]:
        """The data of its events."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


def event_of(event: Any) -> Any:
    if isinstance(event, bytes | bytearray | memoryview):
        return event
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def ask(text: str = "What is the capital of France?", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def chunk(text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def usage(prompt: Any, completion: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0}
