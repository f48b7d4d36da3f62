"""A worker process: `worker.py TIERS LOG load|attack NUMBER`. What it lets pass is a line in the log each, before the
next request is sent, so that a sudden death loses one at most.

`load` sends simulated traffic until it is killed or gets SIGTERM, `attack` so many requests of the campaign.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from live.helpers import calls, lookup, post
from ratelimit_guard import Guard
from ratelimit_guard import call as guarded
from ratelimit_guard.simulate import SCENARIOS, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard.simulate import Call

PAUSE_S = 0.004


def send(guard: Guard, call: Call, log: int) -> None:
    request = post(call.tenant, call.account)
    plan = guard.plan(request)
    assert plan is not None
    watch = guard.watch(plan)
    assert watch is not None
    checked = guarded.Call(guard, request, plan, watch, None).check(call.body)
    restriction = checked.decision.restriction
    if checked.decision.allowed:
        if restriction is not None:
            os.write(log, f"{restriction.campaign}\n".encode())
        watch.observe(request, checked)


def load(number: int) -> Iterator[Call]:
    """A quarter of the traffic, and then that of another day."""
    seed = 1
    while True:
        stream = calls() if seed == 1 else generate(SCENARIOS["small"], seed)
        for place, call in enumerate(stream):
            if place % 4 == number % 4:
                time.sleep(PAUSE_S)
                yield call
        seed += 1


def attack(number: int) -> Iterator[Call]:
    some = [call for call in calls() if call.attack]
    return iter(some[-number:])


def main(tiers: str, log: str, mode: str, number: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        guard = Guard.from_file(Path(tiers), lookup=lookup, reload_every=None)
        for call in (load if mode == "load" else attack)(int(number)):
            send(guard, call, out)
    except Exception:  # the parent reads it
        os.write(out, f"FAILED {traceback.format_exc()}\n".encode())
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
