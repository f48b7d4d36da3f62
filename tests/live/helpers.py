"""A guard whose detector has convicted a campaign of simulated accounts, in a fraction of a second."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from ratelimit_guard import Guard
from ratelimit_guard import call as guarded
from ratelimit_guard.config import Config
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.live import open_live
from ratelimit_guard.request import Request
from ratelimit_guard.simulate import SCENARIOS, generate
from ratelimit_guard.tenant import Identity
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard.live import LiveDetector
    from ratelimit_guard.simulate import Call
    from ratelimit_guard.watch import Checked, Watch

SECRET = b"of hashes, key  1"
NOTHING_KNOWN = SimpleNamespace(secret=SECRET, guard=lambda _: None, known=None, suspects=lambda _: ())
LEARNED = 1_000
"""Calls after which the campaign is convicted, with this secret."""
PATIENCE = 3_600.0
CALM = 86_400.0
WAIT_S = 10.0
JSON = b"application/json"
ABNORMAL = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


@lru_cache(maxsize=1)
def calls() -> tuple[Call, ...]:
    return tuple(generate(SCENARIOS["small"], seed=1))


def values(**changes: Any) -> dict[str, Any]:
    """A tier file: `detector` is added to what is there, anything else takes its place."""
    detector = {
        "mode": "enforce",
        "delay_s": 0.0,
        "patience_s": PATIENCE,
        "calm_s": CALM,
        **changes.pop("detector", {}),
    }
    return {
        "version": 1,
        "store": {"kind": "memory", "capacity": 10_000},
        "policies": {"few": {"quota": "100/hour"}},
        "tiers": {"anonymous": {"policies": ["few"]}},
        "routes": [{"match": "/v1/chat", "body": True}],
        "campaign": {"quota": "5/hour"},
        **changes,
        "detector": detector,
    }


def lookup(request: Request) -> Identity | None:
    """Who the request says to be: for tests only."""
    tenant, account, tier = (request.header(name) for name in (b"x-tenant", b"x-account", b"x-tier"))
    if tenant is None:
        return None
    named = account.decode("utf-8", "surrogatepass") if account else None
    return Identity(tenant.decode(), named, tier.decode() if tier else None)


def headers(tenant: str, account: str, **more: str) -> list[tuple[bytes, bytes]]:
    named = [(b"x-tenant", tenant.encode()), (b"x-account", account.encode("utf-8", "surrogatepass"))]
    fields = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in more.items()]
    return [*named, (b"content-type", JSON), *fields]


def post(tenant: str = "acme", account: str = "a", path: str = "/v1/chat", **more: str) -> Request:
    return Request("POST", path, headers(tenant, account, **more), "192.0.2.1", {})


def question(text: str = "Why do cats purr?", **more: Any) -> bytes:
    """What nobody restricts."""
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def keyed(section: Any, _: object, *places: Any) -> Any:
    """As `open_live`, but what comes out is the same each time."""
    return open_live(section, NOTHING_KNOWN, *places)  # type: ignore[arg-type]


def spin(done: Callable[[], object], what: str = "") -> None:
    """Until it is so; not for ever."""
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, what or "it never came to be"
        time.sleep(0.001)


def seen(scene: Scene) -> int:
    """How many requests were told: the process that folds has done its last when it has stopped."""
    spin(lambda: not scene.stats["waiting_bytes"], "nobody folds")
    scene.live.stop()
    return int(scene.stats["folded"])


class Scene:
    """A guard on clocks that stand still, and who it sees."""

    def __init__(self, config: Config | dict[str, Any] | None = None, **options: Any) -> None:
        self.clock, self.now = ManualClock(), calls()[0].time
        self.events: list[Any] = []
        chosen = {"lookup": lookup, "hooks": [self.events.append], "clock": self.clock, **options}
        chosen.setdefault("unix_time", lambda: self.now)
        with patch("ratelimit_guard.live.open_live", keyed):
            made = config if isinstance(config, Config) else from_dict(config or values())
            self.guard = Guard(made, **chosen)
        self.told = 0
        self._rest: Iterator[Call] = iter(())

    @property
    def live(self) -> LiveDetector:
        assert self.guard.live is not None
        return self.guard.live

    @property
    def stats(self) -> dict[str, Any]:
        return self.live.stats()

    def settle(self) -> None:
        """All that was told has been folded, also what other workers told."""
        spin(lambda: not self.stats["waiting_bytes"] and self.stats["folded"] >= self.told, str(self.stats))

    def learn(self, number: int = LEARNED) -> Scene:
        """Let the detector see calls; nothing is charged."""
        stream = iter(calls())
        for call in islice(stream, number):
            self.tell(call)
        self.settle()
        assert self.stats["convicted"] >= 1
        self.now = max(self.now, calls()[number].time)
        self._rest = stream
        return self

    def tell(self, call: Call) -> None:
        self.now = call.time
        tenant = self.guard.plan(post(call.tenant, call.account)).tenant  # type: ignore[union-attr]
        inspection = self.live.inspect(call.body, tenant)
        assert inspection is not None
        assert self.live.observe(inspection, tenant, request=call.id)
        self.told += 1

    def attacks(self, number: int) -> list[Call]:
        """Calls not seen yet that hold pieces of the first campaign that such calls hold."""
        found: list[Call] = []
        first: int | None = None
        for call in self._rest:
            tenant = self.guard.plan(post(call.tenant, call.account)).tenant  # type: ignore[union-attr]
            inspection = self.live.inspect(call.body, tenant)
            if call.attack and inspection and inspection.sight and inspection.sight.campaign is not None:
                first = first or inspection.sight.campaign
                if inspection.sight.campaign == first:
                    found.append(call)
            if len(found) == number:
                return found
        raise AssertionError(len(found))

    def attack(self) -> Call:
        return self.attacks(1)[0]

    def send(self, request: Request, body: bytes | None) -> Checked:
        """A request as the middlewares handle it; it is observed when it may go on."""
        plan = self.guard.plan(request)
        assert plan is not None
        watch = self.watch(request)
        checked = guarded.Call(self.guard, request, plan, watch, None).check(body)
        if checked.decision.allowed:
            watch.observe(request, checked)
            self.told += checked.inspection is not None
        return checked

    def sends(self, call: Call, **more: str) -> Checked:
        return self.send(post(call.tenant, call.account, **more), call.body)

    def watch(self, request: Request | None = None) -> Watch:
        plan = self.guard.plan(request or post())
        assert plan is not None
        watch = self.guard.watch(plan)
        assert watch is not None
        return watch

    def climb(self, rung: str, patience: float = PATIENCE) -> None:
        """The campaign goes on and on until it stands on the rung; answered calls are told, none is charged."""
        for _ in range(6):
            if rung in self.stats["rungs"].values():
                return
            self.tell_at(self.now + patience)
        raise AssertionError(self.stats)

    def tell_at(self, time_: float) -> None:
        """Two of them: the time of one alone may be a mistake."""
        for call in self.attacks(2):
            self.tell(replace(call, time=time_))
        self.settle()
