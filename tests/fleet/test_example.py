"""examples/fleet.py: two hosts behind one server count together, and each for itself while it is away."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from guard.servers import ROOT, get, hammer, serving
from servers.server import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.server import Server

LIMIT = 100
PATHS = f"{ROOT}:{ROOT / 'tests'}:{os.environ.get('PYTHONPATH', '')}"


@contextlib.contextmanager
def host(place: Path, url: str) -> Iterator[int]:
    """The port of a host with two workers, which have patience: a busy machine must not count for the server."""
    place.mkdir()
    tiers = place / "limits.toml"
    tiers.write_text((ROOT / "examples" / "fleet.toml").read_text().replace("budget_ms = 25", "budget_ms = 5_000"))
    environment = {"REDIS_URL": url, "RATELIMIT_GUARD_LIMITS": str(tiers), "HOST_SHM": str(place), "PYTHONPATH": PATHS}
    with serving("uvicorn", "fleet.example_host:app", place / "log", workers=2, **environment) as port:
        yield port
    assert "Traceback" not in (place / "log").read_text()


def admitted(port: int, requests: int) -> int:
    statuses = hammer(port, "/answer", requests)
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


def test_two_hosts_share_a_limit_and_go_on_without_their_server(redis_server: Server, tmp_path: Path) -> None:
    """Together they admit exactly the limit; without the server one further limit at most, each."""
    with host(tmp_path / "one", redis_server.url) as one, host(tmp_path / "two", redis_server.url) as two:
        assert admitted(one, 60) == 60
        assert admitted(two, 60) == LIMIT - 60
        assert admitted(one, 20) == 0
        _, fields, _ = get(two, "/answer")
        assert int(fields["retry-after"]) > 30
        redis_server.kill()
        for port in (one, two):  # what was refused before is remembered for a second
            wait_until(lambda port=port: admitted(port, 1) == 1, what="the failure policy")  # type: ignore[misc]
            assert 0 < admitted(port, LIMIT + 20) < LIMIT
