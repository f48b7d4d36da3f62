"""The detector while requests come: every worker tells what it answered, and sees at once what all have learned.

One process of the host folds the observations of all, on a thread that never holds the interpreter; which one, a lock
decides that the kernel frees when it dies. What is kept of a prompt are hashes; names of accounts stay in the
operator's own files (mode 0600).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard._core import live as _live
from ratelimit_guard.address import Proxies, client_address
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.private import leave, private_folder
from ratelimit_guard.prompt import Reader
from ratelimit_guard.restriction import Inspection, Restriction
from ratelimit_guard.stores.shared import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.answer import AnswerText
    from ratelimit_guard.config import Config, DetectorSection
    from ratelimit_guard.exchange import Connect
    from ratelimit_guard.fleet import Fleet
    from ratelimit_guard.request import Request
    from ratelimit_guard.tenant import Tenant

AREA_SUFFIX, STATE_SUFFIX = _live.AREA_SUFFIX, _live.STATE_SUFFIX
MAX_REMEMBERED = 16_384
"""Peers whose address was worked out."""
LOOK_EVERY = 64
"""Observations between two looks for what the operator should hear of."""
MAX_TIME = 1e11
"""Unix time up to which a clock is believed."""
log = logging.getLogger("ratelimit_guard")


class Answer(NamedTuple):
    """What the model answered, as far as it is known: its text and length in tokens."""

    text: str | None = None
    tokens: int | None = None


UNKNOWN = Answer()


class LiveDetector:
    """What a configuration's detector has in shared memory. Thread-safe; works on in forked workers.

    `ConfigError` for a baseline that cannot be read or a directory that cannot be written, `StoreError` when the memory
    has no home. Cost: 10 MiB of shared memory for all workers, and in the elected one 60 MiB and more.
    """

    def __init__(
        self,
        config: Config,
        section: DetectorSection,
        unix_time: Callable[[], float],
        fleet_connect: Connect | None = None,
    ) -> None:
        """Open what the workers share, or make it. `section` is the configuration's own. With `fleet_connect`, which
        makes a Redis client, this is a host's part of one detector over many (`ratelimit_guard.fleet`).
        """
        self.section = section
        self._clock, self._known_time = unix_time, 0.0
        self._enforced = section.mode == "enforce"
        if section.state is not None:
            _make(Path(section.state))
        trusted = trusted_baseline(section)
        common = None if fleet_connect is None or trusted else _common_secret(fleet_connect, config.namespace)
        secret = trusted.secret if trusted else common
        area, self._state = self._places(config, secret)
        self._live = open_live(section, trusted, area, self._state, common)
        self._secret = secret or self._live.secret
        self.fleet: Fleet | None = None
        if fleet_connect is not None and secret is not None:
            self.fleet = _fleet(self._live, fleet_connect, config.namespace, self._state, secret, common is not None)
        self._part = self.fleet or self._live
        self._reader = Reader(secret=self._secret, judges=True)
        self.follow(config)
        self._process = 0
        self._started: dict[int, object] = {}
        self._untold, self._convicted = 0, 0

    def follow(self, config: Config) -> None:
        """Heed what a reload may change: declared uses and trusted proxies."""
        self._declared = {tenant.id for tenant in config.tenants if tenant.use}
        self._proxies = Proxies.of(config.identity.trusted_proxies)
        self._addresses: dict[str | None, str] = {}

    def now(self) -> float:
        """Unix time in seconds; of a clock that says nothing usable, what it said last."""
        now = self._clock()
        if 0.0 <= now <= MAX_TIME:
            self._known_time = now
        return self._known_time

    def inspect(self, body: bytes | None, tenant: Tenant, content_encoding: str | None = None) -> Inspection | None:
        """Read a prompt and see what it belongs to; None when there is none. Cost: 6 µs for 1 KB."""
        if self._process != os.getpid():
            self._start()
        if not body:
            return None
        prompt = self._reader.read(body)
        # Most apps do not look at the coding, so who names one for a plain body must not go unseen by that.
        if not prompt and content_encoding:
            prompt = self._reader.read(body, content_encoding=content_encoding)
        if not prompt:
            return None
        is_declared = tenant.id in self._declared
        sight = None if is_declared else self._live.look(prompt, _text(tenant.account), _text(tenant.id))
        return Inspection(prompt, sight, self.now())

    def standing(self, tenant: Tenant) -> Restriction | None:
        """What is done about an account whatever it sends, before anything was read. Cost: 0.2 µs."""
        sight = None if tenant.id in self._declared else self._live.standing(_text(tenant.account))
        return None if sight is None else self._restriction(sight, tenant, self.now())

    def restriction(self, inspection: Inspection, tenant: Tenant) -> Restriction | None:
        """What is done about a request."""
        sight = inspection.sight
        return None if sight is None else self._restriction(sight, tenant, inspection.at)

    def observe(
        self,
        inspection: Inspection,
        tenant: Tenant,
        *,
        request: str = "",
        address: str = "",
        answer: AnswerText | Answer = UNKNOWN,
    ) -> bool:
        """Tell of an answered request. Never waits: False when there was no room, which is counted. Cost: 2 µs with
        an answer of 1 KB.
        """
        given, tokens = self._known(answer)
        told = self._live.add(
            inspection.prompt,
            _text(tenant.account),
            _text(tenant.id),
            time=inspection.at,
            request=_text(request),
            address=_text(address),
            answer=given,
            answer_tokens=tokens,
            declared=tenant.id in self._declared,
        )
        self._untold += 1
        if self._untold >= LOOK_EVERY:
            self._tell()
        return told

    def address(self, request: Request) -> str:
        """The caller's, behind trusted proxies."""
        if self._proxies.any:
            return client_address(request, self._proxies)
        known = self._addresses.get(request.peer)
        if known is None:
            if len(self._addresses) >= MAX_REMEMBERED:
                self._addresses.clear()
            known = self._addresses[request.peer] = client_address(request, self._proxies)
        return known

    def _known(self, answer: AnswerText | Answer) -> tuple[tuple[int, int] | None, int | None]:
        """Hash and words of an answer, and its tokens."""
        if isinstance(answer, Answer):
            return self._reader.answer(answer.text) if answer.text else None, answer.tokens
        document = answer.document()
        if document is not None and (found := self._reader.answered(document)) is not None:
            return (found[0], found[1]), found[2]
        text = answer.text()
        return self._reader.answer(text) if text else None, answer.tokens()

    def derived(self, purpose: bytes) -> bytes:
        """A secret for another purpose, the same in all workers."""
        return hmac.digest(self._secret, purpose, "sha256")

    def stats(self) -> dict[str, object]:
        """`folded`, `dropped`, `torn` and `waiting_bytes` of observations, `convicted` campaigns and their `rungs`,
        `terms` of elected processes, the `leader`'s process number, and `saved`: how often the state was.
        """
        return self._live.stats()

    def stop(self) -> None:
        """Save what is known, if it is this process that folds, and let another one."""
        if self._process == os.getpid():
            self._process = 0
            self._started.clear()
            self._part.stop()

    def _start(self) -> None:
        """Take part in the election, from this process on, once: of threads that come at the same time one does it."""
        process, mine = os.getpid(), object()
        if self._started.setdefault(process, mine) is not mine:
            return
        try:
            self._part.start()
        except StoreError as error:  # the other workers still fold
            log.warning("detector: %s", error)
        weakref.finalize(self, leave, process, self._part.stop)
        self._process = process

    def _tell(self) -> None:
        """What the operator should hear of, from the process that knows it first-hand."""
        self._untold = 0
        for trouble in self._live.troubles():
            log.warning("detector: %s (its state is %s)", trouble, self._state)
        stats = self._live.stats()
        if (convicted := stats["convicted"]) != self._convicted:
            if convicted > self._convicted and stats["leader"] == os.getpid():
                log.warning("detector: convicted campaigns: %d; see `ratelimit-guard live`", convicted)
            self._convicted = convicted

    def _restriction(self, sight: _live.Sight, tenant: Tenant, now: float) -> Restriction:
        name = None if sight.campaign is None else f"C{sight.campaign}"
        reference = self._live.reference(_text(tenant.account), sight.campaign, now)
        return Restriction(sight.level, name, sight.whole, sight.score, reference, self._enforced)

    def _places(self, config: Config, secret: bytes | None) -> tuple[Path, Path]:
        shared, state = places(config, secret)
        if config.store.kind != "memory":
            return shared, state
        area = private_folder(self) / shared.name
        if self.section.state is None or not self._takes(state):
            state = area.with_name(state.name)
        return area, state

    def _takes(self, state: Path) -> bool:
        """Have the state for this process and its forks: others whose counters are their own would write over it."""
        with ExitStack() as lost:
            try:
                lock = lost.enter_context(open(state.with_name(f"{state.name}.lock"), "ab", opener=own_file))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                text = "detector: %s is not used and what is learned ends with the process: %s"
                log.warning(text, state, error.strerror)
                return False
            weakref.finalize(self, lost.pop_all().close)
        return True


