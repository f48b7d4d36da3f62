"""What a look at a store found, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from redis.exceptions import NoPermissionError

from ratelimit_guard.stores.redis.line import TROUBLES
from ratelimit_guard.stores.redis.state import told

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Finding(NamedTuple):
    """`trouble` is wrong now or will be; a `note` is good to know."""

    level: Literal["trouble", "note"]
    what: str
    mend: str


class Node(NamedTuple):
    """A server as it describes itself. Times are ms, of the clock s against this host's; None: it did not say."""

    name: str
    kind: str
    version: str
    role: str
    used_bytes: int
    max_bytes: int
    eviction: str
    evicted: int
    disk: str
    ping_ms: tuple[float, float] | None
    clock_s: float | None
    knows_script: bool | None


class Usage(NamedTuple):
    """Keys of one kind in one namespace; the size of one is the mean of a sample."""

    namespace: str
    kind: str
    keys: int
    bytes_each: int | None


class Entry(NamedTuple):
    """A policy in the register: the quota that holds at the server, and since when (s of the epoch)."""

    namespace: str
    policy: str
    algorithm: str
    limit: int
    window_s: float
    burst: int
    since: float

    @property
    def quota(self) -> str:
        """Units in seconds."""
        burst = f", burst {self.burst:,}" if self.burst != self.limit else ""
        return f"{self.limit:,} in {self.window_s:g} s{burst}"


@dataclass
class Report:
    """All that was seen."""

    store: str
    nodes: list[Node] = field(default_factory=list[Node])
    decision_ms: tuple[float, float] | None = None
    usage: list[Usage] = field(default_factory=list[Usage])
    policies: list[Entry] = field(default_factory=list[Entry])
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def is_fine(self) -> bool:
        """Is nothing wrong?"""
        return all(finding.level == "note" for finding in self.findings)

    def trouble(self, what: str, mend: str) -> None:
        """Something is wrong."""
        self.findings.append(Finding("trouble", what, mend))

    def note(self, what: str, mend: str) -> None:
        """Something is good to know. Once."""
        finding = Finding("note", what, mend)
        if finding not in self.findings:
            self.findings.append(finding)

    def tried(self, command: str, ask: Callable[[], T]) -> T | None:
        """The answer; None, and a finding, when there is none."""
        try:
            return ask()
        except NoPermissionError:
            self.forbidden(command)
        except TROUBLES as error:
            self.trouble(f"{command}: {told(error)}", "look at the server's log")
        return None

    def forbidden(self, command: str) -> None:
        """The user may not run what only this look needs."""
        self.note(f"not looked at: the user may not run {command}", f"allow +{command} to whoever runs the doctor")
