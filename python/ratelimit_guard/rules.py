"""What holds for a tier on a route, and what a tenant must pay by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.request import Request
    from ratelimit_guard.tenant import Tenant

    Partition = Callable[[Tenant, Request | None], str]


class Charge:
    """Some policies, bound together: all pay or none pays, each for its own partition."""

    __slots__ = ("_acquire", "_partitions")

    def __init__(self, bound: Any, partitions: tuple[Partition, ...]) -> None:
        """`bound` is None when there is no policy."""
        self._acquire = None if bound is None else bound.acquire_each
        self._partitions = partitions

    def keys(self, tenant: Tenant, request: Request | None) -> tuple[str, ...]:
        """The partition of each policy on which the request draws."""
        return tuple([partition(tenant, request) for partition in self._partitions])

    def acquire(self, keys: tuple[str, ...], cost: int, confirmed: bool) -> LimitResult | None:
        """Take the cost from every policy or from none; None when there is none to take from."""
        return None if self._acquire is None else self._acquire(keys, cost, confirmed)


class Rules(NamedTuple):
    """What holds for a tier on a route."""

    enforced: Charge
    shadow: Charge | None
    cost: int
    message_cost: int
    route: str | None
    policy_field: bytes

    def plan(self, tenant: Tenant, request: Request | None) -> Plan:
        """What the tenant must pay."""
        shadow_keys = () if self.shadow is None else self.shadow.keys(tenant, request)
        return Plan(tenant, self, self.enforced.keys(tenant, request), shadow_keys)


class Plan(NamedTuple):
    """What a request must pay: whose it is, under which rules, with which partition keys."""

    tenant: Tenant
    rules: Rules
    keys: tuple[str, ...]
    shadow_keys: tuple[str, ...]
