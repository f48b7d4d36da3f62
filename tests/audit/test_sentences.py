"""What an audit says in words: numbers, dates, signals, verdicts, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit.results import START, THRESHOLD, account, signal, signals
from ratelimit_guard.audit import sentences as say

if TYPE_CHECKING:
    from ratelimit_guard.audit.result import Level, Signal

HONEST = "an honest account may do that in 2 % of its requests"


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0 %"),
        (0.00001, "less than 0.01 %"),
        (0.0003, "0.03 %"),
        (0.003, "0.3 %"),
        (0.0149, "1.5 %"),
        (0.02, "2 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.2789, "28 %"),
        (0.994, "99 %"),
        (0.997, "99.7 %"),
        (0.9999, "more than 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_has_digits_that_say_something(rate: float, text: str) -> None:
    """Small shares keep two digits, and neither all nor nothing is claimed where there is a rest."""
    assert say.percent(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400 * 2 + 59, "2 d"),
        (86_400 * 3 + 3_600, "3 d 1 h"),
    ],
)
def test_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    """Nobody wants the seconds of three days."""
    assert say.span(seconds) == text


def test_moment_is_utc_whatever_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report means the same wherever it was made."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert say.moment(START + 3_723.9) == "2026-11-20 01:02:03"


@pytest.mark.parametrize("seconds", [1e18, -1e18, float("inf"), float("nan")])
def test_moment_that_no_calendar_has_is_still_told(seconds: float) -> None:
    """One absurd time of a log does not cost the report."""
    assert say.moment(seconds) == f"{seconds:g} s after 1970"


@pytest.mark.parametrize(
    ("value", "bound", "shown"),
    [
        (9.3, 8.0, ("9.3", "8.0")),
        (7.96, 8.0, ("7.96", "8.00")),
        (7.9996, 8.0, ("7.9996", "8.0000")),
        (8.01, 8.04, ("8.01", "8.04")),
        (8.0, 8.0, ("8.0", "8.0")),
    ],
)
def test_apart_shows_which_number_is_larger(value: float, bound: float, shown: tuple[str, str]) -> None:
    """Evidence below its threshold never reads as the threshold."""
    assert say.apart(value, bound) == shown


def test_score_below_one_never_reads_as_one() -> None:
    """0.999 is no restriction, 1 is one."""
    shown = [say.score(value) for value in (0.0, 0.714, 0.999, 1.0, 12.3)]
    assert shown == ["0.00", "0.71", "0.999", "1.00", "12.30"]


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listing_reads_as_a_sentence(words: list[str], text: str) -> None:
    """Commas, and one `and`."""
    assert say.listing(words) == text


def test_amount_knows_one_from_many() -> None:
    """One request, no requests, two thousand of them."""
    assert [say.amount(number, "request") for number in (0, 1, 2_000)] == ["0 requests", "1 request", "2,000 requests"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 漢字 😀", "Zoë 漢字 😀"),
        ("a\u202eb", "a\\u202eb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\ud83d", "\\ud83d"),
        ("a\u2028b\u200bc", "a\\u2028b\\u200bc"),
        ("x" * 64, "x" * 64),
        ("a" * 60 + "b" * 60, "a" * 43 + "…" + "b" * 20),
    ],
)
def test_name_is_harmless_and_short(text: str, shown: str) -> None:
    """What hides, turns around or colours text is written out; what is long loses its middle."""
    assert say.name(text) == shown
    assert say.name(shown) == shown


@pytest.mark.parametrize(
    ("level", "word"),
    [
        ("throttle", "would restrict"),
        ("observe", "observe"),
        ("none", "not flagged"),
    ],
)
def test_level_has_a_word(level: Level, word: str) -> None:
    """An audit restricts nobody by itself."""
    assert say.level_word(level) == word


def test_signal_sentence_says_events_honest_rate_and_evidence() -> None:
    """The three numbers behind a verdict."""
    act = "41 of 147 prompts began and ended with text from two different earlier prompts"
    assert say.signal_sentence(signal()) == f"{act}; {HONEST}. Evidence 9.3 of 8.0 nats needed."


def test_signal_sentence_of_an_observing_signal_says_that_it_never_restricts() -> None:
    """It has no threshold to be measured against."""
    act = "41 of 147 prompts joined pieces of two or more earlier prompts"
    never = "This signal observes only and never restricts."
    assert say.signal_sentence(signal("mosaic", threshold=None)) == f"{act}; {HONEST}. {never}"


@pytest.mark.parametrize(
    ("events", "counted", "start"),
    [
        (0, 147, "None of 147 prompts posed a bare new task (no system prompt, no follow-up, not a repeat); "),
        (1, 1, "1 of 1 prompt posed a bare new task (no system prompt, no follow-up, not a repeat); "),
        (1_000, 2_000, "1,000 of 2,000 prompts posed a bare new task (no system prompt, no follow-up, not a repeat); "),
    ],
)
def test_signal_sentence_counts_in_words(events: int, counted: int, start: str) -> None:
    """None, one and many."""
    assert say.signal_sentence(signal("corpus-walk", events=events, counted=counted)).startswith(start)


def test_signal_sentence_without_judged_prompts_says_so() -> None:
    """0 of 0 is no rate."""
    text = say.signal_sentence(signal(events=0, counted=0, evidence=0.0))
    assert text == "No prompt could be judged for recombination."


def test_signal_sentence_of_an_unknown_signal_names_it() -> None:
    """A detector newer than these words is no error, and its name is made harmless."""
    assert say.signal_sentence(signal("x\u202e")).startswith("41 of 147 prompts showed x\\u202e; ")


def test_every_trait_makes_a_sentence_of_its_own() -> None:
    """Five signals, five different sentences, and the two that observe are those without a threshold."""
    sentences = {say.signal_sentence(one) for one in signals(recombination=9.3, mosaic=3)}
    assert len(sentences) == len(say.TRAITS) == 5
    observing = {one.name for one in signals() if one.threshold is None}
    assert observing == {name for name, trait in say.TRAITS.items() if trait.observes}


def test_main_signal_is_the_one_nearest_to_its_threshold() -> None:
    """Not the one with the highest evidence: 20 of 27.5 nats are less than 7 of 8."""
    one = signal("recombination", evidence=7.0)
    other = signal("corpus-walk", evidence=20.0, threshold=27.5)
    observing = signal("mosaic", evidence=90.0, threshold=None)
    assert say.main_signal(account(signals=(other, one, observing))) == one


def test_main_signal_without_evidence_is_the_observing_one_above_its_honest_rate() -> None:
    """And none where nothing stands out."""
    still = signal(events=0, evidence=0.0)
    mosaic, novelty = signal("mosaic", threshold=None), signal("novelty", events=1, threshold=None)
    assert say.main_signal(account(signals=(still, novelty, mosaic))) == mosaic
    assert say.main_signal(account(signals=(still, novelty))) is None


def test_verdict_of_a_restricted_account_says_when_after_what_and_why() -> None:
    """Time, requests, the request itself, the signal; then the signal's sentence."""
    one = account(level="throttle", signals=(signal(), signal("corpus-walk", events=0, evidence=0.0)))
    first, second = say.verdict_sentences(one)
    assert first == (
        "Would have been restricted from 2026-11-20 10:50:12 UTC on, after 41 of its 147 requests, "
        '50 min 12 s after the first of them. The request was "req-41". The signal was recombination.'
    )
    assert second == say.signal_sentence(signal())


