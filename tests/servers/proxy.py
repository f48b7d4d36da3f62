"""A TCP proxy on the loopback that does to connections what bad networks do, and counts what passes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

from servers.server import HOST, free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine

CHUNK = 65_536
QUEUED = 1_000
"""Chunks on their way in one direction; a sender that is faster waits."""

RESET = struct.pack("ii", 1, 0)
BACKLOG = 128


class _Way:
    """One connection from a client to the server behind."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._asked = False
        self._writers: list[asyncio.StreamWriter] = []

    async def run(self, accepted: socket.socket) -> None:
        """Pass bytes until both sides have ended or somebody resets it."""
        try:
            reader, writer = await _streams(accepted, self._proxy.tls)
            self._writers.append(writer)
            behind, server = await asyncio.open_connection(HOST, self._proxy.behind)
            self._writers.append(server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, server, self._count_up))
                both.create_task(self._pass(behind, writer, self._count_down))
        except* OSError:  # what ends one side ends the other, in the same manner
            self.reset()
        finally:
            for writer in self._writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def reset(self) -> None:
        """No farewell, on either side."""
        for writer in self._writers:
            with contextlib.suppress(OSError, AttributeError):  # ended by now
                ours = writer.get_extra_info("socket")
                if ours is not None:
                    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]
    ) -> None:
        """Read at once and write when due, so that a delay is a distance and no limit on what is under way."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        writing = asyncio.create_task(self._write(queue, writer, count))
        now = asyncio.get_running_loop().time
        try:
            while data := await reader.read(CHUNK):
                await queue.put((now() + self._proxy.delay_s, data))
            await queue.put((now() + self._proxy.delay_s, b""))
            await writing
        finally:
            writing.cancel()

    async def _write(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        count: Callable[[int], None],
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, data = await queue.get()
            if (left := due - now()) > 0:
                await asyncio.sleep(left)
            await self._proxy.flowing.wait()
            if not data:
                writer.write_eof() if writer.can_write_eof() else writer.close()  # TLS cannot end one way only
                return
            count(len(data))
            await self._send(writer, data)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        step = 1 if self._proxy.dripping else len(data)
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if step == 1:
                await asyncio.sleep(0)

    def _count_up(self, size: int) -> None:
        self._proxy.bytes_up += size
        self._asked = True

    def _count_down(self, size: int) -> None:
        self._proxy.bytes_down += size
        self._proxy.round_trips += self._asked
        self._asked = False


class Proxy:
    """Between clients and one server, in a thread of its own; its methods return when what they say is so."""

    def __init__(self, behind: int, tls: ssl.SSLContext | None = None) -> None:
        self.behind = behind
        self.tls = tls
        self.port = free_port()
        self.connections = self.bytes_up = self.bytes_down = self.round_trips = 0
        self.delay_s = 0.0
        self.dripping = False
        self.flowing = asyncio.Event()
        self._ways: dict[_Way, asyncio.Task[None]] = {}
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._fillers: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where clients connect instead."""
        return f"{'rediss' if self.tls else 'redis'}://{HOST}:{self.port}/0"

    def cut(self) -> None:
        """Reset every connection there is; new ones pass."""
        self._do(self._cut())

    def freeze(self) -> None:
        """Accept connections and bytes, and pass on nothing: they stay half open. `restore` passes what was held."""
        self._do(self._freeze())

    def blackhole(self) -> None:
        """As if the cable were pulled: nothing passes, no end is seen, and nobody answers a new connection."""
        self._do(self._blackhole())

    def refuse(self) -> None:
        """As if the server were gone: every connection is reset, new ones are refused."""
        self._do(self._refuse())

    def delay(self, seconds: float) -> None:
        """Put the server that far away, each way."""
        self.delay_s = seconds

    def drip(self) -> None:
        """Pass one byte at a time."""
        self.dripping = True

    def restore(self) -> None:
        """Be a good network again; connections that were frozen go on."""
        self._do(self._restore())

    def _do(self, task: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(10)

    async def _cut(self) -> None:
        for way, task in self._ways.items():
            way.reset()
            task.cancel()

    async def _freeze(self) -> None:
        self.flowing.clear()

    async def _blackhole(self) -> None:
        """The kernel answers no SYN for a listener whose queue is full, so ours is, with connections of our own."""
        await self._freeze()
        await self._pause()
        assert self._listener is not None
        self._listener.listen(0)
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self._fillers.append(filler)

    async def _refuse(self) -> None:
        await self._pause()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._cut()

    async def _restore(self) -> None:
        self.delay_s, self.dripping = 0.0, False
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((HOST, self.port))
            self._listener.setblocking(False)
        self._unblock(self._listener)
        self._listener.listen(BACKLOG)
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept(self._listener))
        self.flowing.set()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._serve((await loop.sock_accept(listener))[0])

    def _serve(self, accepted: socket.socket) -> None:
        self.connections += 1
        way = _Way(self)
        self._ways[way] = task = asyncio.create_task(way.run(accepted))
        task.add_done_callback(lambda _: self._ways.pop(way))
        task.add_done_callback(lambda _: accepted.close())  # also when it never began

    def _unblock(self, listener: socket.socket) -> None:
        """Take our own connections out of the queue, and serve those of clients from before."""
        own = {filler.getsockname() for filler in self._fillers}
        with contextlib.suppress(BlockingIOError):
            while own:
                accepted, peer = listener.accept()
                accepted.close() if peer in own else self._serve(accepted)
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    async def _pause(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await _ended(self._accepting)
            self._accepting = None

    async def _close(self) -> None:
        await self._refuse()
        for task in list(self._ways.values()):
            await _ended(task)
        for filler in self._fillers:
            filler.close()


async def _streams(
    accepted: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=tls)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _ended(task: Awaitable[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await task
