"""A configuration made ready: who is who, which policies hold for a tier on a route, and where they count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from ratelimit_guard._core import MAX_POLICIES
from ratelimit_guard.address import client_address
from ratelimit_guard.dialect import DIALECTS, dialect_of
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.policy import Policy
from ratelimit_guard.remote import remote_of
from ratelimit_guard.response import policy_field
from ratelimit_guard.routes import Routes
from ratelimit_guard.rules import Budget, Budgets, Charge, Rules
from ratelimit_guard.spending import METERED, TOKENS
from ratelimit_guard.stores import MemoryStore, SharedStore
from ratelimit_guard.tenant import MAX_REMEMBERED, Tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard._core import ManualClock
    from ratelimit_guard.config import Config, DetectorSection, Mode, Per, RouteSection, StoreSection
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.request import Request
    from ratelimit_guard.rules import Bound, Partition, Plan
    from ratelimit_guard.stores import RemoteStore
    from ratelimit_guard.tenant import Lookup, Tenant

    AnyStore = MemoryStore | SharedStore | RemoteStore

BY_MODEL = frozenset({"model", "account+model"})


class Compiled:
    """One configuration in force. Immutable but for a bounded cache; replaced as a whole by a reload."""

    def __init__(
        self,
        config: Config,
        store: AnyStore,
        lookup: Lookup | None = None,
        decorated: Iterable[tuple[tuple[str, ...], bool]] = (),
    ) -> None:
        """Bind every policy to `store`, those that decorators name too: a request binds none, so none fails by it."""
        self.config = config
        self.store = store
        self._remote = remote_of(store)
        self.headers, self.legacy_headers = config.response.headers, config.response.legacy_headers
        self.routes = Routes(config.routes)
        self.tenants = Tenants(config, lookup)
        self._bound: dict[tuple[str, ...], Bound] = {}
        # As many as there are tiers times routes, and functions: nothing that a client sends adds to them.
        self._rules = {
            (tier, None if route is None else id(route)): self._route_rules(tier, route)
            for tier in config.tiers
            for route in (None, *config.routes)
        }
        self._named: dict[tuple[tuple[str, ...], str, bool], Rules] = {}
        for names, is_prompted in decorated:
            self.named(names, "", is_prompted=is_prompted)
        self._plans: dict[tuple[Tenant, int | None], Plan] = {}
        # Of a tenant who is known by a credential, the address changes from request to request.
        self._addresses_change = any(policy.per == "address" for policy in config.policies.values())

    def plan(self, tenant: Tenant, route: RouteSection | None, request: Request) -> Plan:
        """What a request of the tenant must pay on a route; the same object again where nothing can differ."""
        key = (tenant, None if route is None else id(route))  # the configuration keeps its sections alive
        if tenant.confirmed and self._addresses_change:
            return self._rules[tenant.tier, key[1]].plan(tenant, request)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MAX_REMEMBERED:
                self._plans.clear()
            plan = self._plans[key] = self._rules[tenant.tier, key[1]].plan(tenant, request)
        return plan

    def named(self, names: tuple[str, ...], label: str, *, is_prompted: bool = False) -> Rules:
        """The named policies as a decorated function charges them; its name takes the place of the route."""
        rules = self._named.get((names, label, is_prompted))
        if rules is None:
            rules = self._bind(names, None, label, is_prompted=is_prompted)
            self._named[names, label, is_prompted] = rules
        return rules

    def _route_rules(self, tier: str, route: RouteSection | None) -> Rules:
        names = (*self.config.tiers[tier].policies, *(route.policies if route else ()))
        return self._bind(names, route, route.match if route else None)

    def _bind(
        self, names: Sequence[str], route: RouteSection | None, label: str | None, *, is_prompted: bool = False
    ) -> Rules:
        """The named policies, each once, as something to charge. Prompts are read on the routes and for the functions
        that say so.
        """
        modes: dict[Mode, list[str]] = {"enforce": [], "shadow": []}
        for name in dict.fromkeys(names):
            modes[self.config.policies[name].mode].append(name)
        enforced = tuple(modes["enforce"])
        metered = {name for name in names if self.config.policies[name].quota.unit in METERED}
        by_model = {name for name in names if self.config.policies[name].per in BY_MODEL}
        early = tuple(name for name in enforced if name not in metered | by_model)
        policies = [self._policy(name) for name in enforced]
        costs = (route.cost, route.message_cost) if route else (1, 0)
        detector = self.config.detector if (route.body if route else is_prompted) else None
        charge = self._charge(enforced, label)
        is_alone = not (metered or modes["shadow"]) and self._remote is None
        return Rules(
            charge,
            tuple([Charge(*self._parts((name,), label)) for name in modes["shadow"]]),
            *costs,
            label,
            policy_field(policies),
            None if detector is None else self._budgets(policies, detector),
            reads=route is not None and route.body,
            metered=bool(metered),
            counts=any(self.config.policies[name].quota.unit in TOKENS for name in metered),
            by_model=bool(by_model),
            early=self._charge(early, label),
            dialect=None if route is None else _dialect(route),
            remote=self._remote,
            acquire=charge.acquire if charge is not None and is_alone else None,
        )

    def _budgets(self, policies: list[Policy], detector: DetectorSection) -> Budgets:
        """A campaign has what one account has of each policy, or the operator's own quota."""
        campaign = self.config.campaign.quota
        of_account = [Policy("account:*", detector.quota)]
        of_campaign = [
            Policy(f"campaign:{policy.name}", policy.quota, policy.on_store_failure)
            for policy in policies
            if self.config.policies[policy.name].per == "account"
        ]
        if campaign is not None or not of_campaign:
            of_campaign = [Policy("campaign:*", campaign or detector.quota)]
        return Budgets(self._budget(policies, of_campaign), self._budget(policies, of_account))

    def _budget(self, policies: list[Policy], more: list[Policy]) -> Budget:
        if len(policies) + len(more) > MAX_POLICIES:
            msg = f"{len(policies)} policies and {len(more)} of a campaign are more than {MAX_POLICIES}: "
            msg += "give [campaign] a quota" if len(more) > 1 else "have fewer where prompts are read"
            raise ConfigError(msg)
        together, alone = (Charge(self._bind_policies(some), ()) for some in ([*policies, *more], more))
        return Budget(together, alone, len(more), policy_field([*policies, *more]))

    def _bind_policies(self, policies: list[Policy]) -> Bound:
        names = tuple(policy.name for policy in policies)
        if names not in self._bound:
            bound = self.store.bind(self.config.namespace, policies, self.config.store.on_full)
            self._bound[names] = cast("Bound", bound)
        return self._bound[names]

    def _policy(self, name: str) -> Policy:
        section = self.config.policies[name]
        return Policy(name, section.quota, section.on_store_failure)

    def _charge(self, names: tuple[str, ...], route: str | None) -> Charge | None:
        return Charge(*self._parts(names, route)) if names else None

    def _parts(self, names: tuple[str, ...], route: str | None) -> tuple[Bound, tuple[Partition, ...]]:
        settings = [self.config.policies[name] for name in names]
        bound = self._bind_policies([self._policy(name) for name in names])
        return bound, tuple(self._partition(section.per, route or "") for section in settings)

    def _partition(self, per: Per, route: str) -> Partition:
        # `per` is part of the key, so that no account can be called like somebody's address.
        proxies = self.tenants.proxies
        partitions: dict[Per, Partition] = {
            "account": lambda tenant, _request, _model: f"account:{tenant.account}",
            "tenant": lambda tenant, _request, _model: f"tenant:{tenant.id}",
            "address": lambda tenant, request, _: (
                f"address:{client_address(request, proxies) if request else tenant.account}"
            ),
            "route": lambda _tenant, _request, _model: f"route:{route}",
            "model": lambda _tenant, _request, model: f"model:{model}",
            # The model's length ends it: no account can have a name that makes two of these one.
            "account+model": lambda tenant, _, model: f"model:{len(model)}:{model}:{tenant.account}",
            "global": lambda _tenant, _request, _model: "global:",
        }
        return partitions[per]


