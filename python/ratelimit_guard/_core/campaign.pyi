"""Accounts that act as one: what `ratelimit_guard.campaign` is made of."""

from typing import Any, Self, final

from ratelimit_guard._core.prompt import Prompt

class Correlator:
    """Finds campaigns. Thread-safe: its state is behind a lock.

    `known` is what `known` of a correlator over the history returned, None without history: then twice as many
    strangers make a text suspicious. `ConfigError` for a secret of less than 16 bytes, damaged keys, and room outside
    1..2**24.
    """

    def __new__(cls, secret: bytes, known: bytes | None, keys: int, accounts: int, answers: int) -> Self: ...
    def observe(
        self,
        account: str | bytes,
        prompt: Prompt,
        *,
        time: float,
        tenant: str | bytes | None = None,
        answer: tuple[int, int] | None = None,
        requests: int = 0,
    ) -> Match:
        """Add a request that the model answered. Cost: 2 to 4 microseconds.

        `tenant`: who is responsible for the account, the same for all that one payer pays for; without one the account
        is a tenant of its own. `answer` is what `Reader.answer` makes of the answer's text: with it answers are
        followed that come back from somebody else. `requests` of the account so far, as `Verdict.requests` says: what
        happens to a heavy tenant once in a while is no match. `time` in seconds since any fixed moment. `UsageError`
        for a name that is neither str nor bytes, and a time that is no finite number.
        """
    def known(self, tenants: int) -> bytes:
        """What `tenants` tenants have shared so far; pieces of campaigns are left out."""
    def campaigns(self) -> list[dict[str, Any]]:
        """Convicted ones in the order of conviction: `id`, `kind`, `convicted` (time), `pieces`, `evidence` (nats)."""

@final
class Match:
    """What came of a request."""

    @property
    def campaign(self) -> int | None:
        """The convicted campaign that it belongs to."""
    @property
    def shared(self) -> bool:
        """It holds pieces that strangers share, or an answer that was given to somebody else."""
    @property
    def rotation(self) -> bool | None:
        """It brought a combination that is new to its account; None where that does not count."""
    @property
    def member(self) -> bool:
        """Its account shows a convicted campaign itself."""
    @property
    def pays(self) -> bool:
        """It should pay from the campaign's budget: a request pays by itself, whoever sends it."""
    @property
    def restricted(self) -> bool:
        """All that its account sends should pay: its own evidence is overwhelming."""

DEFAULT_KEYS: int
DEFAULT_ACCOUNTS: int
DEFAULT_ANSWERS: int
