"""What a call of a model asks for, on its way into a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import remote as _remote

if TYPE_CHECKING:
    from ratelimit_guard._core.remote import RemotePolicies
    from ratelimit_guard.stores.redis.part import Part, Put


class Reserving:
    """The arguments of `reserve`; `fixed` is what each policy is paid besides output, once it was put."""

    __slots__ = ("arguments", "fixed", "keys", "number", "options")

    def __init__(self, keys: tuple[Any, ...], arguments: tuple[int, int, int], options: dict[str, Any]) -> None:
        """`arguments`: units, input and output tokens; `options`: the others of `reserve`."""
        self.keys, self.arguments, self.options = keys, arguments, options
        self.fixed: list[int] = []
        self.number = 0
        """By which the server lists it; 0: it does not."""

    @classmethod
    def of(
        cls,
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
    ) -> Reserving:
        """The call of `reserve`."""
        options = {"surely": surely, "least": least, "firm": firm, "account": account, "confirmed": confirmed}
        return cls(keys, (units, input_tokens, output_tokens), options)

    @property
    def firm(self) -> bool:
        """May nobody look past its output?"""
        return bool(self.options["firm"])

    def price(self, policies: RemotePolicies, lease_us: int) -> None:
        """Know what each of all policies is paid, before parts of them are asked."""
        self.fixed = self._into(_remote.RemoteBatch(), policies, self.keys, self.arguments, lease_us, 0)

    def put(self, part: Part, lease_us: int, gate: int = 0) -> Put:
        """Reserve of a part's policies. What one quota cut off an estimate, no other one is charged."""

        def reserve(batch: _remote.RemoteBatch) -> None:
            units, input_tokens, output_tokens = self.arguments
            if self.fixed:
                priced = zip(policies.units, (self.fixed[index] for index in part.indices), strict=True)
                cut = [fixed for unit, fixed in priced if unit in {"tokens", "input-tokens"}]
                input_tokens = min(cut, default=input_tokens)
            fixed = self._into(batch, policies, part.keys, (units, input_tokens, output_tokens), lease_us, gate)
            self.fixed = self.fixed or fixed

        policies = part.policies
        return reserve

    def _into(
        self,
        batch: _remote.RemoteBatch,
        policies: RemotePolicies,
        keys: Any,
        arguments: tuple[int, int, int],
        lease_us: int,
        gate: int,
    ) -> list[int]:
        options = self.options
        return batch.reserve(
            policies,
            keys,
            *arguments,
            surely=options["surely"],
            least=options["least"],
            firm=options["firm"],
            account=options["account"],
            number=self.number,
            lease_us=lease_us,
            gate=gate,
        )
