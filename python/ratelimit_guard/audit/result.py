"""What an audit found, as plain values: verdict lines, `explain` and the report are made of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["none", "observe", "throttle"]
Mode: TypeAlias = Literal["enforce", "shadow"]
Kind: TypeAlias = Literal["rotation", "provenance"]


class Signal(NamedTuple):
    """One trait of an account, as far as the log goes.

    `events` of `counted` requests showed it. `evidence` is the highest that the running proof against honest use ever
    stood, in nats (e to its power to one); from `threshold` on the account is restricted. A signal without a
    threshold observes only. `honest_rate` is the share of requests up to which an honest account may show it.
    """

    name: str
    events: int
    counted: int
    evidence: float
    threshold: float | None
    honest_rate: float


class Point(NamedTuple):
    """How an account stood: `score` is the highest evidence so far over its threshold, 1 and above is restricted."""

    time: float
    requests: int
    score: float


class Example(NamedTuple):
    """A request that showed a signal."""

    time: float
    request: str
    signal: str


@dataclass(frozen=True, slots=True)
class AccountResult:
    """An account of the log. Times are seconds since the epoch; `flagged_*` are None unless it was restricted.

    `requests` are all records of the account, `answered` those with an answer, `counted` those that the detector
    judged: answered, and a prompt in them. `suspect`: one of the history, observed at most until the operator
    decides about it. `flagged_after` and the points of `timeline` count all records.

    `campaign` names the campaign that the account is a member of. `matched` requests hold texts that unrelated tenants
    share, `rotations` of them in a combination that the account had not used before; `restricted` requests would have
    been restricted because of a campaign, and may be some of an account that is no member.
    """

    account: str
    tenant: str
    declared: str | None
    suspect: bool
    requests: int
    answered: int
    counted: int
    output_tokens: int
    first: float
    last: float
    level: Level
    score: float
    flagged_at: float | None
    flagged_request: str | None
    flagged_after: int | None
    signals: tuple[Signal, ...]
    timeline: tuple[Point, ...] = ()
    examples: tuple[Example, ...] = ()
    campaign: str | None = None
    matched: int = 0
    restricted: int = 0
    rotations: int = 0


class RestrictedRequest(NamedTuple):
    """A request that would have been restricted because of a campaign."""

    request: str
    account: str
    time: float
    campaign: str


class Bin(NamedTuple):
    """Matching and restricted requests of a campaign from `time` on."""

    time: float
    matches: int
    restricted: int


class Match(NamedTuple):
    """A request that holds what a campaign shares."""

    time: float
    request: str
    account: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """Accounts that act as one, called C1, C2 and so on in the order of their conviction.

    Of the kind `rotation` they put their prompts together from common pieces, of the kind `provenance` they continue
    conversations whose answers were given to another account. `first` and `last` are times of matching requests.
    `addresses` are different networks of their callers (/24 or /48), at most 1,024 counted. `pieces` are texts that
    belong to the campaign, or links between its accounts. `released`: the
    operator of a live detector said that it is none. `matches` requests hold them, `events` of these show what
    convicts; `capabilities` counts them by what they ask for. `timeline` has at most 64 bins of equal width, of which
    some without a match may be left out. `members` are accounts, those with the most matches first.
    """

    name: str
    kind: Kind
    first: float
    last: float
    convicted: float
    accounts: int
    tenants: int
    payers: int
    addresses: int
    pieces: int
    matches: int
    events: int
    evidence: float
    restricted: int
    capabilities: dict[str, int]
    released: bool = False
    timeline: tuple[Bin, ...] = ()
    examples: tuple[Match, ...] = ()
    members: tuple[str, ...] = ()


class Suspect(NamedTuple):
    """An account of the history whose evidence was too strong to calibrate with."""

    account: str
    signal: str
    evidence: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the history says about honest accounts, from its first to its last record.

    `restricted` of `accounts` accounts of the history would have been restricted; `interval` is the 95 % confidence
    interval of that rate (Clopper and Pearson, 1934). `guard` is the highest evidence of each signal that an account
    of the history reached, the suspects left out.
    """

    accounts: int
    requests: int
    first: float | None
    last: float | None
    restricted: int
    interval: tuple[float, float]
    guard: dict[str, float]
    suspects: tuple[Suspect, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditResult:
    """One run over a log.

    `mode` is shadow when nothing was known about honest use before: then thresholds are wide and levels say what would
    have happened. `skipped` counts lines that could not be used, by reason, with the place of the first such line;
    `notes` counts what was odd and used all the same (records out of order, repeated lines, forgotten profiles).
    `is_live`: it is no log, but what a running detector found.
    """

    files: tuple[str, ...]
    alpha: float
    mode: Mode
    thresholds: dict[str, float]
    lines: int
    records: int
    first: float | None
    last: float | None
    accounts: tuple[AccountResult, ...]
    campaigns: tuple[Campaign, ...] = ()
    calibration: Calibration | None = None
    skipped: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    notes: dict[str, int] = field(default_factory=dict[str, int])
    is_live: bool = False
