"""Hosts as real processes with their own threads: one is killed, another one goes on."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fleet.hosts import Host, small
from fleet.processes import Process
from live.helpers import spin
from live.test_life import code_of, in_child
from servers.server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from servers.server import Server

FEW = 0.2


def test_the_correlator_is_killed(server: Server, tmp_path: Path) -> None:
    """Its campaign is known on the other host before, meanwhile and after; who comes back takes part."""
    worker = partial(Process, "fleet.worker", server.url)
    with worker(tmp_path / "a") as first, worker(tmp_path / "b") as second:
        both = (first, second)
        wait_until(lambda: {one.ask("see")["role"] for one in both} == {"member", "correlator"})
        for start in range(0, 600, 20):
            both[start // 20 % 2].ask("play", start, start + 20)
        wait_until(lambda: all(one.ask("see")["restricted"] > FEW for one in both))
        roles = {one.ask("see")["role"]: one for one in both}
        correlator, member = roles["correlator"], roles["member"]
        wait_until(lambda: not member.ask("see")["waiting_bytes"])
        correlator.process.kill()
        known = member.ask("see")
        began = time.monotonic()
        wait_until(lambda: member.ask("see")["role"] == "correlator")
        print(f"another host judges after {time.monotonic() - began:.1f} s")  # noqa: T201  the figure is what it is for
        wait_until(lambda: member.ask("see")["age_s"] is None)
        after = member.ask("see")
        assert after["restricted"] > FEW
        assert known["restricted"] > FEW
        with worker(tmp_path / ("a" if correlator is first else "b")) as again:
            wait_until(lambda: again.ask("see")["role"] == "member")
            wait_until(lambda: again.ask("see")["restricted"] > FEW)
            assert again.ask("see")["dropped"] == 0


def test_a_fork_takes_part(server: Server, tmp_path: Path) -> None:
    """With a thread and connections of its own; it does its host's part when the parent does no longer."""
    host = Host(server.client, store=str(tmp_path / "store"), stepped=False)
    spin(lambda: host.fleet._exchange is not None)

    def work() -> bool:
        host.sends(small()[0])
        wait_until(host.judges)
        host.detector.stop()
        return host.requests_saved() == 1

    pid = in_child(work)
    host.detector.stop()
    assert code_of(pid) == 0
    assert host.requests_saved() == 1
