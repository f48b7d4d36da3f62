"""WSGI: the guard before an app. The app's iterable is handed on as it is, so streams stream and files are closed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ratelimit_guard.body import read_environ
from ratelimit_guard.decision import EXEMPT
from ratelimit_guard.dialect import request_id
from ratelimit_guard.errors import AccessBlocked, RateLimitExceeded
from ratelimit_guard.guard import Guard
from ratelimit_guard.passage import EXHAUSTED
from ratelimit_guard.request import from_environ
from ratelimit_guard.response import no_length, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from os import PathLike

    from ratelimit_guard.call import Call
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.passage import Passage
    from ratelimit_guard.response import Refusal

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
        if plan is not None and not plan.rules.is_plain and (call := guard.call(request, plan)) is not None:
            return self._call(environ, start_response, call)
        decision = EXEMPT if plan is None else guard.charge(request, plan, plan.rules.cost)
        dialect = guard.dialect(request, plan)
        refuse = partial(guard.refusal, request=request, dialect=dialect)
        return self._run(environ, start_response, start_response, decision, refuse, dialect)

    def _call(self, environ: dict[str, Any], start_response: Start, call: Call) -> Iterable[bytes]:
        """Before the body what needs none, then the body, then the app, and at last what it used."""
        if (early := call.early()) is not None:
            return _answer(call.refuse(early), environ, start_response)
        body = read_environ(environ, most=call.bounds[0]) if call.reads else None
        if body is not None and body.problem == "length-required":
            return _answer(no_length(call.dialect, request_id(call.request)), environ, start_response)
        if body is not None and (unreadable := call.unreadable(body.bytes)) is not None:
            return _answer(unreadable, environ, start_response)
        passing = Passing(start_response, call)
        with passing.ending_on_error():
            checked = call.check() if body is None else call.check(body.bytes, body.size)
            if body is not None and checked.replacement is not None:
                environ = body.replaced(checked.replacement)
            if call.asks_usage:
                environ = {**environ, "HTTP_ACCEPT_ENCODING": "identity"}
            answer = self._run(environ, start_response, passing.start, checked.decision, call.refuse, call.dialect)
            return passing.iterate(answer)

    def _run(
        self,
        environ: dict[str, Any],
        start_response: Start,
        start: Start,
        decision: Decision,
        refuse: Callable[[Decision], Refusal],
        dialect: Dialect,
    ) -> Iterable[bytes]:
        """`start` is what the app gets in place of the server's `start_response`."""
        if not decision.allowed:
            return _answer(refuse(decision), environ, start_response)
        ours = self.guard.fields(decision, dialect)
        fields = native(ours)

        names = {name.decode() for name in replaced(ours)}

        def adding(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            kept = [pair for pair in headers if pair[0].lower() not in names] if names else headers
            return start(status, [*kept, *fields], *exc_info)

        try:
            return self.app(environ, adding if fields else start)
        except (RateLimitExceeded, AccessBlocked) as error:  # of a handler's own limit, where no framework is between
            if error.decision is None:
                raise
            return _answer(refuse(error.decision), environ, start_response, sys.exc_info())


class Passing:
    """A response that is counted, or read, while it passes; when it is closed, or has come to its end, the call has
    ended.
    """

    def __init__(self, start_response: Start, call: Call) -> None:
        """The call is told of its end, once."""
        self._start_response = start_response
        self._call = call
        self._passage: Passage | None = None

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        """Take the place of the server's `start_response`; what the app writes by its result is counted too."""
        if self._passage is not None and self._passage.has_passed:  # the server will raise what went wrong
            return self._start_response(status, headers, *exc_info)
        code = int(status[:3]) if status[:3].isascii() and status[:3].isdigit() else 500
        fields = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
        passage = self._passage = self._call.passage()
        kept = passage.start(code, fields)
        write = self._start_response(status, headers if kept is fields else native(kept), *exc_info)
        passage.began = True

        def counting(data: bytes) -> Any:
            return write(_fed(passage, data, more=True))

        return counting

    def iterate(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The app's iterable, to be read by the server. Of a list of one piece the length stays known."""
        if not isinstance(body, list | tuple) or len(body) > 1:
            return _Pieces(body, self)
        pieces = [self.feed(chunk, more=False) for chunk in body]
        if not body:
            self.feed(b"", more=False)
        self._call.end()
        return pieces

    @property
    def cut(self) -> bool:
        """Has it ended before the app had ended it?"""
        return self._passage is not None and self._passage.cut

    @property
    def is_torn(self) -> bool:
        """Must the server break it off?"""
        return self._passage is not None and self._passage.is_torn

    def feed(self, chunk: bytes, *, more: bool) -> bytes:
        """What to send instead."""
        return chunk if self._passage is None else _fed(self._passage, chunk, more=more)

    def end(self) -> None:
        """It is over, however."""
        self._call.end()

    @contextmanager
    def ending_on_error(self) -> Generator[None]:
        """Who fails before the app returns has answered nothing."""
        try:
            yield
        except BaseException:
            self._call.end()
            raise


def _fed(passage: Passage, chunk: bytes, *, more: bool) -> bytes:
    sent, _ = passage.feed(chunk, more=more)
    while passage.due:
        rest, _ = passage.top_up()
        sent += rest
    return sent


class _Pieces:
    """An iterable whose pieces are counted, and which is closed as PEP 3333 wants."""

    def __init__(self, body: Iterable[bytes], passing: Passing) -> None:
        self._body, self._pieces, self._passing = body, iter(body), passing
        self._ended = False

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        if self._passing.is_torn:
            raise ConnectionResetError(EXHAUSTED)
        if self._ended or self._passing.cut:
            raise StopIteration
        for chunk in self._pieces:
            return self._passing.feed(chunk, more=True)
        self._ended = True
        last = self._passing.feed(b"", more=False)
        self._passing.end()
        if last:
            return last
        raise StopIteration

    def close(self) -> None:
        try:
            close: Callable[[], None] | None = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._passing.end()


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
