"""Reading logs: what `ratelimit_guard.audit` is made of."""

from typing import Any, final

@final
class Auditor:
    """Reads a log in chunks and judges its accounts. Thread-safe; `feed` leaves the interpreter to others.

    `columns` are (column, path) in the order of preference, `dialects` (name, {path: field}). `ConfigError` that names
    what is wrong with a path, and as for `Detector`. `known` is what `known()` of an auditor over the history returned,
    with the same secret; None without a history.
    """

    def __new__(
        cls,
        columns: list[tuple[str, str]],
        dialects: list[tuple[str, dict[str, str]]],
        secret: bytes,
        alpha: float,
        guard: tuple[float, float, float] | None,
        capacity: int,
        known: bytes | None,
    ) -> Auditor: ...
    def declare(self, account: str) -> None:
        """The operator knows that this account tests the model."""
    def suspect(self, account: str) -> None:
        """Its history shows so much already that an operator has to decide: until then it is observed at most."""
    def relate(self, account: str, payer: str) -> None:
        """Accounts of one payer count as one tenant of a campaign. Before the log is read."""
    def feed(self, chunk: bytes) -> None:
        """Read the next bytes: whole lines or not."""
    def end_file(self) -> None:
        """The file has ended, and with it its last line."""
    def accounts(self, start: int, end: int) -> list[dict[str, Any]]:
        """Some accounts in the order of their first records."""
    def campaigns(self) -> list[dict[str, Any]]:
        """Groups of accounts that act as one, in the order of their conviction."""
    def restricted(self) -> list[tuple[str, str, float, int]]:
        """Request, account, time and campaign of what campaigns restricted since the last call."""
    def known(self) -> bytes:
        """The keys of the texts that accounts of the log read so far share: at most a million of 8 bytes."""
    @property
    def thresholds(self) -> dict[str, float]: ...
    @property
    def totals(self) -> dict[str, Any]:
        """Counts of lines and records."""
    def __len__(self) -> int: ...

def cut_name(name: str) -> str:
    """As much of an account's name as is kept: 256 bytes; lone surrogates become U+FFFD."""

COLUMNS: tuple[str, ...]
