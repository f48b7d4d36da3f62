"""`@rate_limit` on everything that can be called."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ratelimit_guard import ConfigError, MemoryStore, Policy, RateLimitExceeded, UsageError, rate_limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ratelimit_guard.testing import ManualClock


@pytest.fixture
def memory(clock: ManualClock) -> MemoryStore:
    """Counters of one test."""
    return MemoryStore(1_000, clock=clock)


def test_function_raises_beyond_its_quota(memory: MemoryStore, clock: ManualClock) -> None:
    """The third call of two does not run; after `retry_after` the next one does."""
    calls: list[int] = []

    @rate_limit("2/minute", store=memory)
    def work(number: int) -> int:
        calls.append(number)
        return number

    assert [work(1), work(2)] == [1, 2]
    with pytest.raises(RateLimitExceeded, match=r"2/minute.*retry after") as caught:
        work(3)
    assert calls == [1, 2]
    clock.advance(caught.value.result.retry_after)
    assert work(4) == 4


def test_function_keeps_its_identity(memory: MemoryStore) -> None:
    """Name, docstring, signature and kind are those of the function."""

    @rate_limit("2/minute", store=memory)
    async def work(number: int, *, fast: bool = False) -> int:
        """Work hard."""
        return number + fast

    assert (work.__name__, work.__doc__) == ("work", "Work hard.")
    assert list(inspect.signature(work).parameters) == ["number", "fast"]
    assert inspect.iscoroutinefunction(work)


def test_key_and_cost_get_the_arguments(memory: MemoryStore) -> None:
    """Each key has its own count, and a call costs what the callable says."""

    @rate_limit("10/minute", key=lambda user, *_: user, cost=lambda _, size: size, store=memory)
    def send(user: str, size: int) -> tuple[str, int]:
        return user, size

    assert send("alice", 9) == ("alice", 9)
    assert send("bob", 10) == ("bob", 10)
    with pytest.raises(RateLimitExceeded):
        send("alice", 2)
    assert send("alice", 1) == ("alice", 1)


def test_calls_per_seconds_are_a_quota_too(memory: MemoryStore, clock: ManualClock) -> None:
    """`max_calls` and `time_window` limit like the quota string."""

    @rate_limit(max_calls=2, time_window=0.5, cost=2, store=memory)
    def work() -> None: ...

    work()
    with pytest.raises(RateLimitExceeded):
        work()
    clock.advance(0.6)
    work()


def test_several_policies_limit_together(memory: MemoryStore) -> None:
    """The error names the policy that refused."""

    @rate_limit([Policy("burst", "5/second"), Policy("day", "1/day")], store=memory)
    def work() -> None: ...

    work()
    with pytest.raises(RateLimitExceeded, match="'day'"):
        work()


def test_functions_count_for_themselves(memory: MemoryStore) -> None:
    """Two functions with the same quota in one store do not share it."""

    @rate_limit("1/minute", store=memory)
    def first() -> None: ...

    @rate_limit("1/minute", store=memory)
    def second() -> None: ...

    first()
    second()


def test_functions_of_one_factory_share_a_counter_unless_keyed(memory: MemoryStore) -> None:
    """A module and a qualified name are one counter; `key` tells apart what both have in common."""

    def make(name: str, key: Any) -> Any:
        @rate_limit("1/minute", key=key, store=memory)
        def made() -> str:
            return name

        return made

    first, second = make("first", None), make("second", None)
    assert first() == "first"
    with pytest.raises(RateLimitExceeded):
        second()
    assert make("third", lambda: "third")() == "third"


def test_functions_count_by_module_and_name_not_by_their_sum(memory: MemoryStore) -> None:
    """`b.c` of module `a` is not `c` of module `a.b`."""

    def first() -> None: ...
    def second() -> None: ...

    first.__module__, first.__qualname__ = "a", "b.c"
    second.__module__, second.__qualname__ = "a.b", "c"
    limit = rate_limit("1/minute", key=lambda: "alice", store=memory)
    limit(first)()
    limit(second)()


def test_functions_without_a_store_share_one_of_the_process() -> None:
    """Without a store the limit holds all the same."""

    @rate_limit("1/hour")
    def work() -> None: ...

    work()
    with pytest.raises(RateLimitExceeded):
        work()


async def test_coroutine_is_charged_when_awaited(memory: MemoryStore) -> None:
    """Making the coroutine costs nothing, awaiting it does."""

    @rate_limit("1/minute", store=memory)
    async def work() -> str:
        return "done"

    work().close()
    assert await work() == "done"
    with pytest.raises(RateLimitExceeded):
        await work()


def test_methods_see_self(memory: MemoryStore) -> None:
    """Methods, class methods and static methods are limited above and below their decorator."""

    class Service:
        name = "svc"

        @rate_limit("1/minute", key=lambda self: self.name, store=memory)
        def method(self) -> str:
            return self.name

        @classmethod
        @rate_limit("1/minute", store=memory)
        def inner_class(cls) -> str:
            return cls.name

        @rate_limit("1/minute", store=memory)
        @classmethod
        def outer_class(cls) -> str:
            return cls.name

        @staticmethod
        @rate_limit("1/minute", store=memory)
        def inner_static() -> str:
            return "svc"

        @rate_limit("1/minute", store=memory)
        @staticmethod
        def outer_static() -> str:
            return "svc"

    service = Service()
    for call in (
        service.method, Service.inner_class, service.outer_class, Service.inner_static, service.outer_static,
    ):  # fmt: skip
        assert call() == "svc"
        with pytest.raises(RateLimitExceeded):
            call()


def test_generator_is_charged_at_its_first_next(memory: MemoryStore) -> None:
    """Making the generator is free; `send` and `return` pass through."""

    @rate_limit("1/minute", store=memory)
    def talk() -> Generator[int, str, str]:
        return f"got {(yield 1)}"

    idle, running = talk(), talk()
    assert next(running) == 1
    with pytest.raises(StopIteration, match="got hello"):
        running.send("hello")
    with pytest.raises(RateLimitExceeded):
        next(idle)


async def test_async_generator_is_charged_at_its_first_next(memory: MemoryStore) -> None:
    """`asend`, `athrow` and `aclose` reach the inner generator."""
    seen: list[Any] = []

    @rate_limit("1/minute", store=memory)
    async def talk() -> AsyncGenerator[int, str]:
        try:
            seen.append((yield 1))
            try:
                yield 2
            except ValueError as error:
                seen.append(str(error))
            yield 3
        finally:
            seen.append("closed")

    running, idle = talk(), talk()
    assert await anext(running) == 1
    assert await running.asend("hello") == 2
    assert await running.athrow(ValueError("oops")) == 3
    await running.aclose()
    assert seen == ["hello", "oops", "closed"]
    with pytest.raises(RateLimitExceeded):
        await anext(idle)


async def test_async_generator_ends_like_the_inner_one(memory: MemoryStore) -> None:
    """A loop sees every item and the end, and an inner error comes out."""

    @rate_limit("2/minute", store=memory)
    async def count(upto: int) -> AsyncGenerator[int, None]:
        for number in range(upto):
            yield number
        if upto == 2:
            raise KeyError(upto)

    assert [number async for number in count(3)] == [0, 1, 2]
    with pytest.raises(KeyError):
        [number async for number in count(2)]


def test_bad_keys_and_costs_are_the_caller_s_error(memory: MemoryStore) -> None:
    """What the key callable returns is checked like any key."""

    @rate_limit("1/minute", key=lambda user: user, cost=1, store=memory)
    def work(user: Any) -> None: ...

    with pytest.raises(UsageError, match="str or bytes"):
        work(None)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"max_calls": 5},
        {"time_window": 5},
        {"max_calls": 0, "time_window": 5},
        {"max_calls": 5, "time_window": -1},
        {"max_calls": 5, "time_window": "abc"},
        {"max_calls": "5", "time_window": 5},
        {"max_calls": 10**50, "time_window": 10**400},
    ],
)
def test_decorator_without_a_whole_quota_is_refused(arguments: dict[str, Any]) -> None:
    """Half a quota is said when decorating."""
    with pytest.raises(ConfigError):
        rate_limit(**arguments)


@pytest.mark.parametrize("quota", ["nonsense", "3 concurrent-requests", [], lambda: None])
def test_decorator_with_a_wrong_quota_is_refused(quota: Any) -> None:
    """So are nonsense, permits and a forgotten pair of brackets."""
    with pytest.raises(ConfigError):
        rate_limit(quota)(len)


def test_decorator_takes_one_kind_of_quota() -> None:
    """A quota string and `max_calls` together are a contradiction."""
    with pytest.raises(ConfigError, match="not both"):
        rate_limit("1/second", max_calls=1, time_window=1)  # type: ignore[call-overload]


@pytest.mark.parametrize("target", [3, None, int, partial(print, "x")])
def test_decorator_refuses_what_has_no_name(target: Any, memory: MemoryStore) -> None:
    """Only functions and methods have a name to count under."""
    with pytest.raises(ConfigError, match="function or method"):
        rate_limit("1/second", store=memory)(target)
