"""A model API for the load tests, as a server runs it: `TIERS` names the tier file, `RECORDS` a directory.

What it really used goes there line by line, `time what call tokens`, so that a killed worker has told all but its last
event: `begin` and `end` of a call, `in` its prompt, `out` what an event brought; and what the guard settled.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from typing import TYPE_CHECKING, Any

from calls.clients import Script
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware

if TYPE_CHECKING:
    from ratelimit_guard.events import UsageEvent

WORDS = "some words of an answer "
WRONG = (-1, "60", None, 1e30, True, [7], 1 << 40)
"""Usages that are no counts."""
STREAM = [(b"content-type", b"text/event-stream")]
_record = os.open(f"{os.environ['RECORDS']}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_calls = itertools.count()


def note(what: str, call: int, tokens: int = 0) -> None:
    os.write(_record, f"{time.monotonic():.4f} {what} {call} {tokens}\n".encode())


def settled(event: UsageEvent) -> None:
    note(event.ended, 0, event.input_tokens + event.output_tokens)


def event(delta: Any, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": None}] if delta is not None else []
    value = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}
    return b"data: %s\n\n" % json.dumps(value).encode()


EVENT = event({"content": WORDS})


async def model(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"  # no lifespan
    if scope["path"] == "/health":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
        return
    while (await receive()).get("more_body"):
        pass
    call, script = next(_calls), Script(*json.loads(dict(scope["headers"])[b"x-script"]))
    leaving = asyncio.ensure_future(receive())
    note("begin", call)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        note("in", call, script.prompt)
        await _stream(script, call, leaving, send)
    finally:
        leaving.cancel()
        note("end", call)


async def _stream(script: Script, call: int, leaving: asyncio.Future[Any], send: Any) -> None:
    for number in range(script.events):
        await asyncio.sleep(script.every_s)
        if leaving.done():
            return
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        note("out", call, script.output(number + 1) - script.output(number))
    last = b""
    if script.tells != "nothing":
        counts = (script.prompt, script.output(script.events)) if script.tells == "truth" else (WRONG[call % 7],) * 2
        last = event(None, usage={"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": 0})
    await send({"type": "http.response.body", "body": last + b"data: [DONE]\n\n"})


guard = Guard.from_file(os.environ["TIERS"], usage_hooks=[settled])
app: Any = RateLimitMiddleware(model, guard)
bare = model
