"""The proxy before the scripted upstream, both as processes, and what tests ask of them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import httpx2

from guard.servers import ROOT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 20
UPSTREAM_KEY = "sk-upstream"


class Control:
    """The scripted upstream's own doors."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http

    def ask(self, what: str, query: dict[str, str | int]) -> Any:
        return self.http.get(f"/control/{what}", params=query).json()

    def requests(self, name: str) -> list[dict[str, Any]]:
        """The last of that name that came."""
        found: list[dict[str, Any]] = self.ask("requests", {"name": name})
        return found

    def wait_open(self, name: str, count: int) -> None:
        """Until so many are being answered."""
        assert self.ask("open", {"name": name, "is": count}) == count

    def arrived(self, least: int = 0) -> int:
        """Bytes of bodies so far; waits until there are so many."""
        return int(self.ask("arrived", {"least": least}))

    def go(self, name: str) -> None:
        """Let those go on that stall."""
        self.ask("go", {"name": name})


@contextlib.contextmanager
def scripted(log: Path) -> Iterator[Control]:
    with serving("upstream", "proxy.upstream", log) as port, client(port) as http:
        yield Control(http)


@contextlib.contextmanager
def proxying(log: Path, tiers: Path, upstream: Control) -> Iterator[httpx2.Client]:
    """examples/llm_proxy.py under uvicorn, and a client of it."""
    paths = f"{ROOT}:{ROOT / 'tests'}:{os.environ.get('PYTHONPATH', '')}"
    environment = {"UPSTREAM_URL": str(upstream.http.base_url), "UPSTREAM_API_KEY": UPSTREAM_KEY, "PYTHONPATH": paths}
    environment["RATELIMIT_GUARD_LIMITS"] = str(tiers)
    with serving("uvicorn", "examples.llm_proxy:app", log, workers=1, **environment) as port, client(port) as http:
        yield http


def client(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)


def limits(table: Path) -> str:
    """A tier file without tokens: the guard reads no body, and changes nothing that passes."""
    return f"""
version = 1
namespace = "proxy-tests"
store = {{ path = "{table}", capacity = 10_000 }}
[policies.wide]
quota = "100_000/minute"
[tiers.anonymous]
policies = ["wide"]
[[routes]]
match = "/health"
exempt = true
"""
