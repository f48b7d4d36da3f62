"""What both decorators do: charge, then call, whatever kind of callable it is; all else is passed through."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, cast

from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    Charge = Callable[[tuple[Any, ...], dict[str, Any]], Awaitable[None] | None]

    class ChargeFor(Protocol):
        """Makes the charge of a function; only that of an async one may be something to await."""

        def __call__(self, module: str, function: str, /, *, is_async: bool) -> Charge: ...


def limited(function: Any, charge_for: ChargeFor) -> Any:
    """Give what behaves like `function` and is charged before it runs; a generator at its first `next`.

    `charge_for` gets its module and qualified name, and whether it can await. Class and static methods are taken on
    either side of their own decorator. `ConfigError` for what is no function.
    """
    if isinstance(function, classmethod):
        return classmethod(limited(cast("Any", function).__func__, charge_for))
    if isinstance(function, staticmethod):
        return staticmethod(limited(cast("Any", function).__func__, charge_for))
    if not callable(function) or inspect.isclass(function) or not hasattr(function, "__qualname__"):
        msg = f"only a function or method can be limited, got {function!r:.100}"
        raise ConfigError(msg)
    wrap, is_async = _wrapper(function)
    return wrap(function, charge_for(function.__module__, function.__qualname__, is_async=is_async))


def _wrapper(function: Any) -> tuple[Callable[[Any, Charge], Any], bool]:
    """What wraps it, and whether it can await."""
    if inspect.isasyncgenfunction(function):
        return _async_generator, True
    if inspect.isgeneratorfunction(function):
        return _generator, False
    if inspect.iscoroutinefunction(function):
        return _coroutine, True
    return _function, False


def _function(function: Any, charge: Charge) -> Any:
    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        charge(args, kwargs)
        return function(*args, **kwargs)

    return limited


def _coroutine(function: Any, charge: Charge) -> Any:
    @wraps(function)
    async def limited(*args: Any, **kwargs: Any) -> Any:
        if (waiting := charge(args, kwargs)) is not None:
            await waiting
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
        if (waiting := charge(args, kwargs)) is not None:
            await waiting
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
