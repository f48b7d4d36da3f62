"""What type checkers must accept; checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from ratelimit_guard import (
    AsyncLimiter,
    AsyncPermit,
    Decision,
    DecisionEvent,
    Guard,
    Limiter,
    LimitResult,
    MemoryStore,
    Permit,
    Policy,
    Quota,
    RateLimitExceeded,
    Request,
    SharedStore,
    Store,
    rate_limit,
)
from ratelimit_guard.testing import ManualClock

if TYPE_CHECKING:
    from ratelimit_guard.stores import BoundLimiter

clock = ManualClock()
memory: Store = MemoryStore(clock=clock)
shared: Store = SharedStore(Path("table"), capacity=10, clock=clock)
assert_type(MemoryStore(10).stats(), dict[str, int])
bound: BoundLimiter = MemoryStore(10).bind("", [Policy("p", "1/s")])

limiter = Limiter("100/minute")
Limiter(Quota(100, 60.0), shared, namespace="api", on_full="allow")
Limiter([Policy("burst", "5/second"), Policy("day", Quota.parse("100/day"))], memory)
Limiter(["1/second", Quota(5, 60.0)])
assert_type(limiter.acquire("alice", 3, confirmed=False), LimitResult)
assert_type(limiter.peek(b"alice"), LimitResult)
assert_type(limiter.reset("alice"), bool)
assert_type(limiter.policies, tuple[Policy, ...])
assert_type(limiter.acquire("alice").results, tuple[LimitResult, ...])
with limiter.permit("alice") as permit:
    assert_type(permit, Permit)
    assert_type(permit.result.retry_after, float)


async def coroutine() -> None:
    limiter = AsyncLimiter("100/minute", shared)
    assert_type(await limiter.acquire("alice"), LimitResult)
    async with limiter.permit("alice") as permit:
        assert_type(permit, AsyncPermit)
        assert_type(await permit.renew(), bool)
    assert_type(await limiter.permit("alice"), AsyncPermit)


def user_of(user: str, size: int) -> str:  # noqa: ARG001
    return user


def size_of(user: str, size: int) -> int:  # noqa: ARG001
    return size


@rate_limit("100/minute", key=user_of, cost=size_of)
def send(user: str, size: int) -> tuple[str, int]:
    return user, size


@rate_limit(max_calls=100, time_window=60)
async def fetch(user: str) -> bytes:
    return user.encode()


@rate_limit("1/second", store=memory)
def count(upto: int) -> Generator[int, str, None]:
    yield upto


@rate_limit("1/second", store=memory)
async def stream(upto: int) -> AsyncGenerator[int, None]:
    yield upto


class Service:
    @rate_limit("1/second")
    def method(self, number: int) -> int:
        return number

    @classmethod
    @rate_limit("1/second")
    def make(cls) -> Service:
        return cls()


async def decorated() -> None:
    assert_type(send("alice", 1), tuple[str, int])
    assert_type(await fetch("alice"), bytes)
    assert_type(count(1), Generator[int, str, None])
    assert_type(stream(1), AsyncGenerator[int, None])
    assert_type(Service().method(1), int)
    assert_type(Service.make(), Service)


def hook(event: DecisionEvent) -> None:
    assert_type(event.decision, Decision)


def payer(who: str) -> str:
    return who


guard = Guard.from_file("limits.toml", hooks=[hook])


@guard.limit("burst", tenant=payer)
def guarded(who: str) -> int:
    return len(who)


def decided(request: Request) -> None:
    assert_type(guarded("acme"), int)
    decision = guard.check(request)
    assert_type(decision, Decision)
    assert_type(decision.allowed, bool)
    assert_type(decision.result, LimitResult | None)


def wrong() -> None:
    limiter.acquire(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    limiter.acquire("alice", 1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Limiter("1/s", on_full="drop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rate_limit()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    try:
        send("alice", 1)
    except RateLimitExceeded as error:
        assert_type(error.result, LimitResult)
