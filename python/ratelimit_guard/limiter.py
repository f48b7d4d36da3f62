"""`Limiter` and `AsyncLimiter`: policies bound to a store, asked per key.

Both share everything but the `await`: the constructor plans once, each method is one call of the bound store.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.permit import PendingPermit, Permit
from ratelimit_guard.policy import Policy, policies_of
from ratelimit_guard.reservation import PendingReservation, Reservation
from ratelimit_guard.stores import is_remote
from ratelimit_guard.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.policy import Quotas
    from ratelimit_guard.stores import Hold, OnFull, Store

H = TypeVar("H")


class _Bound:
    """The half without I/O: what a limiter is made of."""

    def __init__(
        self, quotas: Quotas, store: Store | None = None, *, namespace: str = "", on_full: OnFull = "refuse"
    ) -> None:
        """Read the quotas and bind them to the store."""
        self._policies = policies_of(quotas)
        self._store: Store = MemoryStore() if store is None else store
        if isinstance(store, type) or not callable(getattr(self._store, "bind", None)):
            msg = f"store {store!r:.100} is no store: build one, such as SharedStore('my-app')"
            raise ConfigError(msg)
        self._namespace = namespace
        self._bound = self._store.bind(namespace, self._policies, on_full)
        self._asks = self._bound if is_remote(self._bound) else None
        """The coroutines of a store at a server."""

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies in the order given."""
        return self._policies

    @property
    def store(self) -> Store:
        """Where the counters live."""
        return self._store

    @property
    def namespace(self) -> str:
        """What keeps equal policy names of one store apart."""
        return self._namespace

    def _reserve(
        self,
        reserve: Callable[..., H],
        key: str | bytes,
        cost: int,
        input_tokens: int,
        output_tokens: int,
        least: int | None,
    ) -> H:
        must = (1 if output_tokens else 0) if least is None else least
        return reserve((key,) * len(self._policies), cost, input_tokens, output_tokens, least=must)

    def __repr__(self) -> str:
        """Quotas, namespace and store."""
        quotas = ", ".join(f"{policy.name}: {policy.quota}" for policy in self._policies)
        return f"{type(self).__name__}([{quotas}], namespace={self._namespace!r}, store={self._store!r})"


class Limiter(_Bound):
    """Limits calls per key. Safe to share between threads.

    `quotas` is a quota string, a `Quota`, a `Policy` or a list of them; several are charged together or not at all.
    Without a store the counters are the limiter's own `MemoryStore`. Limiters with equal namespace and policy name
    share the counters of a store, and a name has one quota at a time, the last that was bound: give tiers names or
    namespaces of their own, and build limiters once per process (a change of a name's quota takes one of the 4,095
    numbers that a table has for quotas). `on_full` says what a key gets for which a full table has no room: "refuse" or
    "allow". `ConfigError` for what cannot be enforced.

    >>> limiter = Limiter("2/minute")
    >>> result = limiter.acquire("alice")
    >>> bool(result), result.limit, result.remaining
    (True, 2, 1)
    >>> bool(limiter.acquire("alice", cost=2)), limiter.peek("alice").remaining
    (False, 1)
    """

    def __init__(
        self, quotas: Quotas, store: Store | None = None, *, namespace: str = "", on_full: OnFull = "refuse"
    ) -> None:
        """Read the quotas and bind them to the store."""
        super().__init__(quotas, store, namespace=namespace, on_full=on_full)
        if type(self) is Limiter:
            # The hot path: one Python call less for each decision. A subclass keeps its own methods.
            vars(self).update(acquire=self._bound.acquire, peek=self._bound.peek, reset=self._bound.reset)

    def acquire(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none; the result is false when refused.

        A refusal leaves no charge behind. Cost 0 is always allowed and takes nothing. `confirmed=False`
        is for keys that nobody vouched for: they may fill only half of the table. `UsageError` for a key that is not
        str or bytes or is longer than 65,536 bytes, and for a cost that is no integer or negative. Takes well under a
        microsecond for usual keys, about two for new ones on a full table, about 60 for the longest.
        """
        return self._bound.acquire(key, cost, confirmed)

    def peek(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """What `acquire` would answer now. Writes nothing.

        For a key that has no counter yet it does not look whether the table has room for one.
        """
        return self._bound.peek(key, cost)

    def reset(self, key: str | bytes) -> bool:
        """Forget everything that `key` used. True when there was something to forget."""
        return self._bound.reset(key)

    def permit(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> Permit:
        """Take a slot under every `concurrent-requests` policy and `cost` units of every other one, or nothing.

        The slot is held from this call on; `with` frees it. `UsageError` when no policy counts concurrent requests.
        """
        return Permit(self._bound.permit(key, cost, confirmed))

    def reserve(
        self,
        key: str | bytes,
        *,
        cost: int = 1,
        input_tokens: int = 0,
        output_tokens: int = 0,
        least: int | None = None,
    ) -> Reservation:
        """Reserve what a call of a model needs, of every policy by its unit, or nothing.

        Policies of requests and cost pay `cost`, those of tokens input, output or both, those of concurrent requests a
        slot. Input is an estimate: one that is more than a whole quota is charged as that. Of `output_tokens` as much
        as fits is reserved, at least `least` (without it 1, if any). `with` settles what was spent.
        """
        return Reservation(self._reserve(self._bound.reserve, key, cost, input_tokens, output_tokens, least))


class AsyncLimiter(_Bound):
    """Limits calls per key from coroutines; built like a `Limiter`. Memory and shared stores answer without suspending,
    a `RedisStore` together with what other tasks ask it.

    >>> import asyncio
    >>> async def main() -> bool:
    ...     limiter = AsyncLimiter("2/minute")
    ...     return bool(await limiter.acquire("alice"))
    >>> asyncio.run(main())
    True
    """

    async def acquire(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none. Errors and meaning are those of `Limiter.acquire`."""
        if self._asks is not None:
            return await self._asks.acquire_async(key, cost, confirmed)
        return self._bound.acquire(key, cost, confirmed)

    async def peek(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """What `acquire` would answer now. Writes nothing.

        For a key that has no counter yet it does not look whether the table has room for one.
        """
        return self._bound.peek(key, cost) if self._asks is None else await self._asks.peek_async(key, cost)

    async def reset(self, key: str | bytes) -> bool:
        """Forget everything that `key` used. True when there was something to forget."""
        return self._bound.reset(key) if self._asks is None else await self._asks.reset_async(key)

    def permit(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> PendingPermit:
        """Take a slot in flight at `async with`, or at `await` when you release it yourself; once for each call.

        Errors and meaning are those of `Limiter.permit`.
        """
        permit = self._bound.permit if self._asks is None else self._asks.permit_async
        return PendingPermit(partial(permit, key, cost, confirmed))

    def reserve(
        self,
        key: str | bytes,
        *,
        cost: int = 1,
        input_tokens: int = 0,
        output_tokens: int = 0,
        least: int | None = None,
    ) -> PendingReservation:
        """Reserve at `async with`, or at `await` when you settle it yourself; once for each call.

        Errors and meaning are those of `Limiter.reserve`.
        """
        bound, asks = self._bound, self._asks
        reserve: Callable[..., Hold | Awaitable[Hold]] = bound.reserve if asks is None else asks.reserve_async
        return PendingReservation(partial(self._reserve, reserve, key, cost, input_tokens, output_tokens, least))
