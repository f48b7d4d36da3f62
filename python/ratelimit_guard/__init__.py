"""Exact rate limits for Python web apps: the public names."""

from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import LimitResult, Quota
from ratelimit_guard.decorator import rate_limit
from ratelimit_guard.errors import (
    AccessBlocked,
    ConfigError,
    RateLimitExceeded,
    RateLimitGuardError,
    StoreError,
    UsageError,
)
from ratelimit_guard.limiter import AsyncLimiter, Limiter
from ratelimit_guard.permit import AsyncPermit, Permit
from ratelimit_guard.policy import Policy
from ratelimit_guard.reservation import AsyncReservation, Reservation
from ratelimit_guard.stores import MemoryStore, SharedStore, Store

if TYPE_CHECKING:
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.events import DecisionEvent
    from ratelimit_guard.guard import Guard
    from ratelimit_guard.request import Request
    from ratelimit_guard.tenant import Identity

__all__ = [
    "AccessBlocked",
    "AsyncLimiter",
    "AsyncPermit",
    "AsyncReservation",
    "ConfigError",
    "Decision",
    "DecisionEvent",
    "Guard",
    "Identity",
    "LimitResult",
    "Limiter",
    "MemoryStore",
    "Permit",
    "Policy",
    "Quota",
    "RateLimitExceeded",
    "RateLimitGuardError",
    "Request",
    "Reservation",
    "SharedStore",
    "Store",
    "StoreError",
    "UsageError",
    "rate_limit",
]

# What belongs to the guard is imported when it is asked for: a bare limiter does without its requirements.
_LATE = {
    "Decision": "decision",
    "DecisionEvent": "events",
    "Guard": "guard",
    "Identity": "tenant",
    "Request": "request",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib  # noqa: PLC0415

    return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
