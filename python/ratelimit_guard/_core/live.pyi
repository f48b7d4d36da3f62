"""The detector over workers: what `ratelimit_guard.live` is made of."""

from typing import Any, Literal, final

from ratelimit_guard._core.prompt import Prompt

Rung = Literal["observe", "throttle", "challenge", "degrade", "block"]

@final
class Live:
    """A worker's end of the shared memory at `path`. Thread-safe.

    `state` is where the elected process saves what it knows, `secret` that of the baseline, None for one of its own.
    `alpha`, `guard`, `capacity` and `known` as for `Detector` and `Correlator`; `suspects` are names of accounts that
    are observed at most. `steps`: rungs above throttling that are allowed, and delay, patience and calm in seconds.
    `ConfigError` and `StoreError` as for `Table.shared`.
    """

    def __new__(
        cls,
        path: str,
        state: str,
        secret: bytes | None,
        alpha: float,
        guard: tuple[float, float, float] | None,
        capacity: int,
        known: bytes | None,
        suspects: list[str],
        steps: tuple[list[str], float, float, float],
    ) -> Live: ...
    @property
    def secret(self) -> bytes:
        """What keys the hashes when no secret was given: 16 bytes."""
    def start(self) -> None:
        """Try from now on, on a thread of its own, to be the process that folds."""
    def stop(self) -> None:
        """No longer; saves the state if it was."""
    def troubles(self) -> list[str]:
        """What went wrong on that thread since the last call."""
    def look(self, prompt: Prompt, account: str, tenant: str) -> Sight | None:
        """What is to be done about a request; None for nothing."""
    def standing(self, account: str) -> Sight | None:
        """What is to be done about all that an account sends; None for nothing."""
    def add(
        self,
        prompt: Prompt,
        account: str,
        tenant: str,
        *,
        time: float,
        request: str,
        address: str,
        answer: tuple[int, int] | None,
        answer_tokens: int | None,
        declared: bool,
    ) -> bool:
        """Tell of an answered request. False when the ring is full, which is counted."""
    def release_account(self, account: str) -> int | None:
        """It is honest. Done and saved once `saved_up_to` is no less than this; None when the ring is full."""
    def release_campaign(self, name: int) -> int | None:
        """It is none. As `release_account`."""
    def save(self) -> int | None:
        """Save the state soon. As `release_account`."""
    def forward(self, forwards: bool) -> None:
        """True: another host judges, and this process, when it is elected, hands observations on instead of folding
        them. False as it begins.
        """
    @property
    def elected(self) -> bool:
        """Is it this process that folds or hands on?"""
    def take(self, most: int) -> tuple[bytes, int, int] | None:
        """Observations that wait, as bytes, at most so many or one observation; how many; and where they end. They wait
        on until `sent`. None when there are none, or another process is elected, or it still folds.
        """
    def sent(self, end: int) -> None:
        """What was taken up to there is in other hands."""
    def put(self, batch: bytes, place: tuple[int, int]) -> tuple[int, int]:
        """Let another host's observations be folded; `place` is where they stood in the stream between hosts. How many
        found room, of how many. `StoreError` for a damaged batch, or one under another secret. Cost: 0.5 µs each.
        """
    @property
    def read_up_to(self) -> tuple[int, int]:
        """The place of the last batch that was folded; it is saved with the state."""
    def verdicts(self) -> bytes:
        """All that is told of accounts and campaigns: 24 bytes each, 4.5 MiB at most. Cost: 5 ms."""
    def learn(self, verdicts: bytes) -> bool:
        """Tell what another host tells, and nothing else. `StoreError` for damage or another secret; False as `take`
        gives None.
        """
    def adopt(self, state: bytes) -> bool | None:
        """Fold on from another host's state, once `forward(False)`. False when it is this area's own, which knows more;
        None as `take`; `StoreError` as `learn`.
        """
    def reference(self, account: str, campaign: int | None, time: float) -> str:
        """What a refused caller quotes."""
    def dereference(self, text: str) -> tuple[int, int, float] | None:
        """The account's number, the campaign (0: none) and the time, of anything that looks like a reference."""
    def account_number(self, account: str) -> int:
        """The part of an account's hash that references hold."""
    def stats(self) -> dict[str, Any]:
        """Counts, for operators."""

@final
class Sight:
    """What is to be done about a request, as any worker sees it."""

    @property
    def level(self) -> Rung: ...
    @property
    def campaign(self) -> int | None: ...
    @property
    def whole(self) -> bool: ...
    @property
    def score(self) -> float: ...

@final
class Findings:
    """A saved state, to be shown. `StoreError` when there is none or it is damaged."""

    def __new__(cls, state: str) -> Findings: ...
    def accounts(self, start: int, end: int) -> list[dict[str, Any]]:
        """As of `Auditor`."""
    def campaigns(self) -> list[dict[str, Any]]:
        """As of `Auditor`."""
    @property
    def thresholds(self) -> dict[str, float]: ...
    @property
    def span(self) -> tuple[float, float] | None:
        """Times of the first and last observation."""
    def __len__(self) -> int: ...

AREA_SUFFIX: str
STATE_SUFFIX: str
