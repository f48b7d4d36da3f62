"""Challenges: what an account can do to go on when its behaviour speaks against it.

    >>> work = ProofOfWork(b"sixteen bytes or more", bits=8)
    >>> asked = work.ask("acme", now=1000.0)  # header Guard-Challenge of the refusal
    >>> answer = solve(asked)  # the client's header Guard-Challenge-Response
    >>> work.solved("acme", answer.encode(), now=1001.0)
    True

Everything is stateless: any worker, and any host with the same secret, knows a solution. Times are unix times.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import itertools
import logging
import re
from typing import TYPE_CHECKING, Protocol

from ratelimit_guard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.decision import Decision
    from ratelimit_guard.request import Request

MIN_SECRET = 16
MAX_RESPONSE = 128
"""Longest header that is looked at, in bytes."""
MAX_BITS = 48
MOST_BITS = 28
"""What `solve` takes on unless told otherwise: minutes."""
MAX_SKEW_S = 60.0
"""How far a verifier's clock may be ahead of ours."""

RESPONSE = re.compile(rb"([0-9a-f]{1,16}\.[0-9a-f]{32}):([0-9]{1,20})")
ASKED = re.compile(r'pow;v=1;bits=([0-9]{1,2});nonce="([0-9a-f]{1,16}\.[0-9a-f]{32})"')
VERIFIED = re.compile(rb"t=([0-9]{1,12}),mac=([0-9a-f]{64})")

log = logging.getLogger("ratelimit_guard")


class Challenge(Protocol):
    """What the guard asks of a challenge. `subject` names the account or address that is challenged."""

    @property
    def header(self) -> bytes | None:
        """The request header, in lower case, that answers; None when there is none."""
        ...

    def ask(self, subject: str, now: float, /) -> str | None:
        """The value of `Guard-Challenge` in the refusal; None: say nothing."""
        ...

    def solved(self, subject: str, response: bytes | None, now: float, request: Request, decision: Decision, /) -> bool:
        """May the request go on? `response` is the value of `header`. Never raises."""
        ...


