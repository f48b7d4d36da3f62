"""A scripted upstream: an HTTP/1.1 server of its own, for it must also break the rules of HTTP.

`python -m proxy.upstream PORT`. Tests ask it at /control: `requests` tells what came, `open` who is being answered,
`arrived` how many bytes of bodies came; `go` ends a stall.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import zlib
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from proxy.script import READING, Asked, Script
from proxy.speech import DOCUMENTS, STREAMS, dump

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MAX_REQUESTS = 5_000
MAX_ENDLESS = 64 << 20
PIECE = 16 << 10
FIELDS = [
    ("Connection", "keep-alive, X-Hop"), ("Keep-Alive", "timeout=60"), ("X-Hop", "one connection's"),
    ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "upstream"), ("Set-Cookie", "upstream=1; Path=/"),
    ("X-Request-Id", "req_upstream"), ("Request-Id", "req_upstream"), ("X-Twice", "1"), ("X-Twice", "2"),
]  # fmt: skip

LIMITS = [("X-RateLimit-Limit-Requests", "10000"), ("Anthropic-RateLimit-Requests-Limit", "10000")]


class BrokenOffError(ConnectionError):
    """The connection ends here, as the script or the client wants it."""


class Upstream:
    """What came, what is going on, and the way of each connection."""

    def __init__(self) -> None:
        self.requests: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_REQUESTS)
        self.open: Counter[str] = Counter()
        self.arrived = 0
        self.changed = asyncio.Condition()
        self.go: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                asked = await self._read(reader)
                if asked.path.startswith(("/control/", "/health")):
                    await self._control(asked, writer)
                else:
                    await self._counted(asked, reader, writer)

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]
        body = bytearray()
        await self._note(READING, opened=1)
        try:
            async for piece in _body(reader, dict(headers)):
                body += piece
                await self._note(arrived=len(piece))
        finally:
            await self._note(READING, opened=-1)
        return Asked(method, target, headers, bytes(body))

    async def _note(self, name: str = "", opened: int = 0, arrived: int = 0) -> None:
        async with self.changed:
            self.open[name] += opened
            self.arrived += arrived
            self.changed.notify_all()

    async def _control(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        """`open?is=` and `arrived?least=` answer once it is so."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(asked.target).query).items()}
        name = query.get("name", "")
        async with self.changed:
            if "is" in query:
                await self.changed.wait_for(lambda: self.open[name] == int(query["is"]))
            await self.changed.wait_for(lambda: self.arrived >= int(query.get("least", 0)))
        if asked.path == "/control/go":
            self.go[name].set()
        requests = [record for called, record in self.requests if called == name]
        found = {"/control/requests": requests, "/control/open": self.open[name], "/control/arrived": self.arrived}
        await _document(writer, dump(found.get(asked.path)), Script())

    async def _counted(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = asked.script
        self.requests.append((script.name, asked.record()))
        await self._note(script.name, opened=1)
        try:
            await self._answer(asked, script, reader, writer)
        finally:
            await self._note(script.name, opened=-1)

    async def _answer(
        self, asked: Asked, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = script.said(asked.model, include_usage=asked.include_usage, max_tokens=asked.max_tokens)
        await self._step(script, -1, reader, writer)
        if script.status != 200:
            error = {"message": "as the script says", "type": "api_error", "param": None, "code": "scripted"}
            await _document(writer, dump({"type": "error", "error": error}), script)
        elif not asked.streamed:
            await self._step(script, 0, reader, writer)
            await _document(writer, dump(DOCUMENTS[asked.kind](said)), script)
        else:
            array = asked.kind == "streamGenerateContent"
            _head(writer, script, "application/json" if array else "text/event-stream")
            packer = zlib.compressobj(wbits=31) if script.gzip else None
            for place, event in enumerate(_line(script) if script.endless else STREAMS[asked.kind](said)):
                await self._step(script, place, reader, writer)
                whole = event if script.tear != place else _torn(event)
                packed = packer.compress(whole) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else whole
                await _pieces(writer, packed, script.cut or len(packed))
                if script.tear == place:
                    raise BrokenOffError
            await _pieces(writer, packer.flush() if packer else b"", PIECE)
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def _step(
        self, script: Script, place: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """What is to happen before an event. A client who leaves is noticed here, too."""
        if script.close == place or reader.at_eof():
            raise BrokenOffError
        if script.stall == place:
            await writer.drain()
            await _first(self.go[script.name].wait(), reader)
        if script.delay_ms and place > 0:
            await _first(asyncio.sleep(script.delay_ms / 1000), reader)


async def _first(what: Any, reader: asyncio.StreamReader) -> None:
    """Wait for it, or for the client to leave: then BrokenOffError."""
    wanted, gone = asyncio.ensure_future(what), asyncio.ensure_future(reader.read(1))
    done, others = await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    if gone in done:
        raise BrokenOffError


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> AsyncIterator[bytes]:
    if "chunked" in fields.get("transfer-encoding", ""):
        while size := int(await reader.readline(), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return
    left = int(fields.get("content-length", 0))
    while left:
        piece = await reader.read(min(left, PIECE))
        if not piece:
            raise BrokenOffError
        left -= len(piece)
        yield piece


def _head(writer: asyncio.StreamWriter, script: Script, media: str, length: int | None = None) -> None:
    size = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length + script.lie))
    fields = [*FIELDS, ("Content-Type", media), size]
    fields += LIMITS if script.limits else []
    fields += [("Content-Encoding", "gzip")] if script.gzip else []
    fields += [("Retry-After", script.retry_after)] if script.retry_after else []
    lines = [f"HTTP/1.1 {script.status} Scripted", *(f"{name}: {value}" for name, value in fields), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))


async def _document(writer: asyncio.StreamWriter, body: bytes, script: Script) -> None:
    if script.gzip:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
    _head(writer, script, "application/json", len(body))
    writer.write(body)
    await writer.drain()
    if script.lie > 0:
        raise BrokenOffError  # the client waits for what will not come


async def _pieces(writer: asyncio.StreamWriter, body: bytes, most: int) -> None:
    """As chunks of the transfer coding, each written by itself."""
    for start in range(0, len(body), most or 1):
        piece = body[start : start + most]
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()


def _line(script: Script) -> Iterator[bytes]:
    yield b"data: "
    for _ in range(min(script.endless, MAX_ENDLESS) // PIECE):
        yield b"x" * PIECE


def _torn(event: bytes) -> bytes:
    return event[: next(place for place, byte in enumerate(event) if byte >= 0xC0) + 1]


async def main(port: int) -> None:
    server = await asyncio.start_server(Upstream().connection, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
