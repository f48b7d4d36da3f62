"""The WSGI middleware: the same decisions, the app's iterable and exceptions left as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from ratelimit_guard import RateLimitExceeded
from ratelimit_guard.wsgi import RateLimitMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ratelimit_guard import Guard

    Make = Callable[..., Guard]


def environ(path: str = "/v1/chat", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    values |= {"REMOTE_ADDR": "192.0.2.1", **more}
    setup_testing_defaults(values)
    return values


def plain(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


class Start:
    """What the app told the server."""

    def __call__(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], None]:
        self.status, self.headers, self.exc_info = status, {name.lower(): value for name, value in headers}, exc_info
        return lambda _: None


def call(app: Any, values: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    start = Start()
    pieces = app(values, start)
    body = b"".join(pieces)
    getattr(pieces, "close", lambda: None)()
    return start.status, start.headers, body


def test_fields_and_refusal(make_guard: Make) -> None:
    app = validator(RateLimitMiddleware(validator(plain), make_guard({})))
    answers = [call(app, environ()) for _ in range(4)]
    assert [status for status, _, _ in answers] == ["200 OK"] * 3 + ["429 Too Many Requests"]
    assert answers[0][1]["ratelimit"] == '"few";r=2;t=65'
    _, headers, body = answers[3]
    assert (headers["retry-after"], headers["content-type"]) == ("65", "application/problem+json")
    assert json.loads(body)["violated-policies"] == ["few"]


def test_the_iterable_is_handed_on(make_guard: Make) -> None:
    class Pieces:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield b"1"

        def close(self) -> None:
            self.closed = True

    pieces = Pieces()

    def app(_: Any, start_response: Any) -> Pieces:
        start_response("200 OK", [])
        return pieces

    assert RateLimitMiddleware(app, make_guard({}))(environ(), Start()) is pieces
    assert not pieces.closed


def test_exceptions_and_exc_info_pass(make_guard: Make) -> None:
    def raises(*_: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RateLimitMiddleware(raises, make_guard({}))(environ(), Start())
    trouble = (ZeroDivisionError, ZeroDivisionError(), None)

    def restarts(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("500 Internal Server Error", [], trouble)
        return []

    start = Start()
    RateLimitMiddleware(restarts, make_guard({}))(environ(), start)
    assert (start.status, start.exc_info) == ("500 Internal Server Error", (trouble,))
    assert "ratelimit" in start.headers


def test_the_way_in_is_read_as_bytes(make_guard: Make) -> None:
    """Paths come as latin-1, under a mount in two parts; headers of other gateways may be anything."""
    guard = make_guard({"routes": [{"match": "/sub/bücher/{id}", "cost": 3}]})
    app = RateLimitMiddleware(plain, guard)
    values = environ("/bücher/7".encode().decode("latin-1"), SCRIPT_NAME="/sub", HTTP_X_ODD="\xff\u20ac")
    assert [call(app, values)[0][:3] for _ in range(2)] == ["200", "429"]


def test_headers_are_found(make_guard: Make) -> None:
    guard = make_guard({"identity": {"trusted_proxies": ["192.0.2.0/24"]}})
    app = RateLimitMiddleware(plain, guard)
    for last in range(5):
        assert call(app, environ(HTTP_X_FORWARDED_FOR=f"198.51.100.{last}"))[0] == "200 OK"


@pytest.mark.parametrize("missing", ["REMOTE_ADDR", "PATH_INFO", "REQUEST_METHOD"])
def test_what_is_missing_is_empty(make_guard: Make, missing: str) -> None:
    values = environ()
    del values[missing]
    assert call(RateLimitMiddleware(plain, make_guard({})), values)[0] == "200 OK"


def test_a_head_request_gets_no_body(make_guard: Make) -> None:
    """Servers that send what they are given would break the connection's next response."""
    app = validator(RateLimitMiddleware(validator(plain_head), make_guard({})))
    answers = [call(app, environ(REQUEST_METHOD="HEAD")) for _ in range(4)]
    assert [(status[:3], body) for status, _, body in answers] == [("200", b"")] * 3 + [("429", b"")]
    assert int(answers[3][1]["content-length"]) > 0


def plain_head(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return []


def test_a_status_of_the_operator_s_own(make_guard: Make) -> None:
    guard = make_guard({"tiers": {"anonymous": {"policies": ["few"]}}}, responder=lambda _, r: r._replace(status=420))
    app = RateLimitMiddleware(plain, guard)
    assert [call(app, environ())[0] for _ in range(4)][3] == "420 Refused"


@pytest.mark.parametrize("started", [False, True])
def test_a_handler_with_a_limit_of_its_own(make_guard: Make, started: bool) -> None:
    guard = make_guard({"policies": {"few": {"quota": "9/minute"}, "dear": {"quota": "1/minute"}}})

    @guard.limit("dear", tenant=lambda: "acme", cost=2)
    def dear() -> None: ...

    def app(_: Any, start_response: Any) -> Iterable[bytes]:
        if started:
            start_response("200 OK", [])
        dear()
        return []

    start = Start()
    (body,) = RateLimitMiddleware(app, guard)(environ(), start)
    assert (start.status, json.loads(body)["violated-policies"]) == ("429 Too Many Requests", ["dear"])
    assert isinstance(start.exc_info[0][1], RateLimitExceeded)  # a server that has sent the headers raises it


def test_a_generator_raises_later(make_guard: Make) -> None:
    """Its body runs at the first piece, when the server has the iterable: the refusal is the server's to see."""
    guard = make_guard({"policies": {"few": {"quota": "9/minute"}, "dear": {"quota": "1/minute"}}})

    @guard.limit("dear", tenant=lambda: "acme", cost=2)
    def dear() -> None: ...

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        dear()
        start_response("200 OK", [])
        yield b"ok"

    pieces: Any = RateLimitMiddleware(app, guard)(environ(), Start())
    with pytest.raises(RateLimitExceeded):
        next(pieces)


def test_a_stream_that_is_left(make_guard: Make) -> None:
    """The server closes the app's own iterable when the client vanishes."""
    closed: list[str] = []

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append("closed")

    start = Start()
    pieces: Any = RateLimitMiddleware(app, make_guard({}))(environ(), start)
    assert next(pieces) == b"1"
    assert "ratelimit" in start.headers
    pieces.close()
    assert closed == ["closed"]
