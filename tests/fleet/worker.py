"""A process of a host: `worker.py URL STORE`. It obeys.

`play START END`: requests of the small campaign; `see`: what it knows.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from fleet.hosts import Host, restricted, small
from fleet.processes import obey
from ratelimit_guard.stores.redis.address import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.traffic import Call

TIMEOUT_S = 1.0


def act(host: Host, log: Sequence[Call], words: Sequence[str]) -> object:
    if words[0] == "play":
        return sum(host.sends(call) for call in log[int(words[1]) : int(words[2])])
    stats = host.stats
    known = {name: stats[name] for name in ("rungs", "convicted", "dropped", "waiting_bytes", "leader")}
    return {**known, **host.fleet.stats(), "restricted": restricted(host, list(log))}


def main(url: str, store: str) -> None:
    host = Host(partial(Address.parse(url).client, TIMEOUT_S), store=store, stepped=False)
    log = small()
    obey(partial(act, host, log))


if __name__ == "__main__":
    main(*sys.argv[1:])
