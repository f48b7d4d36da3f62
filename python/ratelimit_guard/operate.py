"""What operators ask of a running detector: what it found, and to let somebody go."""

from __future__ import annotations

import getpass
import json
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard._core import live as _live
from ratelimit_guard.audit.saved import saved_result
from ratelimit_guard.config_file import load
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.live import open_live, own_file, places, trusted_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard.audit.result import AuditResult
    from ratelimit_guard.baseline import Baseline
    from ratelimit_guard.config import Config
    from ratelimit_guard.operate_fleet import FleetDesk

CAMPAIGN = re.compile(r"C([1-9][0-9]{0,8})")
ANSWER_WITHIN_S = 3.0
"""How long a command waits for the elected process, which looks every few milliseconds."""
LOOK_EVERY_S = 0.02
SUGGESTED = 5
"""Accounts that are named when somebody leaves out half of a name."""
RELEASES_SUFFIX = ".releases.jsonl"


class Meaning(NamedTuple):
    """What a reference stands for: a request of `account` (None: no longer remembered) at about `time`, restricted
    because of `campaign` or, without one, of the account's own evidence.
    """

    account: str | None
    campaign: str | None
    time: float


class Desk:
    """A running detector, by the tier file of its workers. `ConfigError` or `StoreError` where there is none."""

    def __init__(self, file: Path) -> None:
        """Find its shared memory."""
        self.config: Config = load(file)
        section = self.config.detector
        if section is None or self.config.store.kind == "memory":
            why = (
                "there is no section [detector]"
                if section is None
                else "store.kind is memory, which no command reaches"
            )
            msg = f"{file}: {why}"
            raise ConfigError(msg)
        trusted = trusted_baseline(section)
        self._fleet = _fleet(self.config, trusted)
        secret = self._fleet.secret if self._fleet else trusted.secret if trusted else None
        self.area, self.state = places(self.config, secret)
        if not self.area.exists():
            msg = (
                f"{self.area}: no worker has made it: start the app, run this as the same user, "
                f"and see whether namespace and store of {file} are the app's"
            )
            raise StoreError(msg)
        self._section = section
        self.is_running = False
        """Did an elected process answer when it was asked last?"""
        self.kept_ago: float | None = None
        """Seconds since another host kept what was asked for last; None: this one judges."""
        self._live = open_live(section, trusted, self.area, self.state, secret)

    @property
    def is_judged_elsewhere(self) -> bool:
        """Does this host obey another one of its fleet?"""
        return self._fleet is not None and bool(self._live.stats()["learned"])

    @property
    def remark(self) -> str:
        """What one must know of the findings; empty for nothing."""
        if self.kept_ago is not None:
            return f"Another host judges: this is what it had found {self.kept_ago:.0f} s ago."
        return "" if self.is_running else "No worker answers: this is what was saved last."

    @property
    def fleet(self) -> str:
        """A line about the fleet; empty without one."""
        return self._fleet.line(self._live) if self._fleet else ""

    def stats(self) -> dict[str, object]:
        """Counts of the running detector: see `LiveDetector.stats`."""
        return self._live.stats()

    def findings(self) -> AuditResult:
        """What was found until now; or until it was saved last, when no worker is there to say it or another host of
        the fleet judges. The `remark` says so.
        """
        self.is_running = self._is_saved(self._live.save())
        if self._fleet is not None and self.is_judged_elsewhere:
            found, self.kept_ago = self._fleet.findings()
        else:
            found, self.kept_ago = self._found(), None
        uses = {tenant.id: tenant.use for tenant in self.config.tenants if tenant.use}
        return saved_result(found, source=str(self.area), alpha=self._section.alpha, mode=self._section.mode, uses=uses)

    def release(self, name: str, why: str, *, known: bool = True) -> bool:
        """Let an account or a campaign go, and write down why. True once all workers obey, or the host is told that
        judges; False: as soon as one runs.

        What the account did so far no longer counts, and from now on it is observed at most. What belongs to the
        campaign says nothing about anybody any longer. `ConfigError` for a name that the detector has not seen, unless
        it need not be `known`.
        """
        if not why.strip():
            msg = "say why: whoever looks later has nothing else"
            raise ConfigError(msg)
        if known:
            self._check_name(name)
        campaign = CAMPAIGN.fullmatch(name)
        self._note({"time": time.time(), "by": _user(), "release": name, "why": why})
        told = self._live.release_campaign(int(campaign[1])) if campaign else self._live.release_account(name)
        if told is None:
            msg = "the detector is busy: try again in a second"
            raise StoreError(msg)
        return self._is_saved(told)

    def meaning(self, reference: str, result: AuditResult) -> Meaning | None:
        """What a reference stands for; None when it is none of this detector."""
        found = self._live.dereference(reference)
        if found is None:
            return None
        number, campaign, moment = found
        accounts = (one.account for one in result.accounts if self._live.account_number(one.account) == number)
        account = next(accounts, None)
        if account is None and not any(one.name == f"C{campaign}" for one in result.campaigns):
            return None
        return Meaning(account, f"C{campaign}" if campaign else None, moment)

    @property
    def releases(self) -> Path:
        """Where releases are written down: a line of JSON for each."""
        return self.state.with_name(self.area.name + RELEASES_SUFFIX)

    def _found(self) -> _live.Findings:
        if not self.state.exists():
            msg = "nothing was observed yet: no answered request on a route with body = true"
            raise StoreError(msg)
        return _live.Findings(str(self.state))

    def _check_name(self, name: str) -> None:
        result = self.findings()
        if any(one.name == name for one in result.campaigns) or any(one.account == name for one in result.accounts):
            return
        if is_reference(name):
            found = self.meaning(name, result)
            what = " or ".join(filter(None, (found.account, found.campaign))) if found else ""
            hint = f"release {what}" if what else "it is none of this detector"
            msg = f"{name} is a reference: {hint}"
            raise ConfigError(msg)
        near = [one.account for one in result.accounts if name in one.account.split("/")][:SUGGESTED]
        hint = f": did you mean {', '.join(near)}?" if near else ""
        msg = f"the detector has seen no account and no campaign {name!r:.100}{hint} (--force releases it all the same)"
        raise ConfigError(msg)

    def _note(self, release: dict[str, object]) -> None:
        try:
            with open(self.releases, "a", encoding="utf-8", opener=own_file) as file:
                file.write(json.dumps(release) + "\n")
        except OSError as error:
            msg = f"{self.releases}: {error.strerror}: nothing is released that is not written down"
            raise StoreError(msg) from error

    def _is_saved(self, position: int | None) -> bool:
        """Wait until the elected process has folded and saved what was told up to there, as it does at once."""
        end = time.monotonic() + ANSWER_WITHIN_S
        while position is not None and time.monotonic() < end:
            if int(str(self._live.stats()["saved_up_to"])) >= position:
                return True
            time.sleep(LOOK_EVERY_S)
        return False


def is_reference(name: str) -> bool:
    """Does it look like what a refused caller quotes?"""
    return name.strip().upper().startswith("RG-")


def _fleet(config: Config, trusted: Baseline | None) -> FleetDesk | None:
    """The server's side, if there is one. Who has a baseline without a secret works alone."""
    if config.store.kind != "redis" or (trusted is not None and trusted.secret is None):
        return None
    from ratelimit_guard.operate_fleet import FleetDesk  # noqa: PLC0415  needs redis, which is optional

    return FleetDesk(config, trusted.secret if trusted else None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without names
        return "unknown"
