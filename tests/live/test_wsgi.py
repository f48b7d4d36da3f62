"""The WSGI middleware on routes whose prompts are read."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from live.helpers import Scene, question, seen, values
from ratelimit_guard.wsgi import RateLimitMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def environ(content: bytes = b"", **more: Any) -> dict[str, Any]:
    given = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/v1/chat", "QUERY_STRING": ""}
    given |= {"REMOTE_ADDR": "192.0.2.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content))}
    made: dict[str, Any] = {**given, "HTTP_X_TENANT": "org-a", "HTTP_X_ACCOUNT": "new", **more}
    made.setdefault("wsgi.input", io.BytesIO(content))
    setup_testing_defaults(made)
    return {name: value for name, value in made.items() if value is not None}


class App:
    """Answers with a status, as a list or a generator."""

    def __init__(self, status: str = "200 OK", *, lazy: bool = False, fails: bool = False) -> None:
        self.status, self.lazy, self.fails = status, lazy, fails
        self.bodies: list[bytes] = []
        self.environs: list[dict[str, Any]] = []
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        answer = self.pieces(environ, start)
        return answer if self.lazy else list(answer)

    def pieces(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        try:
            self.environs.append(environ)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            self.bodies.append(environ["wsgi.input"].read(length))
            start(self.status, [("Content-Type", "application/json")])
            yield b'{"choices": [{"message": '
            if self.fails:
                raise ZeroDivisionError
            yield b'{"content": "yes"}}]}'
        finally:
            self.closed += 1


def call(app: Any, values: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    got: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        got[:] = [status, {name.lower(): value for name, value in headers}]
        return lambda _: None

    pieces = app(values, start)
    try:
        body = b"".join(pieces)
    finally:
        getattr(pieces, "close", lambda: None)()
    return got[0], got[1], body


@pytest.mark.parametrize("lazy", [False, True])
def test_nothing_is_changed_for_who_is_not_restricted(lazy: bool) -> None:
    """By the book of PEP 3333, and observed once."""
    scene, app = Scene(), App(lazy=lazy)
    guarded = validator(RateLimitMiddleware(validator(app), scene.guard))
    status, head, body = call(guarded, environ(question()))
    assert (status, set(head)) == ("200 OK", {"content-type", "ratelimit-policy", "ratelimit"})
    assert json.loads(body)["choices"]
    assert (app.bodies, app.closed) == ([question()], 1)
    assert seen(scene) == 1
    assert len(scene.events) == 1


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data", "\xff"])
def test_the_type_of_a_body_is_no_way_out(kind: str) -> None:
    """Whatever it is called, what holds a prompt is observed, and the app gets it as it came."""
    scene, app = Scene(), App()
    call(RateLimitMiddleware(app, scene.guard), environ(question(), CONTENT_TYPE=kind))
    assert app.bodies == [question()]
    assert seen(scene) == 1


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("status", ["204 No Content", "302 Found", "404 Not Found", "500 Oh", "429 Too Many Requests"])
def test_only_a_success_is_observed(status: str, lazy: bool) -> None:
    scene = Scene()
    call(RateLimitMiddleware(App(status, lazy=lazy), scene.guard), environ(question()))
    assert seen(scene) == (1 if status.startswith("2") else 0)


def test_an_app_that_fails_in_its_answer() -> None:
    """The error goes to the server; what was sent counts, once."""
    scene, app = Scene(), App(lazy=True, fails=True)
    with pytest.raises(ZeroDivisionError):
        call(RateLimitMiddleware(app, scene.guard), environ(question()))
    assert (app.closed, seen(scene)) == (1, 1)


def test_a_client_that_leaves() -> None:
    """The server closes what it did not read to the end."""
    scene, app = Scene(), App(lazy=True)
    pieces = iter(RateLimitMiddleware(app, scene.guard)(environ(question()), lambda *_: lambda _: None))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    pieces.close()  # type: ignore[attr-defined]
    assert (app.closed, seen(scene)) == (1, 1)


def test_an_answer_that_is_read_to_its_end() -> None:
    """Is observed, also by a server that does not close, and no second time by one that does."""
    scene = Scene()
    pieces = RateLimitMiddleware(App(lazy=True), scene.guard)(environ(question()), lambda *_: lambda _: None)
    assert len(list(pieces)) == 2
    assert scene.stats["waiting_bytes"] or scene.stats["folded"]
    pieces.close()  # type: ignore[attr-defined]
    assert seen(scene) == 1


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"no json", {}),
        (b"", {}),
        (b"", {"CONTENT_LENGTH": None}),
        (b"", {"REQUEST_METHOD": "GET", "CONTENT_TYPE": None, "CONTENT_LENGTH": None}),
        (b"", {"REQUEST_METHOD": "HEAD", "CONTENT_TYPE": ""}),
        (b" " * 2_000_000, {}),
        (question()[:20], {}),
    ],
)
def test_bodies_that_hold_no_prompt(content: bytes, more: dict[str, Any]) -> None:
    """Are the app's matter: it gets every byte."""
    scene, app = Scene(), App()
    status, head, _ = call(RateLimitMiddleware(app, scene.guard), environ(content, **more))
    assert (status, app.bodies) == ("200 OK", [content])
    assert head["ratelimit"].startswith('"few";r=99')
    assert seen(scene) == 0


