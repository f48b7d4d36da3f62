"""`@rate_limit`: limits any function, and the only place where a refusal becomes an exception."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ratelimit_guard._core import Quota
from ratelimit_guard._wrappers import limited
from ratelimit_guard.errors import ConfigError, RateLimitExceeded
from ratelimit_guard.limiter import AsyncLimiter, Limiter
from ratelimit_guard.policy import policies_of
from ratelimit_guard.remote import remote_of
from ratelimit_guard.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard._wrappers import Charge
    from ratelimit_guard.policy import Policy, Quotas
    from ratelimit_guard.stores import OnFull, Store

    Asked = Callable[[tuple[Any, ...], dict[str, Any]], tuple[str | bytes, int]]

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
    taken; a generator is charged at its first `next`. The namespace is `module:qualname` of the function, so each
    function counts for itself, but functions that one factory made (equal module and qualified name) share a counter:
    give them separate ones by `key`. Without a store the counters live in one `MemoryStore` of the process. Over a
    store at a server async functions await it; sync ones wait for it, so on a running loop they raise `UsageError`.
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

    def charge_for(module: str, name: str, *, is_async: bool) -> Charge:
        home = _process_store() if store is None else store
        namespace = f"{module}:{name}"

        def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str | bytes, int]:
            units = cost(*args, **kwargs) if callable(cost) else cost
            return name if key is None else key(*args, **kwargs), units

        if is_async and remote_of(home) is not None:
            return _awaited(AsyncLimiter(policies, home, namespace=namespace, on_full=on_full), asked)
        return _charge(Limiter(policies, home, namespace=namespace, on_full=on_full), asked)

    return lambda function: limited(function, charge_for)


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
        quotas = Quota(max_calls, time_window)
    elif max_calls is not None or time_window is not None:
        msg = "rate_limit takes a quota or max_calls and time_window, not both"
        raise ConfigError(msg)
    policies = policies_of(quotas)
    for policy in policies:
        if policy.quota.unit == "concurrent-requests":
            msg = f"rate_limit counts calls, not {policy.quota}: use `with limiter.permit(key)` inside the function"
            raise ConfigError(msg)
    return policies


def _charge(limiter: Limiter, asked: Asked) -> Charge:
    def charge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _admit(limiter.acquire(*asked(args, kwargs)))

    return charge


def _awaited(limiter: AsyncLimiter, asked: Asked) -> Charge:
    async def charge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _admit(await limiter.acquire(*asked(args, kwargs)))

    return charge


def _admit(result: LimitResult) -> None:
    if not result:
        raise RateLimitExceeded(result)
