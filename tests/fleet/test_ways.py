"""The script has two ways: a short one for the usual batch, a long one for any. They say the same."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratelimit_guard import Quota
from ratelimit_guard._core import remote
from ratelimit_guard.stores.redis.script import DECIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from servers.server import Server

QUOTAS = ("9/minute", "20/minute; burst=7", "9/minute; algorithm=sliding-window")
START_US = 1_000_000_000_000
NUMBERS = count(1)
QUESTIONS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=6)
# Parts of the window, in µs; back by up to half of one.
PAUSES = st.sampled_from([0, 1, 7_500_000, 7_499_999, 30_000_000, 61_000_000, 900_000_000, -5_000_000, -30_000_000])


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Iterator[Redis]:
    """A client."""
    with shared_server.client() as client:
        yield client


def ask(server: Redis, batch: remote.RemoteBatch, now: int) -> list[Any]:
    """What the script answers."""
    keys, program = batch.arguments(now, next(NUMBERS))
    reply: Any = server.execute_command("EVAL", DECIDE.text, len(keys), *keys, program)  # type: ignore[no-untyped-call]
    return [tuple(map(repr, result.results)) for result in batch.read(reply)[0]]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(QUOTAS), min_size=1, max_size=3), st.lists(st.tuples(PAUSES, QUESTIONS), max_size=12))
def test_both_ways_give_the_same_answers(
    server: Redis, quotas: list[str], rounds: list[tuple[int, list[tuple[str, int]]]]
) -> None:
    """A question that only looks sends the second batch the long way; nothing else differs."""
    number, now = next(NUMBERS), START_US
    named = [(f"p{place}", Quota.parse(quota)) for place, quota in enumerate(quotas)]
    short, long = (remote.RemotePolicies(f"{way}-{number}", named) for way in ("short", "long"))
    for pause, questions in rounds:
        now += pause
        batches = remote.RemoteBatch(), remote.RemoteBatch()
        for policies, batch in zip((short, long), batches, strict=True):
            for key, cost in questions:
                batch.acquire(policies, key, cost)
        batches[1].peek(long, "nobody", 1)
        assert ask(server, batches[0], now) == ask(server, batches[1], now)[:-1]
