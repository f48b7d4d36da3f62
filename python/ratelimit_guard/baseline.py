"""What honest accounts did: learned from a history, kept as a small JSON file.

It holds no text of prompts, but names: of the accounts with the most evidence of what restricts. And it holds the
secret of the hashes of texts that its accounts share: whoever calls the model must not read it.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import detector as _detector
from ratelimit_guard.detector import CONVICTING, SIGNALS
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

VERSION = 2
"""Files of version 1 know nothing of what accounts share, and can be read all the same."""

MAX_KEPT = 256
"""Accounts kept for each signal: those with the most evidence."""

SUSPECT = _detector.SUSPECT
"""An account with this many times the evidence that alpha asks for is a suspect, and calibrates nothing: else a single
extraction account in the history would switch a signal off."""

MAX_BYTES = 1 << 24
"""Of a file: a million keys of 8 bytes are 11 MB in base64, the names of accounts 3 MB at most."""

SECRET_BYTES = range(16, 65)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The highest evidence of each signal that accounts of a history reached.

    `maxima` are (nats, account) of every signal, highest first, at most `MAX_KEPT`; of signals that only observe no
    account is named. `skipped` are lines of the history that could not be used, by reason. `known` are the keys of
    texts that its accounts share, hashed with `secret`; None in a baseline of version 1.
    """

    accounts: int
    requests: int
    first: float | None
    last: float | None
    maxima: dict[str, tuple[tuple[float, str], ...]]
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    known: bytes | None = field(default=None, repr=False)
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        accounts: Iterable[tuple[str, dict[str, float]]],
        *,
        requests: int,
        first: float | None,
        last: float | None,
        skipped: dict[str, int] | None = None,
        known: bytes | None = None,
        secret: bytes | None = None,
    ) -> Baseline:
        """From the highest evidence of each account. Cost: memory for `MAX_KEPT` accounts and a signal's evidence."""
        number = 0
        maxima: dict[str, list[tuple[float, str]]] = {name: [] for name in SIGNALS}
        for account, evidence in accounts:
            number += 1
            for name, nats in evidence.items():
                maxima[name].append((nats, account if name in CONVICTING else ""))
                if len(maxima[name]) >= 4 * MAX_KEPT:
                    maxima[name] = _highest(maxima[name])
        kept = {name: tuple(_highest(values)) for name, values in maxima.items()}
        return cls(number, requests, first, last, kept, skipped or {}, known, secret)

    @property
    def is_empty(self) -> bool:
        """Is there no account to judge others by? Most likely the history was read by a wrong map."""
        return self.accounts == 0

    def guard(self, alpha: float) -> tuple[float, float, float]:
        """The highest evidence of each convicting signal, suspects left out.

        Where more suspects were found than are kept, as much as an account can have that is none.
        """
        ceiling = SUSPECT * _detector.nominal_evidence(alpha)
        one, two, three = (_highest_honest(self.maxima[name], ceiling) for name in CONVICTING)
        return one, two, three

    def suspects(self, alpha: float) -> list[tuple[str, str, float]]:
        """Account, signal and evidence of those that show so much that somebody should look at them."""
        ceiling = SUSPECT * _detector.nominal_evidence(alpha)
        return [(account, name, nats) for name in CONVICTING for nats, account in self.maxima[name] if nats > ceiling]

    def restricted(self, alpha: float) -> int:
        """Accounts of the history that would have been restricted, each judged by what the others show.

        At least: no more are counted of a signal than are kept.
        """
        nominal = _detector.nominal_evidence(alpha)
        found: set[str] = set()
        for name in CONVICTING:
            honest = [nats for nats, _ in self.maxima[name] if nats <= SUSPECT * nominal]
            second = honest[1] if len(honest) > 1 else -math.inf
            found.update(account for nats, account in self.maxima[name] if nats > max(nominal, second))
        return len(found)

    def dumps(self) -> str:
        """As JSON."""
        fields = {name: getattr(self, name) for name in ("accounts", "requests", "first", "last", "maxima", "skipped")}
        fields["known"] = None if self.known is None else base64.b64encode(self.known).decode()
        fields["secret"] = None if self.secret is None else self.secret.hex()
        return json.dumps({"format": "ratelimit-guard baseline", "version": VERSION, **fields}, indent=1) + "\n"

    @classmethod
    def loads(cls, text: str, source: str = "baseline") -> Baseline:
        """From JSON. `ConfigError` for what `dumps` did not write."""
        try:
            values: dict[str, Any] = json.loads(text)
            if values["format"] != "ratelimit-guard baseline" or values["version"] not in {1, VERSION}:
                msg = f"{source} is of another version: calibrate again"
                raise ConfigError(msg)  # noqa: TRY301
            maxima = {name: _pairs(values["maxima"][name]) for name in SIGNALS}
            first, last = (None if values[name] is None else _number(values[name]) for name in ("first", "last"))
            accounts, requests = (_count(values[name]) for name in ("accounts", "requests"))
            skipped = {str(why): _count(lines) for why, lines in values["skipped"].items()}
            known, secret = _texts(values) if values["version"] == VERSION else (None, None)
            accounts = max(accounts, *map(len, maxima.values()))
            return cls(accounts, requests, first, last, maxima, skipped, known, secret)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            msg = f"{source} is no baseline: write one with `ratelimit-guard calibrate HISTORY -o {source}`"
            raise ConfigError(msg) from None

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """From a file. `ConfigError` when it cannot be read or is none."""
        try:
            with Path(path).open(encoding="utf-8") as file:
                return cls.loads(file.read(MAX_BYTES), str(path))
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read the baseline {path}: {error}"
            raise ConfigError(msg) from None


def _highest(values: list[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(values, key=lambda pair: -pair[0])[:MAX_KEPT]


def _highest_honest(kept: Sequence[tuple[float, str]], ceiling: float) -> float:
    if len(kept) == MAX_KEPT and kept[-1][0] > ceiling:
        return ceiling
    return max((nats for nats, _ in kept if nats <= ceiling), default=-math.inf)


def _pairs(values: list[list[Any]]) -> tuple[tuple[float, str], ...]:
    return tuple(_highest([(_number(nats), str(account)) for nats, account in values]))


def _texts(values: dict[str, Any]) -> tuple[bytes | None, bytes | None]:
    """What is known of texts, and its secret: both or neither."""
    if (values["known"], values["secret"]) == (None, None):
        return None, None
    known, secret = base64.b64decode(values["known"], validate=True), bytes.fromhex(values["secret"])
    if len(secret) not in SECRET_BYTES:
        raise ValueError
    return known, secret


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def confidence(found: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a rate (Clopper and Pearson, 1934)."""
    tail = (1 - level) / 2
    if of == 0:
        return 0.0, 1.0
    if 2 * found > of:
        low, high = confidence(of - found, of, level)
        return 1 - high, 1 - low
    low = 0.0 if found == 0 else _root(lambda rate: _at_least(found, of, rate) - tail)
    high = 1.0 if found == of else _root(lambda rate: tail - (1 - _at_least(found + 1, of, rate)))
    return low, high


def _at_least(found: int, of: int, rate: float) -> float:
    """The probability of `found` successes and more."""
    if found == 0:
        return 1.0
    log_rate, log_rest = math.log(rate), math.log1p(-rate)
    whole = math.lgamma(of + 1)
    fewer = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * log_rate + (of - k) * log_rest)
        for k in range(found)
    )
    return 1.0 - math.fsum(fewer)


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
