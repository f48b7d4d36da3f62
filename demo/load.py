"""The load: one simulated day of everybody, and then heavy tenants alone, with the guard and without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.scenario import CONCURRENCY, LOAD_TIMEOUT_S, PATH
from demo.stage import GUARDED, PLAIN
from ratelimit_guard.simulate import drive, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.scenario import Play
    from demo.tally import Tally
    from ratelimit_guard.simulate import Call, Result


@dataclass(frozen=True)
class Comparison:
    """Seconds that each of the same requests took."""

    guarded: list[float] = field(default_factory=list[float])
    plain: list[float] = field(default_factory=list[float])


def url(port: int, way: str = "") -> str:
    """The workers' address."""
    return f"http://127.0.0.1:{port}{way}{PATH}"


async def simulate(play: Play, port: int, tally: Tally) -> float:
    """Send the day; the seconds that it took, which are more than planned where the machine is slow."""
    began = monotonic()
    calls, seconds = generate(play.scenario, play.seed), LOAD_TIMEOUT_S
    note = tally.result
    whole = await drive(calls, url(port), speed=play.speed, concurrency=CONCURRENCY, timeout=seconds, on_result=note)
    if not whole:
        raise DemoError(f"the simulated day took longer than {seconds:g} s: this machine is too busy")
    return monotonic() - began


async def compare(play: Play, port: int) -> Comparison:
    """Send blocks of the heavy tenants' next day both ways, in turns: what else the machine does hits both alike."""
    found = Comparison()
    calls = generate(play.heavy_calls(), play.seed)
    await _send(list(islice(calls, play.calls)), play.rate, url(port, PLAIN), lambda _result: None)  # warm connections
    for _ in range(play.blocks):
        block = list(islice(calls, play.calls))
        await _send(block, play.rate, url(port, PLAIN), _noted(found.plain))
        await _send(block, play.rate, url(port, GUARDED), _noted(found.guarded))
    return found


async def _send(calls: Sequence[Call], rate: float, to: str, on_result: Callable[[Result], None]) -> None:
    seconds = calls[-1].time - calls[0].time
    speed = seconds * rate / len(calls) if seconds > 0 else inf
    if not await drive(calls, to, speed=speed, timeout=LOAD_TIMEOUT_S, on_result=on_result):
        raise DemoError(f"{len(calls)} requests took longer than {LOAD_TIMEOUT_S:g} s")


def _noted(seconds: list[float]) -> Callable[[Result], None]:
    def note(result: Result) -> None:
        if result.status != 200:
            raise DemoError(f"a heavy tenant got {result.status} {result.error}")
        seconds.append(result.seconds)

    return note
