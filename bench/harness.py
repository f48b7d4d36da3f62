"""Interleaved rounds: every contender once per round, in rotating order, each time with fresh state.

Machines drift within minutes, so a ratio is taken inside each round and the median of the rounds is reported.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from statistics import median
from time import perf_counter_ns

Figures = dict[str, float]
Drive = Callable[[Sequence[str]], None]


def interleave(contenders: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, list[Figures]]:
    """Measure every contender `rounds` times; nobody always runs first or always after the same neighbour."""
    taken: dict[str, list[Figures]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for name in order if turn % 2 == 0 else reversed(order):
            taken[name].append(contenders[name]())
            settle()
        print(f"  round {turn + 1} of {rounds}", file=sys.stderr)
    return taken


def settle() -> None:
    """Free the last contender's state and let its clean-up threads end, lest they run on the next one's time."""
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def ns_per_call(drive: Drive, keys: Sequence[str]) -> float:
    """Wall time per decision, loop included; the collector is off for everybody alike."""
    gc.collect()
    gc.disable()
    try:
        start = perf_counter_ns()
        drive(keys)
        return (perf_counter_ns() - start) / len(keys)
    finally:
        gc.enable()


def middle(figures: Sequence[Figures], scenario: str) -> float:
    return median(figure[scenario] for figure in figures)


def ratio(over: Sequence[Figures], under: Sequence[Figures], scenario: str) -> float:
    """Median over the rounds of the ratio inside each round."""
    return median(a[scenario] / b[scenario] for a, b in zip(over, under, strict=True))


def better(first: Sequence[Figures], second: Sequence[Figures]) -> list[Figures]:
    """The lower figure of two contenders, round by round and scenario by scenario."""
    return [{name: min(a[name], b[name]) for name in a} for a, b in zip(first, second, strict=True)]


def hot_keys(count: int) -> list[str]:
    return ["user:8675309"] * count


def uniform_keys(count: int) -> list[str]:
    """`count` different keys in random order.

    The numbers are shuffled and not the strings: else everybody pays a cache miss just to read the next key, while a
    server's key has just been made.
    """
    numbers = list(range(count))
    random.Random(20).shuffle(numbers)
    return [f"user:{number}" for number in numbers]


def zipf_keys(draws: int, population: int, exponent: float = 1.1) -> list[str]:
    """A few heavy clients and a long tail, as web traffic has it."""
    weights = accumulate(rank**-exponent for rank in range(1, population + 1))
    ranks = random.Random(21).choices(range(population), cum_weights=list(weights), k=draws)
    return [f"user:{rank}" for rank in ranks]


def percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def worst_window(times: Sequence[int], window: int) -> int:
    """The most events of sorted `times` in any half-open window of the given length."""
    worst = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= window:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def http_scope(path: str, account: int, body: bytes, client: str = "192.0.2.7") -> dict[str, object]:
    """An ASGI scope of a POST as uvicorn makes it."""
    headers = [
        (b"authorization", b"account-%d" % account), (b"host", b"localhost"), (b"accept", b"*/*"),
        (b"user-agent", b"bench"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)),
    ]  # fmt: skip
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": (client, 4711),
    }  # fmt: skip
