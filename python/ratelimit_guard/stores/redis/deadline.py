"""Deadlines of calls that block: a call's steps (connect, TLS, greetings, the script) share one, to the last byte."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import socket


LAST_LOOK_S = 0.001
"""For an answer that came while this thread did not run: one more step when the time is used up."""


class Deadline(threading.local):
    """Of what this thread does: `with DEADLINE.within(0.025): …`."""

    at: float | None = None
    looked = False

    def within(self, seconds: float) -> Self:
        """From now on."""
        self.at, self.looked = time.monotonic() + seconds, False
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.at = None

    def left(self, patience_s: float) -> float:
        """Seconds for one step, `patience_s` at most. `TimeoutError` when there are none."""
        if self.at is None:
            return patience_s
        left = self.at - time.monotonic()
        if left > 0:
            return min(left, patience_s)
        if self.looked:
            msg = "the time for this call is used up"
            raise TimeoutError(msg)
        self.looked = True
        return LAST_LOOK_S


DEADLINE = Deadline()


class BoundedSocket:
    """A socket on which no read or write goes on beyond the deadline, however slowly bytes drip."""

    def __init__(self, inner: socket.socket, patience_s: float) -> None:
        """`patience_s` is for threads without a deadline."""
        self._inner, self._patience_s, self._waits = inner, patience_s, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def settimeout(self, seconds: float | None) -> None:
        """Zero: do not wait at all. Any other time is the deadline's."""
        self._waits = seconds != 0

    def _due(self) -> socket.socket:
        self._inner.settimeout(DEADLINE.left(self._patience_s) if self._waits else 0)
        return self._inner

    def recv(self, *arguments: Any) -> bytes:
        """Read what there is."""
        return self._due().recv(*arguments)

    def recv_into(self, buffer: bytearray) -> int:
        """Read what there is."""
        return self._due().recv_into(buffer)

    def sendall(self, data: Any) -> None:
        """Write; the time is that of all of it."""
        self._due().sendall(data)


class _Bounded:
    """Mixed into a connection of redis-py, which asks for these times before each step of connecting."""

    _socket_timeout: float
    _socket_connect_timeout: float

    @property
    def socket_timeout(self) -> float:
        return DEADLINE.left(self._socket_timeout)

    @socket_timeout.setter
    def socket_timeout(self, seconds: float) -> None:
        self._socket_timeout = seconds

    @property
    def socket_connect_timeout(self) -> float:
        return DEADLINE.left(self._socket_connect_timeout)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, seconds: float) -> None:
        self._socket_connect_timeout = seconds

    def _connect(self) -> BoundedSocket:
        connected: socket.socket = super()._connect()  # type: ignore[misc]  # pyright: ignore
        return BoundedSocket(connected, self._socket_timeout)  # pyright: ignore


@functools.cache
def bounded(connection: type) -> type:
    """A class of connections that heed the deadline."""
    return type(f"Bounded{connection.__name__}", (_Bounded, connection), {})
