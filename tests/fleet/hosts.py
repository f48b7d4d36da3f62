"""Hosts of a fleet in one process: each has memory of its own, and does a round when it is told to."""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from campaigns.campaigns import C100, Campaign
from live.helpers import keyed, spin, values
from ratelimit_guard._core import live as _live
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.fleet import Fleet
from ratelimit_guard.live import Answer, LiveDetector
from ratelimit_guard.tenant import Tenant

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from campaigns.traffic import Call
    from ratelimit_guard.exchange import Connect
    from ratelimit_guard.restriction import Inspection
    from ratelimit_guard.term import Term
    from servers.server import Server

KEY = "rlg1:default:{live}:"
LOCK, VERSION = KEY + "lock", KEY + "version"
ROUND_S = 10.0
"""Of the rounds' own time, which is not that of the machine: all that waits for a while is due in each."""
SETTLE_EVERY = 16


class Stepped(Fleet):
    """A fleet without a thread: rounds are the test's."""

    def _run(self, halt: threading.Event) -> None:
        pass


class Host:
    """A host with a process; without a server it is by itself."""

    def __init__(self, connect: Connect | None, *, store: str | None = None, stepped: bool = True) -> None:
        self.time, self.told = 0.0, 0
        kind = {"kind": "shared", "path": store, "capacity": 10_000} if store else {"kind": "memory"}
        config = from_dict(values(store=kind))
        assert config.detector is not None
        secret = patch("ratelimit_guard.live.open_live", keyed) if connect is None else nullcontext()
        with secret, patch("ratelimit_guard.fleet.Fleet", Stepped if stepped else Fleet):
            self.detector = LiveDetector(config, config.detector, lambda: self.time, connect)
        self.detector._start()

    @property
    def fleet(self) -> Fleet:
        assert self.detector.fleet is not None
        return self.detector.fleet

    @property
    def term(self) -> Term:
        """While it judges."""
        assert self.fleet._term is not None
        return self.fleet._term

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

    def judges(self) -> bool:
        """Does it, or believe so?"""
        return judging(self.fleet) is not None

    def sends(self, call: Call) -> bool:
        """A request of a log. Is it restricted?"""
        return self.restricted(call.time, call.account.tenant, call.account.name, *said(call.line))

    def sees(self, call: Call) -> bool:
        """Would it be restricted? Nothing is told."""
        who = Tenant(call.account.tenant, call.account.name, "anonymous", confirmed=True)
        inspection = self.detector.inspect(said(call.line)[0], who)
        return inspection is not None and self.detector.restriction(inspection, who) is not None

    def save(self) -> None:
        """What is known is on disk."""
        end = self.detector._live.save()
        assert end is not None
        spin(lambda: self.stats["saved_up_to"] >= end)

    def requests(self) -> int:
        """How many have been judged here, or before."""
        self.save()
        return self.requests_saved()

    def requests_saved(self) -> int:
        """Without asking for it."""
        found = _live.Findings(str(self.detector._state))
        return sum(row["requests"] for row in found.accounts(0, len(found)))

    def settle(self) -> None:
        """All that was told here, or read from others, has been folded."""
        spin(lambda: not self.stats["waiting_bytes"], "nobody folds")
        if self.detector.fleet is None:
            spin(lambda: self.stats["folded"] >= self.told, "not all was folded")
        else:
            spin(lambda: self.detector._live.read_up_to == self.term.place, "not all was folded")


class Hosts:
    """Some hosts at one server, or one without."""

    def __init__(self, number: int, server: Server | None) -> None:
        self.all = [Host(server.client if server else None) for _ in range(number)]
        self.now = 0.0
        if any(host.detector.fleet for host in self.all):
            self.until(lambda: self.correlator is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.all:
            host.detector.stop()

    @property
    def correlator(self) -> Host | None:
        """The one that judges, once it does."""
        return next((host for host in self.all if host.judges()), None)

    def hand_over(self, server: Server) -> None:
        """The correlator of two sleeps, its time runs out, and the other one follows it."""
        first, second = self.split()
        with server.client() as client:
            client.delete(LOCK)
        self.until(lambda: second.fleet.role == "correlator", but=first)

        def goes_on() -> bool:
            second.fleet.step(self.now)  # it waits for what the machine does: no time passes
            return second.judges()

        spin(goes_on)

    def split(self) -> tuple[Host, Host]:
        """The correlator and the other one of two."""
        first = self.correlator
        assert first is not None
        (second,) = (host for host in self.all if host is not first)
        return first, second

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
            is_restricted = host.sends(call)
            attacks += call.attack
            answered += call.attack and not is_restricted
            if number % SETTLE_EVERY == 0:
                self.settle()
        return answered / max(attacks, 1)


def judging(fleet: Fleet) -> Term | None:
    """Its term, once it judges."""
    term = fleet._term
    return term if term is not None and term._stage == "judge" else None


def said(line: bytes) -> tuple[bytes, Answer]:
    """A record's prompt and answer."""
    record = json.loads(line)
    usage = record.get("usage") or {}
    return json.dumps(record["request"]).encode(), Answer(record.get("reply"), usage.get("completion_tokens"))


def small() -> list[Call]:
    """A campaign that is convicted within some hundred requests."""
    return Campaign(C100, accounts=40, requests=25).world(seed=1, honest=20).log


def convicted(hosts: Hosts, log: list[Call]) -> list[Call]:
    """Play until a campaign is convicted and everybody obeys; what is left of the log."""
    rest = iter(log)
    while not all(host.stats["rungs"] for host in hosts.all):
        hosts.play(islice(rest, 200))
        hosts.settle()
    return list(rest)


def restricted(host: Host, log: list[Call]) -> float:
    """Which share of an attack's beginning is restricted here, when nobody learns anything new?"""
    attacks = [call for call in log if call.attack][:100]
    return sum(map(host.sees, attacks)) / len(attacks)
