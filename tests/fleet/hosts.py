"""Hosts of a fleet in one process: each has memory of its own, and does a round when it is told to."""

from __future__ import annotations

import json
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from live.helpers import spin, values
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.fleet import Fleet
from ratelimit_guard.live import Answer, LiveDetector
from ratelimit_guard.tenant import Tenant

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from campaigns.traffic import Call
    from fleet.server import Server
    from ratelimit_guard.restriction import Inspection

ROUND_S = 10.0
"""Of the rounds' own time, which is not that of the machine: all that waits for a while is due in each."""
SETTLE_EVERY = 16


class Stepped(Fleet):
    """A fleet without a thread: rounds are the test's."""

    def _run(self, halt: threading.Event) -> None:
        pass


class Host:
    """A host with a process; without a server it is by itself."""

    def __init__(self, server: Server | None, **detector: Any) -> None:
        self.time, self.told = 0.0, 0
        config = from_dict(values(detector=detector))
        assert config.detector is not None
        connect = server.connect if server else None
        with patch("ratelimit_guard.fleet.Fleet", Stepped):
            self.detector = LiveDetector(config, config.detector, lambda: self.time, connect)
        self.detector._start()

    @property
    def fleet(self) -> Fleet:
        assert self.detector.fleet is not None
        return self.detector.fleet

    @property
    def stats(self) -> dict[str, Any]:
        return self.detector.stats()

    def restricted(self, time: float, tenant: str, account: str, body: bytes, answer: Answer) -> bool:
        """Would this request be restricted? If not, it is answered and told."""
        self.time = time
        who = Tenant(tenant, account, "anonymous", confirmed=True)
        inspection: Inspection | None = self.detector.inspect(body, who)
        assert inspection is not None
        if self.detector.restriction(inspection, who) is not None:
            return True
        assert self.detector.observe(inspection, who, answer=answer)
        self.told += 1
        return False

    def settle(self) -> None:
        """All that was told here, or read from others, has been folded."""
        term = self.detector.fleet and self.detector.fleet._term
        spin(lambda: not self.stats["waiting_bytes"], "nobody folds")
        if term is not None:
            spin(lambda: self.detector._live.read_up_to == term.place, "not all was folded")
        elif self.detector.fleet is None:
            spin(lambda: self.stats["folded"] >= self.told, "not all was folded")


class Hosts:
    """Some hosts at one server, or one without."""

    def __init__(self, number: int, server: Server | None, **detector: Any) -> None:
        self.all = [Host(server, **detector) for _ in range(number)]
        self.now = 0.0
        if server:
            self.until(lambda: self.correlator is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.all:
            host.detector.stop()

    @property
    def correlator(self) -> Host | None:
        """The one that judges, once it does."""
        terms = [host for host in self.all if (term := host.fleet._term) is not None and term._stage == "judge"]
        return terms[0] if terms else None

    def round(self, *, but: Host | None = None) -> None:
        """Members first, so that the correlator reads what they have sent."""
        self.now += ROUND_S
        ordered = sorted(self.all, key=lambda host: host.detector.fleet is not None and host.fleet._term is not None)
        for host in ordered:
            if host is not but and host.detector.fleet is not None:
                host.fleet.step(self.now)

    def until(self, done: Callable[[], object], *, but: Host | None = None) -> None:
        """Rounds until it is so."""

        def tried() -> object:
            self.round(but=but)
            return done()

        spin(tried, str([host.fleet.stats() for host in self.all]))

    def settle(self) -> None:
        """All was folded, and everybody knows what came of it."""
        self.round()
        for host in self.all:
            if host.detector.fleet is None or host.fleet._term is not None:
                host.settle()
        self.round()
        self.round()

    def play(self, log: Iterable[Call]) -> float:
        """Requests to one host after the other. Which share of what the attacker wanted was answered?"""
        answered, attacks = 0, 0
        for number, (call, host) in enumerate(zip(log, cycle(self.all), strict=False)):
            body, answer = said(call.line)
            is_restricted = host.restricted(call.time, call.account.tenant, call.account.name, body, answer)
            attacks += call.attack
            answered += call.attack and not is_restricted
            if number % SETTLE_EVERY == 0:
                self.settle()
        return answered / attacks


def said(line: bytes) -> tuple[bytes, Answer]:
    """A record's prompt and answer."""
    record = json.loads(line)
    usage = record.get("usage") or {}
    return json.dumps(record["request"]).encode(), Answer(record.get("reply"), usage.get("completion_tokens"))
