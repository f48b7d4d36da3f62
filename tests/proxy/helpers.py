"""The proxy before the scripted upstream, both as processes, and what tests ask of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2

from guard.servers import ROOT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 20
UPSTREAM_KEY = "sk-upstream"
KEYS = 30
"""Credentials of each tier: every test takes one that nobody else has used."""
TIERS = {"wide": "100_000/minute", "moment": "1/2 seconds", "hour": "1/hour"}


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
    """A tier file with requests alone: tokens are not counted yet."""
    parts = ["version = 1", f'namespace = "proxy-tests"\nstore = {{ path = "{table}", capacity = 10_000 }}']
    for tier, quota in TIERS.items():
        parts.append(f'[policies.{tier}]\nquota = "{quota}"\n[tiers.{tier}]\npolicies = ["{tier}"]')
        for number in range(KEYS):
            digest = hashlib.sha256(key(tier, number).encode()).hexdigest()
            parts.append(f'[[tenants]]\nid = "{tier}-{number}"\ntier = "{tier}"')
            parts.append(f'[[identity.keys]]\nsha256 = "{digest}"\ntenant = "{tier}-{number}"')
    parts.append('[tiers.anonymous]\npolicies = ["wide"]')
    return "\n".join([*parts, '[[routes]]\nmatch = "/health"\nexempt = true'])


def key(tier: str, number: int) -> str:
    return f"sk-{tier}-{number}"


class Sdk:
    """The official clients of one environment, at work in a process of their own."""

    def __init__(self, age: str, python: Path, proxy: httpx2.Client) -> None:
        self.age = age
        self._proxy = str(proxy.base_url).rstrip("/")
        self._process = subprocess.Popen(
            [python, ROOT / "tests" / "proxy" / "sdk" / "client.py"],
            env={"PATH": os.environ["PATH"]},  # none of the variables that steer a client
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, call: str, key: str, model: str = "script:", **more: Any) -> Seen:
        """What a call of that name in sdk/client.py sees, and how long it takes."""
        lines, orders = self._process.stdout, self._process.stdin
        assert lines is not None
        assert orders is not None
        orders.write(json.dumps({"call": call, "proxy": self._proxy, "key": key, "model": model, **more}) + "\n")
        orders.flush()
        facts: list[dict[str, Any]] = []
        while "seconds" not in (fact := json.loads(lines.readline())):
            facts.append(fact)
        return Seen(facts, fact["seconds"])

    def close(self) -> None:
        """Its orders end, and so does it."""
        self._process.communicate(timeout=PATIENCE_S)


class Seen(NamedTuple):
    """What a client saw of one call."""

    facts: list[dict[str, Any]]
    seconds: float

    @property
    def text(self) -> str:
        return "".join(fact.get("text", "") for fact in self.facts)

    @property
    def error(self) -> dict[str, Any]:
        """What it raised, or nothing."""
        return self.facts[-1] if self.facts and "error" in self.facts[-1] else {}
