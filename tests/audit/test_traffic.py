"""The audit over labelled logs of real prompts, where they are at hand: beside the project, and no part of it."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from ratelimit_guard.audit import audit, calibrate
from ratelimit_guard.audit.people import read_people

if TYPE_CHECKING:
    from ratelimit_guard.audit import AccountResult, AuditResult

LOGS = Path(__file__).parents[2].parent / "shared" / "traffic"
SINGLE = ("A0-naive", "A1-paced", "A2-rotated")
"""Attackers of one account each; the others are campaigns of many small ones."""


@dataclass(frozen=True)
class Labelled:
    """An audit, and the truth."""

    result: AuditResult
    labels: dict[str, dict[str, Any]]

    def of(self, label: str, *kinds: str) -> list[AccountResult]:
        """The accounts of a label, of some kinds or all."""
        return [
            account
            for account in self.result.accounts
            if self.labels[account.account]["label"] == label
            and (not kinds or self.labels[account.account]["kind"] in kinds)
        ]


def needed(name: str) -> Path:
    """A file of the labelled logs."""
    path = LOGS / name
    if not path.is_file():
        pytest.skip(f"labelled traffic is not at hand: no {name}")
    return path


@pytest.fixture(scope="module")
def single() -> Labelled:
    """The log of single attackers, with the history of the same provider."""
    history, traffic = needed("dev_history.traffic.jsonl.xz"), needed("dev_single.traffic.jsonl.xz")
    people, truth = needed("dev_single.accounts.jsonl.gz"), needed("dev_single.labels.jsonl.gz")
    with gzip.open(truth, "rt", encoding="utf-8") as file:
        labels = {label["account"]: label for label in map(json.loads, file)}
    known = read_people(people)
    result = audit([traffic], baseline=calibrate([history]), declared=known.uses, payers=known.payers)
    return Labelled(result, labels)


def test_whole_log_is_used(single: Labelled) -> None:
    """No line is passed over, and every account of the labels is there."""
    assert single.result.skipped == {}
    assert set(single.result.notes) <= {"not_judged"}
    assert {account.account for account in single.result.accounts} == set(single.labels)


def test_no_honest_account_is_restricted(single: Labelled) -> None:
    """Neither the small ones nor the heavy ones that are easily mistaken."""
    honest = single.of("benign")
    assert len(honest) > 1_000
    assert sum(single.labels[account.account]["heavy"] for account in honest) >= 15
    assert [account.account for account in honest if account.level == "throttle"] == []


def test_single_attackers_are_restricted(single: Labelled) -> None:
    """All eight, and half of them within 200 requests."""
    attackers = single.of("extraction", *SINGLE)
    assert len(attackers) == 8
    after = [account.flagged_after for account in attackers if account.flagged_after is not None]
    assert len(after) == 8
    assert median(after) <= 200


def test_declared_evaluation_is_observed_at_most(single: Labelled) -> None:
    """The operator was told."""
    declared = [account for account in single.result.accounts if account.declared]
    assert [account.declared for account in declared] == ["evaluation"]
    assert {account.level for account in declared} <= {"none", "observe"}


def test_extraction_scores_higher_than_honest_use(single: Labelled) -> None:
    """Of an honest account and one that extracts, drawn at random, the latter nearly always scores higher."""
    honest = sorted(account.score for account in single.of("benign"))
    extraction = [account.score for account in single.of("extraction")]
    wins = sum(bisect_left(honest, score) + bisect_right(honest, score) for score in extraction) / 2
    assert wins / (len(honest) * len(extraction)) >= 0.98
