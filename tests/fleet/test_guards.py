"""Guards on two hosts, each a process behind the middleware: a campaign is one over both, and so are commands."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import TYPE_CHECKING

import pytest

from fleet.hosts import KEY, VERSION, small
from fleet.processes import Process
from live.helpers import SECRET
from ratelimit_guard.exchange import Exchange
from ratelimit_guard.fleet import SECRET_BYTES
from ratelimit_guard.term import KEEP_EVERY_S
from servers.server import valkey, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.server import Server

TIERS = """
version = 1
store = {{ kind = "redis", url = "{url}", budget_ms = 5_000, capacity = 10_000 }}
policies.many.quota = "1_000_000/hour"
tiers.anonymous.policies = ["many"]
routes = [{{ match = "/v1/chat", body = true }}]
campaign.quota = "{budget}/day"

[detector]
mode = "enforce"
delay_s = 0
"""
BUDGET = 150
"""A day: in the seconds of a test nothing of it comes back. It is more than the host that judges gets to spend before
the other one hears of the campaign.
"""
TURN, TURNS = 20, 10
"""Requests that are sent at once; and turns between two times that all is told to all."""
PASSWORD = "s3cret"  # noqa: S105


class Hosts:
    """So many of them at a server of their own."""

    def __init__(self, number: int, server: Server, folder: Path, stack: ExitStack) -> None:
        self.each: list[Counter[str]] = []
        self.server, self.client = server, stack.enter_context(server.client())
        self.client.set(KEY + "secret", SECRET[:SECRET_BYTES])
        self.all = [stack.enter_context(self.begun(folder / f"host-{place}")) for place in range(number)]
        wait_until(lambda: self.correlator is not None, what="an election")
        wait_until(lambda: all(one.ask("see")["role"] in {"correlator", "member"} for one in self.all))

    def begun(self, folder: Path) -> Process:
        folder.mkdir(parents=True)
        (folder / "limits.toml").write_text(TIERS.format(url=self.server.url, budget=BUDGET))
        return Process("fleet.guarded", folder)

    @property
    def correlator(self) -> Process | None:
        return next((one for one in self.all if one.ask("see")["judging"]), None)

    def split(self) -> tuple[Process, Process]:
        """The correlator, and the other one of two."""
        first = self.correlator
        assert first is not None
        return first, next(one for one in self.all if one is not first)

    def know_all(self) -> bool:
        """Has everybody heard what comes of all that was observed?"""
        seen = [one.ask("see") for one in self.all]
        (first,) = (one for one in seen if one["judging"])
        place, published = first["judging"]
        end = Exchange(self.client, "default", "").end()
        version = (self.client.get(VERSION) or b"").decode()
        return (
            not any(one["waiting_bytes"] for one in seen)
            and place == first["read_up_to"] >= list(end)
            and published == first["folded"]
            and all(one["version"] == version for one in seen if one is not first)
        )

    def play(self) -> Counter[str]:
        """The small campaign, to one host after the other, and what came of it."""
        log = small()
        for start in range(0, len(log), TURN):
            for place, one in enumerate(self.all):
                one.tell("play", start + place, start + TURN, len(self.all))
            self.each = [Counter(one.hear()) for one in self.all]
            if start // TURN % TURNS == 0 or start + TURN >= len(log):
                wait_until(self.know_all, what="all is told to all")
        return sum(self.each, Counter[str]())


@contextmanager
def hosts(number: int, folder: Path) -> Iterator[Hosts]:
    with valkey(password=PASSWORD) as server, ExitStack() as stack:
        yield Hosts(number, server, folder, stack)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hosts, Counter[str], Counter[str]]]:
    """Two hosts that have seen the campaign, what came of it there, and what on one host."""
    folder = tmp_path_factory.mktemp("guards")
    with hosts(1, folder / "one") as one:
        alone = one.play()
    with hosts(2, folder / "two") as two:
        yield two, two.play(), alone


Played = tuple[Hosts, Counter[str], Counter[str]]


def test_a_campaign_has_one_budget_over_two_hosts(played: Played) -> None:
    """Both pay from it, both find it empty; as much is served as on one host."""
    both, over_two, on_one = played
    print(over_two, on_one, both.each)  # noqa: T201  the figures are what it is for
    assert over_two["C1 paid"] == on_one["C1 paid"] == BUDGET
    assert all(one["C1 paid"] and one["C1 refused"] for one in both.each)
    served = [counts["served"] / counts["attacks"] for counts in (over_two, on_one)]
    assert served[1] < 0.5
    assert abs(served[0] - served[1]) < 0.1


def test_both_hosts_show_the_campaign_and_their_part(played: Played) -> None:
    """The one that judges what it knows now, the other one what was kept, and how old that is."""
    correlator, member = played[0].split()
    code, text = correlator.ask("live", "--once")
    assert (code, "throttle" in text, "Another host judges" in text) == (0, True, False), text
    assert re.search(r"Fleet: this host judges, 0\.0 s of others are unread; 0\.\d MB at the server", text), text
    code, text = member.ask("live", "--once")
    assert (code, "throttle" in text, "No worker answers" in text) == (0, True, False), text
    age = re.search(r"Another host judges: this is what it had found (\d+) s ago", text)
    assert age is not None
    assert int(age[1]) <= 2 * KEEP_EVERY_S
    assert re.search(r"Fleet: another host judges; 0\.\d MB at the server", text), text


def test_what_a_caller_quotes_is_explained_anywhere(played: Played) -> None:
    """Also where it was not told."""
    correlator, member = played[0].split()
    for told, asked in ((correlator, member), (member, correlator), (member, member)):
        code, text = asked.ask("explain", told.ask("reference"))
        assert (code, "because of campaign C1" in text) == (0, True), text


def test_a_page_is_written_anywhere(played: Played, tmp_path: Path) -> None:
    """It says how old it is on the host that did not judge."""
    for host, is_old in zip(played[0].split(), (False, True), strict=True):
        code, text = host.ask("report", "-o", tmp_path / f"{is_old}.html")
        assert (code, "Another host judges" in text) == (0, is_old), text
        assert "C1" in (tmp_path / f"{is_old}.html").read_text()


def test_a_release_travels_to_the_host_that_judges(played: Played) -> None:
    """From where the operator is; all hosts obey."""
    both = played[0]
    _, member = both.split()
    assert all(one.ask("see")["rungs"] for one in both.all)
    code, text = member.ask("release", "C7", "--why", "test")
    assert (code, "no campaign 'C7'" in text) == (1, True), text
    code, text = member.ask("release", "C1", "--why", "test")
    assert (code, "C1 is released on all hosts within seconds" in text) == (0, True), text
    wait_until(lambda: not any(one.ask("see")["rungs"] for one in both.all), what="a release")


def test_a_server_that_is_away_is_said(played: Played) -> None:
    """By every command, and without its password."""
    both = played[0]
    both.server.stop()
    for host, words in product(both.all, (["live", "--once"], ["explain", "C1"], ["release", "C1", "--why", "test"])):
        code, text = host.ask(*words)
        assert (code, "cannot be asked: ConnectionError" in text, PASSWORD in text) == (1, True, False), text