def trusted_baseline(section: DetectorSection) -> Baseline | None:
    """The baseline that a configuration names, unless it knows nothing. `ConfigError` when it cannot be read."""
    baseline = Baseline.load(section.baseline) if section.baseline else None
    return baseline if baseline and not baseline.is_empty else None


def open_live(
    section: DetectorSection, baseline: Baseline | None, area: Path, state: Path, common: bytes | None = None
) -> _live.Live:
    """A worker's end of the shared memory; `common` is the secret of a fleet without a baseline. `StoreError` when
    there can be none.
    """
    alpha = section.alpha
    return _live.Live(
        str(area),
        str(state),
        baseline.secret if baseline else common,
        alpha,
        baseline.guard(alpha) if baseline else None,
        section.accounts,
        baseline.known if baseline else None,
        [account for account, _, _ in baseline.suspects(alpha)] if baseline else [],
        (_rungs(section), section.delay_s, section.patience_s, section.calm_s),
    )


def places(config: Config, secret: bytes | None) -> tuple[Path, Path]:
    """Where the workers of a configuration with shared counters keep area and state. Under another secret (a baseline's
    or a fleet's) nothing that was learned means anything, so each has its own.
    """
    store = resolve(config.store.path or config.namespace)
    mark = "" if secret is None else f"-{hashlib.sha256(secret).hexdigest()[:8]}"
    area = store.with_name(f"{store.name}{mark}{AREA_SUFFIX}")
    folder = config.detector.state if config.detector else None
    state = Path(folder) / area.name if folder else area
    return area, state.with_name(state.name + STATE_SUFFIX)


def _common_secret(connect: Connect, namespace: str) -> bytes | None:
    from ratelimit_guard.fleet import common_secret  # noqa: PLC0415  needs redis, which is optional

    return common_secret(connect, namespace)


def _fleet(live: _live.Live, connect: Connect, namespace: str, state: Path, secret: bytes, is_drawn: bool) -> Fleet:
    from ratelimit_guard.fleet import Fleet  # noqa: PLC0415  as above

    return Fleet(live, connect, namespace, state, secret, is_drawn=is_drawn)


def _rungs(section: DetectorSection) -> list[str]:
    allowed = {"challenge": section.challenge is not None, "degrade": section.degrade is not None}
    return [name for name, is_allowed in {**allowed, "block": section.block}.items() if is_allowed]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        msg = f"detector.state {folder}: {error.strerror}"
        raise ConfigError(msg) from error
    if not writable:
        msg = f"detector.state {folder}: this process may not write there"
        raise ConfigError(msg)


def own_file(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a file that nobody else reads, and no symlink that somebody else may have put there."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _text(name: str) -> str:
    """As UTF-8 can hold it: a name that a lookup found may have halves of a surrogate pair."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()
