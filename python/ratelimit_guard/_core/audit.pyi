"""Reading logs: what `ratelimit_guard.audit` is made of."""

from typing import Any, final

@final
class Auditor:
    """Reads a log in chunks and judges its accounts. Thread-safe; `feed` leaves the interpreter to others.

    `columns` are (column, path) in the order of preference, `dialects` (name, {path: field}). `ConfigError` that names
    what is wrong with a path, and as for `Detector`.
    """

    def __new__(
        cls,
        columns: list[tuple[str, str]],
        dialects: list[tuple[str, dict[str, str]]],
        secret: bytes,
        alpha: float,
        guard: tuple[float, float, float] | None,
        capacity: int,
    ) -> Auditor: ...
    def declare(self, account: str) -> None:
        """The operator knows that this account tests the model."""
    def suspect(self, account: str) -> None:
        """Its history shows so much already that an operator has to decide: until then it is observed at most."""
    def feed(self, chunk: bytes) -> None:
        """Read the next bytes: whole lines or not."""
    def end_file(self) -> None:
        """The file has ended, and with it its last line."""
    def accounts(self, start: int, end: int) -> list[dict[str, Any]]:
        """Some accounts in the order of their first records."""
    @property
    def thresholds(self) -> dict[str, float]: ...
    @property
    def totals(self) -> dict[str, Any]:
        """Counts of lines and records."""
    def __len__(self) -> int: ...

def cut_name(name: str) -> str:
    """As much of an account's name as is kept: 256 bytes; lone surrogates become U+FFFD."""

COLUMNS: tuple[str, ...]
