"""What a configuration means, for people: tables and sentences of `ratelimit-guard check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ratelimit_guard.routes import Routes
from ratelimit_guard.spending import METERED, TOKENS
from ratelimit_guard.tenant import Identity, Tenants

if TYPE_CHECKING:
    from ratelimit_guard.config import Config


def overview(config: Config) -> list[Table]:
    """Policies, tiers and routes."""
    is_remote = config.store.kind == "redis"
    policies = Table("policy", "quota", "per", "mode", *(["without the server"] if is_remote else []))
    for name, policy in config.policies.items():
        without = [policy.on_store_failure] if is_remote else []
        policies.add_row(name, str(policy.quota), policy.per, policy.mode, *without)
    tiers = Table("tier", "policies", "tenants")
    for name, tier in config.tiers.items():
        tenants = sum(tenant.tier == name for tenant in config.tenants)
        tiers.add_row(name, ", ".join(tier.policies) or "unlimited", str(tenants))
    routes = Table("route", "methods", "cost", "body", "more policies")
    for route in config.routes:
        cost = "exempt" if route.exempt else str(route.cost)
        routes.add_row(
            route.match,
            ", ".join(route.methods) or "all",
            cost,
            "prompt" if route.body else "",
            ", ".join(route.policies),
        )
    tables = [policies, tiers, *([routes] if config.routes else [])]
    if any(policy.quota.unit in TOKENS for policy in config.policies.values()):
        tokens = Table("tokens", "")
        for key, value in config.tokens:
            tokens.add_row(key, str(value))
        tables.append(tokens)
    return tables


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
        cost = "as used" if policy.quota.unit in METERED else str(route.cost if route else 1)
        table.add_row(name, str(policy.quota), policy.per, policy.mode, cost)
    return table
