"""What the demo plays: the quota, the workers, who sends how much, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 200
WINDOW_S = 5
QUOTA = f"{LIMIT} per {WINDOW_S} seconds"
WORKERS = 4
CONNECTIONS = 64  # enough that the kernel's hash gives every worker a fair share of them
TABLE_CAPACITY = 4_096
DEFAULT_SECONDS = 16
MAX_SECONDS = 45  # the whole demo, start and report included, stays under a minute


@dataclass(frozen=True)
class Tenant:
    """Somebody with an API key who sends `rate` requests per second."""

    name: str
    rate: float


HEAVY = (Tenant("heavy-a", 600.0), Tenant("heavy-b", 400.0))
SMALL = tuple(Tenant(f"small-{number:02}", 2.0) for number in range(1, 41))
TENANTS = HEAVY + SMALL
