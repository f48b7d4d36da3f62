"""A seeded writer: fills the patterns of `phrases` with words of a topic."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from ratelimit_guard.simulate.phrases import STATEMENTS, WORDS
from ratelimit_guard.simulate.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.simulate.topics import Topic

T = TypeVar("T")

TOKEN = re.compile(r"\[([^\]]+)\]|\{(\w+)\}")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO])")
PLURAL = re.compile(r"(x|ss|ch|sh)s\b")
TOKENS_PER_WORD = 1.3
"""Of English, about."""


class _Slot(NamedTuple):
    name: str
    upper: bool


class _Choice(NamedTuple):
    options: tuple[_Parsed, ...]


_Parsed: TypeAlias = "tuple[str | _Slot | _Choice, ...]"


@lru_cache(maxsize=4_096)
def _parsed(pattern: str) -> _Parsed:
    parts: list[str | _Slot | _Choice] = []
    at = 0
    for token in TOKEN.finditer(pattern):
        parts.append(pattern[at : token.start()])
        if token[1]:
            parts.append(_Choice(tuple(_parsed(option) for option in token[1].split("|"))))
        else:
            parts.append(_Slot(token[2].lower(), token[2][0].isupper()))
        at = token.end()
    return (*parts, pattern[at:])


class Writer:
    """Writes what its random numbers say, about one topic at a time.

    Of `random.Random` it uses only seeding with a string and `random()`, which all versions of Python keep.
    `own` are phrases of the writer's life, for the slot `mine`.
    """

    def __init__(self, *seed: object, own: Sequence[str] = (), topics: Sequence[Topic] = TOPICS) -> None:
        self.random = Random(" ".join(map(str, seed))).random  # noqa: S311  traffic repeats itself, nothing is secret
        self.own = own
        self.topics = topics
        self.topic = self.pick(topics)

    def pick(self, stock: Sequence[T]) -> T:
        """One of them."""
        return stock[int(self.random() * len(stock))]

    def often(self, stock: Sequence[T]) -> T:
        """One of them, the first ones most often."""
        return stock[int(self.random() ** 2 * len(stock))]

    def some(self, stock: Sequence[T], count: int) -> list[T]:
        """So many of them in any order, none twice."""
        left = list(stock)
        return [left.pop(int(self.random() * len(left))) for _ in range(min(count, len(left)))]

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return self.random() < share

    def between(self, least: int, most: int) -> int:
        """A number, both ends included."""
        return least + int(self.random() * (most - least + 1))

    def turn(self) -> None:
        """Go on to another topic of one's own."""
        self.topic = self.pick(self.topics)

    def write(self, pattern: str, **given: str) -> str:
        """The pattern with its slots filled: first from `given`, then from the topic and the lists of `phrases`."""
        return PLURAL.sub(r"\1es", ARTICLE.sub(r"\1n ", self._filled(_parsed(pattern), given)))

    def _filled(self, parts: _Parsed, given: dict[str, str]) -> str:
        made: list[str] = []
        for part in parts:
            if isinstance(part, str):
                made.append(part)
            elif isinstance(part, _Choice):
                made.append(self._filled(self.pick(part.options), given))
            else:
                word = given.get(part.name) or self._word(part.name)
                made.append(word[:1].upper() + word[1:] if part.upper else word)
        return "".join(made)

    def _word(self, slot: str) -> str:
        match slot:
            case "thing":
                return self.pick(self.topic.things)
            case "act":
                return self.pick(self.topic.acts)
            case "trouble":
                return self.pick(self.topic.troubles)
            case "aspect":
                return self.pick(self.topic.aspects)
            case "mine":
                return self.pick(self.own) if self.own else f"my {self.pick(self.topic.things)}"
            case _:
                return self.pick(WORDS[slot])

    def passage(self, least: int, most: int) -> str:
        """So many statements on the topic."""
        return " ".join(self.write(self.pick(STATEMENTS)) for _ in range(self.between(least, most)))


def tokens(text: str) -> int:
    """About how many tokens a model would count."""
    return round(TOKENS_PER_WORD * (text.count(" ") + 1))
