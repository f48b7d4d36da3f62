"""What a configuration may surprise with, and what a change of it does, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.routes import compile_pattern, plain
from ratelimit_guard.spending import METERED, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from ratelimit_guard.config import Config, RouteSection

HOUR_S = 3600.0


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
    yield from _detector(config)
    yield from _tokens(config)
    yield from _strangers(config)
    yield from _routes(config)


def _detector(config: Config) -> Iterator[str]:
    """What a detector does not see or do."""
    detector = config.detector
    if detector is None:
        return
    if not any(route.body and not route.exempt for route in config.routes):
        yield "the detector reads no route: none has body = true; only functions with guard.limit(prompt=...) are seen"
    if detector.mode == "shadow":
        yield "the detector only watches (shadow)"
    if detector.baseline is None:
        yield "the detector has no baseline, so thresholds are twice as high for a day: see `ratelimit-guard calibrate`"
    if detector.state is None and config.store.kind != "memory":
        yield "what the detector learns does not outlive a reboot: give detector.state a directory"


def _tokens(config: Config) -> Iterator[str]:
    """What a reservation of tokens may surprise with."""
    for name, policy in config.policies.items():
        quota, section = policy.quota, config.tokens
        if quota.unit not in TOKENS:
            continue
        if quota.burst is not None:
            yield f"policy {name!r} is a bucket: of use beyond empty it remembers a sixteenth of its size, a window all"
        if section.slice > (quota.burst or quota.limit):
            yield f"tokens.slice is {section.slice}, more than policy {name!r} holds: each call reserves all of it"
        if section.reserve == "max-tokens" and section.max_tokens > (quota.burst or quota.limit):
            most = quota.burst or quota.limit
            much = f"tokens.max_tokens is {section.max_tokens}, more than the {most} of policy {name!r}"
            yield f"{much}: calls that ask for so many never pass"


def _strangers(config: Config) -> Iterator[str]:
    """Attributes and tenants that nothing in the file has."""
    attributes = {name for tenant in config.tenants for name in tenant.attributes}
    for index, rule in enumerate(config.access):
        for name in [name for name in rule.when if name not in attributes]:
            yield f"access[{index}] asks for {name!r}, which no listed tenant has: right only if a lookup gives it"
    owners = {key.tenant for key in config.identity.keys}
    for tenant in config.tenants:
        if config.identity.source == "keys" and tenant.id not in owners:
            yield f"tenant {tenant.id!r} has no key: only a lookup can name him"


def _routes(config: Config) -> Iterator[str]:
    """Routes that are never reached, and such that nobody can afford."""
    named = [name for tier in config.tiers.values() for name in tier.policies]
    for index, route in enumerate(config.routes):
        before = next((other for other in config.routes[:index] if _hides(other, route)), None)
        if before is not None:
            yield f"route {route.match!r} is never reached: {before.match!r} stands before it"
        for name in () if route.exempt else dict.fromkeys((*route.policies, *named)):
            policy = config.policies[name]
            most = policy.quota.burst or policy.quota.limit
            if route.cost > most and policy.mode == "enforce" and policy.quota.unit not in METERED:
                cost = f"route {route.match!r} costs {route.cost}"
                yield f"{cost}, more than the {most} of policy {name!r}: its callers never pass"


def _hides(first: RouteSection, second: RouteSection) -> bool:
    methods = not first.methods or (bool(second.methods) and set(second.methods) <= set(first.methods))
    return methods and compile_pattern(first.match).fullmatch(plain(second.match)) is not None


def changes(former: Config, config: Config) -> Iterator[str]:
    """What a change does."""
    if former == config:
        yield "no difference"
        return
    if (former.store, former.namespace) != (config.store, config.namespace):
        yield (
            "store or namespace differ: running workers refuse the file. Stop all of them, delete the table if only "
            "its capacity differs, and start them; all counters start afresh"
        )
    if former.detector != config.detector:
        yield "section [detector] differs: running workers refuse the file; restart them one after the other"
    yield from _differences("section", {"campaign": former.campaign}, {"campaign": config.campaign})
    yield from _policies(former, config)
    for what, before, after in (
        ("tier", former.tiers, config.tiers),
        ("tenant", _by(former.tenants, "id"), _by(config.tenants, "id")),
        ("route", _by(former.routes, "match", "methods"), _by(config.routes, "match", "methods")),
        ("key", _by(former.identity.keys, "sha256"), _by(config.identity.keys, "sha256")),
    ):
        yield from _differences(what, before, after)
    if former.access != config.access:
        yield "access rules differ: tenants may change tier or be blocked"
    for name in ("tokens", "response"):
        yield from _differences("section", {name: getattr(former, name)}, {name: getattr(config, name)})
    old, new = (one.identity.model_copy(update={"keys": ()}) for one in (former, config))
    yield from _differences("section", {"identity": old}, {"identity": new})


def _policies(former: Config, config: Config) -> Iterator[str]:
    for name in [name for name in former.policies if name not in config.policies]:
        yield f"policy {name!r} is gone; if it was renamed, the new name starts afresh"
    for name, policy in config.policies.items():
        before = former.policies.get(name)
        if before is None:
            yield f"policy {name!r} is new and starts with nothing used"
        elif before.quota.algorithm != policy.quota.algorithm or before.per != policy.per:
            yield f"policy {name!r} counts differently now ({policy.quota}, per {policy.per}) and starts afresh"
        elif (before.quota, before.mode) != (policy.quota, policy.mode):
            yield f"policy {name!r}: {before.quota} becomes {policy.quota} ({policy.mode}); what was used stays used"
        if before is not None and before.on_store_failure != policy.on_store_failure:
            yield f"policy {name!r}: on_store_failure {before.on_store_failure} becomes {policy.on_store_failure}"


def _by(sections: Sequence[BaseModel], *fields: str) -> dict[str, BaseModel]:
    def name(section: BaseModel) -> str:
        values = [getattr(section, field) for field in fields]
        return " ".join(str(value)[:64] if isinstance(value, str) else ",".join(value) for value in values).strip()

    return {name(section): section for section in sections}


def _differences(what: str, before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]) -> Iterator[str]:
    for name in [name for name in before if name not in after]:
        yield f"{what} {name[:16] if what == 'key' else name!r} is gone"
    for name, section in after.items():
        shown = name[:16] if what == "key" else repr(name)
        if name not in before:
            yield f"{what} {shown} is new"
            continue
        for field in type(section).model_fields:
            old, new = getattr(before[name], field), getattr(section, field)
            if old != new:
                yield f"{what} {shown}: {field} {old!s} becomes {new!s}"
