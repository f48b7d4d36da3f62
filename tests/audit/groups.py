"""Campaigns, made up: one of any kind, and a day on which it came; and an engine that says what it was told to say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from audit.results import DAY, START, account, result
from ratelimit_guard.audit.result import Bin, Campaign, Match

if TYPE_CHECKING:
    import pytest

    from ratelimit_guard.audit.result import AccountResult, AuditResult


def campaign(name: str = "C1", **more: Any) -> Campaign:
    """A campaign of 134 accounts that lasts a day and is convicted after three hours."""
    one = Campaign(
        name=name,
        kind="rotation",
        first=START,
        last=START + DAY,
        convicted=START + 10_800,
        accounts=134,
        tenants=120,
        payers=80,
        addresses=37,
        pieces=212,
        matches=4_200,
        events=4_074,
        evidence=31.25,
        restricted=3_900,
        capabilities={"code": 2_604, "maths": 1_260, "tools": 0, "instructions": 36, "writing": 100, "other": 200},
        timeline=tuple(Bin(START + at * DAY / 64, 65, 0 if at < 8 else 62) for at in range(64)),
        examples=tuple(Match(START + at, f"req-{at}", f"member-{at}") for at in range(6)),
    )
    return replace(one, **more)


def member(number: int = 0, name: str | None = None, **more: Any) -> AccountResult:
    """An account of C1: it came at some hour, and the fewer requests matched the higher its number."""
    values: dict[str, Any] = {
        "tenant": f"tenant-{number}",
        "first": START + 60 * number,
        "last": START + DAY - 30 * number,
        "campaign": "C1",
        "matched": 400 - number,
        "rotations": 390 - number,
        "restricted": max(350 - number, 0),
        "requests": 500,
    }
    return account(f"member-{number}" if name is None else name, **values | more)


def day(members: int = 12, *others: AccountResult, **more: Any) -> AuditResult:
    """An audit that found one campaign of so many members."""
    found = [member(number) for number in range(members)]
    names = tuple(one.account for one in found)
    return result(*found, *others, campaigns=(campaign(accounts=members, members=names, **more),))


class Engine:
    """In the place of the compiled auditor: reads nothing, and says of each chunk what it was told to say."""

    made: list[Engine]

    def __init__(self, *arguments: Any) -> None:
        self.secret: bytes = arguments[2]
        self.given: bytes | None = arguments[6]
        self.payers: list[tuple[str, str]] = []
        self.declared: list[str] = []
        self.fed = self.chunks = 0
        self.pending: list[tuple[str, str, float, int]] = []
        self.most = 0
        type(self).made.append(self)

    def relate(self, name: str, payer: str) -> None:
        assert not self.fed
        self.payers.append((name, payer))

    def declare(self, name: str) -> None:
        self.declared.append(name)

    def suspect(self, name: str) -> None:
        self.declared.append(name)

    def feed(self, chunk: bytes) -> None:
        self.fed += len(chunk)
        self.chunks += 1
        self.pending += [(f"req-{self.fed}-{at}", "a", START + at, 2) for at in range(3)]
        self.most = max(self.most, len(self.pending))

    def end_file(self) -> None:
        self.pending.append((f"last of {self.fed}", "b", START, 1))

    def restricted(self) -> list[tuple[str, str, float, int]]:
        drained, self.pending = self.pending, []
        return drained

    def known(self) -> bytes:
        return b"keys of %d bytes" % self.fed

    def campaigns(self) -> list[dict[str, Any]]:
        names = ("kind", "first", "last", "convicted", "accounts", "tenants", "payers", "addresses", "pieces")
        more = ("matches", "events", "evidence", "restricted", "capabilities", "timeline", "examples")
        rows: list[dict[str, Any]] = [{name: getattr(campaign(), name) for name in (*names, *more)} for _ in range(2)]
        for number, row in enumerate(rows, 1):
            row |= {"id": number, "timeline": [tuple(one) for one in row["timeline"]]}
            row["examples"] = [tuple(one) for one in row["examples"]]
        return rows

    def accounts(self, start: int, end: int) -> list[dict[str, Any]]:
        names = ("tenant", "requests", "answered", "counted", "output_tokens", "first", "last", "level", "score")
        row = {name: getattr(account(), name) for name in names}
        row |= {"flag": None, "signals": (), "timeline": (), "examples": ()}
        counts = [("a", 2, 5), ("b", 1, 3), ("c", None, 0), ("d", 2, 9), ("e", 1, 3)]
        rows = [
            row | {"account": name, "campaign": number, "matched": matched, "restricted": 1, "rotations": matched // 2}
            for name, number, matched in counts
        ]
        return rows[start:end]

    def __len__(self) -> int:
        return 5

    @property
    def thresholds(self) -> dict[str, float]:
        return dict.fromkeys(("recombination", "template-rotation", "corpus-walk", "mosaic", "novelty"), 8.0)

    @property
    def totals(self) -> dict[str, Any]:
        counts = dict.fromkeys(("repeated", "out_of_order", "jumps", "no_prompt", "not_judged", "unlisted"), 0)
        more: dict[str, Any] = {"skipped": {}, "forgotten": {}, "span": (START, START + DAY), "lines": 9, "records": 9}
        return counts | more


def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Put `Engine` where the compiled auditor is; those that were made."""
    from ratelimit_guard._core import audit as _audit

    Engine.made = []
    monkeypatch.setattr(_audit, "Auditor", Engine)
    return Engine.made
