"""What the audit makes of simulated logs: it reads all, finds the campaign, and leaves the honest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ratelimit_guard.audit import audit, calibrate
from ratelimit_guard.simulate import SCENARIOS, Call, Scenario, accounts, generate, write_log

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard.audit import RestrictedRequest

SMALL = SCENARIOS["small"]


def logged(path: Path, scenario: Scenario, seed: int) -> list[Call]:
    """The calls, and a log of them."""
    calls: list[Call] = []
    with path.open("wb") as file:
        write_log(generate(scenario, seed), file, calls.append)
    return calls


def test_audit_reads_every_line(tmp_path: Path) -> None:
    """No line is passed over, all are judged, and tenants and times are those of the calls."""
    log = tmp_path / "log.jsonl"
    calls = logged(log, SMALL, 1)
    result = audit([log])
    assert result.records == len(calls)
    assert not result.skipped
    assert sum(one.counted for one in result.accounts) == len(calls)
    assert {(one.account, one.tenant) for one in result.accounts} == {(one.account, one.tenant) for one in calls}
    assert result.first == calls[0].time


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("history", [True, False])
def test_campaign_is_found_and_nobody_else(tmp_path: Path, seed: int, *, history: bool) -> None:
    """Every member is convicted and few of its requests are served; no honest account has a restricted request."""
    log, before = tmp_path / "log.jsonl", tmp_path / "before.jsonl"
    calls = logged(log, SMALL, seed)
    baseline = None
    if history:
        logged(before, SMALL.before(), seed)
        baseline = calibrate([before])
    paid: list[RestrictedRequest] = []
    result = audit([log], baseline=baseline, restricted=paid.append)
    members = {one.name for one in accounts(SMALL, seed) if one.kind.startswith("campaign")}
    assert {one.account for one in paid} == members
    assert {one.account for one in result.accounts if one.level == "throttle"} == members
    served = 1 - len(paid) / sum(call.attack for call in calls)
    assert served < (0.1 if history else 0.2)
