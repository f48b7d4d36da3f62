"""A question's share for the counters of one hash tag: what is put into a batch for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard._core.remote import RemoteBatch, RemotePolicies

    Put = Callable[[RemoteBatch], object]

PAYS_OUTPUT = frozenset({"tokens", "output-tokens"})
Receipts: TypeAlias = "list[tuple[int, int, int]]"
Charged: TypeAlias = "tuple[LimitResult, int, Receipts]"
"""A result, output or units ahead, and by what each policy's charge can be given back."""


class Due(NamedTuple):
    """What is due for the policy at `place` of a part: units to take whether they fit or not, and receipts of what is
    given back. `number` and `listed`: the reservation that the server lists with it, and with how many units.
    """

    place: int
    back: Receipts = []  # noqa: RUF012  never changed
    debit: int = 0
    number: int = 0
    listed: int = 0


class Part(NamedTuple):
    """Policies whose counters share a tag: all of a question's at a single server. `keys`: a tuple with one for each,
    or one for all. `indices`: which of the question's policies they are.
    """

    policies: RemotePolicies
    keys: Any
    tag: int
    indices: tuple[int, ...]

    def acquire(self, cost: int, gate: int = 0, *, receipts: bool = False, extra: int = 0) -> Put:
        """Take units, and up to `extra` more of each."""
        return lambda batch: batch.acquire(self.policies, self.keys, cost, gate, receipts, extra)

    def peek(self, cost: int) -> Put:
        """Look."""
        return lambda batch: batch.peek(self.policies, self.keys, cost)

    def reset(self) -> Put:
        """Forget the one key."""
        return lambda batch: batch.reset(self.policies, self.keys)

    def charge_more(self, units: int) -> Put:
        """Take requests and cost alone."""
        return lambda batch: batch.charge_more(self.policies, self.keys, units)

    def top_up(self, missing: int, more: int, firm: bool, number: int, lease_us: int) -> Put:
        """Take more output."""
        return lambda batch: batch.top_up(self.policies, self.keys, missing, more, firm, number, lease_us)

    def settle(self, dues: list[Due]) -> Put:
        """Give back and take what is due."""
        rows = [(due.place, due.number, due.listed, due.debit, due.back) for due in dues]
        return lambda batch: batch.settle(self.policies, self.keys, rows)

    def renew(self, place: int, key: Any, mark: int, born: int) -> Put:
        """Let a slot's lease begin anew."""
        return lambda batch: batch.renew(self.policies, place, key, mark, born)

    def beat(self, place: int, key: Any, number: int, lease_us: int) -> Put:
        """Let a reservation's lease begin anew."""
        return lambda batch: batch.beat(self.policies, place, key, number, lease_us)

    def back(self, taken: Charged, number: int = 0) -> Put:
        """Give back all that a charge took, and what the server lists of it by the reservation's `number`."""
        both = zip(self.policies.units, taken[2], strict=True)
        dues = [
            Due(place, [(mark, born, units)], 0, number if unit in PAYS_OUTPUT else 0, units)
            for place, (unit, (units, mark, born)) in enumerate(both)
            if units
        ]
        return self.settle(dues)


def charged(answer: Any) -> Charged | None:
    """A charge that was taken, with receipts; None for any other answer."""
    return cast("Charged", answer) if type(answer) is tuple else None
