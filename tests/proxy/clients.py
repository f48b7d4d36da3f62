"""The official clients, each at work in a process of its own, and what is expected of any."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from guard.servers import ROOT
from proxy.helpers import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "wörd0 wörd1 wörd2 "
FIRST = {"chat": 0, "completions": 0, "responses": 2, "messages": 2}
"""Events before those with text, besides an empty first one of a chat."""
BROKEN = {
    ("newest", "messages"): "RemoteProtocolError",  # the HTTP client's own error, which only openai wraps by now
    ("newest", ""): "APIConnectionError",
    ("oldest", ""): "RemoteProtocolError",
}
MAX_AT_ONCE_S = 1.0
"""Longer than a call, shorter than the two waits of half a second and a second that clients make by themselves."""

MAX_LATE_S = 3.0
"""`Retry-After` is in whole seconds, which is all that the oldest clients read; and the machine may be busy."""


def skip_unless_there(sdk: Sdk, call: str) -> None:
    if sdk.age == "oldest" and call.startswith("responses"):
        pytest.skip("openai 1.3 has no Responses API")


class Sdk:
    """The official clients of one environment, at work in a process of their own."""

    def __init__(self, age: str, python: Path, proxy: str) -> None:
        self.age = age
        self._proxy = proxy
        self._process = subprocess.Popen(
            [python, ROOT / "tests" / "proxy" / "sdk" / "client.py"],
            env={"PATH": os.environ["PATH"]},  # none of the variables that steer a client
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, call: str, key: str, model: str = "script:", **more: Any) -> Seen:
        """What a call of that name in sdk/client.py sees, and how long it takes. `more` may name another `proxy`."""
        lines, orders = self._process.stdout, self._process.stdin
        assert lines is not None
        assert orders is not None
        orders.write(json.dumps({"call": call, "proxy": self._proxy, "key": key, "model": model, **more}) + "\n")
        orders.flush()
        facts: list[dict[str, Any]] = []
        with self._watched():
            while "seconds" not in (fact := json.loads(lines.readline())):
                facts.append(fact)
        return Seen(facts, fact["seconds"])

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """A client that hangs ends its lines."""
        timer = threading.Timer(2 * PATIENCE_S, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

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
