"""What a configuration means, for people: tables and sentences of `ratelimit-guard check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ratelimit_guard.routes import Routes
from ratelimit_guard.tenant import Identity, Tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ratelimit_guard.config import Config

HOUR_S = 3600.0


def overview(config: Config) -> list[Table]:
    """Policies, tiers and routes."""
    policies = Table("policy", "quota", "per", "mode")
    for name, policy in config.policies.items():
        policies.add_row(name, str(policy.quota), policy.per, policy.mode)
    tiers = Table("tier", "policies", "tenants")
    for name, tier in config.tiers.items():
        tenants = sum(tenant.tier == name for tenant in config.tenants)
        tiers.add_row(name, ", ".join(tier.policies) or "unlimited", str(tenants))
    routes = Table("route", "methods", "cost", "more policies")
    for route in config.routes:
        cost = "exempt" if route.exempt else str(route.cost)
        routes.add_row(route.match, ", ".join(route.methods) or "all", cost, ", ".join(route.policies))
    return [policies, tiers, *([routes] if config.routes else [])]


def effective(config: Config, tenant: str | None, method: str, path: str) -> Table:
    """The policies that a tenant meets on a path, in the order in which they are asked."""
    listed = next((one for one in config.tenants if one.id == tenant), None)
    who = Tenants(config).tenant(Identity(listed.id)) if listed else None
    tier = who.tier if who else config.identity.anonymous_tier
    route = Routes(config.routes).find(method, path)
    title = f"{tenant if listed else 'an unknown caller'} (tier {tier}): {method} {path}"
    table = Table("policy", "quota", "per", "mode", "cost", title=title, title_justify="left")
    if route is not None and route.exempt:
        table.add_row("exempt", "", "", "", "")
        return table
    if who is not None and who.blocked:
        table.add_row("blocked by an access rule", "", "", "", "")
        return table
    for name in dict.fromkeys((*config.tiers[tier].policies, *(route.policies if route else ()))):
        policy = config.policies[name]
        table.add_row(name, str(policy.quota), policy.per, policy.mode, str(route.cost if route else 1))
    return table


def advice(config: Config) -> Iterator[str]:
    """What is allowed and still may surprise."""
    named = {name for tier in config.tiers.values() for name in tier.policies}
    named |= {name for route in config.routes for name in route.policies}
    for name, policy in config.policies.items():
        if name not in named:
            yield f"policy {name!r} is used by no tier and no route"
        elif policy.quota.window_s >= HOUR_S:
            hours = policy.quota.window_s / HOUR_S
            yield f"policy {name!r} counts over {hours:g} h: the counters do not outlive a reboot"
        if policy.mode == "shadow":
            yield f"policy {name!r} only watches (shadow)"
    if not config.tiers[config.identity.anonymous_tier].policies:
        yield f"callers without a known credential are not limited (tier {config.identity.anonymous_tier!r})"


def changes(former: Config, config: Config) -> Iterator[str]:
    """What a change does to usage."""
    if (former.store, former.namespace) != (config.store, config.namespace):
        yield "store or namespace differ: takes effect at a restart only, and all counters start afresh"
    for name in _missing(former.policies, config.policies):
        yield f"policy {name!r} is gone; if it was renamed, the new name starts afresh"
    for name in _missing(config.policies, former.policies):
        yield f"policy {name!r} is new and starts with nothing used"
    for name, policy in config.policies.items():
        before = former.policies.get(name)
        if before is None or before == policy:
            continue
        if before.quota.algorithm != policy.quota.algorithm or before.per != policy.per:
            yield f"policy {name!r} counts differently now ({policy.quota}, per {policy.per}) and starts afresh"
        else:
            yield f"policy {name!r}: {before.quota} becomes {policy.quota} ({policy.mode}); what was used stays used"


def _missing(names: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name not in known]
