"""A host of a fleet: all hosts that are started with this tier file and one server count together.

    export REDIS_URL=redis://localhost:6379/0
    uvicorn examples.fleet:app --port 8001 --workers 2 &
    uvicorn examples.fleet:app --port 8002 --workers 2 &

Ask either one more than a hundred times a minute: both refuse. Stop the server: both go on. On hosts of their own each
then counts for itself; these two are on one, whose table they share.
"""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from ratelimit_guard.asgi import RateLimitMiddleware

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("fleet.toml"))


async def answer(request: Request) -> JSONResponse:
    return JSONResponse({"answer": "42", "from": os.getpid()})


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


routes = [Route("/answer", answer), Route("/health", health)]
app = Starlette(routes=routes, middleware=[Middleware(RateLimitMiddleware, config=LIMITS)])
