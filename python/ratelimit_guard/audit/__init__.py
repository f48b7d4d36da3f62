"""Audits: the detector over recorded traffic. The command line is `ratelimit-guard audit`.

from pathlib import Path
from ratelimit_guard.audit import audit, calibrate

baseline = calibrate([Path("last-week.jsonl.gz")])
result = audit([Path("yesterday.jsonl.gz")], baseline=baseline)
restricted = [account for account in result.accounts if account.level == "throttle"]
"""

from ratelimit_guard.audit.result import (
    AccountResult,
    AuditResult,
    Bin,
    Calibration,
    Campaign,
    Example,
    Match,
    Point,
    RestrictedRequest,
    Signal,
    Suspect,
)
from ratelimit_guard.audit.run import audit, calibrate
from ratelimit_guard.baseline import Baseline

__all__ = [
    "AccountResult",
    "AuditResult",
    "Baseline",
    "Bin",
    "Calibration",
    "Campaign",
    "Example",
    "Match",
    "Point",
    "RestrictedRequest",
    "Signal",
    "Suspect",
    "audit",
    "calibrate",
]
