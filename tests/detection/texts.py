"""A seeded writer: sentences, questions, tasks, passages, code and logs, from the rules of `banks`."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from detection.banks import PHRASES, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

T = TypeVar("T")

SPELLING = (
    (re.compile(r"\b([Aa]) (?=[aeiou])"), r"\1n "),
    (re.compile(r"([^aeiou\W])ys\b"), r"\1ies"),
    (re.compile(r"(ss|x|ch|sh)s\b"), r"\1es"),
)
SLOT = re.compile(r"\{(\w+(?:\+ed)?)\}")

Choice = tuple[tuple[str, ...], tuple[str, ...]]
"""What stands between the slots, and the names of these."""


def _compiled() -> dict[str, tuple[Choice, ...]]:
    choices = {name: words.split() for name, words in WORDS.items()}
    choices |= {name: [one.strip() for one in re.split(r"[|\n]", text)] for name, text in PHRASES.items()}
    choices["verb+ed"] = [verb + ("d" if verb.endswith("e") else "ed") for verb in choices["verb"]]
    choices |= {name.capitalize(): [one[:1].upper() + one[1:] for one in all_] for name, all_ in choices.items()}
    parts = {name: [SLOT.split(one) for one in all_] for name, all_ in choices.items()}
    return {name: tuple((tuple(one[::2]), tuple(one[1::2])) for one in all_) for name, all_ in parts.items()}


RULES = _compiled()


@lru_cache
def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / (rank + 1) for rank in range(count)))


class Writer:
    """Writes whatever its random numbers say."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def make(self, rule: str) -> str:
        """A text by a rule."""
        text = self._expand(rule)
        for wrong, right in SPELLING:
            text = wrong.sub(right, text)
        return text

    def _expand(self, rule: str) -> str:
        choices = RULES[rule]
        between, slots = choices[int(self.random.random() * len(choices))]
        if not slots:
            return between[0]
        made = [between[0]]
        for slot, text in zip(slots, between[1:], strict=True):
            made += (self._expand(slot), text)
        text = "".join(made)
        return text[:1].upper() + text[1:] if rule[0].isupper() else text

    def many(self, rule: str, count: int) -> list[str]:
        """A stock."""
        return [self.make(rule) for _ in range(count)]

    def pick(self, stock: Sequence[T]) -> T:
        """One of them."""
        return stock[int(self.random.random() * len(stock))]

    def zipf(self, stock: Sequence[T]) -> T:
        """One of them, the first ones most often."""
        return self.random.choices(stock, cum_weights=_zipf(len(stock)))[0]

    def some(self, stock: Sequence[T], least: int, most: int) -> list[T]:
        """A few of them in any order, none twice."""
        return self.random.sample(stock, self.random.randint(least, most))

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return self.random.random() < share

    def between(self, least: int, most: int) -> int:
        """A number, both ends included."""
        return least + int(self.random.random() * (most - least + 1))

    def tokens(self, least: int = 90, most: int = 600) -> int:
        """How long an answer is: of written ones, more short than long."""
        return int(least * (most / least) ** self.random.random())

    def sentence(self) -> str:
        """A statement."""
        return self.make("sentence")

    def question(self) -> str:
        """A question."""
        return self.make("question")

    def task(self) -> str:
        """A task of its own, now and then with a line of input."""
        more = self.make("input")
        return f"{self.make('task')}\n{more}" if more else self.make("task")

    def passage(self, least: int = 3, most: int = 6, rule: str = "sentence") -> str:
        """A paragraph."""
        return " ".join(self.many(rule, self.between(least, most)))

    def document(self, paragraphs: int = 4) -> str:
        """Several of them."""
        return "\n\n".join(self.passage() for _ in range(paragraphs))

    def message(self) -> str:
        """What somebody writes to a help desk: what happened, and a question."""
        return " ".join([*self.many("sentence", self.between(0, 2)), self.question()])

    def code(self, least: int = 4, most: int = 10) -> str:
        """A function."""
        head = f"def {self.make('act')}_{self.make('ident')}_{self.make('noun')}({self.make('ident')}):"
        return "\n    ".join([head, *self.many("code", self.between(least, most))])

    def diff(self) -> str:
        """What a change shows."""
        lines = [f"--- a/{self.make('noun')}/{self.make('ident')}.py", f"@@ -{self.between(1, 900)},7 @@"]
        return "\n".join(lines + [self.pick((" ", "+", "-")) + one for one in self.many("code", self.between(4, 12))])

    def log(self) -> str:
        """The end of a build's log."""
        return "\n".join(
            f"{self.between(10, 23)}:{self.between(10, 59)} {self.pick(('INFO', 'WARN', 'ERROR'))}"
            f" {self.make('noun')}.{self.make('ident')} {self.make('verb+ed')} {self.make('things')}"
            f" in {self.between(1, 9999)} ms"
            for _ in range(self.between(6, 18))
        )

    def name(self) -> str:
        """First and last name."""
        return f"{self.make('first')} {self.make('last')}"
