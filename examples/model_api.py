"""A model behind OpenAI's chat completions, guarded: `uvicorn examples.model_api:app --workers 4`.

The model is a toy that needs no weights: the same conversation gets the same answer. `make demo` puts it under load.
"""

import json
import os
import time
from collections.abc import AsyncIterator
from hashlib import shake_256
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ratelimit_guard.asgi import RateLimitMiddleware

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("model_api.toml"))
SHORTEST, LONGEST = 40, 160
"""Words of an answer."""
VOCABULARY = """
about after answer around before begin better between bring bridge call careful change choose clear close colour
common corner country could early enough evening every example family field first follow garden gather gentle given
green ground harbour heavy hold house improve inside island keep kind ladder large later learn letter light little
longer market matter measure middle minute morning mountain near never notice number often open order other paper part
people perhaps place plain plan question quiet rather reason river road round season second several simple small
steady still story street strong table their then thing through together toward travel under until use village walk
water weather when window winter without work write year yellow
"""
WORDS = VOCABULARY.split()


async def chat(request: Request) -> Response:
    try:
        asked: Any = await request.json()
        words, reason = answer(asked["messages"], asked.get("max_completion_tokens", asked.get("max_tokens")))
    except (ValueError, LookupError, TypeError, AttributeError):
        error = {"message": "send a chat completion", "type": "invalid_request_error", "param": None, "code": None}
        return JSONResponse({"error": error}, 400)
    model, prompt_tokens = str(asked.get("model")), len(str(asked["messages"]).split())
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": len(words),
        "total_tokens": prompt_tokens + len(words),
    }
    if asked.get("stream"):
        options: dict[str, Any] = asked.get("stream_options") or {}
        events = stream(model, words, reason, usage if options.get("include_usage") else None)
        return StreamingResponse(events, media_type="text/event-stream")
    message = {"role": "assistant", "content": " ".join(words)}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return JSONResponse({**head("chat.completion", model), "choices": [choice], "usage": usage})


def answer(messages: Any, most: int | None) -> tuple[list[str], str]:
    """At most so many words, and why they end."""
    drawn = shake_256(json.dumps(messages).encode()).digest(LONGEST)
    length = SHORTEST + drawn[0] % (LONGEST - SHORTEST)
    words = [WORDS[byte % len(WORDS)] for byte in drawn[:length]]
    return (words, "stop") if most is None or length <= most else (words[:most], "length")


async def stream(model: str, words: list[str], reason: str, usage: dict[str, int] | None) -> AsyncIterator[bytes]:
    start = head("chat.completion.chunk", model)

    def event(delta: dict[str, str], why: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": why}
        return b"data: " + json.dumps({**start, "choices": [choice]}).encode() + b"\n\n"

    yield event({"role": "assistant", "content": ""})
    for place, word in enumerate(words):
        yield event({"content": f" {word}" if place else word})
    yield event({}, reason)
    if usage is not None:
        yield b"data: " + json.dumps({**start, "choices": [], "usage": usage}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{time.time_ns():x}", "object": kind, "created": int(time.time()), "model": model}


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/health", health)]
app = Starlette(routes=routes, middleware=[Middleware(RateLimitMiddleware, config=LIMITS)])
