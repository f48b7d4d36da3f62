"""A store made before a fork is one store for parent and child; a permit stays with the process that took it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ratelimit_guard import Limiter

if TYPE_CHECKING:
    from conftest import MakeStore

CHILDREN = 3
ATTEMPTS = 2_000


def forked(limiter: Limiter, start: int, go: int) -> tuple[int, int]:
    """A child that waits until the last `go` is closed, acquires, and writes how much it got into the returned pipe."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go)
            os.read(start, 1)
            got = sum(bool(limiter.acquire("alice")) for _ in range(ATTEMPTS))
            os.write(write, str(got).encode())
        finally:
            os._exit(0)
    os.close(write)
    return pid, read


def test_store_is_shared_with_forked_children(make_store: MakeStore) -> None:
    """Parent and children together get the limit, exactly; what was used before the fork counts."""
    limiter = Limiter("1000/hour", make_store())
    limiter.acquire("alice", 100)
    start, go = os.pipe()
    children = [forked(limiter, start, go) for _ in range(CHILDREN)]
    os.close(go)
    got = sum(bool(limiter.acquire("alice")) for _ in range(ATTEMPTS))
    for pid, read in children:
        with os.fdopen(read) as pipe:
            got += int(pipe.read())
        assert os.waitpid(pid, 0)[1] == 0
    os.close(start)
    assert got == 900
    assert not limiter.acquire("alice")


def test_permit_belongs_to_the_process_that_took_it(make_store: MakeStore) -> None:
    """A child's copy frees and renews nothing, at the end of a block either; the slot is still the parent's."""
    limiter = Limiter("2 concurrent-requests", make_store())
    first, second = limiter.permit("alice"), limiter.permit("alice")
    pid = os.fork()
    if pid == 0:
        with first:
            done = first.renew() or first.release()
        os._exit(int(done or second.release()))
    assert os.waitpid(pid, 0)[1] == 0
    assert not limiter.permit("alice")
    assert first.renew()
    assert first.release()
    assert second.release()
