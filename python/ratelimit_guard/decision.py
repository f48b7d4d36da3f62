"""From results to one `Decision`: a pure function, the same live and in a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ratelimit_guard._records import new

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.tenant import Tenant


class Decision(NamedTuple):
    """What to do with a request, and why.

    `result` is the answer of the enforced policies, None when none applies; `shadow` are the answers of those that only
    watch, asked when the request may go on. `policy_field` describes the enforced policies as a RateLimit-Policy field.
    """

    action: Literal["allow", "refuse", "block"]
    reason: str
    tenant: Tenant | None = None
    result: LimitResult | None = None
    shadow: tuple[LimitResult, ...] = ()
    policy_field: bytes = b""

    @property
    def allowed(self) -> bool:
        """May the request go on?"""
        return self.action == "allow"

    @property
    def would_refuse(self) -> tuple[str, ...]:
        """Names of the shadow policies that are exceeded."""
        return tuple([answer.policy for answer in self.shadow if not answer.allowed])


EXEMPT = Decision("allow", "exempt")


def decide(
    tenant: Tenant, result: LimitResult | None, shadow: tuple[LimitResult, ...] = (), policy_field: bytes = b""
) -> Decision:
    """Refuse exactly when an enforced policy does; block whom the operator's access rules block."""
    if tenant.blocked:
        return Decision("block", "blocked by an access rule", tenant)
    if result is None:
        return Decision("allow", "no policy", tenant, None, shadow)
    if result.allowed:
        allowed: Decision = new(Decision, ("allow", "within limits", tenant, result, shadow, policy_field))
        return allowed
    return Decision("refuse", f"limit {result.policy!r} exceeded", tenant, result, shadow, policy_field)
