"""Four workers of each server share one limit to the request; the examples run under the servers they name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from guard.servers import ROOT, get, hammer, send_raw, serving, vanish

if TYPE_CHECKING:
    from pathlib import Path

TIERS = """
version = 1
namespace = "exact"
store = {{ path = "{table}", capacity = 10_000 }}
[policies.hourly]
quota = "{limit}/hour"
[tiers.anonymous]
policies = ["hourly"]
[[routes]]
match = "/health"
exempt = true
[[routes]]
match = "/free"
cost = 0
[[routes]]
match = "/v1/realtime"
message_cost = 1
"""
KEY = {"Authorization": "Bearer sk-example-acme"}
HOSTILE = [
    b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"x" * 1_000_000 + b"\r\n\r\n",
    b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \x00\x01\x7f\r\n\r\n",
    b"GET /v1/chat\xff%ff%00 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \xff,,\x80\r\n\r\n",
    b"\x16\x03\x01\x00",
]
ALL = [
    ("uvicorn", "asgi"),
    ("granian-asgi", "asgi"),
    ("granian-wsgi", "wsgi"),
    ("gunicorn-sync", "wsgi"),
    ("gunicorn-gthread", "wsgi"),
]


@pytest.fixture
def tiers(tmp_path: Path) -> Path:
    """A tier file with 1,000 an hour and a table of its own."""
    return write(tmp_path / "limits.toml", 1_000)


def write(path: Path, limit: int, more: str = "") -> Path:
    fresh = path.with_suffix(".new")
    fresh.write_text(TIERS.format(table=path.with_name("table"), limit=limit) + more)
    return fresh.replace(path)


@pytest.mark.parametrize(("server", "side"), ALL)
def test_four_workers_admit_a_thousand(tmp_path: Path, tiers: Path, server: str, side: str) -> None:
    """To the request, and hostile ones do not bring a worker down."""
    with serving(server, f"guard.app:{side}", tmp_path / "log", TIERS=str(tiers)) as port:
        statuses = hammer(port, "/v1/chat", 3_000)
        assert (statuses.count(200), statuses.count(429)) == (1_000, 2_000)
        before = {get(port, "/health")[2] for _ in range(60)}
        for request in HOSTILE:
            send_raw(port, request)
        assert len(before | {get(port, "/health")[2] for _ in range(60)}) in {2, 3, 4}


@pytest.mark.parametrize(("server", "side"), [("uvicorn", "asgi"), ("gunicorn-gthread", "wsgi")])
def test_a_file_that_changes_under_load(tmp_path: Path, tiers: Path, server: str, side: str) -> None:
    """No request fails, no usage is lost, in no worker; broken files are reported and change nothing."""
    log, statuses = tmp_path / "log", list[int]()
    with serving(server, f"guard.app:{side}", log, TIERS=str(tiers)) as port:
        load = threading.Thread(target=lambda: statuses.extend(hammer(port, "/v1/chat", 2_000)))
        load.start()
        turn = 0
        while load.is_alive():
            turn += 1
            write(tiers, 1_000 + turn % 30, "broken = true" if turn % 10 == 9 else "")
            get(port, "/health")
        load.join()
        assert set(statuses) <= {200, 429}
        assert len(statuses) == 2_000
        write(tiers, 1_200)
        wait_until_all_have(port, b"1200")
        statuses += hammer(port, "/v1/chat", 400)
        assert statuses.count(200) == 1_200
        write(tiers, 5, "broken = true")
        while "broken: unknown key" not in log.read_text():
            get(port, "/health")
        assert get(port, "/free")[1]["ratelimit-policy"] == '"hourly";q=1200;w=3600'


def wait_until_all_have(port: int, limit: bytes) -> None:
    """Ask until no worker has answered with another limit for a while."""
    streak = 0
    while streak < 200:
        _, headers, _ = get(port, "/free")
        streak = streak + 1 if f"q={limit.decode()};" in headers["ratelimit-policy"] else 0


def test_a_restart_keeps_what_was_used(tmp_path: Path, tiers: Path) -> None:
    for server, side, left in (("granian-asgi", "asgi", 999), ("gunicorn-sync", "wsgi", 998)):
        with serving(server, f"guard.app:{side}", tmp_path / server, TIERS=str(tiers)) as port:
            assert get(port, "/v1/chat")[1]["ratelimit"].startswith(f'"hourly";r={left};')


@pytest.mark.parametrize("server", ["uvicorn", "granian-asgi"])
def test_a_websocket(tmp_path: Path, tiers: Path, server: str) -> None:
    """Each message costs; the one too many closes, and the next handshake is denied."""
    write(tiers, 5)
    with serving(server, "guard.app:asgi", tmp_path / "log", workers=1, TIERS=str(tiers)) as port:
        address = f"ws://127.0.0.1:{port}/v1/realtime"
        with connect(address) as socket:
            for number in range(4):
                socket.send(str(number))
                assert socket.recv() == str(number)
            socket.send("one too many")
            with pytest.raises(ConnectionClosedError) as closed:
                socket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "rate limit exceeded")
        with pytest.raises(InvalidStatus) as denied:
            connect(address)
        assert denied.value.response.status_code in ({429} if server == "uvicorn" else {403, 429})
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("server", "side"), [("uvicorn", "asgi"), ("granian-asgi", "asgi"), ("gunicorn-gthread", "wsgi")]
)
def test_clients_who_vanish(tmp_path: Path, tiers: Path, server: str, side: str) -> None:
    """The app's stream comes to its end, as without the middleware."""
    with serving(server, f"guard.app:{side}", tmp_path / "log", workers=1, TIERS=str(tiers)) as port:
        for _ in range(5):
            vanish(port, "/endless")
        while get(port, "/ended")[2] != b"5":
            pass


