"""What your own tests need: a clock that moves only when told to.

>>> from ratelimit_guard import Limiter, MemoryStore
>>> from ratelimit_guard.testing import ManualClock
>>> clock = ManualClock()
>>> limiter = Limiter("1/minute", MemoryStore(1_000, clock=clock))
>>> bool(limiter.acquire("alice")), bool(limiter.acquire("alice"))
(True, False)
>>> clock.advance(120)
>>> bool(limiter.acquire("alice"))
True
"""

from ratelimit_guard._core import ManualClock

__all__ = ["ManualClock"]
