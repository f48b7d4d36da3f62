"""An upstream that is away or late, before a proxy in this process, whose patience is short."""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from starlette.testclient import TestClient

from guard.helpers import http_scope
from proxy.helpers import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proxy.helpers import Control

CHAT = "/v1/chat/completions"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestClient]]:
    """Makes a proxy before an address."""
    name = "examples.llm_proxy"

    def make(address: str, **constants: Any) -> TestClient:
        (tmp_path / "limits.toml").write_text(limits(tmp_path / "table"))
        monkeypatch.setenv("RATELIMIT_GUARD_LIMITS", str(tmp_path / "limits.toml"))
        monkeypatch.setenv("UPSTREAM_URL", address)
        monkeypatch.delenv("UPSTREAM_API_KEY", raising=False)
        module = importlib.import_module(name)
        for constant, value in constants.items():
            monkeypatch.setattr(module, constant, value)
        return TestClient(module.app)

    yield make
    sys.modules.pop(name, None)


def test_a_closed_port_is_a_502(before: Callable[..., TestClient]) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        with before(f"http://127.0.0.1:{bound.getsockname()[1]}/") as client:
            answer = client.post(CHAT, json={})
            assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
            assert client.get("/v1/models").status_code == 502


def test_a_late_head_is_a_504(before: Callable[..., TestClient], upstream: Control) -> None:
    """And the upstream's answer is given up."""
    with before(str(upstream.http.base_url), TIMEOUT=httpx2.Timeout(5, read=0.05)) as client:
        answer = client.post(CHAT, json={"model": "script:name=late,stall=-1"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (504, "api_error")
    upstream.wait_open("late", 0)


def test_a_full_pool_is_a_504(before: Callable[..., TestClient], upstream: Control) -> None:
    """Nobody waits for a connection for long."""
    timeout, pool = httpx2.Timeout(5, pool=0.05), httpx2.Limits(max_connections=0)
    with before(str(upstream.http.base_url), TIMEOUT=timeout, POOL=pool) as client:
        assert client.post(CHAT, json={"model": "script:"}).status_code == 504


@pytest.mark.parametrize("part", ["start", "body"])
def test_a_server_whose_send_fails(before: Callable[..., TestClient], upstream: Control, part: str) -> None:
    """It says so that the caller has left: nothing is raised, and the upstream's answer is given up."""
    name = f"unsendable-{part}"
    body = json.dumps({"model": f"script:name={name},stall=2", "stream": True}).encode()
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return asked.pop() if asked else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == f"http.response.{part}":
            raise OSError

    with before(str(upstream.http.base_url)) as client:
        app: Any = client.app
        assert client.portal is not None
        client.portal.call(app, http_scope(CHAT, state=client.app_state), receive, send)
        upstream.wait_open(name, 0)


def test_without_a_key_no_credential_is_sent(before: Callable[..., TestClient], upstream: Control) -> None:
    with before(str(upstream.http.base_url)) as client:
        assert (
            client.post(CHAT, json={"model": "script:name=keyless"}, headers={"Authorization": "x"}).status_code == 200
        )
    [came] = upstream.requests("keyless")
    assert "authorization" not in dict(came["headers"])


def test_no_cookie_is_kept(before: Callable[..., TestClient], upstream: Control) -> None:
    """The upstream sets one with every answer."""
    with before(str(upstream.http.base_url)) as client:
        for _ in range(2):
            assert client.post(CHAT, json={"model": "script:name=cookies"}).status_code == 200
        assert not list(client.app_state["client"].cookies)
    assert [dict(came["headers"]).get("cookie") for came in upstream.requests("cookies")] == [None, None]
