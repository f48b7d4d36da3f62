"""What the detector adds to the way of a request: prompt, restriction, proof, edits, observation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.baseline import Baseline
from ratelimit_guard.challenge import Hook, ProofOfWork, VerifiedHeader
from ratelimit_guard.degrade import DegradeSettings, degrade
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.live import UNKNOWN, LiveDetector

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.answer import AnswerText
    from ratelimit_guard.challenge import Challenge
    from ratelimit_guard.config import ChallengeSection, Config, DetectorSection
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.exchange import Connect
    from ratelimit_guard.live import Answer
    from ratelimit_guard.request import Request
    from ratelimit_guard.restriction import Inspection, Restriction
    from ratelimit_guard.tenant import Tenant

    Decides = Callable[[Request, Decision], bool]

REQUEST_ID = b"x-request-id"
MAX_SECRET_BYTES = 4096


class Checked(NamedTuple):
    """A decision about a request whose body was looked at, and the body that takes the place of its own, if any."""

    decision: Decision
    inspection: Inspection | None
    replacement: bytes | None = None


class Watch:
    """The detector of a guard."""

    def __init__(
        self,
        config: Config,
        section: DetectorSection,
        unix_time: Callable[[], float],
        challenge: Challenge | Decides | None,
        fleet_connect: Connect | None = None,
    ) -> None:
        """`challenge` takes the place of the file's; `fleet_connect` and errors as for `LiveDetector`."""
        if challenge is not None and section.challenge is None:
            msg = "a challenge is given and the file has no section [detector.challenge]: without it nobody is asked"
            raise ConfigError(msg)
        less = section.degrade
        self._less = DegradeSettings(less.logprobs, less.max_tokens, less.n, less.models) if less else None
        self.live = LiveDetector(config, section, unix_time, fleet_connect)
        self.max_body_bytes, self.body_timeout_s = section.max_body_bytes, section.body_timeout_s
        given = Hook(challenge) if callable(challenge) else challenge
        self._challenge = given or _made(section.challenge, self.live.derived(b"challenge"))

    def restriction(self, inspection: Inspection | None, tenant: Tenant) -> Restriction | None:
        """What is done about a request, by its prompt, or by its account alone where there is none to be read."""
        if inspection is None:
            return self.live.standing(tenant)
        return self.live.restriction(inspection, tenant)

    def unproven(self, request: Request, decision: Decision) -> bytes:
        """What the caller still has to prove, as the value of `Guard-Challenge`; empty for nothing."""
        restriction, tenant, challenge = decision.restriction, decision.tenant, self._challenge
        if restriction is None or tenant is None or challenge is None or not restriction.reaches("challenge"):
            return b""
        response = request.header(challenge.header) if challenge.header else None
        now = self.live.now()
        if challenge.solved(tenant.account, response, now, request, decision):
            return b""
        return (challenge.ask(tenant.account, now) or "required").encode("ascii", "replace")

    def less(self, decision: Decision, inspection: Inspection | None, body: bytes | None) -> Checked:
        """Take from an allowed request what a degraded one does not get."""
        restriction = decision.restriction
        if inspection is None or body is None or self._less is None or restriction is None:
            return Checked(decision, inspection)
        if not decision.allowed or not restriction.reaches("degrade"):
            return Checked(decision, inspection)
        degraded = degrade(body, inspection.prompt.fields, self._less)
        if not degraded.what:
            return Checked(decision, inspection)
        return Checked(decision._replace(action="degrade", degraded=degraded.what), inspection, degraded.body)

    def observe(self, request: Request | None, checked: Checked, answer: AnswerText | Answer = UNKNOWN) -> None:
        """Tell of a request that was answered."""
        tenant = checked.decision.tenant
        if checked.inspection is None or tenant is None:
            return
        name, address = "", ""
        if request is not None:
            name = (request.header(REQUEST_ID) or b"").decode("latin-1")
            address = self.live.address(request)
        self.live.observe(checked.inspection, tenant, request=name, address=address, answer=answer)


def verify(config: Config) -> None:
    """Read what a worker would read at its start. `ConfigError` for what would keep it from serving."""
    section = config.detector
    if section is None:
        return
    if section.baseline is not None:
        Baseline.load(section.baseline)
    _made(section.challenge, bytes(32))


def _made(section: ChallengeSection | None, derived: bytes) -> Challenge | None:
    """The file's challenge; `derived` is its secret when it names none."""
    if section is None:
        return None
    secret = _secret(section.secret_file)
    if section.header is not None:
        if secret is None:
            msg = "detector.challenge: a header needs a secret_file, the same that the verifier signs with"
            raise ConfigError(msg)
        return VerifiedHeader(section.header, secret, section.valid_s)
    return ProofOfWork(derived if secret is None else secret, section.bits, section.valid_s)


def _secret(path: str | None) -> bytes | None:
    """The file's content without white space around, as one line of text or bytes."""
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_SECRET_BYTES).strip()
    except OSError as error:
        msg = f"detector.challenge.secret_file {path}: {error.strerror}"
        raise ConfigError(msg) from error