@pytest.mark.parametrize(
    ("server", "app"),
    [
        ("uvicorn", "examples.starlette_app:app"),
        ("uvicorn", "examples.fastapi_app:app"),
        ("granian-asgi", "examples.litestar_app:app"),
        ("gunicorn-sync", "examples.flask_app:app"),
        ("gunicorn-gthread", "examples.django_app:app"),
        ("uvicorn", "examples.django_app:asgi"),
    ],
)
def test_the_examples(tmp_path: Path, server: str, app: str) -> None:
    """As the examples stand, but with a table of their own."""
    tiers = tmp_path / "limits.toml"
    text = (ROOT / "examples" / "limits.toml").read_text()
    tiers.write_text(text.replace('kind = "shared" ', f'path = "{tmp_path / "table"}"'))
    with serving(server, app, tmp_path / "log", RATELIMIT_GUARD_LIMITS=str(tiers)) as port:
        status, headers, body = get(port, "/v1/chat", KEY)
        assert (status, b"hello" in body) == (200, True), (tmp_path / "log").read_text()
        assert headers["ratelimit-policy"].startswith('"burst";q=40;w=2')
        status, headers, body = get(port, "/v1/stream", KEY)
        assert (status, body, "ratelimit" in headers) == (200, b"data: 0\n\ndata: 1\n\ndata: 2\n\n", True)
        statuses = hammer(port, "/v1/chat", 64)
        assert (statuses.count(200), statuses.count(429)) == (30, 34)
        status, headers, body = get(port, "/v1/chat")
        assert (status, headers["content-type"]) == (429, "application/problem+json")
        assert "retry-after" in headers
        assert b"address" in body
        assert get(port, "/health")[0] == 200
        assert "ratelimit" not in get(port, "/health")[1]
        if "flask" in app or "fastapi" in app:
            thumbnails = [get(port, "/v1/thumbnails", KEY)[0] for _ in range(12)]
            assert thumbnails == [200] * 10 + [429] * 2
