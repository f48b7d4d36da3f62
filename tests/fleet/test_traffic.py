"""Real prompts, where labelled logs are at hand: beside the project, and no part of it."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from campaigns.traffic import Account, Call
from fleet.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.server import Server

LOGS = Path(__file__).parents[2].parent / "shared" / "traffic"
NAME, CAMPAIGN = "dev_hydra", "d-hydra1000"
ACCOUNTS = 300


def needed(name: str) -> Path:
    path = LOGS / name
    if not path.is_file():
        pytest.skip(f"labelled traffic is not at hand: no {name}")
    return path


def calls() -> Iterator[Call]:
    """What small honest accounts sent, and one campaign, whose requests are dealt out to so many accounts."""
    traffic = needed(f"{NAME}.traffic.jsonl.xz")
    with gzip.open(needed(f"{NAME}.labels.jsonl.gz"), "rt", encoding="utf-8") as file:
        labels = [json.loads(line) for line in file]
    honest = {one["account"] for one in labels if one["label"] == "benign" and not one["heavy"]}
    attacks = {number for one in labels if one["campaign"] == CAMPAIGN for number in one["attack"]}
    dealt = 0
    with lzma.open(traffic, "rb") as lines:
        for number, line in enumerate(lines):
            record = json.loads(line)
            is_attack = number in attacks
            if not is_attack and record["account"] not in honest:
                continue
            name = f"sybil-{dealt % ACCOUNTS}" if is_attack else record["account"]
            dealt += is_attack
            account = Account(name, "", f"tenant of {name}" if is_attack else record["tenant"], record["ip"])
            yield Call(record["time"], record["id"], account, line, is_attack)


@pytest.mark.soak
def test_a_real_campaign_over_two_hosts(server: Server) -> None:
    """Its 300 accounts are served as much over two hosts as over one, within ten points."""
    log = [call for call in calls() if "request" in json.loads(call.line)]
    with Hosts(1, None) as alone:
        single = alone.play(log)
    with Hosts(2, server) as both:
        spread = both.play(log)
        print(len(log), sum(call.attack for call in log), [host.fleet.stats() for host in both.all])  # noqa: T201
    print(f"served: {single:.3f} on one host, {spread:.3f} over two")  # noqa: T201  the figures are what it is for
    assert single < 0.5
    assert abs(single - spread) < 0.1
