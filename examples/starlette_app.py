"""Starlette: `uvicorn examples.starlette_app:app --workers 4`."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ratelimit_guard.asgi import RateLimitMiddleware

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("limits.toml"))


async def chat(request: Request) -> JSONResponse:
    return JSONResponse({"answer": "hello"})


async def stream(request: Request) -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number

    return StreamingResponse(events(), media_type="text/event-stream")


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def realtime(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


app = Starlette(
    routes=[
        Route("/v1/chat", chat, methods=["GET", "POST"]),
        Route("/v1/stream", stream),
        Route("/health", health),
        WebSocketRoute("/v1/realtime", realtime),
    ],
    middleware=[Middleware(RateLimitMiddleware, config=LIMITS)],
)
