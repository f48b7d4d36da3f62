"""A guard in this process, driven by simulated time."""

from __future__ import annotations

import json
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self

from ratelimit_guard import call as guarded
from ratelimit_guard.guard import Guard
from ratelimit_guard.live import Answer
from ratelimit_guard.request import Request
from ratelimit_guard.tenant import Identity
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from ratelimit_guard.watch import Checked

START = 1_800_000_000.0
FOLD_WITHIN_S = 30.0
SETTLE_EVERY = 16


class World:
    """Requests by time; what was answered is folded before many others come."""

    def __init__(self, *, campaign: str | None = None, **detector: Any) -> None:
        self.time, self._clock, self._told = START, ManualClock(), 0
        values = {
            "version": 1,
            "namespace": "world",
            "store": {"kind": "memory", "capacity": 100_000},
            "policies": {"hourly": {"quota": "30/hour"}},
            "tiers": {"anonymous": {"policies": ["hourly"]}, "heavy": {"policies": []}},
            "routes": [{"match": "/v1/chat", "body": True}],
            "detector": {"mode": "enforce", **detector},
            "campaign": {"quota": campaign} if campaign else {},
        }
        self.guard = Guard.from_dict(values, lookup=_who, clock=self._clock, unix_time=lambda: self.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.guard.live is not None
        self.guard.live.stop()

    def ask(self, time: float, account: str, text: str) -> bool:
        """A question with a middling answer. Was it served?"""
        body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
        return self.send(time, account, account, body, f"Answer to {text[-40:]}", 150, tier="anonymous")

    def send(
        self, time: float, tenant: str, account: str, body: bytes, answer: str, tokens: int, *, tier: str = "heavy"
    ) -> bool:
        """A request with the answer that it gets. Was it served?"""
        return self.check(time, tenant, account, body, answer, tokens, tier=tier).decision.allowed

    def check(
        self, time: float, tenant: str, account: str, body: bytes, answer: str, tokens: int, *, tier: str = "heavy"
    ) -> Checked:
        """The same, with all that was decided."""
        self.time = time
        self._clock.set(1_000_000.0 + time - START)
        headers = ((b"content-type", b"application/json"),)
        identity = Identity(tenant, account, tier)
        request = Request("POST", "/v1/chat", headers, "192.0.2.1", {"identity": identity})
        plan = self.guard.plan(request)
        assert plan is not None
        watch = self.guard.watch(plan)
        assert watch is not None
        checked = guarded.Call(self.guard, request, plan, watch, None).check(body)
        if checked.decision.allowed:
            watch.observe(request, checked, Answer(answer, tokens))
            self._told += 1
            if self._told % SETTLE_EVERY == 0:
                self.settle()
        return checked

    def settle(self) -> None:
        """Wait until all that was told is folded."""
        live, end = self.guard.live, monotonic() + FOLD_WITHIN_S
        assert live is not None
        while live.stats()["waiting_bytes"]:
            assert monotonic() < end, "nobody folds"
            sleep(0)


def _who(request: Request) -> Identity:
    identity = request.native["identity"]
    assert isinstance(identity, Identity)
    return identity
