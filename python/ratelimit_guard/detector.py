"""The detector: tells a heavy customer from an account that extracts the model.

    >>> from ratelimit_guard import prompt
    >>> from ratelimit_guard.detector import Detector
    >>> detector = Detector()
    >>> question = prompt.read(b'{"messages": [{"role": "user", "content": "Why is the sky blue?"}]}')
    >>> detector.observe("key-7", question, time=1_800_000_000.0, answer_tokens=180).level
    'none'

It has no clock and does no I/O: time is an argument, and `observe` is called once the answer is known. What each signal
means, and which honest uses come near it: docs/detection.md.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from ratelimit_guard._core import detector as _core
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from ratelimit_guard.baseline import Baseline

Level: TypeAlias = Literal["none", "observe", "throttle"]

DEFAULT_ALPHA = 0.001
"""False positives that the operator accepts: one honest account in a thousand."""

USES = ("class", "research", "evaluation")
"""Uses that a tenant may declare to the operator: they walk through corpora as extraction does."""

SIGNALS = tuple(name for name, _, _ in _core.SIGNALS)
"""All signals, those that may restrict first."""

CONVICTING = tuple(name for name, convicts, _ in _core.SIGNALS if convicts)
HONEST_RATES = {name: rate for name, _, rate in _core.SIGNALS}
"""Share of its requests in which an honest account may show a signal."""


Verdict = _core.Verdict


class Detector(_core.Detector):
    """Judges accounts request by request. Thread-safe.

    `baseline` says what honest accounts did in a history. Without one thresholds are twice as high until a
    day of traffic of 200 accounts has shown what is usual; what is found till then should be looked at and not acted
    on. `alpha` is the share of honest accounts that may be restricted; it holds for
    kinds of tenants that the history knows. `secret` (16 bytes or more) keys the hashes of accounts, drawn at random
    without one; prompts must come from readers of one secret. `capacity` accounts are remembered, 1.6 KiB each; in a
    full table newcomers are forgotten first, convicted accounts last. An account unseen for 30 days starts anew.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        alpha: float = DEFAULT_ALPHA,
        baseline: Baseline | None = None,
        secret: bytes | None = None,
        capacity: int = _core.DEFAULT_CAPACITY,
    ) -> Self:
        """Arguments: see the class. `ConfigError` for those that mean nothing."""
        if baseline is not None and not hasattr(baseline, "guard"):
            msg = f"baseline must be a Baseline, got {type(baseline).__name__}: read one with Baseline.load"
            raise ConfigError(msg)
        guard = baseline.guard(alpha) if baseline else None
        return super().__new__(cls, secrets.token_bytes(16) if secret is None else secret, alpha, guard, capacity)
