"""A host with a guard: `guarded.py FOLDER`. Its tier file is the folder's, its shared memory lies below. It obeys.

`play START END STEP`: such requests of the small campaign; `see`: what it knows; `reference`: the last that a caller
got; anything else is a command's words.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from fleet.hosts import judging, said, small
from fleet.processes import obey
from guard.helpers import call, http_scope, plain, status
from live.helpers import headers, lookup
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.cli import app
from ratelimit_guard.stores import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.traffic import Call
    from ratelimit_guard.events import DecisionEvent
    from ratelimit_guard.live import LiveDetector


class GuardedHost:
    """An app behind the middleware, and what came of its requests."""

    def __init__(self, folder: Path) -> None:
        self.file, self.log, self.now = folder / "limits.toml", small(), 0.0
        self.counts, self.reference = Counter[str](), ""
        self.guard = Guard.from_file(
            self.file, lookup=lookup, hooks=[self.heard], unix_time=lambda: self.now, reload_every=None
        )
        self.app = RateLimitMiddleware(plain, self.guard)
        self.loop = asyncio.Runner()
        self.detector._start()

    @property
    def detector(self) -> LiveDetector:
        assert self.guard.live is not None
        return self.guard.live

    def heard(self, event: DecisionEvent) -> None:
        """Count who pays from a campaign's budget, and who finds it empty; and the last reference."""
        restriction = event.decision.restriction
        if restriction is not None and restriction.campaign is not None:
            self.counts[f"{restriction.campaign} {'paid' if event.decision.allowed else 'refused'}"] += 1
            self.reference = restriction.reference

    async def sends(self, one: Call) -> None:
        self.now = one.time
        scope = http_scope(method="POST", headers=headers(one.account.tenant, one.account.name))
        body = {"type": "http.request", "body": said(one.line)[0], "more_body": False}
        is_served = status(await call(self.app, scope, [body])) == 200
        self.counts["told"] += is_served
        self.counts["attacks"] += one.attack
        self.counts["served"] += one.attack and is_served

    async def play(self, start: int, end: int, step: int) -> None:
        for one in self.log[start:end:step]:
            await self.sends(one)

    def see(self) -> dict[str, Any]:
        fleet, stats = self.detector.fleet, self.detector.stats()
        assert fleet is not None
        term = judging(fleet)
        known = {name: stats[name] for name in ("waiting_bytes", "folded", "rungs", "saved_up_to")}
        place = self.detector._live.read_up_to
        return {
            **known,
            "read_up_to": place,
            "role": fleet.role,
            "judging": term and (term.place, term._folded),
            "version": fleet._version,
        }

    def act(self, words: Sequence[str]) -> object:
        if words[0] == "play":
            self.loop.run(self.play(*map(int, words[1:])))
            return self.counts
        if words[0] == "see":
            return self.see()
        if words[0] == "reference":
            return self.reference
        done = CliRunner().invoke(app, [*words, "--config", str(self.file)], env={"COLUMNS": "160"})
        return done.exit_code, done.output


def main(folder: str) -> None:
    shared.SHM_ROOT = Path(folder)
    obey(GuardedHost(Path(folder)).act)


if __name__ == "__main__":
    main(*sys.argv[1:])