def test_a_length_that_is_a_lie() -> None:
    """More than there is: the app meets the end itself. Nonsense: it is the server's word that counts."""
    scene, app = Scene(), App()
    guarded = RateLimitMiddleware(app, scene.guard)
    call(guarded, environ(question(), CONTENT_LENGTH="9999"))
    call(guarded, environ(question(), CONTENT_LENGTH="10"))
    assert app.bodies == [question(), question()[:10]]
    assert seen(scene) == 0
    with pytest.raises(ValueError, match="int"):  # the app's own
        call(guarded, environ(question(), CONTENT_LENGTH="-5x"))


def test_chunked_without_an_end() -> None:
    """411, the app is not called; where the server says the end it is read."""
    scene, app = Scene(), App()
    guarded = RateLimitMiddleware(app, scene.guard)
    chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}
    status, head, body = call(guarded, environ(question(), **chunked))
    assert (status, "connection" in head, app.bodies) == ("411 Length Required", False, [])
    assert json.loads(body)["error"]["code"] == "length_required"
    call(guarded, environ(question(), **chunked, **{"wsgi.input_terminated": True}))
    assert seen(scene) == 1


def test_a_refusal_before_the_body() -> None:
    """Reads nothing and charges nothing."""

    class Untouched:
        def read(self, *_: Any) -> bytes:
            raise AssertionError

    scene = Scene(values(policies={"few": {"quota": "1/hour"}}))
    guarded = RateLimitMiddleware(App(), scene.guard)
    call(guarded, environ(question()))
    status, _, body = call(guarded, environ(question(), **{"wsgi.input": Untouched()}))
    assert (status[:3], json.loads(body)["violated-policies"]) == ("429", ["few"])
    assert len(scene.events) == 2


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_the_app_gets_what_is_left(coding: str) -> None:
    scene, app = Scene(values(detector={"degrade": {"max_tokens": 64}})).learn(), App()
    scene.climb("degrade")
    content = json.dumps(json.loads(scene.attack().body) | {"n": 3}).encode()
    packed = gzip.compress(content) if coding else content
    asked = environ(packed, HTTP_CONTENT_ENCODING=coding or None)
    before = dict(asked)
    status, head, _ = call(RateLimitMiddleware(app, scene.guard), asked)
    assert json.loads(app.bodies[0]) == json.loads(content) | {"n": 1, "max_tokens": 64}
    assert app.environs[0]["CONTENT_LENGTH"] == str(len(app.bodies[0]))
    assert "HTTP_CONTENT_ENCODING" not in app.environs[0]
    assert {**asked, "wsgi.input": 0} == {**before, "wsgi.input": 0}
    assert (status, head["guard-degraded"]) == ("200 OK", "max_tokens=64, n=1")
    assert [event.decision.action for event in scene.events] == ["degrade"]


def test_a_refused_member() -> None:
    scene, app = Scene().learn(), App(lazy=True)
    guarded = RateLimitMiddleware(app, scene.guard)
    told = seen(scene)
    answers = [call(guarded, environ(one.body)) for one in scene.attacks(7)]
    assert [status[:3] for status, _, _ in answers] == ["200"] * 5 + ["429"] * 2
    assert json.loads(answers[-1][2])["reference"].startswith("RG-")
    assert (len(app.bodies), seen(scene)) == (5, told + 5)


def test_flask() -> None:
    """Reads its body again, streams, answers errors; each request is observed once."""
    import flask

    app = flask.Flask("live", root_path=".")
    scene = Scene(values(routes=[{"match": "/{path:path}", "body": True}]))
    app.wsgi_app = RateLimitMiddleware(app.wsgi_app, scene.guard)  # type: ignore[method-assign]

    @app.post("/echo")
    def echo() -> Any:
        return flask.request.get_json()

    @app.post("/stream")
    def stream() -> Any:
        return flask.Response(iter([b"data: {}\n\n"] * 3), mimetype="text/event-stream")

    client = app.test_client()
    told = []
    for path in ("/echo", "/stream", "/none"):
        with client.post(path, data=question(), content_type="application/json") as answer:
            told.append((answer.status_code, answer.get_data()))
    assert [code for code, _ in told] == [200, 200, 404]
    assert json.loads(told[0][1]) == json.loads(question())
    assert told[1][1] == b"data: {}\n\n" * 3
    assert seen(scene) == 2


@contextmanager
def served(app: Any) -> Iterator[int]:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_under_a_server() -> None:
    """wsgiref: a list of one piece keeps its Content-Length, a generator is sent as it comes, chunks get 411."""
    scene = Scene()

    def one(_: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]

    with served(RateLimitMiddleware(one, scene.guard)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/v1/chat", question(), {"Content-Type": "application/json", "X-Tenant": "t"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, "2", b"{}")
        connection.close()
    with (
        served(RateLimitMiddleware(one, scene.guard)) as port,
        socket.create_connection(("127.0.0.1", port), 10) as raw,
    ):
        head = b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        raw.sendall(head + b"\r\n2\r\n{}\r\n0\r\n\r\n")
        assert raw.recv(1_000).split(b" ")[1] == b"411"
    assert seen(scene) == 1