def test_verdict_in_shadow_mode_is_what_would_have_been() -> None:
    """Nothing was restricted."""
    one = account(level="throttle", requests=1, flagged_after=1, flagged_request=None, flagged_at=START + 36_000)
    first = say.verdict_sentences(one)[0]
    assert first == (
        "Would have been restricted from 2026-11-20 10:00:00 UTC on, after 1 of its 1 request, "
        "0 s after the first of them. The signal was recombination."
    )


def test_verdict_names_all_signals_over_their_threshold_and_those_above_the_honest_rate() -> None:
    """Two convict; a third, observing, is above its honest rate and is told too; a fourth is not."""
    over = (signal(), signal("template-rotation", evidence=THRESHOLD + 0.1))
    mosaic, novelty = signal("mosaic", threshold=None), signal("novelty", threshold=None, honest_rate=0.8)
    said = say.verdict_sentences(account(level="throttle", signals=(*over, mosaic, novelty)))
    assert said[0].endswith("The signals were recombination and template-rotation.")
    assert said[1:] == [say.signal_sentence(one) for one in (*over, mosaic)]


def test_verdict_without_a_time_still_says_what_happened() -> None:
    """A result that lacks the moment."""
    one = account(level="throttle", flagged_at=None, flagged_request='"\u202e', signals=())
    assert say.verdict_sentences(one) == ["Would have been restricted."]


