"""What holds for a tier on a route, and what a tenant must pay by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.request import Request
    from ratelimit_guard.restriction import Restriction
    from ratelimit_guard.spending import Held, Spending
    from ratelimit_guard.stores import RemoteLimiter, RemoteStore
    from ratelimit_guard.tenant import Tenant

    Partition = Callable[[Tenant, Request | None, str], str]
    Acquire = Callable[[tuple[str, ...], int, bool], LimitResult]
    Asked = tuple["Charge", tuple[str, ...]]


class Bound(Protocol):
    """What policies are bound to: a limiter that takes a key for every one of them."""

    def acquire_each(self, keys: tuple[str, ...], cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none."""
        ...

    def peek_each(self, keys: tuple[str, ...], cost: int = 1) -> LimitResult:
        """What `acquire_each` would answer now."""
        ...

    def reserve(self, *asked: Any, **more: Any) -> Held:
        """Reserve what a call of a model needs: see `BoundLimiter.reserve`."""
        ...


class Charge:
    """Some policies, bound together: all pay or none pays, each for its own partition."""

    __slots__ = ("_bound", "_partitions", "acquire", "peek", "reserve")

    def __init__(self, bound: Bound, partitions: tuple[Partition, ...]) -> None:
        """`acquire(keys, cost, confirmed)` takes the cost from every policy or from none, `peek(keys, cost)` asks;
        `reserve(keys, units, …)` takes tokens and slots too.
        """
        self._bound = bound
        self.acquire: Acquire = bound.acquire_each
        self.peek: Callable[[tuple[str, ...], int], LimitResult] = bound.peek_each
        self.reserve: Callable[..., Held] = bound.reserve
        self._partitions = partitions

    def take(
        self, keys: tuple[str, ...], cost: int, tenant: Tenant, spending: Spending | None, *, watches: bool = False
    ) -> LimitResult:
        """Charge the cost, and with `spending` what the call asks for besides."""
        if spending is None:
            return self.acquire(keys, cost, tenant.confirmed)
        return spending.take(self, keys, tenant, cost, watches=watches)

    @property
    def remote(self) -> RemoteLimiter:
        """The same as something that a store at a server is asked for, where it is there."""
        return cast("RemoteLimiter", self._bound)

    def keys(self, tenant: Tenant, request: Request | None, model: str) -> tuple[str, ...]:
        """The partition of each policy on which the request draws."""
        return tuple([partition(tenant, request, model) for partition in self._partitions])


class Budget(NamedTuple):
    """What a restricted request pays from, besides what its account pays: all of it at once, or in shadow alone."""

    together: Charge
    alone: Charge
    policies: int
    policy_field: bytes

    def keys(self, restriction: Restriction, tenant: Tenant) -> tuple[str, ...]:
        """The partition of each of its policies: a campaign's is the same whichever account sends the request."""
        name = f"campaign:{restriction.campaign}" if restriction.campaign else f"account:{tenant.account}"
        return (name,) * self.policies


class Budgets(NamedTuple):
    """Of campaigns, and of accounts that extract by themselves."""

    campaign: Budget
    account: Budget

    def of(self, restriction: Restriction) -> Budget:
        """The one that a restricted request pays from."""
        return self.campaign if restriction.campaign else self.account


class Rules(NamedTuple):
    """What holds for a tier on a route. `enforced` is None without a policy; each shadow policy counts for itself.

    `budgets` is None where no detector reads prompts. `reads`: requests hold a prompt. `metered`: some policy counts
    tokens or slots in flight, `counts`: tokens, `by_model`: for each model. `early`: the enforced policies that can be
    asked before a body is read. `remote`: the store is at a server, and paid in one round trip.
    `acquire`: all that has to be asked is the enforced policies in memory.
    """

    enforced: Charge | None
    shadow: tuple[Charge, ...]
    cost: int
    message_cost: int
    route: str | None
    policy_field: bytes
    budgets: Budgets | None = None
    reads: bool = False
    metered: bool = False
    counts: bool = False
    by_model: bool = False
    early: Charge | None = None
    dialect: Dialect | None = None
    remote: RemoteStore | None = None
    acquire: Acquire | None = None

    @property
    def is_plain(self) -> bool:
        """Is a request just charged: no body is read for it, and nothing held?"""
        return not (self.metered or self.reads)

    def plan(self, tenant: Tenant, request: Request | None, model: str = "") -> Plan:
        """What the tenant must pay. `model` is the one asked for, empty as long as it is not known."""
        keys = () if self.enforced is None else self.enforced.keys(tenant, request, model)
        early = () if self.early is None else self.early.keys(tenant, request, model)
        return Plan(tenant, self, keys, tuple(charge.keys(tenant, request, model) for charge in self.shadow), early)


class Plan(NamedTuple):
    """What a request must pay: whose it is, under which rules, with which partition keys."""

    tenant: Tenant
    rules: Rules
    keys: tuple[str, ...]
    shadow_keys: tuple[tuple[str, ...], ...]
    early_keys: tuple[str, ...]

    def enforced(self, restriction: Restriction | None) -> tuple[Charge | None, tuple[str, ...]]:
        """What decides: every enforced policy, None when there is none. A restricted request pays from its budget too,
        in the same batch.
        """
        budget = None if restriction is None else self._budget(restriction)
        if restriction is None or budget is None:
            return self.rules.enforced, self.keys
        return budget.together, self.keys + budget.keys(restriction, self.tenant)

    def watching(self, restriction: Restriction | None) -> list[Asked]:
        """What only watches, each by itself: the shadow policies, and a budget that is only tried out."""
        asked = list(zip(self.rules.shadow, self.shadow_keys, strict=True))
        if restriction is not None and not restriction.enforced and self.rules.budgets is not None:
            budget = self.rules.budgets.of(restriction)
            asked.append((budget.alone, budget.keys(restriction, self.tenant)))
        return asked

    def policy_field(self, restriction: Restriction | None) -> bytes:
        """The policies that decide, as a RateLimit-Policy field."""
        budget = None if restriction is None else self._budget(restriction)
        return self.rules.policy_field if budget is None else budget.policy_field

    def _budget(self, restriction: Restriction) -> Budget | None:
        """What a request that is really restricted pays from besides."""
        budgets = self.rules.budgets
        return budgets.of(restriction) if restriction.enforced and budgets is not None else None
