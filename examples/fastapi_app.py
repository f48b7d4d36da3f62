"""FastAPI: `uvicorn examples.fastapi_app:app --workers 4`."""

import os
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse

from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware

guard = Guard.from_file(os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("limits.toml")))
app = FastAPI()
app.add_middleware(RateLimitMiddleware, guard=guard)


@app.api_route("/v1/chat", methods=["GET", "POST"])
async def chat() -> dict[str, str]:
    return {"answer": "hello"}


@app.get("/v1/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse((b"data: %d\n\n" % number for number in range(3)), media_type="text/event-stream")


@app.get("/v1/thumbnails", dependencies=[Depends(guard.dependency("images"))])
async def thumbnails() -> dict[str, str]:
    return {"answer": "small"}


@app.get("/health")
async def health() -> str:
    return "ok"
