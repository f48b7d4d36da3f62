"""Whose fault it is: the operator's configuration, the store, or the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.decision import Decision


class RateLimitGuardError(Exception):
    """Base of every error of this package."""


class ConfigError(RateLimitGuardError, ValueError):
    """A quota, policy or store setting that cannot be enforced.

    The operator mends it; it is raised when built, never per request.
    """


class StoreError(RateLimitGuardError):
    """The home of the counters cannot be used as it is: wrong owner, wrong version, no room.

    The text says what to do.
    """


class UsageError(RateLimitGuardError):
    """The caller passed something that no limiter can count: a key that is no str or bytes, a negative cost."""


class RateLimitExceeded(RateLimitGuardError):  # noqa: N818  the field's name for it
    """Raised by the decorators and dependencies only; everything else answers with a value.

    `result` is the refusal: `error.result.retry_after` seconds are to be waited.
    """

    def __init__(self, result: LimitResult, decision: Decision | None = None) -> None:
        """`decision` is that of a guard; it does not travel in a pickle."""
        super().__init__(result)
        self.result = result
        self.decision = decision

    def __str__(self) -> str:
        return f"limit {self.result.policy!r} exceeded: retry after {self.result.retry_after:.3f} s"


class AccessBlocked(RateLimitGuardError):  # noqa: N818  says what happened
    """Raised by a guard's decorators and dependencies for who may not go on whatever the limits: an access rule of the
    operator blocks the account, or the detector's ladder blocks or challenges the request.
    """

    def __init__(self, decision: Decision | None = None) -> None:
        """`decision` does not travel in a pickle."""
        super().__init__()
        self.decision = decision

    def __str__(self) -> str:
        if self.decision is None or self.decision.restriction is None:
            return "an access rule blocks the account"
        return self.decision.reason
