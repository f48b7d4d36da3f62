"""What happened: one typed event per decision, and a hook that logs it. No credential and no body is in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.restriction import Restriction
    from ratelimit_guard.tenant import Tenant

log = logging.getLogger("ratelimit_guard.decisions")


class DecisionEvent(NamedTuple):
    """A decision and what it was about. `route` is the pattern that matched, None when none did."""

    method: str
    path: str
    route: str | None
    cost: int
    decision: Decision


Ending: TypeAlias = Literal["complete", "broken", "cut", "failed"]
"""Of a call: `complete`; `broken` off, by whomever; `cut` by the guard; or it `failed`, and then used nothing."""


class UsageEvent(NamedTuple):
    """What a call used.

    `input_tokens` and `output_tokens` are what was charged: `said` by the upstream, where it has said it, else as
    estimated of the prompt and counted of the answer. `request` is the caller's `x-request-id`. `would_cut`: a shadow
    policy had no room for all of the answer.
    """

    tenant: Tenant
    route: str | None
    model: str
    request: str
    input_tokens: int
    output_tokens: int
    said: tuple[int | None, int | None]
    estimated_input: int
    counted_output: int
    would_cut: bool
    ended: Ending


def log_event(event: DecisionEvent) -> None:
    """Log refusals and shadow refusals, structured in `extra`; what is allowed is not logged.

    As infos: a refusal is the ordinary answer to a caller who asks too much, and must not fill the log of a server
    whose operator has not asked for it.
    """
    decision = event.decision
    is_news = not decision.allowed or decision.would_refuse or decision.degraded
    if not is_news or not log.isEnabledFor(logging.INFO):
        return
    refused = not decision.allowed
    tenant = decision.tenant
    facts = {
        "action": decision.action,
        "reason": decision.reason,
        "tenant": tenant.id if tenant else None,
        "account": tenant.account if tenant else None,
        "tier": tenant.tier if tenant else None,
        "route": event.route,
        "shadow_policies": decision.would_refuse,
        "retry_after_s": decision.result.retry_after if decision.result else None,
        "degraded": decision.degraded,
        **_restriction(decision.restriction),
    }
    text = "refused %r: %s" if refused else "would refuse %r: shadow policies exceeded: %s"
    why = decision.reason if refused else ", ".join(decision.would_refuse)
    if decision.degraded:
        text, why = "degraded a request of %r: %s", ", ".join(decision.degraded)
    log.info(text, facts["tenant"], why, extra={"ratelimit_guard": facts})


def log_usage(event: UsageEvent) -> None:
    """Log answers that were cut, and such that a shadow policy would have cut."""
    if not (event.ended == "cut" or event.would_cut) or not log.isEnabledFor(logging.INFO):
        return
    text = "cut an answer to %r: no tokens are left" if event.ended == "cut" else "would cut an answer to %r"
    facts = {**event._asdict(), "tenant": event.tenant.id, "account": event.tenant.account, "tier": event.tenant.tier}
    log.info(text, event.tenant.id, extra={"ratelimit_guard": facts})


def _restriction(restriction: Restriction | None) -> dict[str, object]:
    if restriction is None:
        return {}
    names = ("level", "campaign", "whole", "score", "reference", "enforced")
    return {name: getattr(restriction, name) for name in names}
