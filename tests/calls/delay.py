"""What the guard adds to each event's way from the app to the client, with a real server: `python -m calls.delay`.

Fifty streams of fifty events a second. Each event says when the app sent it; both read the clock of the machine. The
server runs with the guard and without it in turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

from guard.servers import ROOT, serving
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware

STREAMS, EVENTS, EVERY_S, ROUNDS = 50, 250, 0.02, 3
PATH = "/v1/chat/completions"
TIERS = """
version = 1
store = {{ path = "{table}", capacity = 10_000 }}
policies.tokens.quota = "100_000_000 tokens/minute"
policies.slots.quota = "200 concurrent-requests; lease=30s"
tiers.anonymous.policies = ["tokens", "slots"]
routes = [{{ match = "/health", exempt = true }}, {{ match = "/v1/chat/completions", body = true }}]
"""
STAMP = re.compile(rb"sent (\d+) ")
EVENT = b'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "sent %d "}}]}\n\n'
HEADERS = [(b"content-type", b"text/event-stream")]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"  # no lifespan
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    for _ in range(EVENTS if scope["path"] == PATH else 0):
        await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311  so that streams do not send all at once
        await send({"type": "http.response.body", "body": EVENT % time.monotonic_ns(), "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _guarded() -> Any:
    """In the server a tier file is named; the client needs none."""
    return RateLimitMiddleware(bare, Guard.from_file(os.environ["TIERS"])) if "TIERS" in os.environ else bare


guarded = _guarded()


async def stream(port: int, number: int, expected: bool) -> list[float]:
    """Milliseconds from the app to here, of each event."""
    await asyncio.sleep(EVERY_S * number / STREAMS)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * 100}], "stream": True}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    delays: list[float] = []
    guarded = b"ratelimit-policy" in await reader.readuntil(b"\r\n\r\n")
    assert guarded is expected
    while line := await reader.readline():
        if found := STAMP.search(line):
            delays.append((time.monotonic_ns() - int(found[1])) / 1e6)
    writer.close()
    return delays


async def streams(port: int, expected: bool) -> list[float]:
    return [
        delay for one in await asyncio.gather(*(stream(port, n, expected) for n in range(STREAMS))) for delay in one
    ]


def measure(app: str, folder: Path) -> list[float]:
    tiers = folder / "limits.toml"
    tiers.write_text(TIERS.format(table=folder / "table"))
    places = ":".join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    with serving("uvicorn", app, folder / "log", workers=1, TIERS=str(tiers), PYTHONPATH=places) as port:
        return asyncio.run(streams(port, app.endswith("guarded")))


def main() -> None:
    """Print medians and 99th percentiles."""
    delays: dict[str, list[float]] = {"bare": [], "guarded": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, taken in delays.items():
                taken.extend(measure(f"calls.delay:{name}", Path(folder)))
    lines = [f"{STREAMS} streams, {1 / EVERY_S:.0f} events a second each; milliseconds from app to client"]
    for name, taken in delays.items():
        parts = quantiles(taken, n=1_000)
        lines.append(
            f"{name:<8} {len(taken)} events, median {parts[499]:.3f}, p99 {parts[989]:.3f}, p99.9 {parts[998]:.3f}"
        )
    print("\n".join(lines))  # noqa: T201  what it is for


if __name__ == "__main__":
    main()
