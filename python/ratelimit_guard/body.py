"""A request's body, read before the app for routes that want it, and given to the app as if nobody had looked.

It is read up to a cap, whatever its type is called: many an app parses JSON without looking at the header, and who says
`text/plain` must not go unseen by that. What was read is replayed; what was not is left with the server.
"""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ratelimit_guard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator

    from ratelimit_guard.request import Request

    Message = Any
    Scope = Any
    Receive = Callable[[], Awaitable[Message]]
    Environ = dict[str, Any]

MAX_MESSAGES = 1024
"""Messages replayed one by one. More of them, from a client that sends byte by byte, become a single one: a message
costs 250 bytes of memory, whatever it holds.
"""
MAX_DIGITS = 18
"""Digits of a length that is believed to be a number."""

REPLACED = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
REPLACED_ENVIRON = ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING")


class Body:
    """What became of a body, and the `receive` that the app gets in place of the server's.

    `bytes` is the whole body as it came, compressed or not, or None, and then `problem` says why: `"too-large"`,
    `"timeout"` (answer 408), or `"disconnected"`. `size` is its length as far as it was said or has been seen.
    """

    __slots__ = ("_scope", "_server", "bytes", "problem", "receive", "size")

    def __init__(
        self, scope: Scope, server: Receive, content: bytes | None, problem: str | None, app: Receive, size: int
    ) -> None:
        """`app` replays what was taken from `server`."""
        self._scope = scope
        self._server = server
        self.bytes = content
        self.problem = problem
        self.receive = app
        self.size = size

    def replaced(self, content: bytes) -> tuple[Scope, Receive]:
        """A copy of the scope, and a receive, for an app that shall get `content` (plain, not compressed) instead.

        `UsageError` when the body was not read to its end: the rest would come behind. Cost: 2 µs.
        """
        _require(self.bytes)
        headers = [pair for pair in self._scope["headers"] if pair[0].lower() not in REPLACED]
        headers.append((b"content-length", b"%d" % len(content)))
        message = {"type": "http.request", "body": content, "more_body": False}
        return {**self._scope, "headers": headers}, _Replay([message], self._server).receive


async def read_body(scope: Scope, receive: Receive, *, most: int, deadline: float | None) -> Body:
    """Read a body of up to `most` bytes within `deadline` seconds in all (None: no deadline).

    The deadline needs asyncio or an event loop under it (uvloop); on others there is none. Cost: 1.9 µs with ten
    headers when the whole body has arrived, which it mostly has; 6 µs more when it must be waited for.
    """
    said = _length(scope.get("headers", ()))
    if said > most:
        return Body(scope, receive, None, "too-large", receive, said)
    # A timer costs more than all the rest, so it is set only when the first message is not there yet.
    steps = receive().__await__()
    try:
        begun: _Begun | None = _Begun(steps, next(steps))
        message = None
    except StopIteration as end:
        begun, message = None, end.value
        if message["type"] == "http.request" and not message.get("more_body"):
            content = message.get("body") or b""
            if len(content) <= most:
                return Body(scope, receive, bytes(content), None, _Replay([message], receive).receive, len(content))
    taken = _Taken(most)
    problem = await taken.read_within(receive, begun, message, deadline)
    content = taken.joined() if problem is None else None
    return Body(scope, receive, content, problem, _Replay(taken.replay(), receive).receive, max(said, taken.size))


class _Taken:
    """Messages that were taken from the server."""

    __slots__ = ("_gathered", "_messages", "_more", "_most", "problem", "size")

    def __init__(self, most: int) -> None:
        self._most = most
        self._messages: list[Message] = []
        self._gathered: bytearray | None = None
        self.size = 0
        self._more = True
        self.problem: str | None = None

    def lacks(self, message: Message) -> bool:
        """Take a message. Must there be another one?"""
        if message["type"] != "http.request":
            self.problem = "disconnected"
            self._messages.append(message)
            return False
        chunk = message.get("body") or b""
        self._more = bool(message.get("more_body"))
        self.size += len(chunk)
        if self._gathered is not None:
            self._gathered += chunk
        else:
            self._messages.append(message)
            if len(self._messages) > MAX_MESSAGES:
                self._gathered = bytearray(self.joined())
                self._messages.clear()
        if self.size > self._most:
            self.problem = "too-large"
            return False
        return self._more

    async def read(self, receive: Receive, begun: _Begun | None, message: Message) -> str | None:
        """Take messages until there is enough; the problem, if any. The first is `message`, or what `begun` gives."""
        if begun is not None:
            message = await begun
        while self.lacks(message):
            message = await receive()
        return self.problem

    async def read_within(
        self, receive: Receive, begun: _Begun | None, message: Message, deadline: float | None
    ) -> str | None:
        """`read`, with an end where there are timers."""
        if deadline is None or not _in_asyncio():
            return await self.read(receive, begun, message)
        limit = asyncio.timeout(deadline)
        try:
            async with limit:
                return await self.read(receive, begun, message)
        except TimeoutError:
            if not limit.expired():  # the server's own
                raise
            return "timeout"

    def joined(self) -> bytes:
        """The body so far; that of a single message as it is."""
        if self._gathered is not None:
            return bytes(self._gathered)
        if len(self._messages) == 1:
            return bytes(self._messages[0].get("body") or b"")
        return b"".join([message.get("body") or b"" for message in self._messages])

    def replay(self) -> list[Message]:
        """What the app shall get, last first."""
        messages = self._messages
        if self._gathered is not None:
            whole = {"type": "http.request", "body": bytes(self._gathered), "more_body": self._more}
            messages.insert(0, whole)  # before a disconnect
        messages.reverse()
        return messages


