"""Flask: `gunicorn examples.flask_app:app --workers 4`."""

import os
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response

from ratelimit_guard import AccessBlocked, Guard, RateLimitExceeded
from ratelimit_guard.wsgi import RateLimitMiddleware

guard = Guard.from_file(os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("limits.toml")))
app = Flask(__name__)
app.wsgi_app = RateLimitMiddleware(app.wsgi_app, guard=guard)  # type: ignore[method-assign]


@app.route("/v1/chat", methods=["GET", "POST"])
def chat() -> dict[str, str]:
    return {"answer": "hello"}


@app.get("/v1/stream")
def stream() -> Response:
    def events() -> Iterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number

    return Response(events(), mimetype="text/event-stream")


@app.get("/v1/thumbnails")
@guard.limit("images")
def thumbnails() -> dict[str, str]:
    return {"answer": "small"}


@app.errorhandler(RateLimitExceeded)
@app.errorhandler(AccessBlocked)
def refused(error: RateLimitExceeded | AccessBlocked) -> Response:
    status, headers, body = guard.refusal(error.decision)
    return Response(body, status, [(name.decode(), value.decode()) for name, value in headers])


@app.get("/health")
def health() -> str:
    return "ok"
