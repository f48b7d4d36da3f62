"""The detector from Python: what it takes and refuses, what it remembers, and that threads change nothing."""

from __future__ import annotations

import copy
import json
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from detection.attacks import ATTACKS
from detection.honest import HONEST
from detection.judge import EMPTY, PACE, START, secret
from ratelimit_guard import detector as module
from ratelimit_guard.baseline import Baseline
from ratelimit_guard.detector import CONVICTING, HONEST_RATES, SIGNALS, Detector, Verdict
from ratelimit_guard.errors import ConfigError, UsageError
from ratelimit_guard.prompt import Prompt, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

Seen = tuple[Prompt, int]
"""A prompt and the tokens of its answer."""


def seen(name: str, number: int = 60, *, seed: int = 0, key: int = 0) -> list[Seen]:
    """The first requests of a kind, read with a secret."""
    reader = Reader(secret=secret(key))
    requests = (HONEST | ATTACKS)[name].take(number, seed=seed)
    return [(reader.read(json.dumps(request.body).encode()), request.answer_tokens) for request in requests]


def strict(**options: Any) -> Detector:
    """With a history that knows nothing."""
    return Detector(**{"secret": secret(0), "baseline": EMPTY, **options})


def play(
    detector: Detector, account: str | bytes, stream: Sequence[Seen], *, start: float = START, declared: bool = False
) -> list[Verdict]:
    """What a detector says of an account's requests."""
    return [
        detector.observe(account, prompt, time=start + PACE * number, answer_tokens=tokens, declared=declared)
        for number, (prompt, tokens) in enumerate(stream)
    ]


def facts(verdicts: Sequence[Verdict]) -> list[tuple[object, ...]]:
    """All that they say."""
    return [(one.level, one.score, one.requests, one.shown, one.evidence) for one in verdicts]


QUESTION = seen("consumer-chat", 1)[0][0]
ATTACK = seen("composed-100")


def test_heavy_customers_and_extraction_are_told_apart() -> None:
    """Under one detector, whatever the others do."""
    detector = strict()
    assert play(detector, "attacker", ATTACK)[-1].level == "throttle"
    for name in ("mails", "support-bot", "translation"):
        assert {one.level for one in play(detector, name, seen(name))} == {"none"}
    assert len(detector) == 4


def test_verdict_says_how_an_account_stands() -> None:
    """Request by request, to the one that convicts and beyond."""
    verdicts = play(strict(), "attacker", ATTACK)
    assert [one.requests for one in verdicts] == list(range(1, 61))
    scores = [one.score for one in verdicts]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(scores))
    assert [one.level == "throttle" for one in verdicts] == [score >= 1 for score in scores]
    assert all(list(one.evidence) == list(SIGNALS) for one in verdicts)
    assert all(set(one.shown) <= set(SIGNALS) for one in verdicts)
    assert "recombination" in verdicts[-1].shown
    assert verdicts[-1].evidence["recombination"] > math.log(3 / 0.001)


def test_verdict_is_read_only() -> None:
    """It is what was found, and prints as that."""
    verdict: Any = play(strict(), "attacker", ATTACK)[-1]
    assert repr(verdict) == f'Verdict(level="throttle", score={verdict.score:.3f}, requests=60)'
    for name in ("level", "score", "requests", "shown", "evidence", "other"):
        with pytest.raises(AttributeError):
            setattr(verdict, name, "none")
    verdict.evidence["recombination"] = 0.0
    verdict.shown.clear()
    assert verdict.evidence["recombination"] > 0
    assert verdict.shown
    with pytest.raises(TypeError):
        Verdict()


@pytest.mark.parametrize("length", [0, 1, 15])
def test_short_secret_is_refused(length: int) -> None:
    """It could be guessed."""
    with pytest.raises(ConfigError, match=f"secret must have at least 16 bytes, got {length}"):
        Detector(secret=b"x" * length)


