"""From results to one `Decision`: a pure function, the same live and in a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ratelimit_guard._records import new

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.restriction import Restriction
    from ratelimit_guard.tenant import Tenant

RESERVED = ("campaign:", "account:")
"""What the names of the detector's own policies begin with."""


class Decision(NamedTuple):
    """What to do with a request, and why.

    `result` is the answer of the enforced policies, None when none applies; `shadow` are the answers of those that only
    watch, asked when the request may go on. `policy_field` describes the enforced policies as a RateLimit-Policy field.
    `restriction` says what the detector sees, `degraded` what was taken from the request, `challenge` what has to be
    proven.
    """

    action: Literal["allow", "degrade", "refuse", "challenge", "block"]
    reason: str
    tenant: Tenant | None = None
    result: LimitResult | None = None
    shadow: tuple[LimitResult, ...] = ()
    policy_field: bytes = b""
    restriction: Restriction | None = None
    degraded: tuple[str, ...] = ()
    challenge: bytes = b""

    @property
    def allowed(self) -> bool:
        """May the request go on?"""
        return self.action in {"allow", "degrade"}

    @property
    def is_abnormal(self) -> bool:
        """Is it refused because of what the detector sees, and not by the limits that hold for everybody?"""
        if self.allowed or self.restriction is None or not self.restriction.enforced:
            return False
        result = self.result
        return result is None or any(not one.allowed and one.policy.startswith(RESERVED) for one in result.results)

    @property
    def would_refuse(self) -> tuple[str, ...]:
        """Names of the shadow policies that are exceeded."""
        return tuple([answer.policy for answer in self.shadow if not answer.allowed])


EXEMPT = Decision("allow", "exempt")


def decide(
    tenant: Tenant,
    result: LimitResult | None,
    shadow: tuple[LimitResult, ...] = (),
    policy_field: bytes = b"",
    restriction: Restriction | None = None,
    challenge: bytes = b"",
) -> Decision:
    """Refuse exactly when an enforced policy does; block whom the operator's rules block. `challenge`: what a
    restricted caller has not proven yet.
    """
    if tenant.blocked:
        return Decision("block", "blocked by an access rule", tenant)
    if restriction is not None and restriction.enforced:
        made = Decision("allow", "", tenant, result, shadow, policy_field, restriction, (), challenge)
        return _restricted(made, restriction)
    if result is None:
        return Decision("allow", "no policy", tenant, None, shadow, b"", restriction)
    if result.allowed:
        allowed: Decision = new(
            Decision, ("allow", "within limits", tenant, result, shadow, policy_field, restriction, (), b"")
        )
        return allowed
    return Decision("refuse", f"limit {result.policy!r} exceeded", tenant, result, shadow, policy_field, restriction)


def _restricted(open_: Decision, restriction: Restriction) -> Decision:
    result = open_.result
    who = f"campaign {restriction.campaign}" if restriction.campaign else "an account that extracts"
    if restriction.reaches("block"):
        return open_._replace(action="block", reason=f"{who} is blocked")
    if open_.challenge:
        return open_._replace(action="challenge", reason=f"{who} has proven nothing yet")
    if result is None or result.allowed:
        return open_._replace(reason=f"within the limits of {who}")
    return open_._replace(action="refuse", reason=f"limit {result.policy!r} exceeded: {who}")
