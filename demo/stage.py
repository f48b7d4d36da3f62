"""The example app as the demo runs it: the same routes, told what time it is, with a log and a way past the guard."""

from __future__ import annotations

from contextvars import ContextVar
from itertools import count
from typing import IO, TYPE_CHECKING

from examples.model_api import routes
from starlette.applications import Starlette

from demo.access_log import AccessLog, Restricted, remember
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.simulate.scenario import START
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ratelimit_guard.asgi import App, Message, Receive, Scope, Send

ORIGIN = START - 1_000_000.0
"""When the counters' clock showed 0: a manual clock counts from the start of a recording, not from 1970."""
GUARDED, PLAIN = "/guarded", "/plain"
"""Before a path: the same without the log, and without the guard too."""
REUSE = 16
"""Requests until a connection is closed, as balancers do: the kernel then gives the next one to any worker."""
NOW: ContextVar[float] = ContextVar("NOW")


class SimulatedTime:
    """Sets both clocks of the guard by the request's field X-Simulated-Time."""

    def __init__(self, app: App, clock: ManualClock) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Detectors get the request's own time; counters one that never goes back, as a host's does."""
        now = float(dict(scope["headers"])[b"x-simulated-time"])
        NOW.set(now)
        self.clock.set(max(self.clock.now(), now - ORIGIN))
        await self.app(scope, receive, send)


def build(tiers: Path, log: IO[bytes], tell: Callable[[Restricted], None]) -> App:
    """The app of a worker, and its two other ways in."""
    clock = ManualClock(0.0)
    guard = Guard.from_file(tiers, reload_every=None, clock=clock, unix_time=NOW.get, hooks=[remember])
    guarded = RateLimitMiddleware(Starlette(routes=routes), guard)
    ways: dict[str, App] = {
        GUARDED: SimulatedTime(guarded, clock),
        PLAIN: SimulatedTime(Starlette(routes=routes), clock),
        "": SimulatedTime(AccessLog(guarded, log, tell), clock),
    }
    answers = count(1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and next(answers) % REUSE == 0:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        found = next((prefix for prefix in ways if scope["path"].startswith(prefix)), "")
        path = scope["path"].removeprefix(found)
        await ways[found]({**scope, "path": path, "raw_path": path.encode()}, receive, sending)

    return app
