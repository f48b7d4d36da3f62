"""`@rate_limit`: limits any function, and the only place where a refusal becomes an exception."""

from __future__ import annotations

import inspect
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ratelimit_guard._core import Quota
from ratelimit_guard.errors import ConfigError, RateLimitExceeded
from ratelimit_guard.limiter import Limiter
from ratelimit_guard.policy import policies_of
from ratelimit_guard.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from ratelimit_guard.policy import Policy, Quotas
    from ratelimit_guard.stores import OnFull, Store

    Charge = Callable[[tuple[Any, ...], dict[str, Any]], None]

F = TypeVar("F")


@overload
def rate_limit(
    quotas: Quotas,
    /,
    *,
    key: Callable[..., str | bytes] | None = None,
    cost: int | Callable[..., int] = 1,
    store: Store | None = None,
    on_full: OnFull = "refuse",
) -> Callable[[F], F]: ...
@overload
def rate_limit(
    *,
    max_calls: int,
    time_window: float,
    key: Callable[..., str | bytes] | None = None,
    cost: int | Callable[..., int] = 1,
    store: Store | None = None,
    on_full: OnFull = "refuse",
) -> Callable[[F], F]: ...
def rate_limit(
    quotas: Quotas | None = None,
    /,
    *,
    max_calls: int | None = None,
    time_window: float | None = None,
    key: Callable[..., str | bytes] | None = None,
    cost: int | Callable[..., int] = 1,
    store: Store | None = None,
    on_full: OnFull = "refuse",
) -> Callable[[F], F]:
    """Refuse calls beyond the quota with `RateLimitExceeded`; the function then does not run.

    Give quotas, or `max_calls` per `time_window` seconds. `key` and a callable `cost` get the call's arguments;
    without `key` all calls of the function share one counter. Sync and async functions, methods and generators are
    taken; a generator is charged at its first `next`. The namespace is the function's module and qualified name, so
    each function counts for itself. Without a store the counters live in one `MemoryStore` of the process.
    `ConfigError` at the decoration for what cannot be enforced.

    >>> @rate_limit(max_calls=1, time_window=60, key=lambda user: user)
    ... def greet(user: str) -> str:
    ...     return f"hello {user}"
    >>> greet("alice"), greet("bob")
    ('hello alice', 'hello bob')
    >>> greet("alice")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ratelimit_guard.errors.RateLimitExceeded: limit '1/minute' exceeded: retry after 60.000 s
    """
    policies = _policies(quotas, max_calls, time_window)

    def decorate(function: Any) -> Any:
        if isinstance(function, classmethod):
            return classmethod(decorate(cast("Any", function).__func__))
        if isinstance(function, staticmethod):
            return staticmethod(decorate(cast("Any", function).__func__))
        name = _name(function)
        limiter = Limiter(
            policies, _process_store() if store is None else store, namespace=".".join(name), on_full=on_full
        )
        return _wrap(function, _charge(limiter, name[1], key, cost))

    return decorate


@cache
def _process_store() -> MemoryStore:
    return MemoryStore()


def _policies(quotas: Any, max_calls: int | None, time_window: float | None) -> Sequence[Policy]:
    if callable(quotas):
        msg = '@rate_limit needs its quota: write @rate_limit("100/minute")'
        raise ConfigError(msg)
    if quotas is None:
        if max_calls is None or time_window is None:
            msg = (
                'rate_limit needs a quota: write rate_limit("100/minute") or rate_limit(max_calls=100, time_window=60)'
            )
            raise ConfigError(msg)
        quotas = Quota(max_calls, float(time_window))
    elif max_calls is not None or time_window is not None:
        msg = "rate_limit takes a quota or max_calls and time_window, not both"
        raise ConfigError(msg)
    policies = policies_of(quotas)
    for policy in policies:
        if policy.quota.unit == "concurrent-requests":
            msg = f"rate_limit counts calls, not {policy.quota}: use `with limiter.permit(key)` inside the function"
            raise ConfigError(msg)
    return policies


def _name(function: Any) -> tuple[str, str]:
    if not callable(function) or inspect.isclass(function) or not hasattr(function, "__qualname__"):
        msg = f"rate_limit takes a function or method, got {function!r:.100}"
        raise ConfigError(msg)
    return function.__module__, function.__qualname__


def _charge(
    limiter: Limiter, name: str, key: Callable[..., str | bytes] | None, cost: int | Callable[..., int]
) -> Charge:
    def charge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        result = limiter.acquire(
            name if key is None else key(*args, **kwargs),
            cost(*args, **kwargs) if callable(cost) else cost,
        )
        if not result:
            raise RateLimitExceeded(result)

    return charge


def _wrap(function: Any, charge: Charge) -> Any:
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, charge)
    if inspect.isgeneratorfunction(function):
        return _generator(function, charge)
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, charge)
    return _function(function, charge)


def _function(function: Any, charge: Charge) -> Any:
    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        charge(args, kwargs)
        return function(*args, **kwargs)

    return limited


def _coroutine(function: Any, charge: Charge) -> Any:
    @wraps(function)
    async def limited(*args: Any, **kwargs: Any) -> Any:
        charge(args, kwargs)
        return await function(*args, **kwargs)

    return limited


def _generator(function: Any, charge: Charge) -> Any:
    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        charge(args, kwargs)
        return cast("Any", (yield from function(*args, **kwargs)))

    return limited


def _async_generator(function: Any, charge: Charge) -> Any:
    @wraps(function)
    async def limited(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        charge(args, kwargs)
        inner: Any = function(*args, **kwargs)
        step = inner.asend(None)
        try:  # `yield from` for async generators, which the language lacks
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001  the inner generator decides what it means
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)
        finally:
            await inner.aclose()

    return limited