def test_verdict_makes_the_request_harmless() -> None:
    """Request ids come from the log."""
    said = say.verdict_sentences(account(level="throttle", flagged_request="\x1b[2J" + "r" * 99))[0]
    assert f'The request was "\\x1b[2J{"r" * 39}…{"r" * 20}".' in said


def test_verdict_of_an_observed_account_says_what_is_missing() -> None:
    """It was not restricted, and the score says how far it was from it."""
    mosaic = signal("mosaic", threshold=None)
    said = say.verdict_sentences(account(level="observe", signals=(mosaic,)))
    assert said == [
        "Observed, not restricted: its highest score was 0.71, and 1 restricts.",
        say.signal_sentence(mosaic),
    ]


def test_verdict_without_a_notable_signal_tells_the_nearest() -> None:
    """An observed account whose rates are all honest."""
    near = signal(events=2, evidence=5.7)
    said = say.verdict_sentences(account(level="observe", signals=(near,)))
    assert said[1:] == [say.signal_sentence(near)]


def test_verdict_of_an_account_that_was_not_flagged_is_short() -> None:
    """`why_not` says the rest."""
    assert say.verdict_sentences(account()) == ["Not flagged."]


def test_why_not_sets_each_rate_against_the_honest_one() -> None:
    """Signals that only observe explain nothing: they could not have restricted it."""
    one = account(
        signals=(
            signal(events=1, counted=1_000, evidence=0.1),
            signal("corpus-walk", events=400, counted=1_000, evidence=0.1, honest_rate=0.5),
            signal("mosaic", threshold=None),
        )
    )
    assert say.why_not(one) == (
        "Every signal that could restrict it is within what honest accounts do: "
        "recombination 0.1 % (honest: up to 2 %) and corpus-walk 40 % (honest: up to 50 %)."
    )


def test_why_not_admits_a_rate_above_the_honest_one() -> None:
    """Then it is the evidence that is not enough."""
    above = signal("corpus-walk", events=6, counted=10, evidence=0.8, honest_rate=0.5)
    first = "Above the honest rate: corpus-walk 60 % (honest: up to 50 %), but its evidence is 0.8 of 8.0 nats needed."
    assert say.why_not(account(signals=(above,))) == first
    rest = "The rest is within what honest accounts do: recombination 0 % (honest: up to 2 %)."
    assert say.why_not(account(signals=(signal(events=0, counted=10), above))) == f"{first} {rest}"


@pytest.mark.parametrize("found", [(), (signal(events=0, counted=0),), (signal("mosaic", threshold=None),)])
def test_why_not_of_an_account_without_judged_prompts_says_so(found: tuple[Signal, ...]) -> None:
    """Not judged is not the same as honest."""
    assert say.why_not(account(signals=found)).startswith("None of its requests could be judged: ")
