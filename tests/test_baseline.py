"""Baselines: what honest accounts did, as the detector uses it and as a file; and the exact interval of a rate."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from math import comb
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ratelimit_guard._core import detector as _detector
from ratelimit_guard.baseline import MAX_BYTES, MAX_KEPT, Baseline, confidence
from ratelimit_guard.detector import CONVICTING, SIGNALS, Detector
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ALPHA = 0.001
NOMINAL = _detector.nominal_evidence(ALPHA)
CEILING = 2 * NOMINAL
NOTHING = -math.inf


def learned(accounts: Iterable[tuple[str, dict[str, float]]]) -> Baseline:
    return Baseline.of(accounts, requests=1_000, first=1.5, last=2.5)


def walks(*evidence: float) -> Baseline:
    """Accounts with so many nats of one signal."""
    return learned((f"key-{number}", {"corpus-walk": nats}) for number, nats in enumerate(evidence))


def test_guard_is_the_highest_evidence_of_each_signal() -> None:
    """In the order of the signals; what only observes guards nothing."""
    accounts = [
        ("a", {"recombination": 1.0, "template-rotation": 9.0, "mosaic": 14.0}),
        ("b", {"recombination": 2.0, "corpus-walk": -3.0, "novelty": 1.0}),
    ]
    assert learned(accounts).guard(ALPHA) == (2.0, 9.0, -3.0)
    assert learned([]).guard(ALPHA) == (NOTHING, NOTHING, NOTHING)


def test_suspects_guard_nothing() -> None:
    """Up to twice what alpha asks for counts, what is beyond does not: for this signal, not for others."""
    accounts = [
        ("suspect", {"corpus-walk": math.nextafter(CEILING, math.inf), "recombination": 7.0}),
        ("honest", {"corpus-walk": CEILING}),
    ]
    assert learned(accounts).guard(ALPHA) == (7.0, NOTHING, CEILING)
    assert learned(accounts).suspects(ALPHA) == [("suspect", "corpus-walk", math.nextafter(CEILING, math.inf))]


def test_smaller_alpha_makes_fewer_suspects() -> None:
    """What is too much to be honest depends on what the operator accepts."""
    baseline = walks(12.0, 20.0, 40.0)
    assert [len(baseline.suspects(alpha)) for alpha in (0.1, 0.001, 1e-6, 1e-12)] == [3, 2, 1, 0]
    assert baseline.guard(1e-6)[2] == 20.0


def test_suspect_of_several_signals_is_named_for_each() -> None:
    """Strongest first within a signal, and what only observes makes no suspect."""
    baseline = learned(
        [
            ("a", {"recombination": 50.0, "corpus-walk": 60.0, "mosaic": 500.0}),
            ("b", {"corpus-walk": 70.0}),
        ]
    )
    assert baseline.suspects(ALPHA) == [
        ("a", "recombination", 50.0),
        ("b", "corpus-walk", 70.0),
        ("a", "corpus-walk", 60.0),
    ]


@pytest.mark.parametrize(
    ("evidence", "restricted"),
    [
        ((), 0),
        ((NOMINAL - 1,) * 50, 0),
        ((9.0,), 1),
        ((9.0, 10.0), 1),
        ((10.0, 10.0), 0),
        ((9.0, 10.0, 11.0, 1.0), 1),
        ((9.0, 30.0), 2),
        ((30.0, 40.0), 2),
        ((30.0, 9.0, 9.0), 1),
    ],
)
def test_accounts_of_the_history_are_judged_by_the_others(evidence: tuple[float, ...], restricted: int) -> None:
    """The highest of them sets no threshold for itself; suspects are restricted and set none for others."""
    assert walks(*evidence).restricted(ALPHA) == restricted


def naive_restricted(accounts: list[tuple[str, dict[str, float]]]) -> int:
    """One account left out after the other."""
    found = 0
    for number, (_, evidence) in enumerate(accounts):
        rest = learned(accounts[:number] + accounts[number + 1 :]).guard(ALPHA)
        thresholds = [max(NOMINAL, guard) for guard in rest]
        found += any(evidence.get(name, NOTHING) > least for name, least in zip(CONVICTING, thresholds, strict=True))
    return found


NATS = st.sampled_from([0.0, NOMINAL, 9.0, 12.5, CEILING, 17.0, 40.0]) | st.floats(-5, 60)
EVIDENCE = st.dictionaries(st.sampled_from(SIGNALS), NATS)


@given(st.lists(EVIDENCE, max_size=12))
def test_restricted_accounts_are_those_of_leaving_each_out(evidence: list[dict[str, float]]) -> None:
    """However many signals they show."""
    accounts = [(f"key-{number}", each) for number, each in enumerate(evidence)]
    assert learned(accounts).restricted(ALPHA) == naive_restricted(accounts)


def test_account_restricted_by_several_signals_counts_once() -> None:
    assert learned([("a", dict.fromkeys(CONVICTING, 30.0))]).restricted(ALPHA) == 1


@pytest.mark.parametrize("seed", range(5))
def test_only_the_highest_are_kept(seed: int) -> None:
    """In whatever order they come: a history of a million accounts makes a small file."""
    order = Random(seed).sample(range(6 * MAX_KEPT), 6 * MAX_KEPT)  # noqa: S311
    baseline = learned((f"key-{number}", {"corpus-walk": float(number)}) for number in order)
    assert baseline.accounts == 6 * MAX_KEPT
    assert baseline.maxima["corpus-walk"] == tuple(
        (float(number), f"key-{number}") for number in range(6 * MAX_KEPT - 1, 5 * MAX_KEPT - 1, -1)
    )
    assert baseline.maxima["mosaic"] == ()


def test_signals_that_only_observe_name_nobody() -> None:
    """A number is enough."""
    assert learned([("key-1", {"mosaic": 3.0})]).maxima["mosaic"] == ((3.0, ""),)


def test_baseline_raises_thresholds_of_a_detector() -> None:
    """Never below what alpha asks for."""
    thresholds = Detector(baseline=walks(1.0, 12.5)).thresholds
    assert thresholds == dict.fromkeys(SIGNALS, NOMINAL) | {"corpus-walk": 12.5}


def test_history_without_accounts_is_a_history() -> None:
    """Other than none at all, where thresholds are twice as high."""
    assert Detector(baseline=learned([])).thresholds == dict.fromkeys(SIGNALS, NOMINAL)
    wide = {name: NOMINAL * (2 if name in CONVICTING else 1) for name in SIGNALS}
    assert Detector(baseline=None).thresholds == pytest.approx(wide)


BASELINES = st.builds(
    Baseline.of,
    st.lists(
        st.tuples(st.text(max_size=20), st.dictionaries(st.sampled_from(SIGNALS), st.floats(-100, 1e6))), max_size=9
    ),
    requests=st.integers(0, 2**53),
    first=st.none() | st.floats(0, 1e10),
    last=st.none() | st.floats(0, 1e10),
    known=st.binary(max_size=40),
    secret=st.binary(min_size=16, max_size=64),
)


@given(BASELINES)
@example(learned([("half \ud83d", {"mosaic": 1.0}), ('"\n\x00\u2028💥', {"mosaic": 0.1 + 0.2})]))
def test_file_holds_the_whole_baseline(baseline: Baseline) -> None:
    """To the last digit and whatever accounts are called, and stays text that every editor opens."""
    text = baseline.dumps()
    assert Baseline.loads(text) == baseline
    assert text.isascii()
    assert text.endswith("}\n")


def test_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(walks(3.0).dumps(), encoding="utf-8")
    assert Baseline.load(path) == Baseline.load(str(path)) == walks(3.0)


def test_largest_baseline_can_be_loaded(tmp_path: Path) -> None:
    """Every signal of as many accounts as are kept, with names as long and as odd as a log may have; a million keys."""
    names = (f"{number:03}" + "\x01" * 253 for number in range(2 * MAX_KEPT))
    baseline = learned((name, dict.fromkeys(SIGNALS, 1 / 3)) for name in names)
    baseline = replace(baseline, known=bytes(range(256)) * (1 << 15), secret=bytes(64))
    path = tmp_path / "baseline.json"
    path.write_text(baseline.dumps(), encoding="utf-8")
    assert Baseline.load(path) == baseline


WHOLE = json.loads(replace(walks(3.0), known=b"12345678", secret=bytes(16)).dumps())


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in WHOLE.items() if key != name}


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "version"])
def test_file_with_a_part_missing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"b\.json is no baseline: write one with `ratelimit-guard calibrate HISTORY"):
        Baseline.loads(json.dumps(without(name)), "b.json")


@pytest.mark.parametrize(
    "text",
    ["", "baseline", "{", "[]", "null", "7", '"format"', "{}", '{"account": "a", "risk": 0}', walks(3.0).dumps() * 2],
)
def test_other_files_are_refused(text: str) -> None:
    """A file of verdicts, for example."""
    with pytest.raises(ConfigError, match="baseline is no baseline"):
        Baseline.loads(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"maxima": None},
        {"maxima": []},
        {"maxima": {}},
        {"maxima": WHOLE["maxima"] | {"mosaic": 7}},
        {"maxima": WHOLE["maxima"] | {"mosaic": [7]}},
        {"maxima": WHOLE["maxima"] | {"mosaic": [[7]]}},
        {"maxima": WHOLE["maxima"] | {"mosaic": [["a", "b"]]}},
        {"maxima": WHOLE["maxima"] | {"mosaic": [[1, "a", 2]]}},
        {"maxima": {name: WHOLE["maxima"][name] for name in CONVICTING}},
        {"accounts": "many"},
        {"accounts": None},
        {"accounts": []},
        {"requests": "many"},
        {"first": "yesterday"},
        {"last": []},
        {"known": None},
        {"secret": None},
        {"known": 7},
        {"known": "x" * 5},
        {"known": "====", "secret": "00" * 16},
        {"known": "AAA\n"},
        {"known": "äöü"},
        {"secret": 7},
        {"secret": ["00"] * 16},
        {"secret": "00" * 15},
        {"secret": "00" * 65},
        {"secret": "0" * 33},
        {"secret": "gg" * 16},
    ],
)
def test_file_with_another_value_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="baseline is no baseline"):
        Baseline.loads(json.dumps(WHOLE | changed))


@pytest.mark.parametrize("changed", [{"version": 0}, {"version": 3}, {"version": None}, {"format": "another"}])
def test_file_of_another_version_says_so(changed: dict[str, Any]) -> None:
    """The remedy is to calibrate again, not to look for the right file."""
    with pytest.raises(ConfigError, match=r"b\.json is of another version: calibrate again"):
        Baseline.loads(json.dumps(WHOLE | changed), "b.json")


def test_file_of_the_first_version_is_read() -> None:
    """It knows nothing of what accounts share."""
    old = {name: value for name, value in WHOLE.items() if name not in {"known", "secret"}} | {"version": 1}
    assert Baseline.loads(json.dumps(old)) == walks(3.0)
    assert json.loads(Baseline.loads(json.dumps(old)).dumps())["version"] == 2


def test_baseline_shows_neither_keys_nor_secret() -> None:
    """Not where it is printed or logged."""
    shown = repr(replace(walks(3.0), known=b"keys of texts", secret=b"a secret of sixteen"))
    assert "secret" not in shown
    assert "keys" not in shown.replace("key-0", "")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{" * 100 + b"\xff"])
def test_file_that_is_no_text_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"b\.json"):
        Baseline.load(path)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the baseline .*nowhere: .*No such file"):
        Baseline.load(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"cannot read the baseline .*Is a directory"):
        Baseline.load(tmp_path)


def test_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """A log given by mistake is refused by its first bytes."""
    path = tmp_path / "log"
    path.write_text(walks(3.0).dumps() + " " * MAX_BYTES + "nonsense", encoding="utf-8")
    assert Baseline.load(path) == walks(3.0)
    path.write_text(" " * MAX_BYTES + walks(3.0).dumps(), encoding="utf-8")
    with pytest.raises(ConfigError, match="is no baseline"):
        Baseline.load(path)


def at_least(found: int, of: int, rate: Fraction) -> Fraction:
    """The probability of so many successes and more, without rounding."""
    return sum((comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(found, of + 1)), Fraction(0))


@pytest.mark.parametrize(
    ("found", "of"), [(1, 1), (1, 2), (1, 10), (5, 10), (9, 10), (1, 60), (30, 60), (59, 60), (3, 200)]
)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_bounds_are_exact(found: int, of: int, level: float) -> None:
    """At the lower rate so many or more have just the probability that is left, at the upper one so many or fewer."""
    low, high = confidence(found, of, level)
    tail = pytest.approx((1 - level) / 2, rel=1e-6)
    assert 0 < low < found / of <= high <= 1
    assert float(at_least(found, of, Fraction(low))) == tail
    if found < of:
        assert float(1 - at_least(found + 1, of, Fraction(high))) == tail


@pytest.mark.parametrize("of", [1, 2, 20, 1_338, 10**6, 10**9])
def test_none_and_all(of: int) -> None:
    """Where the bound is known in closed form: a rate of nought in n is not nought."""
    bound = -math.expm1(math.log(0.025) / of)
    assert confidence(0, of)[0] == 0
    assert confidence(0, of)[1] == pytest.approx(bound, rel=1e-6)
    if of <= 10_000:
        assert confidence(of, of)[0] == pytest.approx(1 - bound, rel=1e-9)
        assert confidence(of, of)[1] == 1


def test_nothing_is_known_of_nobody() -> None:
    assert confidence(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("found", "of"), [(100, 10**6), (1_000, 10**7), (2_000, 4_000)])
def test_large_numbers_come_near_the_normal_interval(found: int, of: int) -> None:
    """Where a bell curve is as good."""
    rate = found / of
    half = 1.96 * math.sqrt(rate * (1 - rate) / of)
    low, high = confidence(found, of)
    assert low == pytest.approx(rate - half, rel=0.05)
    assert high == pytest.approx(rate + half, rel=0.05)


@given(st.integers(1, 200).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_interval_turns_around_with_what_is_counted(counts: tuple[int, int]) -> None:
    """The rate of failures is one less that of successes; more successes move both bounds up."""
    found, of = counts
    low, high = confidence(found, of)
    other_low, other_high = confidence(of - found, of)
    assert [low, high] == pytest.approx([1 - other_high, 1 - other_low], abs=1e-12)
    assert low <= found / of <= high
    if found < of:
        more_low, more_high = confidence(found + 1, of)
        assert low < more_low
        assert high < more_high