@pytest.mark.parametrize("given", ["x" * 16, 16, bytearray(16)])
def test_secret_is_bytes(given: Any) -> None:
    with pytest.raises(TypeError):
        Detector(secret=given)


@pytest.mark.parametrize(
    ("alpha", "told"),
    [
        *((0, "0"), (0.0, "0"), (1, "1"), (-0.1, "-0.1"), (2, "2"), (True, "1"), (False, "0")),
        *((math.nan, "NaN"), (math.inf, "inf"), (10**400, "inf")),
        *(("0.1", "str"), (None, "NoneType"), (1j, "complex")),
    ],
)
def test_alpha_is_a_rate(alpha: Any, told: str) -> None:
    """Between 0 and 1, both left out."""
    with pytest.raises(ConfigError, match=rf"^alpha must be a rate between 0 and 1, got {told}$"):
        Detector(alpha=alpha)


@pytest.mark.parametrize("capacity", [0, False, -1, 2**24 + 1, 10**30, 1.0, "5", None])
def test_capacity_is_a_number_of_accounts(capacity: Any) -> None:
    """Up to 16 million, 25 GiB."""
    with pytest.raises(ConfigError, match=r"^capacity must be (a whole number from )?1 to 16777216"):
        Detector(capacity=capacity)


def test_largest_capacity_takes_no_memory_before_it_is_used() -> None:
    assert len(Detector(capacity=2**24)) == 0


@pytest.mark.parametrize("account", [None, 7, 1.5, bytearray(b"a"), ("a",)])
def test_account_is_text(account: Any) -> None:
    """And what is refused leaves no trace."""
    detector = strict()
    for call in (lambda: detector.observe(account, QUESTION, time=START), lambda: detector.forget(account)):
        with pytest.raises(UsageError, match=f"account must be str or bytes, got {type(account).__name__}"):
            call()
    assert len(detector) == 0


def test_account_may_be_any_text() -> None:
    """`str` and its UTF-8 are one account; half a surrogate pair and bytes that are no UTF-8 are accounts as well."""
    detector = strict()
    names: list[str | bytes] = ["", "é", "\ud83d", b"\xff", "a" * 100_000, "a\0"]
    for name in names:
        detector.observe(name, QUESTION, time=START)
    assert len(detector) == len(names)
    assert detector.observe("é".encode(), QUESTION, time=START).requests == 2
    assert len(detector) == len(names)


@pytest.mark.parametrize("prompt", [None, "text", b'{"prompt": "x"}', {"prompt": "x"}])
def test_prompt_is_a_prompt(prompt: Any) -> None:
    detector = strict()
    with pytest.raises(TypeError):
        detector.observe("a", prompt, time=START)
    assert len(detector) == 0


@pytest.mark.parametrize("arguments", [{}, {"time": "now"}, {"time": None}, {"time": START, "answer_tokens": "many"}])
def test_arguments_of_other_types_are_refused(arguments: Any) -> None:
    detector = strict()
    with pytest.raises(TypeError):
        detector.observe("a", QUESTION, **arguments)
    with pytest.raises(TypeError):
        detector.observe("a", QUESTION, time=START, declared=arguments)
    assert len(detector) == 0


@pytest.mark.parametrize("time", [-1, -1e300, 0, 0.5, True])
def test_odd_time_judges_as_any_other(time: float) -> None:
    """Clocks go wrong: no signal looks at them, and nothing is forgotten at a time before."""
    detector = strict()
    assert play(detector, "attacker", ATTACK)[-1].level == "throttle"
    after = detector.observe("attacker", QUESTION, time=time)
    assert (after.level, after.requests) == ("throttle", 61)
    again = detector.observe("attacker", QUESTION, time=START + 3_600)
    assert (again.level, again.requests) == ("throttle", 62)


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_time_that_is_none_is_refused(time: float) -> None:
    """The caller's mistake, and nothing is counted."""
    detector = strict()
    with pytest.raises(UsageError, match="time must be a number of seconds"):
        detector.observe("a", QUESTION, time=time)
    assert len(detector) == 0


