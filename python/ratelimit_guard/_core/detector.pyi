"""The detector: what `ratelimit_guard.detector` is made of."""

from typing import final

from ratelimit_guard._core.prompt import Prompt

@final
class Detector:
    """Judges accounts. Thread-safe: its state is behind a lock.

    `guard` is the highest honest evidence of each convicting signal in a history, None without history: then
    thresholds are `WIDE` times as high. `ConfigError` for a secret of less than 16 bytes, an alpha outside 0..1 and a
    capacity outside 1..2**24.
    """

    def __new__(
        cls, secret: bytes, alpha: float, guard: tuple[float, float, float] | None, capacity: int
    ) -> Detector: ...
    def observe(
        self, account: str | bytes, prompt: Prompt, time: float, answer_tokens: int | None, declared: bool
    ) -> tuple[str, float, int, list[bool | None], list[float]]:
        """Add an answered request. Level, score, requests so far, and by signal: shown (None: does not count), nats."""
    def release(self, account: str | bytes) -> bool:
        """Forget an account. False when there was none."""
    @property
    def thresholds(self) -> dict[str, float]: ...
    @property
    def forgotten(self) -> dict[str, int]:
        """Profiles that made room for others: `newcomers`, `established`, `convicted`."""
    def __len__(self) -> int: ...

def nominal_evidence(alpha: float) -> float:
    """Evidence, in nats, that a false-positive rate alone asks of each convicting signal."""

DEFAULT_CAPACITY: int
MEMORY: int
WIDE: float
SIGNALS: tuple[tuple[str, bool, float], ...]
