"""Counters at a Redis or Valkey server, a cluster, or behind Sentinel: exact over all hosts that name it."""

from ratelimit_guard.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
