"""Any model API behind limits: `UPSTREAM_URL=... UPSTREAM_API_KEY=... uvicorn examples.llm_proxy:app --workers 4`.

Speaks what the upstream speaks (OpenAI, Anthropic, Gemini): bytes pass as they come. UPSTREAM_URL has no `/v1`.
"""

import logging
import os
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import quote, urlencode

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ratelimit_guard.asgi import RateLimitMiddleware

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("llm_proxy.toml"))
UPSTREAM = os.environ["UPSTREAM_URL"].rstrip("/")
KEY = os.environ.get("UPSTREAM_API_KEY", "").encode()
TIMEOUT = httpx2.Timeout(connect=5, read=600, write=60, pool=5)  # read: a model may think so long between two chunks
# Keep none alive (0) for an upstream that may write beyond its Content-Length: the rest would begin another's answer.
POOL = httpx2.Limits(max_connections=1_000, max_keepalive_connections=100)  # a stream holds one to its end

PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages"]
PATHS += ["/v1beta/models/{model}:{method}"]
# All that the upstream gets from a caller. A list of what to hold back would miss the next credential or address.
FIELDS = {b"accept", b"accept-encoding", b"content-encoding", b"content-length", b"content-type", b"user-agent"}
FIELDS |= {b"anthropic-beta", b"anthropic-version", b"openai-beta", b"traceparent", b"x-request-id"}
QUERY = {"after", "after_id", "alt", "api-version", "before_id", "beta", "limit", "pageSize", "pageToken"}
# Of one connection only, said by our own server, or (cookies) between the upstream and its one customer, the proxy.
HELD = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
TOLD = (b"x-ratelimit-", b"anthropic-ratelimit-")  # what is left to the upstream's customer, not to his callers
HELD |= {b"proxy-authenticate", b"proxy-authentication-info", b"date", b"server", b"set-cookie"}


class Exchange:
    """A request and its answer, given up when the caller leaves: what nobody reads must not be generated and paid."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._caller, self._send, self._answered = Request(scope, receive), send, False
        self._tasks = anyio.create_task_group()

    def __await__(self) -> Generator[None, None, None]:
        return self._run().__await__()  # so that the class is an ASGI app

    async def _run(self) -> None:
        async with self._tasks:
            try:
                async with aclosing(await self._caller.state.client.send(self._outgoing(), stream=True)) as answer:
                    await self._pass_on(answer)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                logging.getLogger(__name__).warning("upstream: %r", error)
                if not self._answered:  # else the server cuts the connection: nobody takes a part for the whole
                    await self._fail(504 if isinstance(error, httpx2.TimeoutException) else 502)
            except (ClientDisconnect, OSError):
                pass  # of the two ways in which a server tells, the second is a send that fails
            self._tasks.cancel_scope.cancel()

    def _outgoing(self) -> httpx2.Request:
        scope, headers = self._caller.scope, self._caller.headers
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        query = urlencode([item for item in self._caller.query_params.multi_items() if item[0] in QUERY])
        url = f"{UPSTREAM}{quote(path, safe='/:')}?{query}".removesuffix("?")  # quoted anew: what the guard saw
        fields = [field for field in end_to_end(headers.raw) if field[0] in FIELDS]
        if "accept-encoding" not in headers:
            fields.append((b"accept-encoding", b"identity"))  # without the field the upstream may choose any
        name = b"x-api-key" if "anthropic-version" in headers else b"authorization"
        name = b"x-goog-api-key" if path.startswith("/v1beta/") else name
        fields += [(name, b"Bearer " + KEY if name == b"authorization" else KEY)] if KEY else []
        if scope["method"] != "POST" and "content-length" not in headers:
            fields.append((b"content-length", b"0"))  # else the body would be chunked
        return httpx2.Request(scope["method"], url, headers=fields, content=self._upload())

    async def _upload(self) -> AsyncIterator[bytes]:
        async for chunk in self._caller.stream():
            yield chunk
        self._tasks.start_soon(self._leave)  # until here ClientDisconnect tells

    async def _leave(self) -> None:
        while (await self._caller.receive())["type"] != "http.disconnect":
            pass
        self._tasks.cancel_scope.cancel()

    async def _pass_on(self, answer: httpx2.Response) -> None:
        self._answered = True
        fields = [field for field in end_to_end(answer.headers.raw) if not field[0].startswith(TOLD)]
        await self._send({"type": "http.response.start", "status": answer.status_code, "headers": fields})
        async for chunk in answer.aiter_raw():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _fail(self, status: int) -> None:
        message = "the upstream did not answer in time" if status == 504 else "the upstream cannot be reached"
        body = {"type": "error", "error": {"type": "api_error", "message": message, "param": None, "code": None}}
        await JSONResponse(body, status)(self._caller.scope, self._caller.receive, self._send)


def end_to_end(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Also without what `Connection` names (RFC 9110, section 7.6.1)."""
    fields = [(name.lower(), value) for name, value in fields]
    named = b",".join(value.lower() for name, value in fields if name == b"connection").split(b",")
    return [field for field in fields if field[0] not in HELD.union(map(bytes.strip, named))]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # keeps none: an upstream can set ever new ones
    async with httpx2.AsyncClient(timeout=TIMEOUT, limits=POOL, cookies=cookies) as client:
        yield {"client": client}


routes = [Route(path, Exchange, methods=["POST"]) for path in PATHS]
routes += [Route("/v1/models", Exchange, methods=["GET"]), Route("/health", lambda _: PlainTextResponse("ok"))]
app = Starlette(routes=routes, middleware=[Middleware(RateLimitMiddleware, config=LIMITS)], lifespan=lifespan)
