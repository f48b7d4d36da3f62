"""WSGI: the guard before an app. The app's iterable is handed on as it is, so streams stream and files are closed."""

from __future__ import annotations

import sys
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ratelimit_guard.answer import AnswerText
from ratelimit_guard.body import read_environ
from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.request import from_environ
from ratelimit_guard.response import no_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from ratelimit_guard.decision import Decision
    from ratelimit_guard.request import Request
    from ratelimit_guard.response import Refusal
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.watch import Watch

    Start = Callable[..., Any]
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
        guard, request = self.guard, from_environ(environ)
        plan = guard.plan(request)
        if plan is not None and (watch := guard.watch(plan)) is not None:
            return self._watched(environ, start_response, request, plan, watch)
        decision = EXEMPT if plan is None else guard.charge(request, plan, plan.rules.cost)
        return self._run(environ, start_response, decision)

    def _watched(
        self, environ: dict[str, Any], start_response: Start, request: Request, plan: Plan, watch: Watch
    ) -> Iterable[bytes]:
        """Before the body what needs none, then the body, then the app, and last the observation."""
        guard = self.guard
        early = guard.peek(request, plan)
        if early is not None:
            return _answer(guard.refusal(early), environ, start_response)
        body = read_environ(environ, most=watch.max_body_bytes)
        if body.problem == "length-required":
            return _answer(no_length(), environ, start_response)
        checked = guard.check_body(request, plan, body.bytes, watch)
        if checked.replacement is not None:
            environ = body.replaced(checked.replacement)
        passing = Passing(start_response, partial(watch.observe, request, checked))
        return passing.iterate(self._run(environ, passing.start, checked.decision))

    def _run(self, environ: dict[str, Any], start_response: Start, decision: Decision) -> Iterable[bytes]:
        guard = self.guard
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


class Passing:
    """A response that is read while it passes; when it is closed, or has come to its end, it was answered."""

    def __init__(self, start_response: Start, observe: Callable[[AnswerText], None]) -> None:
        """`observe` is told of an answer that is no error, once."""
        self._start_response = start_response
        self._observe: Callable[[AnswerText], None] | None = observe
        self._text: AnswerText | None = None

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        """Take the place of the server's `start_response`; what the app writes by its result is read too."""
        code = int(status[:3]) if status[:3].isdigit() else 500
        fields = [
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers
        ]
        self._text = AnswerText(code, fields) if 200 <= code < 300 else None
        write = self._start_response(status, headers, *exc_info)

        def reading(data: bytes) -> Any:
            self._feed(data)
            return write(data)

        return reading

    def iterate(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The app's iterable, to be read by the server. Of a list of one piece the length stays known."""
        if isinstance(body, list | tuple):
            for chunk in body:
                self._feed(chunk)
            self.end()
            return body
        return _Pieces(body, self._feed, self.end)

    def _feed(self, chunk: bytes) -> None:
        if self._text is not None and self._text.wanted:
            self._text.feed(chunk)

    def end(self) -> None:
        """Tell, if there was an answer."""
        observe, self._observe = self._observe, None
        if observe is not None and self._text is not None:
            observe(self._text)


class _Pieces:
    """An iterable that shows each piece, and is closed as PEP 3333 wants."""

    def __init__(self, body: Iterable[bytes], feed: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._body, self._pieces = body, iter(body)
        self._feed, self._end = feed, end

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        for chunk in self._pieces:
            self._feed(chunk)
            return chunk
        self._end()
        raise StopIteration

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._end()


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
