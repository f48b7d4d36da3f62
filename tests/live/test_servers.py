"""Under real servers with several workers: one budget, bodies as they came, and clients that do as they like."""

from __future__ import annotations

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from guard.servers import serving
from live.helpers import Scene, question, spin
from live.test_takeover import tiers
from ratelimit_guard.config_file import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUOTA = 7


def post(port: int, body: bytes | Iterator[bytes], tenant: str = "org", account: str = "a") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        fields = {"Content-Type": "application/json", "X-Tenant": tenant, "X-Account": account}
        connection.request("POST", "/v1/chat", body, fields)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(port: int, head: str, body: bytes, *, waits: bool = True) -> bytes:
    """The first line of the answer to what no library would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        text = f"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Tenant: raw\r\n{head}\r\n"
        connection.sendall(text.encode() + body)
        return connection.recv(1_000).partition(b"\r\n")[0] if waits else b""


@pytest.mark.parametrize(
    ("server", "app"),
    [("uvicorn", "live.app:asgi"), ("granian-asgi", "live.app:asgi"), ("gunicorn-gthread", "live.app:wsgi")],
)
def test_a_campaign_meets_several_workers(tmp_path: Path, server: str, app: str) -> None:
    """Exactly the quota passes; what passes is answered as if nobody had looked, and observed."""
    path = tiers(tmp_path, QUOTA)
    text = path.read_text().replace("[detector]\n", "[detector]\nbody_timeout_s = 0.3\n")
    path.write_text(text)
    scene = Scene(load(path)).learn()
    attacks = scene.attacks(30)
    scene.live.stop()
    folded = scene.stats["folded"]
    with serving(server, app, tmp_path / "server.log", workers=3, TIERS=str(path)) as port:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda call: post(port, call.body, call.tenant, call.account), attacks))
        assert sorted(status for status, _ in answers) == [200] * QUOTA + [429] * (30 - QUOTA)
        for call, (status, body) in zip(attacks, answers, strict=True):
            if status == 200:
                assert body == call.body
            else:
                assert json.loads(body)["error"]["code"] == "abnormal_usage_detected"
        assert post(port, question()) == (200, question())
        assert post(port, iter([question()[:5], question()[5:]])) == (200, question())  # chunked
        spin(lambda: scene.stats["folded"] == folded + QUOTA + 2, str(scene.stats))
        raw(port, "Content-Length: 500\r\n", b"{", waits=False)
        if not app.endswith("wsgi"):
            assert b" 408 " in raw(port, "Content-Length: 500\r\n", b"{")
        assert post(port, b"") == (200, b"")
        assert scene.stats["folded"] == folded + QUOTA + 2
