"""The proxy with the tier file that ships, callers of it whose limits are small, and what its counters say."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from typing import TYPE_CHECKING

from guard.servers import ROOT
from proxy.helpers import PATIENCE_S, proxying
from ratelimit_guard import Policy, SharedStore
from ratelimit_guard.config_file import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from proxy.helpers import Control

CAPACITY = 10_000
KEYS = 200
"""Credentials of each tier: every test takes one that nobody else has used."""
SLICE = 256
SHIPPED = ["requests", "tokens", "at-once", "fleet"]
QUOTAS = {
    "wide": "",
    "moment": "1/2 seconds",
    "hour": "1/hour",
    "second": "300 tokens/second",
    "short": "300 tokens/hour",
    "single": "1 concurrent-requests; lease=30s",
    "crowd": "300 tokens/hour",
    "ample": "1_000_000_000 tokens/hour",
    "lone": "100_000 tokens/hour",
}
"""Tiers, and the policy that each has besides the shipped ones."""
ALONE = {"ample", "lone"}
"""These have a slot and their own tokens only, so that they can use up what is nobody else's."""
PAUSE_S = 0.002


class Metered:
    """A proxy, and its counters."""

    def __init__(self, http: httpx2.Client, tiers: Path) -> None:
        self.http = http
        self.url = str(http.base_url).rstrip("/")
        self._config = load(tiers)
        self._store = SharedStore(tiers.with_name("table"), capacity=CAPACITY)

    def used(self, key: str, policy: str) -> int:
        """Of the limit, as far as that: a counter does not show its debts."""
        section = self._config.policies[policy]
        bound = self._store.bind(self._config.namespace, [Policy(policy, section.quota)])
        counter = "global:" if section.per == "global" else f"account:{key}/only"
        return section.quota.limit - bound.peek(counter, 0).remaining

    def settled(self, key: str, policy: str = "tokens") -> int:
        """The same, once no call of that caller is in flight. The caller's end of an answer comes before ours."""
        deadline = time.monotonic() + PATIENCE_S
        while self.used(key, "at-once"):
            assert time.monotonic() < deadline, "a slot is still taken"
            time.sleep(PAUSE_S)
        return self.used(key, policy)


@contextlib.contextmanager
def metering(place: Path, upstream: Control, **tokens: str | int) -> Iterator[Metered]:
    """With these changes in section `[tokens]`."""
    tiers, log = place / "limits.toml", place / "log"
    tiers.write_text(shipped(place / "table", **tokens))
    with proxying(log, tiers, upstream) as http:
        yield Metered(http, tiers)
    assert "Traceback" not in log.read_text()


def shipped(table: Path, **tokens: str | int) -> str:
    """examples/llm_proxy.toml with callers."""
    text = (ROOT / "examples" / "llm_proxy.toml").read_text()
    changes = {"version": f'1\nstore = {{ path = "{table}", capacity = {CAPACITY} }}'}
    for name, value in (changes | {name: json.dumps(value) for name, value in tokens.items()}).items():
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    return "\n".join([text, *(part for tier, quota in QUOTAS.items() for part in callers(tier, quota))])


def callers(tier: str, quota: str) -> Iterator[str]:
    policies = [*(["at-once"] if tier in ALONE else SHIPPED), *([tier] if quota else [])]
    if quota:
        yield f'[policies.{tier}]\nquota = "{quota}"' + ('\nper = "global"' if tier == "crowd" else "")
    yield f"[tiers.{tier}]\npolicies = {json.dumps(policies)}"
    for number in range(KEYS):
        name = credential(tier, number)
        yield f'[[tenants]]\nid = "{name}"\ntier = "{tier}"'
        digest = hashlib.sha256(name.encode()).hexdigest()
        yield f'[[identity.keys]]\nsha256 = "{digest}"\ntenant = "{name}"\naccount = "only"'


def credential(tier: str, number: int) -> str:
    return f"sk-{tier}-{number}"
