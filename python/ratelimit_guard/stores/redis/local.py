"""What calls hold on this host, while the server does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult


class LocalHold:
    """A reservation of the fallback; without one everything passes, or nothing did."""

    def __init__(self, result: LimitResult, hold: Any) -> None:
        """`hold` is that of the fallback, None when no policy counts there."""
        self.result, self._hold = result, hold

    @property
    def spent(self) -> int:
        """Output tokens told so far, where they are counted."""
        return 0 if self._hold is None else self._hold.spent

    @property
    def input_tokens(self) -> int | None:
        """Prompt tokens that were charged."""
        return None if self._hold is None else self._hold.input_tokens

    def spend_later(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Nothing has to be asked: True, unless it did not fit."""
        return self.spend(output_tokens, slice)

    def spend(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Tell that output has passed."""
        return self._hold is None or self._hold.spend(output_tokens, slice)

    async def spend_async(self, output_tokens: int, slice: int, /) -> bool:  # noqa: A002  the word of the contract
        """Tell that output has passed."""
        return self.spend(output_tokens, slice)

    def top_up(self, _slice: int, /) -> bool:
        """What was told did not fit."""
        return False

    async def top_up_async(self, _slice: int, /) -> bool:
        """What was told did not fit."""
        return False

    def charge(self, units: int, /) -> LimitResult:
        """Take more requests and cost."""
        return self.result if self._hold is None else self._hold.charge(units)

    async def charge_async(self, units: int, /) -> LimitResult:
        """Take more requests and cost."""
        return self.charge(units)

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage."""
        if self._hold is not None:
            self._hold.settle(input_tokens, output_tokens)

    def release(self) -> None:
        """End with nothing used."""
        if self._hold is not None:
            self._hold.release()


class LocalSlot:
    """A slot of the fallback; without one it was never counted."""

    def __init__(self, result: LimitResult, slot: Any) -> None:
        """`slot` is that of the fallback, None when no policy counts there."""
        self.result, self._slot = result, slot

    def give_up(self) -> None:
        """Free the slot."""
        self.release()

    def release(self) -> bool:
        """Free the slot. True when it was still held."""
        return self._slot is not None and self._slot.release()

    def renew(self) -> bool:
        """Start the lease anew."""
        return self._slot is not None and self._slot.renew()

    async def release_async(self) -> bool:
        """Free the slot."""
        return self.release()

    async def renew_async(self) -> bool:
        """Start the lease anew."""
        return self.renew()
