"""What holds for a tier on a route, and what a tenant must pay by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult, TableLimiter
    from ratelimit_guard.request import Request
    from ratelimit_guard.tenant import Tenant

    Partition = Callable[[Tenant, Request | None], str]


class Charge:
    """Some policies, bound together: all pay or none pays, each for its own partition."""

    __slots__ = ("_partitions", "acquire")

    def __init__(self, bound: TableLimiter, partitions: tuple[Partition, ...]) -> None:
        """`acquire(keys, cost, confirmed)` takes the cost from every policy or from none."""
        self.acquire: Callable[[tuple[str, ...], int, bool], LimitResult] = bound.acquire_each
        self._partitions = partitions

    def keys(self, tenant: Tenant, request: Request | None) -> tuple[str, ...]:
        """The partition of each policy on which the request draws."""
        return tuple([partition(tenant, request) for partition in self._partitions])


class Rules(NamedTuple):
    """What holds for a tier on a route. `enforced` is None without a policy; each shadow policy counts for itself."""

    enforced: Charge | None
    shadow: tuple[Charge, ...]
    cost: int
    message_cost: int
    route: str | None
    policy_field: bytes

    def plan(self, tenant: Tenant, request: Request | None) -> Plan:
        """What the tenant must pay."""
        keys = () if self.enforced is None else self.enforced.keys(tenant, request)
        return Plan(tenant, self, keys, tuple(charge.keys(tenant, request) for charge in self.shadow))


class Plan(NamedTuple):
    """What a request must pay: whose it is, under which rules, with which partition keys."""

    tenant: Tenant
    rules: Rules
    keys: tuple[str, ...]
    shadow_keys: tuple[tuple[str, ...], ...]

    def charge(self, cost: int) -> LimitResult | None:
        """Take the cost from every enforced policy, or from none; None when there is none."""
        charge = self.rules.enforced
        return None if charge is None else charge.acquire(self.keys, cost, self.tenant.confirmed)

    def charge_shadow(self, cost: int) -> tuple[LimitResult, ...]:
        """Take the cost from each shadow policy that has room for it."""
        both = zip(self.rules.shadow, self.shadow_keys, strict=True)
        return tuple(charge.acquire(keys, cost, self.tenant.confirmed) for charge, keys in both)