class ProofOfWork:
    """Work of 2 to the power of `bits` hashes, half a second of a core at 20, buys an account some time.

    One solution holds until the end of the next period of `valid_s` seconds: for one to two periods, for this subject
    only, for any number of requests. `ConfigError` for a secret of less than 16 bytes, bits outside 1..48, or no time.
    """

    header = b"guard-challenge-response"

    def __init__(self, secret: bytes, bits: int = 20, valid_s: float = 600.0) -> None:
        """Give all hosts the same secret."""
        self._secret = _secret(secret)
        if not 1 <= bits <= MAX_BITS or not 1 <= valid_s < float("inf"):
            msg = f"bits must be in 1..{MAX_BITS} and valid_s at least 1, got {bits!r} and {valid_s!r}"
            raise ConfigError(msg)
        self._bits = bits
        self._valid_s = valid_s

    def ask(self, subject: str, now: float) -> str:
        """The challenge: an item of structured fields (RFC 8941). Cost: 3 µs."""
        return f'pow;v=1;bits={self._bits};nonce="{self._nonce(subject, self._period(now))}"'

    def solved(self, subject: str, response: bytes | None, now: float, *_: object) -> bool:
        """Is `response`, `nonce:counter`, a solution for this subject, now? Cost: 5 to 7 µs, 1 µs without the work."""
        if response is None or len(response) > MAX_RESPONSE or (match := RESPONSE.fullmatch(response)) is None:
            return False
        if not _has_zeros(response, self._bits):
            return False
        period = self._period(now)
        given = match[1]
        return any(
            hmac.compare_digest(given, self._nonce(subject, one).encode()) for one in (period, max(period - 1, 0))
        )

    def _period(self, now: float) -> int:
        return max(int(now // self._valid_s), 0)

    def _nonce(self, subject: str, period: int) -> str:
        """The period, and what only we can tell of it and the subject."""
        return f"{period:x}.{_mac(self._secret, 'pow', subject, period)[:32]}"


def solve(challenge: str, most_bits: int = MOST_BITS) -> str:
    """Do the work that `Guard-Challenge` asks for; the value of `Guard-Challenge-Response`.

    `UsageError` for what is no such challenge, or asks for more than `most_bits`. Cost: 0.6 s on the average for 20
    bits, each bit more doubles it.
    """
    match = ASKED.fullmatch(challenge)
    if match is None or not 1 <= int(match[1]) <= most_bits:
        msg = f"no proof of work of up to {most_bits} bits: {challenge!r:.200}"
        raise UsageError(msg)
    bits, nonce = int(match[1]), match[2]
    start = hashlib.sha256(f"{nonce}:".encode())
    limit = 1 << (256 - bits)
    for counter in itertools.count():
        attempt = start.copy()
        attempt.update(b"%d" % counter)
        if int.from_bytes(attempt.digest()) < limit:
            return f"{nonce}:{counter}"
    raise AssertionError  # pragma: no cover  there is always another number


class VerifiedHeader:
    """A verifier in front (an edge, a captcha, a sign-in with a second factor) vouches for the subject in a header.

    Its value is `t=<unix time>,mac=<hex>`, HMAC-SHA256 by the shared secret of `verified|<subject>|<unix time>`: see
    `sign`. The verifier must remove the header from what clients send, though they cannot make one. `ConfigError` for
    a name that is none, a secret of less than 16 bytes, or no age.
    """

    def __init__(self, name: str, secret: bytes, max_age_s: float = 600.0) -> None:
        """Vouched for during `max_age_s` seconds."""
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}", name) or not max_age_s > 0:
            msg = f"a header needs a name and a positive age, got {name!r:.100} and {max_age_s!r}"
            raise ConfigError(msg)
        self.header = name.lower().encode()
        self._secret = _secret(secret)
        self._max_age_s = max_age_s

    def ask(self, subject: str, now: float) -> None:
        """Nothing: who verifies asks."""

    def sign(self, subject: str, now: float) -> str:
        """What a verifier sends."""
        return f"t={int(now)},mac={_mac(self._secret, 'verified', subject, int(now))}"

    def solved(self, subject: str, response: bytes | None, now: float, *_: object) -> bool:
        """Does `response` vouch for this subject? Cost: 3 µs."""
        if response is None or len(response) > MAX_RESPONSE or (match := VERIFIED.fullmatch(response)) is None:
            return False
        time = int(match[1])
        if not -MAX_SKEW_S <= now - time <= self._max_age_s:
            return False
        return hmac.compare_digest(match[2], _mac(self._secret, "verified", subject, time).encode())


class Hook:
    """A function of your own decides, by request and decision: True lets the request go on.

    One that raises is logged and has not agreed. `ConfigError` for a coroutine function: its result would be true
    without having run.
    """

    header = None

    def __init__(self, decides: Callable[[Request, Decision], bool]) -> None:
        """Keep the function."""
        if inspect.iscoroutinefunction(decides) or inspect.iscoroutinefunction(getattr(decides, "__call__", None)):  # noqa: B004
            msg = f"a challenge must be a plain function, got the coroutine function {decides!r}"
            raise ConfigError(msg)
        self._decides = decides

    def ask(self, subject: str, now: float, /) -> None:
        """Nothing: say it by the guard's `responder`."""

    def solved(
        self, _subject: str, _response: bytes | None, _now: float, request: Request, decision: Decision, /
    ) -> bool:
        """Ask the function. Only True itself is a yes."""
        try:
            return self._decides(request, decision) is True
        except Exception:  # the hook is the operator's; the request is the customer's
            log.exception("challenge %r failed", self._decides)
            return False


def _has_zeros(response: bytes, bits: int) -> bool:
    return int.from_bytes(hashlib.sha256(response).digest()) < 1 << (256 - bits)


def _mac(secret: bytes, purpose: str, subject: str, time: int) -> str:
    """In hex. A subject may hold any character: purpose and time, before and behind it, hold no `|`."""
    message = f"{purpose}|{subject}|{time}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, "sha256").hex()


def _secret(secret: bytes) -> bytes:
    if len(secret) < MIN_SECRET:
        msg = f"the secret of a challenge needs {MIN_SECRET} bytes, got {len(secret)}"
        raise ConfigError(msg)
    return secret
