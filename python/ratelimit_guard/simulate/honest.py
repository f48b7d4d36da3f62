"""Honest accounts: people who chat, programs, a class, users of a viral prompt, an agency."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ratelimit_guard.simulate import phrases
from ratelimit_guard.simulate.topics import TOPICS
from ratelimit_guard.simulate.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ratelimit_guard.simulate.clock import Span


class Turn(NamedTuple):
    """What is said next in a conversation."""

    said: str
    answer: str
    system: str = ""
    attack: bool = False


Speak: TypeAlias = "Callable[[Writer, Span], Iterator[Turn]]"
"""Begins a conversation, which ends when the iterator does."""


class Template(NamedTuple):
    """What stands before and behind a new text."""

    head: str
    tail: str


def person(w: Writer) -> Speak:
    """Somebody with a few topics, things of his own that he comes back to, and a habit of going on asking."""
    topics = w.some(TOPICS, w.between(2, 4))
    own: list[str] = []
    for _ in range(w.between(4, 7)):
        w.topic = w.pick(topics)
        own.append(w.write(w.pick(phrases.MINE)))
    persistence, chattiness = 0.3 + 0.5 * w.random(), w.random() * 0.6

    def speak(w: Writer, _day: Span) -> Iterator[Turn]:
        w.topics, w.own = topics, own
        w.turn()
        said = w.write(w.pick(phrases.QUESTIONS))
        if w.chance(chattiness):
            said = f"{said} {w.write(w.pick(phrases.QUESTIONS))}"
        yield Turn(said, w.passage(3, 8))
        while w.chance(persistence):
            yield Turn(w.write(w.pick(phrases.FOLLOW_UPS)), w.passage(2, 6))

    return speak


def template(w: Writer, least: int = 3, most: int = 5) -> Template:
    """A few lines of instructions, chosen once."""
    w.turn()
    head = [w.write(w.pick(phrases.INSTRUCTIONS)) for _ in range(w.between(least, most))]
    return Template("\n".join(head), w.write(w.pick(phrases.INSTRUCTIONS)))


def program(w: Writer) -> Speak:
    """A product: one system prompt, and for each of its features a template filled with what comes in."""
    system = "\n".join(w.write(w.pick(phrases.INSTRUCTIONS)) for _ in range(5))
    topics = w.some(TOPICS, 4)
    features = [template(w) for _ in range(w.between(2, 4))]

    def speak(w: Writer, _day: Span) -> Iterator[Turn]:
        w.topics = topics
        w.turn()
        feature = w.often(features)
        text = w.passage(3, 7)
        yield Turn(f'{feature.head}\n\n"""{text}"""\n\n{feature.tail}', w.passage(2, 5), system)

    return speak


def pupil(exercises: Callable[[float], list[str]]) -> Callable[[Writer], Speak]:
    """A pupil of a class: goes through the day's exercises in their order, pasted or in own words."""

    def of(_w: Writer) -> Speak:
        asked: list[tuple[float, str]] = []
        """Day and text of what is still to be asked today."""

        def speak(w: Writer, day: Span) -> Iterator[Turn]:
            if not asked or asked[0][0] != day.start:
                asked[:] = [(day.start, part) for part in exercises(day.start) for _ in range(w.between(1, 4))]
            part = asked.pop(0)[1]
            said = w.write(w.pick(phrases.ASIDES), exercise=part)
            own = w.write(w.pick(phrases.QUESTIONS)) if w.chance(0.3) else ""
            yield Turn(f"{said} {own}".strip(), w.passage(3, 6))
            while w.chance(0.3):
                yield Turn(w.write(w.pick(phrases.FOLLOW_UPS)), w.passage(2, 5))

        return speak

    return of


def exercises(seed: object, number: int) -> Callable[[float], list[str]]:
    """The exercises of a class, new ones every day."""

    def of(day: float) -> list[str]:
        w = Writer(seed, "exercises", number, day)
        return [w.write(pattern) for pattern in phrases.EXERCISES]

    return of


def follower(*, news: bool, share: float = 0.25) -> Callable[[Writer], Speak]:
    """Somebody who tries the prompt of the day on things of his own, now and then, and chats otherwise."""

    def of(w: Writer) -> Speak:
        chat = person(w)

        def speak(w: Writer, day: Span) -> Iterator[Turn]:
            if not (news and w.chance(share)):
                yield from chat(w, day)
                return
            w.turn()
            mine = w.write(w.pick(phrases.MINE))
            yield Turn(f"{phrases.VIRAL[0]} {phrases.VIRAL[1]} {mine}.", w.passage(4, 8))

        return speak

    return of


def agent(pack: Sequence[Template]) -> Callable[[Writer], Speak]:
    """A client of an agency: fills the templates of its pack with own material."""

    def of(w: Writer) -> Speak:
        topics = w.some(TOPICS, 2)
        favourites = w.some(pack, 4)

        def speak(w: Writer, _day: Span) -> Iterator[Turn]:
            w.topics = topics
            w.turn()
            used = w.often(favourites)
            yield Turn(f"{used.head}\n\n{w.passage(2, 5)}\n\n{used.tail}", w.passage(2, 6))

        return speak

    return of
