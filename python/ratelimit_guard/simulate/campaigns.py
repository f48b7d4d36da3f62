"""What members of a campaign send: each maker builds the stock that all members share, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratelimit_guard.simulate import phrases
from ratelimit_guard.simulate.honest import Turn, person
from ratelimit_guard.simulate.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ratelimit_guard.simulate.clock import Span
    from ratelimit_guard.simulate.honest import Speak
    from ratelimit_guard.simulate.scenario import Tier
    from ratelimit_guard.simulate.writer import Writer

BANK = 24
"""Phrases of each part of a composed prompt."""

POOL = 175
"""Seed questions of a pool, of which a request shows `SHOWN`."""

SHOWN = 3
COVER = 0.5


def composed(stock: Writer) -> Speak:
    """Opening, manner and closing out of banks, around a new task."""
    openings, manners, closings = (
        bank(stock, patterns) for patterns in (phrases.OPENINGS, phrases.MANNERS, phrases.CLOSINGS)
    )

    def speak(w: Writer, _day: Span) -> Iterator[Turn]:
        said = "\n".join((w.pick(openings), w.pick(manners), "", task(w), "", w.pick(closings)))
        yield Turn(said, w.passage(5, 10), attack=True)

    return speak


def pool(stock: Writer) -> Speak:
    """Seed questions of one pool, each led in with words of the moment, and a wish for more like them."""
    seeds = bank(stock, phrases.SEED_QUESTIONS, POOL)

    def speak(w: Writer, _day: Span) -> Iterator[Turn]:
        shown = [f"{w.pick(phrases.REWORDINGS)} {seed}." for seed in w.some(seeds, SHOWN)]
        anew(w)
        yield Turn("\n".join((*shown, w.write(w.pick(phrases.MENDERS)))), w.passage(5, 10), attack=True)

    return speak


def whole(_stock: Writer) -> Speak:
    """A corpus of tasks divided over the accounts: each prompt once, and nothing around it."""

    def speak(w: Writer, _day: Span) -> Iterator[Turn]:
        yield Turn(task(w), w.passage(4, 8), attack=True)

    return speak


def covered(stock: Writer) -> Callable[[Writer], Speak]:
    """The same as `composed` between requests of an honest-looking person."""
    attack = composed(stock)

    def of(w: Writer) -> Speak:
        chat = person(w)

        def speak(w: Writer, day: Span) -> Iterator[Turn]:
            if w.chance(COVER):
                yield next(chat(w, day))
            else:
                yield from attack(w, day)

        return speak

    return of


def members(tier: Tier, stock: Writer) -> Callable[[Writer], Speak]:
    """Makes what each member says; of a relay, what each of its customers does."""
    if tier == "relay":
        return customer
    if tier == "cover":
        return covered(stock)
    speak = {"composed": composed, "pool": pool, "whole": whole}[tier](stock)
    return lambda _w: speak


def customer(w: Writer) -> Speak:
    """Somebody who bought access: chats like everybody, through whichever account the reseller takes."""
    chat = person(w)

    def speak(w: Writer, day: Span) -> Iterator[Turn]:
        return (turn._replace(attack=True) for turn in chat(w, day))

    return speak


def bank(stock: Writer, patterns: Sequence[str], size: int = BANK) -> list[str]:
    """So many phrases, worded once for the whole campaign."""
    phrases_made: list[str] = []
    for number in range(size):
        anew(stock)
        phrases_made.append(stock.write(patterns[number % len(patterns)]))
    return phrases_made


def task(w: Writer) -> str:
    """A new task on any topic."""
    anew(w)
    return " ".join(w.write(w.pick(phrases.TASKS)) for _ in range(w.between(1, 2)))


def anew(w: Writer) -> None:
    """Forget what the writer last wrote about, and whose words it used."""
    w.topics, w.own = TOPICS, ()
    w.turn()
