"""WSGI: the guard before an app. The app's iterable is handed on as it is, so streams stream and files are closed."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.request import from_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from ratelimit_guard.response import Refusal

    App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PHRASES = {status.value: status.phrase for status in HTTPStatus}


class RateLimitMiddleware:
    """Answers requests beyond their limits itself and lets the others through, with header fields added.

    Give a guard, or the path of a tier file. A handler's own limit is answered where the app is called. The body of an
    app that is a generator runs later, when the server asks for its first piece: what it raises goes to the server.
    """

    def __init__(self, app: App, guard: Guard | None = None, config: str | PathLike[str] | None = None) -> None:
        """Wrap `app`; one guard may stand before many. `ConfigError` for neither or both."""
        self.app = app
        self.guard = Guard.either(guard, config)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Decide, then call the app or answer."""
        guard = self.guard
        decision = guard.check(from_environ(environ))
        if not decision.allowed:
            return _answer(guard.refusal(decision), environ, start_response)
        fields = native(guard.fields(decision))

        def adding(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, [*headers, *fields], *exc_info)

        try:
            return self.app(environ, adding if fields else start_response)
        except (RateLimitExceeded, AccessBlocked) as error:  # of a handler's own limit, where no framework is between
            if error.decision is None:
                raise
            return _answer(guard.refusal(error.decision), environ, start_response, sys.exc_info())


def native(fields: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Header fields as WSGI writes them."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def _answer(
    refused: Refusal, environ: dict[str, Any], start_response: Callable[..., Any], *exc_info: Any
) -> Iterable[bytes]:
    """Send the refusal. With `exc_info` the server raises that instead if the app's response is on its way already."""
    phrase = PHRASES.get(refused.status, "Refused")
    start_response(f"{refused.status} {phrase}", native(refused.headers), *exc_info)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [refused.body]
