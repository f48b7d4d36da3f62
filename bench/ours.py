"""Adapters to our own package, with the same shape as those of the peers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from peers import Contender

from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore, Policy, SharedStore

Quotas = str | Sequence[Policy]


@contextmanager
def shared_directory() -> Iterator[Path]:
    """A private directory in memory (where the machine has one), gone afterwards."""
    home = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="ratelimit-guard-bench-", dir=home))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


class Ours(Contender):
    """A `Limiter` on a store of its own."""

    def __init__(self, quotas: Quotas, *, shared: bool = False) -> None:
        self._home = shared_directory() if shared else None
        self.store = SharedStore(self._home.__enter__() / "table") if self._home else MemoryStore()
        self.limiter = Limiter(quotas, self.store)

    def allow(self, key: str) -> bool:
        return self.limiter.acquire(key).allowed

    def drive(self, keys: Sequence[str]) -> None:
        limiter = self.limiter
        for key in keys:
            limiter.acquire(key)

    def close(self) -> None:
        if self._home:
            self._home.__exit__(None, None, None)


class OursAsync(Contender):
    """The awaited front of the same store."""

    def __init__(self, quotas: Quotas) -> None:
        self.limiter = AsyncLimiter(quotas, MemoryStore())
        self.runner = asyncio.Runner()

    def allow(self, key: str) -> bool:
        return self.runner.run(self._allow(key))

    async def _allow(self, key: str) -> bool:
        return (await self.limiter.acquire(key)).allowed

    def drive(self, keys: Sequence[str]) -> None:
        self.runner.run(self._drive(keys))

    async def _drive(self, keys: Sequence[str]) -> None:
        limiter = self.limiter
        for key in keys:
            await limiter.acquire(key)

    def close(self) -> None:
        self.runner.close()
