"""What the detector says of a stream."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ratelimit_guard.baseline import Baseline
from ratelimit_guard.detector import CONVICTING, SIGNALS, Detector
from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detection.kinds import Request
    from ratelimit_guard.detector import Verdict

EMPTY = Baseline.of([], requests=0, first=None, last=None)
"""A history without accounts: thresholds are what alpha alone asks for."""

START = 1_800_000_000.0
PACE = 3.0
"""Seconds between requests: no signal looks at the clock."""


def secret(number: int) -> bytes:
    """Of hashes: which pieces of text share a place in the detector's memory depends on it."""
    return f"secret number {number:>8}".encode()


@dataclass(slots=True)
class Outcome:
    """How an account came out."""

    requests: int = 0
    convicted: int | None = None
    signal: str = ""
    shown: Counter[str] = field(default_factory=Counter)
    highest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SIGNALS, 0.0))
    levels: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """A request's verdict."""
        self.requests += 1
        self.levels.append(verdict.level)
        self.shown.update(verdict.shown)
        for name, nats in verdict.evidence.items():
            self.highest[name] = max(self.highest[name], nats)
        if verdict.level == "throttle" and self.convicted is None:
            self.convicted = self.requests
            self.signal = max(CONVICTING, key=verdict.evidence.__getitem__)


def judge(
    requests: Sequence[Request],
    secret_number: int = 0,
    *,
    declared: bool = False,
    pace: float = PACE,
    times: int = 1,
    usage: bool = True,
) -> Outcome:
    """One account's stream, so many times over, judged by thresholds as with a history.

    Without `usage` nobody knows how long answers are.
    """
    key = secret(secret_number)
    detector, reader = Detector(baseline=EMPTY, secret=key), Reader(secret=key)
    prompts = [reader.read(json.dumps(request.body).encode()) for request in requests]
    outcome, now = Outcome(), START
    for _ in range(times):
        for request, prompt in zip(requests, prompts, strict=True):
            now += pace
            tokens = request.answer_tokens if usage else None
            outcome.add(detector.observe("account", prompt, time=now, answer_tokens=tokens, declared=declared))
    return outcome
