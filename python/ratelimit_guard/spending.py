"""What one call may use: tokens and slots, reserved, topped up while its answer passes, settled at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from ratelimit_guard.reservation import SLICE

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.payment import Paid
    from ratelimit_guard.rules import Charge
    from ratelimit_guard.stores import Hold
    from ratelimit_guard.tenant import Tenant

    class Held(Hold, Protocol):
        """A hold that knows what its prompt was charged."""

        @property
        def input_tokens(self) -> int | None:
            """Prompt tokens that were charged, where a policy counts any."""
            ...


TOKENS = frozenset({"tokens", "input-tokens", "output-tokens"})
METERED = TOKENS | {"concurrent-requests"}
"""Units of which a call takes what it turns out to need, and gives back the rest."""


class Ask(NamedTuple):
    """What a call asks for, in tokens.

    `input` is an estimate, of which `surely` is the part that no tokenizer can do without. Of `output` as much is
    reserved as fits, but `least`; while the answer passes `slice` more at a time. `firm`: it is all that the answer can
    hold, so that nobody may count on its being given back.
    """

    input: int = 0
    surely: int = 0
    output: int = 0
    least: int = 0
    firm: bool = False
    slice: int = SLICE


NOTHING = Ask()


class Spending:
    """The reservations of one call: that of the enforced policies, and one for each that only watches.

    Not ended, it settles by itself as spent when it is dropped; a killed worker's is taken back by the others.
    """

    __slots__ = ("_enforced", "_watching", "ask", "would_cut")

    def __init__(self) -> None:
        """Nothing is reserved yet. `ask` may be changed until then."""
        self.ask = NOTHING
        self.would_cut = False
        """Whether a policy that only watches had no room for what has passed."""
        self._enforced: Held | None = None
        self._watching: list[Held] = []

    def take(
        self, charge: Charge, keys: tuple[str, ...], tenant: Tenant, units: int, *, watches: bool = False
    ) -> LimitResult:
        """Reserve under all policies of `charge`, or under none."""
        ask = self.ask
        reservation = charge.reserve(
            keys,
            units,
            ask.input,
            ask.output,
            surely=ask.surely,
            least=ask.least,
            firm=ask.firm,
            account=tenant.account,
            confirmed=tenant.confirmed,
        )
        return self.hold(reservation, watches=watches)

    def hold(self, reservation: Held, *, watches: bool) -> LimitResult:
        """Keep what was reserved until the call ends."""
        if watches:
            self._watching.append(reservation)
        else:
            self._enforced = reservation
        return reservation.result

    async def more_async(self, units: int) -> Paid:
        """Charge requests and cost once more, of a connection that stays open. Suspends only for a server."""
        result = None if self._enforced is None else self._enforced.charge(units)
        if result is not None and not result.allowed:
            return result, ()
        return result, tuple([reservation.charge(units) for reservation in self._watching])

    def spend(self, tokens: int) -> bool:
        """So many output tokens have passed. False: the enforced policies have no room for more."""
        for reservation in self._watching:
            self.would_cut |= not reservation.spend(tokens, self.ask.slice)
        return self._enforced is None or self._enforced.spend(tokens, self.ask.slice)

    @property
    def due(self) -> bool:
        """Has more passed than is reserved, and a server must be asked before more does?"""
        return False

    def top_up(self) -> bool:
        """Reserve what is due. False: the enforced policies have no room for it."""
        return True

    async def top_up_async(self) -> bool:
        """`top_up` without blocking the loop."""
        return True

    @property
    def input_tokens(self) -> int | None:
        """Prompt tokens that were charged, where a policy counts any."""
        charged = [one for one in (reservation.input_tokens for reservation in self._all()) if one is not None]
        return charged[0] if charged else None

    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """What was really used; None: as reserved, and as spent so far. The first end counts."""
        for reservation in self._all():
            reservation.settle(input_tokens, output_tokens)

    def release(self) -> None:
        """No token was used. Requests stay charged."""
        for reservation in self._all():
            reservation.release()

    def _all(self) -> list[Held]:
        return self._watching if self._enforced is None else [self._enforced, *self._watching]
