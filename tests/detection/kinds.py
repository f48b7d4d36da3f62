"""What a kind of account is, and the bodies that it sends."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from detection.texts import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Turn = tuple[str, str]


class Request(NamedTuple):
    """A body in OpenAI's chat format, and the tokens of its answer."""

    body: dict[str, object]
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of account: its name, its endless stream of requests, how many such an account sends at most."""

    name: str
    stream: Callable[[Writer], Iterator[Request]]
    requests: int = 1_500
    declared: bool = False

    def take(self, requests: int | None = None, *, seed: int = 0) -> list[Request]:
        """Its first requests; the same ones for one seed."""
        stream = self.stream(Writer(Random(f"{self.name} {seed}")))  # noqa: S311  a test repeats itself
        count = self.requests if requests is None else min(requests, self.requests)
        return [request for request, _ in zip(stream, range(count), strict=False)]


def by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """All of them, in order."""
    return {kind.name: kind for kind in kinds}


def ask(user: str, tokens: int, *, system: str = "", history: Sequence[Turn] = ()) -> Request:
    """A request: perhaps a system prompt, perhaps turns before, and what the user says."""
    turns = [("system", system)] * bool(system) + [*history, ("user", user)]
    return Request({"model": "m", "messages": [{"role": role, "content": text} for role, text in turns]}, tokens)


def lines(*parts: str) -> str:
    """Those parts that are not empty, one a line."""
    return "\n".join(part for part in parts if part)


def blocks(*parts: str) -> str:
    """Those parts that are not empty, with blank lines between."""
    return "\n\n".join(part for part in parts if part)
