"""Where counters live. A store is anything with `bind`; a limiter's whole traffic goes through what that returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeGuard

from ratelimit_guard.stores.memory import MemoryStore
from ratelimit_guard.stores.shared import SharedStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.spending import Ask

__all__ = [
    "Bill",
    "BoundLimiter",
    "Hold",
    "MemoryStore",
    "OnFull",
    "RemoteHold",
    "RemoteLimiter",
    "RemoteSlot",
    "RemoteStore",
    "SharedStore",
    "Slot",
    "Store",
    "is_remote",
    "is_remote_hold",
    "is_remote_slot",
]

OnFull = Literal["refuse", "allow"]


class Slot(Protocol):
    """A slot in flight, or the reason why there is none."""

    @property
    def result(self) -> LimitResult:
        """The answer of the limit; it is false when no slot was taken."""
        ...

    def release(self) -> bool:
        """Free the slot. True when it was still held."""
        ...

    def renew(self) -> bool:
        """Start the lease anew. False when the slot is gone."""
        ...


class Hold(Protocol):
    """What a call of a model holds, or the reason why it holds nothing."""

    @property
    def result(self) -> LimitResult:
        """The answer of the limit; it is false when nothing was reserved."""
        ...

    @property
    def spent(self) -> int:
        """Output tokens told to `spend` so far."""
        ...

    def spend(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Tell that output has passed; reserve up to `slice` more when needed. False: it did not fit, a debt."""
        ...

    def charge(self, units: int, /) -> LimitResult:
        """Take more units of the policies of requests and cost, or of none."""
        ...

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage."""
        ...

    def release(self) -> None:
        """End with nothing used."""
        ...


class BoundLimiter(Protocol):
    """Several quotas bound to a store: all pay or none pays."""

    def acquire(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none."""
        ...

    def peek(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """What `acquire` would answer now. Writes nothing.

        For a key that has no counter yet it need not look whether there is room for one.
        """
        ...

    def reset(self, key: str | bytes) -> bool:
        """Forget what `key` used. True when there was something to forget."""
        ...

    def permit(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> Slot:
        """Take a slot in flight and `cost` units of every other policy, or nothing."""
        ...

    def reserve(
        self,
        keys: tuple[str | bytes, ...],
        units: int = 1,
        input_tokens: int = 0,
        output_tokens: int = 0,
        *,
        surely: int = 0,
        least: int = 0,
        firm: bool = False,
        account: str | bytes | None = None,
        confirmed: bool = True,
    ) -> Hold:
        """Reserve what a call of a model needs, a key for every policy: all pay or none pays."""
        ...


class Store(Protocol):
    """A home of counters."""

    def bind(self, namespace: str, policies: Sequence[Policy], on_full: OnFull = "refuse") -> BoundLimiter:
        """Give the policies their counters. Raises `ConfigError` for policies that the store cannot hold."""
        ...


class RemoteSlot(Slot, Protocol):
    """A slot at a server."""

    async def release_async(self) -> bool:
        """`release` without blocking the loop."""
        ...

    async def renew_async(self) -> bool:
        """`renew` without blocking the loop."""
        ...


class RemoteHold(Hold, Protocol):
    """What a call holds at a server. `settle` and `release` are only noted, and sent with what is asked next or by a
    thread of their own: they never block.
    """

    @property
    def input_tokens(self) -> int | None:
        """Prompt tokens that were charged, where a policy counts any."""
        ...

    def spend_later(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """`spend` without asking: False when more has passed than is reserved, and `top_up_async` is due."""
        ...

    def top_up(self, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Reserve what has passed beyond the reserve, and up to `slice` more. False: it did not fit, a debt."""
        ...

    async def top_up_async(self, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Reserve what has passed beyond the reserve, and up to `slice` more. False: it did not fit, a debt."""
        ...

    async def spend_async(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """`spend` without blocking the loop."""
        ...

    async def charge_async(self, units: int, /) -> LimitResult:
        """`charge` without blocking the loop."""
        ...


class RemoteLimiter(BoundLimiter, Protocol):
    """Quotas bound to a store at a server: each question waits for it, and has a coroutine besides.

    The plain methods raise `UsageError` on a running event loop, which they would block.
    """

    async def acquire_async(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """`acquire` without blocking the loop."""
        ...

    async def peek_async(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """`peek` without blocking the loop."""
        ...

    def acquire_each(self, keys: tuple[str | bytes, ...], cost: int = 1, confirmed: bool = True) -> LimitResult:
        """`acquire` with a key for every policy."""
        ...

    async def acquire_each_async(
        self, keys: tuple[str | bytes, ...], cost: int = 1, confirmed: bool = True
    ) -> LimitResult:
        """`acquire_each` without blocking the loop."""
        ...

    def peek_each(self, keys: tuple[str | bytes, ...], cost: int = 1) -> LimitResult:
        """`peek` with a key for every policy."""
        ...

    async def peek_each_async(self, keys: tuple[str | bytes, ...], cost: int = 1) -> LimitResult:
        """`peek` with a key for every policy."""
        ...

    async def reset_async(self, key: str | bytes) -> bool:
        """`reset` without blocking the loop."""
        ...

    async def permit_async(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> RemoteSlot:
        """`permit` without blocking the loop."""
        ...

    async def reserve_async(
        self,
        keys: tuple[str | bytes, ...],
        units: int = 1,
        input_tokens: int = 0,
        output_tokens: int = 0,
        *,
        surely: int = 0,
        least: int = 0,
        firm: bool = False,
        account: str | bytes | None = None,
        confirmed: bool = True,
    ) -> RemoteHold:
        """`reserve` without blocking the loop."""
        ...


def is_remote(bound: BoundLimiter) -> TypeGuard[RemoteLimiter]:
    """Does it have coroutines, because it waits for a server?"""
    return hasattr(bound, "acquire_async")


def is_remote_slot(slot: Slot) -> TypeGuard[RemoteSlot]:
    """The same of a slot."""
    return hasattr(slot, "release_async")


def is_remote_hold(hold: Hold) -> TypeGuard[RemoteHold]:
    """The same of what a call holds."""
    return hasattr(hold, "spend_async")


class Bill(NamedTuple):
    """One charge of several that go to a server together: `cost` units of every policy of `bound`, each from its own of
    `keys`. With `ask` tokens and slots are reserved besides, for `account`.
    """

    bound: RemoteLimiter
    keys: tuple[str, ...]
    cost: int
    confirmed: bool = True
    ask: Ask | None = None
    account: str | None = None


class RemoteStore(Store, Protocol):
    """A store at a server. Whole requests are paid in one round trip."""

    def connect(self) -> Redis:
        """A client of the server, with timeouts, for what is exchanged besides decisions."""
        ...

    def bind(self, namespace: str, policies: Sequence[Policy], on_full: OnFull = "refuse") -> RemoteLimiter:
        """Give the policies their counters."""
        ...

    def pay(self, bills: Sequence[Bill], *, gate: bool) -> list[LimitResult | RemoteHold]:
        """Pay each bill by itself. With `gate` the first one decides: when it is refused the others are not paid, and
        its answer is the only one. A bill with `ask` is answered by what is held.
        """
        ...

    async def pay_async(self, bills: Sequence[Bill], *, gate: bool) -> list[LimitResult | RemoteHold]:
        """`pay` without blocking the loop."""
        ...
