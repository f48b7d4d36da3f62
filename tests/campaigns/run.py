"""A scenario played: the history and the log go through the engine, and what became of whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import audit as _audit
from ratelimit_guard.audit.maps import PRESETS
from ratelimit_guard.detector import DEFAULT_ALPHA
from ratelimit_guard.prompt import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from campaigns.traffic import Call, History, World

CAPACITY = 16_384
CHUNK = 1_000
"""Lines that are read at once."""


@dataclass(slots=True)
class Group:
    """What became of accounts of a group; `restricted` are their requests, `hurt` accounts with such a request."""

    accounts: int = 0
    requests: int = 0
    restricted: int = 0
    hurt: int = 0
    members: int = 0


@dataclass(slots=True)
class Outcome:
    """How a scenario came out."""

    campaigns: list[dict[str, Any]]
    groups: dict[str, Group]
    attacks: int = 0
    """Requests that the attacker wants answered."""

    before: int = 0
    """Of these, how many came before the first campaign was convicted."""

    restricted: int = 0
    """Of these, how many were restricted because of a campaign."""

    alone: int = 0
    """Of the others, how many came after their account was flagged by itself."""

    ranks: dict[str, int] = field(default_factory=dict[str, int])
    """Requests of each account that were restricted."""

    @property
    def share(self) -> float:
        """Of all attack requests, how many were restricted."""
        return self.restricted / max(self.attacks, 1)

    @property
    def share_after(self) -> float:
        """Of those after the first conviction."""
        return self.restricted / max(self.attacks - self.before, 1)

    def hurt(self) -> dict[str, int]:
        """Honest accounts with any restricted request, by group."""
        return {name: one.hurt for name, one in self.groups.items() if one.hurt and name != "attack"}


def secret(seed: int) -> bytes:
    """Of hashes."""
    return blake2b(f"scenario {seed}".encode(), digest_size=16).digest()


def play(world: World, seed: int = 0) -> Outcome:
    """Read the history, then judge the log."""
    known = learned(world.history, frozenset(world.payers.items()), seed) if world.history else None
    # With a history thresholds for accounts alone are what alpha asks for; campaigns do not look at them.
    auditor = engine(seed, world.payers, known)
    restricted: dict[str, int] = {}
    for chunk in chunks(world.log):
        auditor.feed(chunk)
        restricted.update((request, campaign) for request, _, _, campaign in auditor.restricted())
    auditor.end_file()
    restricted.update((request, campaign) for request, _, _, campaign in auditor.restricted())
    rows = {row["account"]: row for row in auditor.accounts(0, len(auditor))}
    return summed(world, auditor.campaigns(), rows, restricted)


@lru_cache(maxsize=8)
def learned(history: History, payers: frozenset[tuple[str, str]], seed: int) -> bytes:
    """What a history shares."""
    auditor = engine(seed, dict(payers), None)
    for chunk in chunks(history.calls):
        auditor.feed(chunk)
    auditor.end_file()
    return auditor.known()


def engine(seed: int, payers: Mapping[str, str], known: bytes | None) -> _audit.Auditor:
    """A new auditor."""
    columns = [(column, path) for column, paths in PRESETS["plain"].items() for path in paths]
    dialects = [(name, dict(table)) for name, table in DIALECTS.items()]
    guard = None if known is None else (0.0, 0.0, 0.0)
    auditor = _audit.Auditor(columns, dialects, secret(seed), DEFAULT_ALPHA, guard, CAPACITY, known)
    for account, payer in payers.items():
        auditor.relate(account, payer)
    return auditor


def chunks(calls: Sequence[Call]) -> Iterator[bytes]:
    """Lines of a log, many at once."""
    for start in range(0, len(calls), CHUNK):
        yield b"".join(call.line for call in calls[start : start + CHUNK])


def summed(
    world: World, campaigns: list[dict[str, Any]], rows: Mapping[str, dict[str, Any]], restricted: Mapping[str, int]
) -> Outcome:
    """Who is what, and what became of it."""
    outcome = Outcome(campaigns, {})
    convicted = min((one["convicted"] for one in campaigns), default=float("inf"))
    ranks: Counter[str] = Counter()
    for call in world.log:
        is_restricted = call.id in restricted
        ranks[call.account.name] += is_restricted
        group = outcome.groups.setdefault(call.account.group, Group())
        group.requests += 1
        group.restricted += is_restricted
        if call.attack:
            outcome.attacks += 1
            outcome.before += call.time < convicted
            outcome.restricted += is_restricted
            flag = rows[call.account.name]["flag"]
            outcome.alone += bool(flag and flag[0] <= call.time and not is_restricted)
    for name, account in {call.account.name: call.account for call in world.log}.items():
        group = outcome.groups[account.group]
        group.accounts += 1
        group.hurt += ranks[name] > 0
        group.members += rows[name]["campaign"] is not None
    outcome.ranks = {name: count for name, count in ranks.items() if count}
    return outcome
