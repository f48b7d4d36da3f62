"""A small HTTP/1.1 client: POST with keep-alive, over asyncio's streams.

Ours because a general client costs more than all the rest: with httpx2, whose pool asks every idle connection for each
request, a simulation sends 600 requests a second from one core; with this one 1,500.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.simulate.call import PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_TIMEOUT = 30.0
"""Seconds that a server may take for one answer."""

MAX_HEAD = 1 << 16
"""Bytes of a status line with header fields, or of a line of a chunk."""

MAX_BODY = 1 << 20
"""Bytes of a body."""

FAILURES = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)
"""What a server that is away, too slow or wrong raises."""


class Target(NamedTuple):
    """Where requests go."""

    host: str
    port: int
    tls: bool
    path: str
    authority: str

    @classmethod
    def of(cls, url: str, *, allow_remote: bool) -> Target:
        """From an url; one without a path gets that of chat completions. `ConfigError` for what is none, or remote."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            msg = f"url: {error}, got {url!r:.300}"
            raise ConfigError(msg) from None
        if parts.scheme not in {"http", "https"} or not host or not url.isascii() or " " in url:
            msg = f"url: must begin with http:// or https:// and name a host, got {url!r:.300}"
            raise ConfigError(msg)
        if not allow_remote and not is_loopback(host):
            msg = f"url: {host!r:.300} is not this machine; others only with their consent (--allow-remote)"
            raise ConfigError(msg)
        tls = parts.scheme == "https"
        path = parts.path if parts.path.strip("/") else PATH
        query = f"?{parts.query}" if parts.query else ""
        return cls(host, port or (443 if tls else 80), tls, path + query, parts.netloc.rpartition("@")[2])


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own. Names but `localhost` are not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Answer(NamedTuple):
    """Names of header fields are lower case. A body beyond `MAX_BODY` is cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.is_reusable = True

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        self.writer.write(head.encode("latin-1") + body)
        await self.writer.drain()
        self.is_reusable = False
        status, received = await self._head()
        while status < 200:  # a word before the answer, such as 100 Continue
            status, received = await self._head()
        answer = Answer(status, received, await self._body(status, received))
        self.is_reusable = self.is_reusable and "close" not in received.get("connection", "").lower()
        return answer

    async def _head(self) -> tuple[int, dict[str, str]]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        version, status = first.split(" ", 2)[:2]
        if version != "HTTP/1.1":
            msg = f"expected HTTP/1.1, got {version!r:.50}"
            raise ValueError(msg)
        fields = (line.partition(":") for line in lines)
        return int(status), {name.strip().lower(): value.strip() for name, _, value in fields}

    async def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._chunks()
        length = headers.get("content-length")
        if length is None and status not in {204, 304}:
            return await self._upto(MAX_BODY)
        size = int(length or 0)
        if size > MAX_BODY:
            return await self._upto(MAX_BODY)
        body = await self.reader.readexactly(size)
        self.is_reusable = True
        return body

    async def _chunks(self) -> bytes:
        body = bytearray()
        while len(body) <= MAX_BODY:
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                while await self.reader.readuntil(b"\r\n") != b"\r\n":
                    pass
                self.is_reusable = True
                break
            if size > MAX_BODY:
                body += await self._upto(MAX_BODY)
                break
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        return bytes(body[:MAX_BODY])

    async def _upto(self, size: int) -> bytes:
        """What comes until the server hangs up, or so many bytes; the connection is of no more use."""
        body = bytearray()
        while len(body) < size and (more := await self.reader.read(size - len(body))):
            body += more
        return bytes(body)


class Client:
    """Sends to one target over as many connections as are needed at once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._idle: list[_Connection] = []

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer; one of `FAILURES` if there is none in time."""
        async with asyncio.timeout(ANSWER_TIMEOUT):
            connection = self._waiting() or await self._open()
            try:
                answer = await connection.post(self.target, headers, body)
            except BaseException:
                connection.writer.close()
                raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            connection.writer.close()
        return answer

    async def close(self) -> None:
        """Hang up."""
        for connection in self._idle:
            connection.writer.close()
        for connection in self._idle:
            with suppress(OSError):
                await connection.writer.wait_closed()

    def _waiting(self) -> _Connection | None:
        """An idle connection, but none that the server has closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof():
                return connection
            connection.writer.close()
        return None

    async def _open(self) -> _Connection:
        tls = True if self.target.tls else None
        streams = await asyncio.open_connection(self.target.host, self.target.port, ssl=tls, limit=MAX_HEAD)
        return _Connection(*streams)
