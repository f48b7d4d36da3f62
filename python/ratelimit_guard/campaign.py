"""Campaigns: accounts that act as one.

    >>> from ratelimit_guard import prompt
    >>> from ratelimit_guard.campaign import Correlator
    >>> correlator = Correlator()
    >>> question = prompt.read(b'{"messages": [{"role": "user", "content": "Why is the sky blue?"}]}')
    >>> correlator.observe("key-7", question, time=1_800_000_000.0, tenant="acme")
    Match(campaign=None, shared=False, pays=False)

It has no clock and does no I/O, as the detector. What makes a campaign, and why honest groups make none:
docs/campaigns.md.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from ratelimit_guard._core import campaign as _core
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from ratelimit_guard.baseline import Baseline

Match = _core.Match


class Correlator(_core.Correlator):
    """Finds campaigns request by request. Thread-safe.

    `baseline` says which texts strangers shared in a history, and whose others were; its secret keys the hashes, so
    prompts must come from `Reader(secret=baseline.secret)`. Without one, prompts come from readers of one secret, texts
    count from eight strangers on instead of four, and what is found in the first days should be looked at and not
    acted on. `secret` (16 bytes or more) keys the hashes of accounts, drawn at random when there is neither.

    Room for `keys` texts (72 bytes each), `accounts` that send shared texts (350 bytes) and `answers` (32 bytes): what
    is used least goes first.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        baseline: Baseline | None = None,
        secret: bytes | None = None,
        keys: int = _core.DEFAULT_KEYS,
        accounts: int = _core.DEFAULT_ACCOUNTS,
        answers: int = _core.DEFAULT_ANSWERS,
    ) -> Self:
        """Arguments: see the class. `ConfigError` for those that mean nothing."""
        if baseline is not None and not hasattr(baseline, "known"):
            msg = f"baseline must be a Baseline, got {type(baseline).__name__}: read one with Baseline.load"
            raise ConfigError(msg)
        if baseline is not None and secret is not None:
            msg = "give baseline or secret, not both: a baseline has its own"
            raise ConfigError(msg)
        trusted = baseline if baseline is not None and not baseline.is_empty else None
        known, kept = (trusted.known, trusted.secret) if trusted else (None, None)
        secret = next((one for one in (secret, kept) if one is not None), None)
        secret = secrets.token_bytes(16) if secret is None else secret
        return super().__new__(cls, secret, known, keys, accounts, answers)
