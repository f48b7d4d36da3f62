"""The detector: what `ratelimit_guard.detector` is made of."""

from typing import Literal, Self, final

from ratelimit_guard._core.prompt import Prompt

class Detector:
    """Judges accounts. Thread-safe: its state is behind a lock.

    `guard` is the highest honest evidence of each convicting signal in a history, None without history: then
    thresholds are twice as high, until a day of traffic with `LEARNING_ACCOUNTS` established
    accounts say what is usual. `ConfigError` for a secret of less than 16 bytes, an alpha outside 0..1 and a
    capacity outside 1..2**24.
    """

    def __new__(cls, secret: bytes, alpha: float, guard: tuple[float, float, float] | None, capacity: int) -> Self: ...
    def observe(
        self,
        account: str | bytes,
        prompt: Prompt,
        *,
        time: float,
        answer_tokens: int | None = None,
        declared: bool = False,
    ) -> Verdict:
        """Add a request that the model answered: not refused ones, and no embeddings. Cost: 1 µs.

        `time` in seconds since any fixed moment. `answer_tokens` where known: short answers teach nobody. `declared`:
        the tenant told the operator that this account tests the model, so that it is never more than observed.
        `UsageError` for an account that is neither str nor bytes, and a time that is no
        finite number. Numbers of tokens below 0 are 0.
        """
    def forget(self, account: str | bytes) -> bool:
        """Forget what is known about an account, its conviction too. False when nothing was."""
    @property
    def thresholds(self) -> dict[str, float]:
        """Evidence in nats from which a signal restricts, or, of those that only observe, is shown."""
    @property
    def forgotten(self) -> dict[str, int]:
        """Profiles that made room for others: `newcomers`, `established`, `convicted`."""
    def __len__(self) -> int: ...

@final
class Verdict:
    """How an account stands after a request."""

    @property
    def level(self) -> Literal["none", "observe", "throttle"]: ...
    @property
    def score(self) -> float:
        """The highest evidence ever over its threshold: more than 1 convicts."""
    @property
    def requests(self) -> int:
        """Counted so far."""
    @property
    def shown(self) -> list[str]:
        """Signals of this request."""
    @property
    def evidence(self) -> dict[str, float]:
        """Of each signal now, in nats."""

def nominal_evidence(alpha: float) -> float:
    """Evidence, in nats, that a false-positive rate alone asks of each convicting signal."""

DEFAULT_CAPACITY: int
SUSPECT: float
LEARNING_ACCOUNTS: int
SIGNALS: tuple[tuple[str, bool, float], ...]
