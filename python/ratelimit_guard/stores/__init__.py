"""Where counters live. A store is anything with `bind`; a limiter's whole traffic goes through what that returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from ratelimit_guard.stores.memory import MemoryStore
from ratelimit_guard.stores.shared import SharedStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.policy import Policy

__all__ = ["BoundLimiter", "Hold", "MemoryStore", "OnFull", "SharedStore", "Slot", "Store"]

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
