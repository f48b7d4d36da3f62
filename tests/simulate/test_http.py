"""The HTTP client: every framing of an answer, connections kept and closed, servers that are wrong."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from ratelimit_guard.simulate import http
from ratelimit_guard.simulate.http import FAILURES, MAX_BODY, Answer, Client, Target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

OK = b"HTTP/1.1 200 OK\r\n"
KEPT = OK + b"content-length: 2\r\n\r\nok"


@asynccontextmanager
async def scripted(*answers: bytes) -> AsyncGenerator[tuple[Client, list[int]]]:
    """A client, and a server that sends these bytes in turn; the list counts requests of each connection."""
    left = list(answers)
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        place = len(connections) - 1
        try:
            while left:
                await reader.readuntil(b"body")
                connections[place] += 1
                writer.write(left.pop(0))
                await writer.drain()
                if not left:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client(Target.of(f"http://127.0.0.1:{port}/x", allow_remote=False))
        try:
            yield client, connections
        finally:
            await client.close()


async def posted(client: Client) -> Answer:
    """An answer."""
    return await client.post({"X-Name": "value"}, b"body")


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (KEPT, 200, b"ok"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", 200, b"abcde"),
        (OK + b"\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + KEPT, 200, b"ok"),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After-Ms:  5 \r\nContent-Length: 0\r\n\r\n", 429, b""),
    ],
    ids=["length", "chunks", "end", "none", "continue", "refusal"],
)
async def test_answer_is_read_however_it_is_framed(sent: bytes, status: int, body: bytes) -> None:
    """By its length, in chunks, or until the server hangs up."""
    async with scripted(sent) as (client, _):
        answer = await posted(client)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers.get("retry-after-ms", "5") == "5"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 many\r\n\r\n",
        OK + b"content-length: 9\r\n\r\nshort",
        OK + b"content-length: -1\r\n\r\n",
        OK + b"content-length: x\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n-5\r\n\r\n",
        OK + b"x: " + b"y" * (1 << 17) + b"\r\n\r\n",
    ],
)
async def test_wrong_answer_is_a_failure(sent: bytes) -> None:
    """One of those that a driver counts as an error of the call."""
    async with scripted(sent) as (client, _):
        with pytest.raises(FAILURES):
            await posted(client)


@pytest.mark.parametrize(
    "head", [b"content-length: 9000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\nFFFFFFFF\r\n", b"\r\n"]
)
async def test_long_body_is_cut(head: bytes) -> None:
    """However long the server says it is."""
    async with scripted(OK + head + b"a" * (MAX_BODY + 1_000)) as (client, _):
        assert (await posted(client)).body == b"a" * MAX_BODY


async def test_connection_is_kept() -> None:
    """Three requests, one connection."""
    async with scripted(KEPT, KEPT, KEPT) as (client, connections):
        for _ in range(3):
            await posted(client)
        assert connections == [3]


async def test_closed_connection_is_not_used_again() -> None:
    """Whether the server says so or just hangs up."""
    said = KEPT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with scripted(said, KEPT) as (client, connections):
        await posted(client)
        await posted(client)
        assert connections == [1, 1]


async def test_silence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may take its time, but not for ever."""
    monkeypatch.setattr(http, "ANSWER_TIMEOUT", 0.05)
    async with scripted(b"", KEPT) as (client, _):
        with pytest.raises(TimeoutError):
            await posted(client)
