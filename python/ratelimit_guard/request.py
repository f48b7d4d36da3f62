"""`Request`: what the guard looks at, the same from every kind of server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ratelimit_guard._records import new

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class EnvironHeaders:
    """Headers of a WSGI environ as pairs in the way of ASGI; what nobody looks at costs nothing."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        """Keep the environ."""
        self._environ = environ

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for name, value in self._environ.items():
            if name.startswith("HTTP_"):
                yield name[5:].replace("_", "-").lower().encode("latin-1", "replace"), _bytes(value)

    def find(self, name: bytes) -> bytes | None:
        """A header's value; several of one name have been joined by the server."""
        value = self._environ.get(f"HTTP_{name.decode().upper().replace('-', '_')}")
        return None if value is None else _bytes(value)


class Request(NamedTuple):
    """Method, path, headers and peer of a request. Headers are pairs of bytes with lower-case names, as in ASGI.

    `native` is the ASGI scope or WSGI environ, for lookups that need more. A websocket's method is GET.
    """

    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]]
    peer: str | None
    native: Mapping[str, Any]

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None. `name` is in lower case."""
        headers = self.headers
        if type(headers) is EnvironHeaders:
            return headers.find(name)
        for key, value in headers:
            if key == name:
                return value
        return None

    def header_values(self, name: bytes) -> list[bytes]:
        """Every value of a header in order: what a proxy added comes last."""
        return [value for key, value in self.headers if key == name]


def from_scope(scope: Mapping[str, Any]) -> Request:
    """Read an ASGI scope of type http or websocket. Never fails: what is absent is empty."""
    get = scope.get
    client = get("client")
    parts = (get("method", "GET"), get("path", ""), get("headers", ()), client[0] if client else None, scope)
    request: Request = new(Request, parts)
    return request


def from_environ(environ: Mapping[str, Any]) -> Request:
    """Read a WSGI environ (PEP 3333). Never fails."""
    get = environ.get
    path = f"{get('SCRIPT_NAME', '')}{get('PATH_INFO', '')}"
    if not path.isascii():  # WSGI gives the path's bytes as latin-1 text
        path = _bytes(path).decode("utf-8", "replace")
    return Request(get("REQUEST_METHOD", "GET"), path, EnvironHeaders(environ), get("REMOTE_ADDR") or None, environ)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
