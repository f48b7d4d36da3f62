"""Litestar: `uvicorn examples.litestar_app:app --workers 4`."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from litestar import Litestar, get, post
from litestar.middleware import DefineMiddleware
from litestar.response import Stream

from ratelimit_guard.asgi import RateLimitMiddleware

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("limits.toml"))


@get("/v1/chat")
async def chat() -> dict[str, str]:
    return {"answer": "hello"}


@post("/v1/chat", status_code=200)
async def chat_post() -> dict[str, str]:
    return {"answer": "hello"}


@get("/v1/stream")
async def stream() -> Stream:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number

    return Stream(events(), media_type="text/event-stream")


@get("/health", sync_to_thread=False)
def health() -> str:
    return "ok"


app = Litestar([chat, chat_post, stream, health], middleware=[DefineMiddleware(RateLimitMiddleware, config=LIMITS)])
