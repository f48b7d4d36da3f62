"""One detector over hosts: what is judged, who takes over, and what a server that comes and goes does to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from campaigns.campaigns import C100, Campaign
from fleet.hosts import Hosts
from fleet.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 1


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


def test_a_campaign_over_two_hosts_is_judged_as_on_one(server: Server) -> None:
    """300 accounts, whose requests go to one host after the other."""
    log = Campaign(C100, accounts=300, requests=10).world(SEED, honest=100).log
    with Hosts(1, None) as alone:
        single = alone.play(log)
    with Hosts(2, server) as both:
        spread = both.play(log)
        print(len(log), [host.fleet.stats() for host in both.all])  # noqa: T201
    print(f"served: {single:.3f} on one host, {spread:.3f} over two")  # noqa: T201  the figures are what it is for
    assert single < 0.5
    assert abs(single - spread) < 0.1
