"""What an audit found, in words: numbers and dates, signals, verdicts, and why a heavy account was not flagged.

Pure functions, for the report and for `ratelimit-guard explain`. Times are UTC. Names and identifiers come from a log
that strangers wrote: `name` makes them harmless for a terminal, the report escapes them for HTML as well.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.audit.result import AccountResult, Example, Level, Signal

NAME = 64
"""Characters of a name that are shown: more than any key or UUID has, less than would break a table."""
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that would move, hide or turn around the text beside them, or that UTF-8 cannot hold."""
DIGITS = 6
"""Decimals after which two numbers count as the same to a reader."""


class Trait(NamedTuple):
    """A signal in words: what a prompt did that shows it, what it means, and which honest uses come near."""

    act: str
    meaning: str
    near: str
    observes: bool = False


TRAITS = {
    "recombination": Trait(
        "began and ended with text from two different earlier prompts",
        "Both ends of a prompt are old text of the account, from different earlier requests, and rearranged or around "
        "something new: prompts composed from a stock of seeds or phrases.",
        "Prompts put together from a stock of parts with the question in the middle; forms with many options at both "
        "ends.",
    ),
    "template-rotation": Trait(
        "put a new task into one of many rotating frames",
        "A new task inside a frame, and the frame changes among many.",
        "Products with ten features and more that are all used alike.",
    ),
    "corpus-walk": Trait(
        "posed a bare new task (no system prompt, no follow-up, not a repeat)",
        "Bare new tasks one after another: no system prompt, no follow-up, never a repeat.",
        "Agencies and evaluations without a system prompt; jobs over hundreds of different bare prompts.",
    ),
    "mosaic": Trait(
        "joined pieces of two or more earlier prompts",
        "Pieces of two or more earlier prompts together in one.",
        "Retrieval (RAG) with several passages does this as a matter of course.",
        observes=True,
    ),
    "novelty": Trait(
        "neither repeated nor followed up anything earlier",
        "Never the same twice, never a follow-up.",
        "Agencies and hackathons do this too.",
        observes=True,
    ),
}