def _dialect(route: RouteSection) -> Dialect | None:
    """The one that the file names, or that every path of the route has; None when it depends on the path."""
    if route.dialect is not None:
        return DIALECTS[route.dialect]
    return None if "{" in route.match else dialect_of(route.match)


def require(config: Config, names: Iterable[str]) -> None:
    """`ConfigError` for a name that is no policy of the configuration."""
    for name in names:
        if name not in config.policies:
            msg = f"there is no policy {name!r}: use one of {', '.join(config.policies)}"
            raise ConfigError(msg)


def open_store(config: Config, clock: ManualClock | None = None) -> AnyStore:
    """The store that a configuration names."""
    section = config.store
    if section.kind == "memory":
        return MemoryStore(section.capacity, clock=clock)
    if section.kind == "shared":
        return SharedStore(section.path or config.namespace, capacity=section.capacity, clock=clock)
    from ratelimit_guard.stores.redis import RedisStore  # noqa: PLC0415  the client is optional

    return RedisStore(
        server_url(section),
        budget_s=section.budget_ms / 1_000,
        # One for all workers: without their server they still count exactly, for their host.
        fallback=SharedStore(f"{config.namespace}-fallback", capacity=section.capacity, clock=clock),
        refusal_cache_s=section.refusal_cache_s,
        allotment=section.allotment,
        clock=clock,
    )


def server_url(section: StoreSection) -> str:
    """The address of the server. `ConfigError` where the environment should have it and has not."""
    url = section.url or os.environ.get(section.url_env or "", "")
    if not url:
        msg = f"store.url_env: the environment has no {section.url_env}, or it is empty"
        raise ConfigError(msg)
    return url
