"""`Policy`: a quota with the name under which its counters and answers are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from ratelimit_guard._core import MAX_NAME_BYTES, Quota
from ratelimit_guard.errors import ConfigError

_NAME = re.compile(rf"[ -~]{{1,{MAX_NAME_BYTES}}}")  # what a RateLimit header field can carry

OnStoreFailure: TypeAlias = Literal["open", "closed", "local"]
Quotas: TypeAlias = "str | Quota | Policy | Sequence[str | Quota | Policy]"


@dataclass(frozen=True, slots=True, init=False)
class Policy:
    """A named quota.

    The name, not the numbers, is the identity of the counters: a changed limit keeps the units already used, a new name
    starts afresh. `on_store_failure` says what holds while a store at a server does not answer: `open` lets calls pass
    uncounted, `closed` refuses them, `local` counts them on this host alone. `ConfigError` for a name that is not 1 to
    64 printable ASCII characters and for a wrong quota.

    >>> Policy("burst", "10/second").quota.limit
    10
    """

    name: str
    quota: Quota
    on_store_failure: OnStoreFailure = "local"

    def __init__(self, name: str, quota: Quota | str, on_store_failure: OnStoreFailure = "local") -> None:
        """Check the name and read the quota string."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"policy name {name!r:.100}: must be 1 to {MAX_NAME_BYTES} printable ASCII characters"
            raise ConfigError(msg)
        if on_store_failure not in get_args(OnStoreFailure):
            msg = f"on_store_failure {on_store_failure!r:.100}: write one of {', '.join(get_args(OnStoreFailure))}"
            raise ConfigError(msg)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "quota", _quota(quota))
        object.__setattr__(self, "on_store_failure", on_store_failure)


def policies_of(quotas: Quotas) -> tuple[Policy, ...]:
    """Read what a limiter was given. A quota without a name is called by its canonical string."""
    if isinstance(quotas, str | Quota | Policy):
        return (_policy(quotas),)
    given = cast("Any", quotas)  # callers without a type checker pass anything
    if isinstance(given, bytes | bytearray) or not isinstance(given, Sequence):
        msg = f'{given!r:.100} is no quota: write "100/minute", a Quota, a Policy or a list of them'
        raise ConfigError(msg)
    return tuple(_policy(item) for item in quotas)


def _policy(item: str | Quota | Policy) -> Policy:
    if isinstance(item, Policy):
        return item
    quota = _quota(item)
    return Policy(str(quota), quota)


def _quota(given: Quota | str) -> Quota:
    if isinstance(given, Quota):
        return given
    if isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance]  callers without a type checker
        return Quota.parse(given)
    msg = f'{given!r:.100} is no quota: write "100/minute" or build a Quota'
    raise ConfigError(msg)
