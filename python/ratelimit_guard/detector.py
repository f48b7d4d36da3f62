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
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from ratelimit_guard._core import detector as _core

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratelimit_guard._core.prompt import Prompt
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


class Verdict(NamedTuple):
    """How an account stands after a request.

    `level` none, observe or throttle; `score` its highest evidence ever over the threshold, 1 and more convicts;
    `requests` counted so far; `shown` the signals of this request; `evidence` that of each signal now, in nats.
    """

    level: Level
    score: float
    requests: int
    shown: tuple[str, ...]
    evidence: Mapping[str, float]


class Detector:
    """Judges accounts request by request. Thread-safe.

    `baseline` says what honest accounts did in a history. Without one thresholds are twice as high, and what is found
    should be looked at and not acted on. `alpha` is the share of honest accounts that may be restricted; it holds for
    kinds of tenants that the history knows. `secret` (16 bytes or more) keys the hashes of accounts, drawn at random
    without one; prompts must come from readers of one secret. `capacity` accounts are remembered, 1.6 KiB each; in a
    full table newcomers are forgotten first, convicted accounts last. An account unseen for 30 days starts anew.
    """

    __slots__ = ("_detector",)

    def __init__(
        self,
        *,
        alpha: float = DEFAULT_ALPHA,
        baseline: Baseline | None = None,
        secret: bytes | None = None,
        capacity: int = _core.DEFAULT_CAPACITY,
    ) -> None:
        guard = baseline.guard(alpha) if baseline else None
        self._detector = _core.Detector(secret or secrets.token_bytes(16), alpha, guard, capacity)

    def observe(
        self,
        account: str | bytes,
        prompt: Prompt,
        *,
        time: float,
        answer_tokens: int | None = None,
        declared: bool = False,
    ) -> Verdict:
        """Add a request that the model answered: not refused ones, and no embeddings. Cost: 2 µs.

        `time` in seconds since any fixed moment. `answer_tokens` where known: short answers teach nobody. `declared`:
        the tenant told the operator that this account tests the model, so that it is never more than observed.
        """
        level, score, requests, shown, evidence = self._detector.observe(account, prompt, time, answer_tokens, declared)
        names = tuple([name for name, is_shown in zip(SIGNALS, shown, strict=True) if is_shown])
        return Verdict(cast("Level", level), score, requests, names, dict(zip(SIGNALS, evidence, strict=True)))

    def release(self, account: str | bytes) -> bool:
        """Forget what is known about an account, its conviction too. False when nothing was."""
        return self._detector.release(account)

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Evidence in nats from which a signal restricts, or, of those that only observe, is shown."""
        return self._detector.thresholds

    @property
    def forgotten(self) -> Mapping[str, int]:
        """Profiles that made room for others: `newcomers`, `established`, `convicted`."""
        return self._detector.forgotten

    def __len__(self) -> int:
        return len(self._detector)