class _Replay:
    """Messages that were taken, last first, and then the server."""

    __slots__ = ("_messages", "_server")

    def __init__(self, messages: list[Message], server: Receive) -> None:
        self._messages = messages
        self._server = server

    async def receive(self) -> Message:
        return self._messages.pop() if self._messages else await self._server()


class _Begun:
    """An awaitable that has run up to its first wait; awaiting this goes on from there, on any event loop."""

    __slots__ = ("_awaited", "_steps")

    def __init__(self, steps: Generator[Any, Any, Message], awaited: object) -> None:
        self._steps = steps
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Message]:
        """`yield from`, of which the first step was done."""
        steps, awaited = self._steps, self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                if not hasattr(steps, "throw"):
                    raise
                resume = partial(steps.throw, error)
            else:
                resume = partial(next, steps) if sent is None else partial(steps.send, sent)
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value


def _in_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """By its own word, of several the longest, 0 without one. Lengths of names are compared first: there are many."""
    said = 0
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            said = max(said, _declared(value))
    return said


def _declared(length: bytes) -> int:
    """The length that a header says; 0 for what is none, since the server has to make sense of that."""
    if not length.isdigit():
        return 0
    return int(length) if len(length) <= MAX_DIGITS else 10**MAX_DIGITS


def announced(request: Request) -> int | None:
    """How long the body is by its own word, None without one."""
    said = request.header(b"content-length") or str(request.native.get("CONTENT_LENGTH") or "").encode()
    return _declared(said) if said.isdigit() else None


class EnvironBody:
    """What became of a body in WSGI; `environ["wsgi.input"]` has been changed so that the app can read it again.

    `bytes` and `problem` as in `Body`, without deadline; besides, `"length-required"` (answer 411): chunked, on a
    server that does not say where the body ends.
    """

    __slots__ = ("_environ", "bytes", "problem", "size")

    def __init__(self, environ: Environ, content: bytes | None, problem: str | None, size: int) -> None:
        """Keep the environ."""
        self._environ = environ
        self.bytes = content
        self.problem = problem
        self.size = size

    def replaced(self, content: bytes) -> Environ:
        """A copy of the environ for an app that shall get `content` (plain, not compressed) instead.

        `UsageError` when the body was not read to its end. Cost: 1 µs.
        """
        _require(self.bytes)
        environ = {**self._environ, "CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content)}
        for name in REPLACED_ENVIRON:
            environ.pop(name, None)
        return environ


def read_environ(environ: Environ, *, most: int) -> EnvironBody:
    """Read a body of up to `most` bytes. At most one byte more is taken from the server.

    How long a read may last is the server's matter. Cost: 1.3 µs.
    """
    declared, terminated = _extent(environ)
    if declared is None and not terminated:
        problem = "length-required" if environ.get("HTTP_TRANSFER_ENCODING") else None
        # Without a length there is no body, and a read could wait for ever.
        return EnvironBody(environ, b"" if problem is None else None, problem, 0)
    if declared is not None and declared > most:
        return EnvironBody(environ, None, "too-large", declared)
    server = environ["wsgi.input"]
    content, problem = _take(server, most + 1 if declared is None else declared)
    if problem is None and declared is not None and len(content) < declared:
        problem = "disconnected"
    elif len(content) > most:
        problem = "too-large"
    environ["wsgi.input"] = io.BytesIO(content) if problem is None else _Input(content, server)
    return EnvironBody(environ, content if problem is None else None, problem, max(declared or 0, len(content)))


def _extent(environ: Environ) -> tuple[int | None, bool]:
    """The declared length, if it is one, and whether the server ends the input where the body ends."""
    length = str(environ.get("CONTENT_LENGTH") or "").strip()
    known = length.isascii() and length.isdigit()
    return _declared(length.encode()) if known else None, bool(environ.get("wsgi.input_terminated"))


def _take(server: Any, size: int) -> tuple[bytes, str | None]:
    """Up to `size` bytes. What the server raises (a broken chunk, a lost client) the app meets when it reads on."""
    chunks: list[bytes] = []
    while size > 0:
        try:
            chunk = server.read(size)
        except Exception:  # noqa: BLE001  each server has its own
            return b"".join(chunks), "disconnected"
        if not chunk:
            break
        chunks.append(chunk)
        size -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks), None


class _Input:
    """The bytes that were taken, then the server's input, as one file (PEP 3333)."""

    def __init__(self, taken: bytes, server: Any) -> None:
        self._taken = io.BytesIO(taken)
        self._server = server

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self._taken.read() + cast("bytes", self._server.read())
        chunk = self._taken.read(size)
        return chunk + self._server.read(size - len(chunk)) if len(chunk) < size else chunk

    def readline(self, size: int | None = -1, /) -> bytes:
        limited = size is not None and size >= 0
        line = self._taken.readline(size)
        if line.endswith(b"\n") or (limited and len(line) == size):
            return line
        rest = self._server.readline(cast("int", size) - len(line)) if limited else self._server.readline()
        return line + cast("bytes", rest)

    def readlines(self, _hint: int = -1, /) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


def _require(content: bytes | None) -> None:
    if content is None:
        msg = "only a body that was read to its end can be replaced: look at `problem`"
        raise UsageError(msg)