@pytest.mark.parametrize("tokens", [0, 1, 63, 64, 2**32 - 1, 2**32, 2**64 - 1, True, None])
def test_any_length_of_answer_is_taken(tokens: int | None) -> None:
    assert strict().observe("a", QUESTION, time=START, answer_tokens=tokens).requests == 1


def test_short_answers_teach_nobody() -> None:
    """Labels are no training data; answers of unknown length count as long."""
    lengths: dict[int | None, str] = {0: "none", 63: "none", 64: "throttle", 2**40: "throttle", None: "throttle"}
    for tokens, level in lengths.items():
        detector = strict()
        levels = [
            detector.observe("a", prompt, time=START + at, answer_tokens=tokens).level
            for at, (prompt, _) in enumerate(ATTACK)
        ]
        assert levels[-1] == level, tokens


def test_same_secret_same_verdicts() -> None:
    """To the last digit, so that a decision can be played again."""
    one, two = (facts(play(strict(), "attacker", ATTACK)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", ["composed-100", "seeds-50-3", "phrases-10-1", "mails", "translation"])
def test_secret_decides_no_clear_case(name: str) -> None:
    """Hashes differ, and with them single events; who extracts does so under every secret."""
    expected = "throttle" if name in ATTACKS else "none"
    for key in range(4):
        detector = Detector(secret=secret(key), baseline=EMPTY)
        assert play(detector, "account", seen(name, key=key))[-1].level == expected


def test_secret_is_drawn_when_none_is_given() -> None:
    """So that nobody can choose names that fall on one place of the table; verdicts of clear cases are the same."""
    assert play(Detector(baseline=EMPTY), "attacker", ATTACK)[-1].level == "throttle"


def test_declared_account_is_observed_at_most() -> None:
    """For as long as it is declared: what it showed is not forgotten."""
    detector = strict()
    assert play(detector, "tester", ATTACK, declared=True)[-1].level == "observe"
    assert detector.observe("tester", QUESTION, time=START + 500).level == "throttle"


def test_threads_change_no_verdict() -> None:
    """Eight threads with accounts of their own get what one thread gets."""
    names = ["composed-100", "seeds-50-3", "phrases-10-1", "walk", "mails", "support-bot", "translation", "rag-3-last"]
    streams = {f"{name} {number}": seen(name, 150, seed=number) for number, name in enumerate(names * 2)}
    alone, shared, barrier = strict(), strict(), Barrier(8)
    expected = {account: facts(play(alone, account, stream)) for account, stream in streams.items()}

    def work(accounts: list[str]) -> dict[str, list[tuple[object, ...]]]:
        barrier.wait()
        played: dict[str, list[tuple[object, ...]]] = {account: [] for account in accounts}
        for number in range(150):
            for account in accounts:
                played[account] += facts(
                    play(shared, account, streams[account][number : number + 1], start=START + PACE * number)
                )
        return played

    with ThreadPoolExecutor(8) as pool:
        halves = pool.map(work, [list(streams)[number::8] for number in range(8)])
        assert {account: found for half in halves for account, found in half.items()} == expected
    assert len(shared) == 16
    assert any(found[-1][0] == "throttle" for found in expected.values())


def test_threads_on_one_account_lose_no_request() -> None:
    """Nor does an observation see half of another."""
    detector, barrier = strict(), Barrier(8)

    def work(_: int) -> list[int]:
        barrier.wait()
        return [one.requests for one in play(detector, "shared", ATTACK)]

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(number for found in pool.map(work, range(8)) for number in found)
    assert numbers == list(range(1, 8 * 60 + 1))


def test_forget_forgets_an_account() -> None:
    """Its conviction too: from then on it is a new one."""
    detector = strict()
    play(detector, "attacker", ATTACK)
    play(detector, "other", ATTACK)
    assert detector.forget("attacker")
    assert not detector.forget("attacker")
    assert not detector.forget(b"nobody")
    assert len(detector) == 1
    again = detector.observe("attacker", QUESTION, time=START + 500)
    assert (again.level, again.requests, again.score) == ("none", 1, 0.0)
    assert detector.observe("other", QUESTION, time=START + 500).level == "throttle"


def test_full_table_forgets_newcomers_first() -> None:
    """And counts them; who was convicted stays."""
    detector = strict(capacity=100)
    play(detector, "attacker", ATTACK)
    for number in range(10_000):
        detector.observe(f"flood {number}", QUESTION, time=START + 200 + number / 100)
    assert len(detector) == 100
    assert detector.forgotten == {"newcomers": 9_901, "established": 0, "convicted": 0}
    assert detector.observe("attacker", QUESTION, time=START + 400).level == "throttle"


def test_table_of_one_account() -> None:
    """The newest is kept, whoever it replaces."""
    detector = strict(capacity=1)
    play(detector, "attacker", ATTACK)
    play(detector, "established", seen("mails", 8))
    detector.observe("newcomer", QUESTION, time=START)
    detector.observe("last", QUESTION, time=START)
    assert len(detector) == 1
    assert detector.forgotten == {"newcomers": 1, "established": 1, "convicted": 1}
    assert detector.observe("attacker", QUESTION, time=START).requests == 1


@pytest.mark.parametrize(("unseen", "level"), [(30 * 86_400 - 1, "throttle"), (30 * 86_400 + 1, "none")])
def test_account_unseen_for_30_days_starts_anew(unseen: float, level: str) -> None:
    """Convicted or not."""
    detector = strict()
    play(detector, "attacker", ATTACK)
    after = detector.observe("attacker", QUESTION, time=START + PACE * 59 + unseen)
    assert (after.level, after.requests) == (level, 61 if level == "throttle" else 1)


def test_thresholds() -> None:
    """Twice as high without a history, and with one no lower than alpha asks."""
    least = math.log(3 / 0.01)
    guard = Baseline.of([("a", {"corpus-walk": 7.5, "recombination": 1.0})], requests=1, first=None, last=None)
    wide = {name: least * (2 if name in CONVICTING else 1) for name in SIGNALS}
    assert Detector(alpha=0.01).thresholds == pytest.approx(wide)
    assert Detector(alpha=0.01, baseline=EMPTY).thresholds == pytest.approx(dict.fromkeys(SIGNALS, least))
    assert Detector(alpha=0.01, baseline=guard).thresholds["corpus-walk"] == 7.5
    assert Detector(alpha=0.01, baseline=guard).thresholds["recombination"] == pytest.approx(least)
    assert Detector().thresholds == Detector(alpha=0.001).thresholds


def test_signals_are_told() -> None:
    """Those that may restrict first, each with its honest rate."""
    assert CONVICTING == SIGNALS[:3] == ("recombination", "template-rotation", "corpus-walk")
    assert list(HONEST_RATES) == list(SIGNALS)
    assert all(0 < rate < 1 for rate in HONEST_RATES.values())
    assert module.USES == ("class", "research", "evaluation")


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_detector_is_not_copied(attempt: Any) -> None:
    """A copy that forgot, or shared a lock, would be worse than an error that says so."""
    with pytest.raises(TypeError, match="cannot pickle"):
        attempt(strict())


def test_detector_can_be_subclassed() -> None:
    """With arguments and state of one's own."""

    class Logged(Detector):
        def __init__(self, **_: Any) -> None:
            self.levels: list[str] = []

        def observe(self, account: str | bytes, prompt: Prompt, **more: Any) -> Verdict:
            verdict = super().observe(account, prompt, **more)
            self.levels.append(verdict.level)
            return verdict

    detector = Logged(secret=secret(0), baseline=EMPTY, capacity=5)
    play(detector, "attacker", ATTACK)
    assert isinstance(detector, Detector)
    assert detector.levels == [one.level for one in play(strict(), "attacker", ATTACK)]
    assert len(detector) == 1
