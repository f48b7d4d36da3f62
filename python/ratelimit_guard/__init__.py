"""Exact rate limits for Python web apps: the public names."""

from ratelimit_guard._core import LimitResult, Quota
from ratelimit_guard.decorator import rate_limit
from ratelimit_guard.errors import ConfigError, RateLimitExceeded, RateLimitGuardError, StoreError, UsageError
from ratelimit_guard.limiter import AsyncLimiter, Limiter
from ratelimit_guard.permit import AsyncPermit, Permit
from ratelimit_guard.policy import Policy
from ratelimit_guard.stores import MemoryStore, SharedStore, Store

__all__ = [
    "AsyncLimiter",
    "AsyncPermit",
    "ConfigError",
    "LimitResult",
    "Limiter",
    "MemoryStore",
    "Permit",
    "Policy",
    "Quota",
    "RateLimitExceeded",
    "RateLimitGuardError",
    "SharedStore",
    "Store",
    "StoreError",
    "UsageError",
    "rate_limit",
]
