"""What the server has to be and to know: its version, its permissions, the policies. For builders and operators."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from redis.exceptions import ClusterDownError, InvalidResponse, NoScriptError, OutOfMemoryError, ResponseError

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.errors import StoreError
from ratelimit_guard.stores.redis.deadline import DEADLINE
from ratelimit_guard.stores.redis.keeper import probe
from ratelimit_guard.stores.redis.line import TROUBLES, end_now
from ratelimit_guard.stores.redis.script import DECIDE, REGISTER, arguments
from ratelimit_guard.stores.redis.state import FATAL, root, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ratelimit_guard._core.remote import RemotePolicies
    from ratelimit_guard.stores.redis.state import State

START_S = 1.0
"""The longest that a start waits: a server that takes longer counts as away."""
OLDEST = (6, 2)
"""Version from which on scripts may ask the time and then write, and read what they need."""
HOPELESS = (*FATAL, ResponseError, InvalidResponse, StoreError)
PASSING = (OutOfMemoryError, ClusterDownError)
"""Errors that an app need not stop for when it starts."""
SCANNED = 1_000
"""Keys looked at in one step of a scan."""


class Server:
    """Asked at starts and by operators, with more patience than decisions have."""

    def __init__(self, state: State) -> None:
        """Nothing is connected."""
        self._state = state
        self._client: Any = None
        self._lock = threading.Lock()

    def client(self) -> Any:
        """A client that may wait."""
        with self._lock:
            if self._client is None:
                self._client = self._state.address.client(START_S)
            return self._client

    def check(self) -> None:
        """Go the whole way of a decision once. `StoreError` for a server that will never do."""
        state, batch = self._state, probe(0)
        try:
            state.read(batch, self.run(DECIDE, *arguments(batch, state.now_us())))
        except Exception as raised:
            error = root(raised)
            if isinstance(error, HOPELESS) and not isinstance(error, PASSING):
                msg = f"store {state.address}: {told(error)}{self._age()}"
                raise StoreError(msg) from raised
            state.breakers[0].failed(told(error), state.now(), at_once=True)

    def _age(self) -> str:
        with contextlib.suppress(*TROUBLES):
            version = self.version()
            if version < OLDEST:
                return f"; it is version {'.'.join(map(str, version))}, and {'.'.join(map(str, OLDEST))} is needed"
        return ""

    def version(self) -> tuple[int, ...]:
        """Of the server, as Redis counts."""
        info = self.client().info("server")
        if "redis_version" not in info:  # of a cluster: of each node
            info = next(iter(info.values()))
        return tuple(int(number) for number in info["redis_version"].split(".")[:2])

    def run(self, script: Any, *args: Any) -> Any:
        """Run a script."""
        with DEADLINE.within(START_S):
            client = self.client()
            try:
                return client.execute_command(*script.call(*args))
            except NoScriptError:
                return client.execute_command(*script.whole(*args))

    def register(self, policies: RemotePolicies) -> None:
        """Enter policies, so that their quotas are known to be later than others. Not while the server is away."""
        state = self._state
        if any(breaker.is_open for breaker in state.breakers):
            return
        rows = [text for row in policies.registrations() for text in row]
        try:
            told_at = self.run(REGISTER, 1, f"{policies.prefix}{{00}}:policies", state.now_us(), *rows)
            stamps = [int(stamp) for stamp in told_at]
        except Exception as error:  # noqa: BLE001  as of a decision
            state.failed(0, error)
            return
        policies.set_stamps(stamps)

    def count(self, what: str) -> int:
        """Counters, or reservations, of all namespaces. `StoreError` when the server does not answer."""
        try:
            if what == "counters":
                return sum(not key.endswith((b":h", b":policies")) and b":probe:" not in key for key in self.keys())
            held = (self.client().hkeys(key) for key in self.keys() if key.endswith(b":h"))
            return len({number for numbers in held for number in numbers})
        except TROUBLES as error:
            msg = f"store {self._state.address}: {told(error)}"
            raise StoreError(msg) from error

    def keys(self, pattern: str = "*") -> Iterator[bytes]:
        """Ours, of every namespace."""
        yield from self.client().scan_iter(match=f"{_remote.PREFIX}:{pattern}", count=SCANNED)

    def forget(self) -> None:
        """After a fork: the connections are the parent's."""
        self._client, self._lock = None, threading.Lock()

    def close(self) -> None:
        """End the connections."""
        client, self._client = self._client, None
        if client is not None:
            end_now(client)
