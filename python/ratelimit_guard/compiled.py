"""A configuration made ready: who is who, which policies hold for a tier on a route, and where they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.address import client_address
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.policy import Policy
from ratelimit_guard.response import policy_field
from ratelimit_guard.routes import Routes
from ratelimit_guard.rules import Charge, Rules
from ratelimit_guard.stores import MemoryStore, SharedStore
from ratelimit_guard.tenant import MAX_REMEMBERED, Tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ratelimit_guard._core import ManualClock
    from ratelimit_guard.config import Config, Mode, Per, RouteSection
    from ratelimit_guard.request import Request
    from ratelimit_guard.rules import Partition, Plan
    from ratelimit_guard.tenant import Lookup, Tenant


class Compiled:
    """One configuration in force. Immutable but for a bounded cache; replaced as a whole by a reload."""

    def __init__(self, config: Config, store: MemoryStore | SharedStore, lookup: Lookup | None = None) -> None:
        """Bind to `store`."""
        self.config = config
        self.store = store
        self.headers, self.legacy_headers = config.response.headers, config.response.legacy_headers
        self.routes = Routes(config.routes)
        self.tenants = Tenants(config, lookup)
        # As many as there are tiers times routes: nothing that a client sends adds to them.
        self._rules: dict[tuple[str, int | None], Rules] = {}
        self._named: dict[tuple[tuple[str, ...], str], Rules] = {}
        self._plans: dict[tuple[Tenant, int | None], Plan] = {}
        # Of a tenant who is known by a credential, the address changes from request to request.
        self._addresses_change = any(policy.per == "address" for policy in config.policies.values())
        for tier in config.tiers:
            self.rules(tier, None)

    def plan(self, tenant: Tenant, route: RouteSection | None, request: Request) -> Plan:
        """What a request of the tenant must pay on a route; the same object again where nothing can differ."""
        if tenant.confirmed and self._addresses_change:
            return self.rules(tenant.tier, route).plan(tenant, request)
        key = (tenant, None if route is None else id(route))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MAX_REMEMBERED:
                self._plans.clear()
            plan = self._plans[key] = self.rules(tenant.tier, route).plan(tenant, request)
        return plan

    def rules(self, tier: str, route: RouteSection | None) -> Rules:
        """The policies of a tier on a route, worked out at the first use."""
        key = (tier, None if route is None else id(route))  # the configuration keeps its sections alive
        rules = self._rules.get(key)
        if rules is None:
            names = (*self.config.tiers[tier].policies, *(route.policies if route else ()))
            rules = self._rules[key] = self.bind(names, route, route.match if route else None)
        return rules

    def named(self, names: tuple[str, ...], label: str) -> Rules:
        """The named policies as a decorated function charges them; its name takes the place of the route."""
        rules = self._named.get((names, label))
        if rules is None:
            rules = self._named[names, label] = self.bind(names, None, label)
        return rules

    def require(self, names: Iterable[str]) -> None:
        """`ConfigError` for a name that is no policy."""
        for name in names:
            if name not in self.config.policies:
                msg = f"there is no policy {name!r}: use one of {', '.join(self.config.policies)}"
                raise ConfigError(msg)

    def bind(self, names: Sequence[str], route: RouteSection | None, label: str | None) -> Rules:
        """The named policies, each once, as something to charge. `ConfigError` for a name that is none."""
        self.require(names)
        names = list(dict.fromkeys(names))
        enforced = self._charge(names, "enforce", label or "") or Charge(None, ())
        shadow = self._charge(names, "shadow", label or "")
        policies = [(name, self.config.policies[name].quota) for name in names if self._mode(name) == "enforce"]
        costs = (route.cost, route.message_cost) if route else (1, 0)
        return Rules(enforced, shadow, *costs, label, policy_field(policies))

    def _charge(self, names: Sequence[str], mode: Mode, route: str) -> Charge | None:
        settings = {name: self.config.policies[name] for name in names if self._mode(name) == mode}
        if not settings:
            return None
        policies = [Policy(name, section.quota) for name, section in settings.items()]
        bound = self.store.bind(self.config.namespace, policies, self.config.store.on_full)
        return Charge(bound, tuple(self._partition(section.per, route) for section in settings.values()))

    def _partition(self, per: Per, route: str) -> Partition:
        proxies = self.tenants.proxies
        partitions: dict[Per, Partition] = {
            "account": lambda tenant, _: tenant.account,
            "tenant": lambda tenant, _: tenant.id,
            "address": lambda tenant, request: client_address(request, proxies) if request else tenant.account,
            "route": lambda _tenant, _: route,
            "global": lambda _tenant, _: "",
        }
        return partitions[per]

    def _mode(self, name: str) -> Mode:
        return self.config.policies[name].mode


def open_store(config: Config, clock: ManualClock | None = None) -> MemoryStore | SharedStore:
    """The store that a configuration names."""
    section = config.store
    if section.kind == "memory":
        return MemoryStore(section.capacity, clock=clock)
    return SharedStore(section.path or config.namespace, capacity=section.capacity, clock=clock)
