"""Random calls against the slow limiters of `naive.py`: never more than promised, never less than reasonable."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from conftest import PATIENCE_S, SOAK
from naive import Naive, naive
from ratelimit_guard import Limiter, MemoryStore, Policy, Quota
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from ratelimit_guard import LimitResult, Store
    from servers.server import Server

NANO = 10**9
NAMESPACES = (f"example-{number}" for number in count())
START = 10**6 * NANO
KEYS = st.sampled_from(["alice", "bob", b"carol"])
COSTS = st.one_of(st.integers(0, 12), st.sampled_from([50, 10_000, 2**33, 2**70]))
LIMITS = st.one_of(st.integers(1, 30), st.sampled_from([16_383, 16_384, 10_000_000, 2**36 - 1]))
WINDOWS = st.sampled_from([0.001, 0.1, 1.0, 7.3, 60.0, 3_600.0, 86_400.0])
# Parts and multiples of the window: the interesting instants are near its eighths.
PAUSES = st.one_of(st.sampled_from([1 / 64, 1 / 8, 1 / 4, 1.0, 9 / 8, 2.0, 40.0, 600.0]), st.floats(0, 3))


@st.composite
def quotas(draw: st.DrawFn) -> Quota:
    """Any quota of any algorithm."""
    limit, window = draw(LIMITS), draw(WINDOWS)
    algorithm = draw(st.sampled_from(["strict", "sliding-window", "token-bucket"]))
    burst = draw(st.one_of(st.none(), st.integers(1, 30))) if algorithm == "token-bucket" else None
    return Quota(limit, window, burst, algorithm)


class LimiterMachine(RuleBasedStateMachine):
    """One limiter with one to three policies, three keys, and a clock."""

    tick = 1
    """Nanoseconds to which the store tells the time."""

    @initialize(policies=st.lists(quotas(), min_size=1, max_size=3))
    def build(self, policies: list[Quota]) -> None:
        """Draw the policies."""
        self.policies = policies
        self.clock = ManualClock(START / NANO)
        self.now = START  # what really passed: a clock set back does not undo it
        self.stepped_back = False
        named = [Policy(f"p{number}", quota) for number, quota in enumerate(policies)]
        self.limiter = Limiter(named, self.store(), namespace=next(NAMESPACES))
        self.models: dict[str | bytes, list[Naive]] = {}

    def store(self) -> Store:
        """Where the counters are."""
        return MemoryStore(100, clock=self.clock)

    def advance(self, nanos: int) -> None:
        """Let time pass, in steps that floats hold to the nanosecond."""
        nanos = -(-nanos // self.tick) * self.tick
        self.now += nanos
        while nanos > 0:
            step = min(nanos, 2**52)
            self.clock.advance(step / NANO)
            nanos -= step

    def twins(self, key: str | bytes) -> list[Naive]:
        """The slow limiters of a key."""
        fresh = [naive(quota.limit, quota.window_s, quota.burst, quota.algorithm) for quota in self.policies]
        return self.models.setdefault(key, fresh)

    def check(self, key: str | bytes, cost: int, result: LimitResult) -> None:
        """Compare one answer with every slow limiter."""
        now, twins = self.now, self.twins(key)
        if cost == 0:
            assert result.allowed
        elif result.allowed:
            # A fading count depends on the clock's own windows: after a step back only real promises are checked.
            checked = [twin for twin in twins if not (self.stepped_back and hasattr(twin, "counts"))]
            assert all(twin.may_admit(now, cost) for twin in checked)
            assert result.retry_after == 0
        else:
            assert self.stepped_back or not all(twin.must_admit(now, cost) for twin in twins)
            assert result.retry_after > 0

    @rule(key=KEYS, cost=COSTS)
    def acquire(self, key: str | bytes, cost: int) -> None:
        """Look, take, and look at what is left."""
        expected = self.limiter.peek(key, cost)
        result = self.limiter.acquire(key, cost)
        assert (expected.allowed, expected.retry_after) == (result.allowed, result.retry_after)
        self.check(key, cost, result)
        if result.allowed and cost:
            for twin in self.twins(key):
                twin.take(self.now, cost)

    @rule(key=KEYS)
    def take_all(self, key: str | bytes) -> None:
        """What is said to remain can be taken, and not one unit more."""
        rest = min(each.remaining for each in self.limiter.peek(key).results)
        refused = self.limiter.acquire(key, rest + 1)
        assert not refused
        self.check(key, rest + 1, refused)
        if rest:
            self.acquire(key, rest)
            assert not self.limiter.peek(key)

    @rule(part=PAUSES)
    def wait(self, part: float) -> None:
        """Let part of a window pass."""
        self.advance(round(self.policies[0].window_s * part * NANO))

    @rule(key=KEYS, cost=st.integers(1, 30))
    def wait_as_told(self, key: str | bytes, cost: int) -> None:
        """After `retry_after` the same acquire succeeds."""
        told = self.limiter.peek(key, cost).retry_after
        if 0 < told < float("inf"):
            self.advance(round(told * NANO))
            assert self.limiter.peek(key, cost)
            self.acquire(key, cost)

    @rule(key=KEYS)
    def reset(self, key: str | bytes) -> None:
        """Forget a key."""
        self.limiter.reset(key)
        self.models.pop(key, None)
        assert not self.limiter.reset(key)
        assert all(result.remaining == result.limit for result in self.limiter.peek(key).results)

    @invariant()
    def remaining_is_within_limits(self) -> None:
        """No answer is out of range."""
        for key in self.models:
            for result in self.limiter.peek(key).results:
                assert 0 <= result.remaining <= result.limit
                assert result.reset_after >= 0


class SteppingClockMachine(LimiterMachine):
    """The same with a clock that may be set back: no more than promised, if less than reasonable."""

    @rule(part=st.floats(0, 3))
    def step_back(self, part: float) -> None:
        """Set the clock back."""
        back = round(self.policies[0].window_s * part * NANO) // self.tick * self.tick
        while back > 0:
            step = min(back, 2**52)
            self.clock.advance(-step / NANO)
            back -= step
        self.stepped_back = True


class ServerMachine(SteppingClockMachine):
    """The same where a server's script counts, by the same slow limiters."""

    tick = 1_000

    def store(self) -> Store:
        """A store of the example; a namespace of its own keeps its counters apart from others'."""
        self.opened = RedisStore(Servers.url, clock=self.clock, budget_s=PATIENCE_S, refusal_cache_s=0)
        return self.opened

    def teardown(self) -> None:
        """End its connections."""
        if hasattr(self, "opened"):
            self.opened.close()


class Servers:
    """The server that all examples use."""

    url = ""


@pytest.fixture(scope="module", autouse=True)
def _server(shared_server: Server) -> None:
    Servers.url = shared_server.url


TestLimiterMachine = LimiterMachine.TestCase
TestSteppingClockMachine = SteppingClockMachine.TestCase
TestServerMachine = ServerMachine.TestCase
if not SOAK:
    TestServerMachine.settings = settings(max_examples=60)
