"""What a gateway would log of each request, as JSON lines that `audit` reads; and a word for each restricted one."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.asgi import App, Message, Receive, Scope, Send
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.events import DecisionEvent


@dataclass(frozen=True)
class Restricted:
    """A request that the detector restricted: one of a campaign's, or of an account that extracts by itself."""

    request: str
    account: str
    campaign: str | None
    rung: str
    enforced: bool
    status: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: bytes) -> Restricted:
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


@dataclass
class Entry:
    """A request under way."""

    decision: Decision | None = None
    status: int = 0
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)


CURRENT: ContextVar[Entry | None] = ContextVar("CURRENT", default=None)


def remember(event: DecisionEvent) -> None:
    """A hook of the guard: whose request it is, and what was decided."""
    if (entry := CURRENT.get()) is not None:
        entry.decision = event.decision


class AccessLog:
    """The outermost ASGI app. `tell` hears of restricted requests."""

    def __init__(self, app: App, file: IO[bytes], tell: Callable[[Restricted], None]) -> None:
        self.app = app
        self.file = file
        self.tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, and write it down when it has its answer."""
        entry = Entry()
        CURRENT.set(entry)  # every request has a task of its own, and with it a context

        async def reading() -> Message:
            message = await receive()
            entry.asked += message.get("body", b"")
            return message

        async def answering(message: Message) -> None:
            entry.status = message.get("status", entry.status)
            entry.answered += message.get("body", b"")
            await send(message)

        await self.app(scope, reading, answering)
        self.write(scope, entry)

    def write(self, scope: Scope, entry: Entry) -> None:
        """Only of a decision is there anything to say."""
        if entry.decision is None or entry.decision.tenant is None:
            return
        headers = dict(scope["headers"])
        name, tenant = headers.get(b"x-request-id", b"").decode("latin-1"), entry.decision.tenant
        restriction = entry.decision.restriction
        if restriction is not None:
            campaign, rung, enforced = restriction.campaign, restriction.level, restriction.enforced
            self.tell(Restricted(name, tenant.account, campaign, rung, enforced, entry.status))
        record: dict[str, Any] = {
            "time": float(headers[b"x-simulated-time"]),
            "account": tenant.account,
            "tenant": tenant.id,
            "address": headers.get(b"x-forwarded-for", b"").decode("latin-1"),
            "id": name,
            "path": scope["path"],
            "status": entry.status,
            **_answer(entry),
        }
        # A body that is JSON in one line stands as it is, which spares reading it.
        self.file.write(json.dumps(record).encode()[:-1] + b', "request": ' + entry.asked + b"}\n")


def _answer(entry: Entry) -> dict[str, Any]:
    if entry.status != 200:
        return {}
    document = json.loads(entry.answered)
    return {"reply": document["choices"][0]["message"]["content"], "usage": document["usage"]}


def time_of(line: bytes) -> float:
    """When the request of a line came."""
    return float(line[len(b'{"time": ') :].partition(b",")[0])
