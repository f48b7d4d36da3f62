"""What holds while the server does not answer: each policy's own choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ratelimit_guard._core import LimitResult
    from ratelimit_guard._core.remote import RemotePolicies
    from ratelimit_guard.policy import Policy
    from ratelimit_guard.stores import Store

FAILED: Final[Any] = NotImplemented
"""In the place of an answer: the server gave none, or what stands under one of the keys is not ours."""
WAIT_S = 1.0
"""What refused callers are told to wait: the longest pause between two probes."""


class Failure:
    """Answers in the server's place."""

    def __init__(self, remote: RemotePolicies, namespace: str, policies: Sequence[Policy], fallback: Store) -> None:
        """Bind what is `local` to the fallback."""
        self._remote = remote
        modes = [policy.on_store_failure for policy in policies]
        self._open, self._closed, self._local = (
            [index for index, mode in enumerate(modes) if mode == wanted] for wanted in ("open", "closed", "local")
        )
        counted = [policies[index] for index in self._local]
        self._bound = fallback.bind(namespace, counted) if counted else None
        self._slots = any(policy.quota.unit == "concurrent-requests" for policy in counted)
        self.refuses = bool(self._closed)
        """Whether nothing may pass."""

    def acquire(self, keys: tuple[Any, ...], cost: int, confirmed: bool) -> LimitResult:
        """What `acquire_each` answers."""
        return self._merged(keys, lambda bound, own: bound.acquire_each(own, cost, confirmed), cost)

    def peek(self, keys: tuple[Any, ...], cost: int) -> LimitResult:
        """What it would answer."""
        return self._merged(keys, lambda bound, own: bound.peek_each(own, cost), cost)

    def reserve(self, keys: tuple[Any, ...], arguments: tuple[int, ...], options: dict[str, Any]) -> tuple[Any, Any]:
        """The answer, and what is held on this host; None when that is nothing."""
        if self._bound is None or self.refuses:
            return self.peek(keys, 0) if not self.refuses else self._refused(), None
        bound: Any = self._bound
        hold = bound.reserve(tuple(keys[index] for index in self._local), *arguments, **options)
        return self._remote.merge([(self._local, hold.result), (self._open, True)], WAIT_S), hold

    def permit(self, keys: tuple[Any, ...], cost: int, confirmed: bool) -> tuple[Any, Any]:
        """The same for a slot."""
        if self._bound is None or self.refuses:
            return self.peek(keys, 0) if not self.refuses else self._refused(), None
        bound: Any = self._bound
        if not self._slots:
            return self.acquire(keys, cost, confirmed), None
        slot = bound.permit(keys[0], cost, confirmed)
        return self._remote.merge([(self._local, slot.result), (self._open, True)], WAIT_S), slot

    def _refused(self) -> LimitResult:
        passing = self._open + self._local
        return self._remote.merge([(self._closed, False), (passing, True)], WAIT_S)

    def _merged(self, keys: tuple[Any, ...], ask: Callable[[Any, tuple[Any, ...]], Any], cost: int) -> LimitResult:
        if self.refuses and cost > 0:
            return self._refused()
        parts: list[tuple[list[int], Any]] = [(self._open + self._closed, True)]
        if self._bound is not None:
            parts.append((self._local, ask(self._bound, tuple(keys[index] for index in self._local))))
        return self._remote.merge(parts, WAIT_S)
