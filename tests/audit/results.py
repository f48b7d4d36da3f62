"""Results of audits, made up: one signal, one account, a day with every level, a log of any size."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from ratelimit_guard.audit.result import AccountResult, AuditResult, Calibration, Example, Point, Signal, Suspect

if TYPE_CHECKING:
    from ratelimit_guard.audit.result import Level, Mode

START = 1_795_132_800.0
"""2026-11-20 00:00:00 UTC."""
DAY = 86_400.0
THRESHOLD = 8.0
HOSTILE = [
    "<script>alert(1)</script>",
    "</script></style></title><img src=x onerror=alert(1)>",
    "\"'><b onclick='x'>&lt;",
    "\u202eeman\u2066\u200b",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x1b[2J\ud83d\n",
    "w" * 100_000,
    "",
]
"""Names that somebody would give an account to be shown in a report."""


def signal(name: str = "recombination", **more: Any) -> Signal:
    """A signal that convicts, unless told otherwise."""
    one = Signal(name, events=41, counted=147, evidence=9.3, threshold=THRESHOLD, honest_rate=0.02)
    return one._replace(**more)


def signals(recombination: float = 0.0, mosaic: int = 0, counted: int = 147) -> tuple[Signal, ...]:
    """All five signals of an account, given the evidence of one and the events of another."""
    events = round(counted * min(0.9, recombination / 40))
    return (
        signal(events=events, counted=counted, evidence=recombination),
        signal("template-rotation", events=0, counted=counted, evidence=0.0, honest_rate=0.05),
        signal("corpus-walk", events=counted // 9, counted=counted, evidence=0.4, threshold=27.5, honest_rate=0.5),
        signal("mosaic", events=mosaic, counted=counted, evidence=1.5, threshold=None, honest_rate=0.1),
        signal("novelty", events=counted // 2, counted=counted, evidence=0.2, threshold=None, honest_rate=0.8),
    )


def account(name: str = "alice", level: Level = "none", **more: Any) -> AccountResult:
    """An account of 147 requests in three hours; a restricted one was flagged after 41 of them."""
    score = {"none": 0.05, "observe": 0.71, "throttle": 1.1625}[level]
    one = AccountResult(
        account=name,
        tenant="acme",
        declared=None,
        suspect=False,
        requests=147,
        answered=147,
        counted=147,
        output_tokens=50_000,
        first=START + 36_000,
        last=START + 46_800,
        level=level,
        score=score,
        flagged_at=START + 39_012 if level == "throttle" else None,
        flagged_request="req-41" if level == "throttle" else None,
        flagged_after=41 if level == "throttle" else None,
        signals=signals(recombination=score * THRESHOLD, mosaic=40 if level == "observe" else 0),
    )
    return replace(one, **more)


def timeline(account: AccountResult, steps: int = 60) -> tuple[Point, ...]:
    """A score that rises evenly to what it became; that of a restricted account passes 1 where it was flagged."""
    flagged = account.flagged_after
    spent = account.last - account.first

    def score(requests: int) -> float:
        if flagged is None or requests >= account.requests:
            return account.score * requests / account.requests
        if requests < flagged:
            return 0.99 * requests / flagged
        return 1 + (account.score - 1) * (requests - flagged) / max(1, account.requests - flagged)

    made = sorted({round(step * account.requests / steps) for step in range(1, steps + 1)} | {flagged or 1})
    return tuple(Point(account.first + spent * at / account.requests, at, score(at)) for at in made)


def result(*accounts: AccountResult, **more: Any) -> AuditResult:
    """An audit of one file with these accounts."""
    records = sum(one.requests for one in accounts)
    one = AuditResult(
        files=("gateway.jsonl",),
        alpha=0.003,
        mode="enforce",
        thresholds={"recombination": THRESHOLD, "template-rotation": THRESHOLD, "corpus-walk": 27.5},
        lines=records,
        records=records,
        first=START if accounts else None,
        last=START + DAY - 1 if accounts else None,
        accounts=accounts,
        calibration=calibration(),
    )
    return replace(one, **more)


def calibration(**more: Any) -> Calibration:
    """A history of a thousand accounts with one suspect."""
    one = Calibration(
        accounts=1_338,
        requests=412_006,
        first=1_779_600_000.0,
        last=1_780_200_000.0,
        restricted=2,
        interval=(0.00018, 0.0054),
        guard={"recombination": 3.1, "corpus-walk": 27.49},
        suspects=(Suspect("night-crawler", "corpus-walk", 61.2),),
        gaps=("no account of tenant class agency",),
    )
    return replace(one, **more)


def many(number: int, seed: int = 1) -> tuple[AccountResult, ...]:
    """Accounts as a day has them: requests over four decades, one in a hundred flagged."""
    random = Random(seed)  # noqa: S311  made-up numbers
    accounts = []
    for index in range(number):
        level: Level = "throttle" if index % 200 == 7 else "observe" if index % 90 == 3 else "none"
        low, high = {"none": (0.0, 0.6), "observe": (0.4, 0.99), "throttle": (1.0, 5.5)}[level]
        score, requests = random.uniform(low, high), round(10 ** random.uniform(0.3, 4.6)) + 2
        if level == "throttle":
            requests = random.randint(40, 900)
        found = account(
            f"key-{index:05d}",
            level,
            tenant=f"tenant-{index % 47}",
            score=score,
            requests=requests,
            answered=requests,
            counted=requests,
            output_tokens=requests * 310,
            flagged_after=min(41, requests) if level == "throttle" else None,
            signals=signals(score * THRESHOLD, requests // 3 if level == "observe" else 0, requests),
        )
        if level != "none":
            examples = tuple(Example(found.first + at, f"req-{index}-{at}", "recombination") for at in range(20))
            found = replace(found, timeline=timeline(found, 400), examples=examples)
        accounts.append(found)
    return tuple(accounts)


def named(names: list[str], mode: Mode = "enforce") -> AuditResult:
    """An audit in which every text that a log can bring is one of these names."""
    levels: tuple[Level, ...] = ("throttle", "observe", "none")
    accounts = [
        replace(
            account(f"{name}{level}", level, tenant=name, declared=name, timeline=timeline(account(level=level))),
            flagged_request=name if level == "throttle" else None,
            signals=(signal(f"x{name}", evidence=90.0), signal(f"y{name}", threshold=None, honest_rate=0.9)),
            examples=(Example(START, name, name),),
        )
        for name in names
        for level in levels
    ]
    history = calibration(suspects=tuple(Suspect(name, name, 99.0) for name in names), gaps=tuple(names))
    return result(
        *accounts,
        files=tuple(names),
        mode=mode,
        calibration=history,
        thresholds=dict.fromkeys(names, 8.0),
        skipped={text: (1, text) for text in names},
        notes=dict.fromkeys(names, 1),
    )