def count(number: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{number:,}"


def amount(number: int, noun: str) -> str:
    """A number of things: `1 request`, `2,000 requests`."""
    return f"{count(number)} {noun if number == 1 else noun + 's'}"


def percent(rate: float) -> str:
    """A share in percent with two digits that say something; all and nothing only where it is all and nothing."""
    share = rate * 100
    if share in {0, 100}:
        return f"{share:.0f} %"
    if share < 0.01:
        return "less than 0.01 %"
    if share >= 99.5:
        return f"{share:.1f} %" if share < 99.95 else "more than 99.9 %"
    return f"{share:.0f} %" if share >= 9.95 else f"{float(f'{share:.2g}'):g} %"


def apart(value: float, bound: float, digits: int = 1) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see which one is larger."""
    while digits < DIGITS and (round(value, digits) >= round(bound, digits)) != (value >= bound):
        digits += 1
    return f"{value:.{digits}f}", f"{bound:.{digits}f}"


def score(value: float) -> str:
    """A score, which never reads as 1 while it is below."""
    return apart(value, 1.0, 2)[0]


def moment(seconds: float) -> str:
    """A time of the log, to the second, in UTC."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # no calendar has it; the report is about other things
        return f"{seconds:g} s after 1970"


def span(seconds: float) -> str:
    """How long something took, in its two largest units."""
    left = max(0, round(seconds))
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    first = next((index for index, (size, _) in enumerate(units) if left >= size), 3)
    parts = [f"{left // units[first][0]} {units[first][1]}"]
    if first < 3:
        size, unit = units[first + 1]
        rest = left % units[first][0] // size
        parts += [f"{rest} {unit}"] if rest else []
    return " ".join(parts)


def visible(text: str) -> str:
    """The text with everything that is not seen written out, such as the marks that turn a line around."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in INVISIBLE else char for char in text
    )


def name(text: str, most: int = NAME) -> str:
    """A name or an identifier as it may be shown: visible, and shortened in the middle when it is long."""
    if len(text) > most:
        text = f"{text[: most - 21]}…{text[-20:]}"
    return visible(text)


def listing(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def level_word(level: Level) -> str:
    """A level as the report names it: an audit restricts nobody by itself."""
    return {"throttle": "would restrict", "observe": "observe", "none": "not flagged"}[level]


def rate(signal: Signal) -> float:
    """The share of judged requests that showed the signal."""
    return signal.events / signal.counted if signal.counted else 0.0


def over_threshold(account: AccountResult) -> list[Signal]:
    """The signals whose evidence is enough to restrict the account."""
    return [one for one in account.signals if one.threshold is not None and one.evidence > one.threshold]


def main_signal(account: AccountResult) -> Signal | None:
    """The signal that came nearest to its threshold; failing that the observing one that stands out most."""
    convicting = [one for one in account.signals if one.threshold and one.evidence > 0]
    observing = [one for one in account.signals if one.threshold is None and rate(one) > one.honest_rate]
    by_score = max(convicting, key=lambda one: one.evidence / (one.threshold or 1), default=None)
    return by_score or max(observing, key=rate, default=None)


def signal_sentence(signal: Signal) -> str:
    """How often an account showed a signal, how often an honest one may, and how strong the evidence is."""
    if not signal.counted:
        return f"No prompt could be judged for {name(signal.name)}."
    trait = TRAITS.get(signal.name)
    act = trait.act if trait else f"showed {name(signal.name)}"
    of = f"{count(signal.events) if signal.events else 'None'} of {amount(signal.counted, 'prompt')}"
    honest = f"an honest account may do that in {percent(signal.honest_rate)} of its requests"
    if signal.threshold is None:
        return f"{of} {act}; {honest}. This signal observes only and never restricts."
    return f"{of} {act}; {honest}. Evidence {_of_needed(signal)}."


def verdict_sentences(account: AccountResult) -> list[str]:
    """What would have happened to an account, when, after how many requests, on which signals; then one per signal."""
    if account.level == "none":
        return ["Not restricted as a whole." if account.restricted else "Not flagged."]
    over = over_threshold(account)
    if account.level == "observe":
        said = [_observation(account)]
    else:
        names = listing([name(one.name) for one in over])
        which = f" The signal{' was' if len(over) == 1 else 's were'} {names}." if over else ""
        said = [_restriction(account) + which]
    notable = [one for one in account.signals if one in over or rate(one) > one.honest_rate]
    strongest = main_signal(account)
    return said + [signal_sentence(one) for one in notable or ([strongest] if strongest else [])]


def telling_examples(account: AccountResult) -> list[Example]:
    """Requests that showed a signal which restricts the account; of one that is not restricted, any signal."""
    over = {one.name for one in over_threshold(account)}
    return [example for example in account.examples if not over or example.signal in over]


def why_not(account: AccountResult) -> str:
    """Why an account that is not restricted is not, however many requests it made."""
    judged = [one for one in account.signals if one.threshold is not None and one.counted]
    if account.score > 1:
        return _observation(account)
    if not judged:
        return "None of its requests could be judged: there was no answered request with a prompt in it."
    exempt = "corpus-walk" if account.declared else ""
    judged = [one for one in judged if one.name != exempt]
    above = [one for one in judged if rate(one) > one.honest_rate]
    below = [_against(one) for one in judged if one not in above]
    said = [f"Above the honest rate: {_against(one)}, but its evidence is {_of_needed(one)}." for one in above]
    if below:
        who = "The rest" if above else "Every signal that could restrict it"
        said.append(f"{who} is within what honest accounts do: {listing(below)}.")
    return " ".join([*said, *([f"Of a declared use {exempt} is not judged."] if exempt else [])])


def _observation(account: AccountResult) -> str:
    """Why an account is observed and no more."""
    if account.declared:
        return f"Observed, not restricted: its declared use is {name(account.declared)}."
    if account.suspect:
        return "Observed, not restricted: it is a suspect of the history and waits for the operator's decision."
    whole = " as a whole" if account.restricted else ""
    return f"Observed, not restricted{whole}: its highest score was {score(account.score)}, and 1 restricts."


def _restriction(account: AccountResult) -> str:
    """The moment from which on an account would have been restricted."""
    verb = "Would have been restricted"
    if account.flagged_at is None or account.flagged_after is None:
        return f"{verb}."
    when = f"{verb} from {moment(account.flagged_at)} UTC on"
    after = f"after {count(account.flagged_after)} of its {amount(account.requests, 'request')}"
    later = f"{span(account.flagged_at - account.first)} after the first of them"
    request = "" if account.flagged_request is None else f' The request was "{name(account.flagged_request)}".'
    return f"{when}, {after}, {later}.{request}"


def _against(signal: Signal) -> str:
    return f"{name(signal.name)} {percent(rate(signal))} (honest: up to {percent(signal.honest_rate)})"


def _of_needed(signal: Signal) -> str:
    evidence, needed = apart(signal.evidence, signal.threshold or 0.0)
    return f"{evidence} of {needed} nats needed"
