"""The slow twin of the reader: `json.loads`, and a walk that looks every key up in the table of dialects."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import copysign
from typing import TYPE_CHECKING, Any

from ratelimit_guard._core import prompt as core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ratelimit_guard.prompt import Fields

DIGITS = 4_300
"""Longest integer of `json.loads`."""
ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("assistant", "model", "ai", "bot"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython"), "tool"),
}
PARAMETERS = frozenset(core.PARAMETERS)
SPEAKERS = {"system", "user", "assistant", "tool"}
NO_CHARACTERS = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
ONE_MARK = str.maketrans("\ufffd", "?")


@dataclass(frozen=True, slots=True)
class Word:
    """What `json.loads` takes beyond JSON: NaN and the infinities. Equal to itself, unlike NaN."""

    name: str


@dataclass(slots=True)
class Node:
    """A place in bodies, by its steps."""

    meaning: str | None = None
    keys: dict[str, Node] = field(default_factory=dict)
    each: Node | None = None
    is_message: bool = False


@dataclass(slots=True)
class Scope:
    """A message, or what a key of the body holds."""

    role: str = "user"
    is_message: bool = False
    part: int = 0
    """Messages within it so far: each parts what is said before from what is said after."""


@dataclass(slots=True)
class Piece:
    """A string, or a run of numbers in one array."""

    scope: Scope
    part: int
    value: Any
    speaker: str | None

    @property
    def role(self) -> str:
        """Who says it; known when the whole body is read."""
        return self.speaker or self.scope.role


@dataclass(slots=True)
class Found:
    """What the reader must find."""

    pieces: list[Piece] = field(default_factory=list)
    parameters: dict[str, list[Any]] = field(default_factory=dict)
    """The value at every place of each parameter."""


def steps(path: str) -> list[str | None]:
    """The keys of a path, and None for each `[]`."""
    found: list[str | None] = []
    for part in path.split("."):
        key = part.rstrip("[]")
        found += [key] if key else []
        found += [None] * ((len(part) - len(key)) // 2)
    return found


def compile_tables(tables: Iterable[Mapping[str, str]]) -> Node:
    """All paths of all dialects as one tree."""
    root = Node()
    for path, meaning in [row for table in tables for row in table.items()]:
        way = [root]
        for step in steps(path):
            node = way[-1]
            if step is None:
                node.each = node.each or Node()
                way.append(node.each)
            else:
                way.append(node.keys.setdefault(step, Node()))
        way[-1].meaning = meaning
        if meaning == "role":
            elements = [place + 1 for place, step in enumerate(steps(path)) if step is None]
            way[elements[-1] if elements else -2].is_message = True
    return root


def last_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which a key stands where its last value stands."""
    members: dict[str, Any] = {}
    for key, value in pairs:
        members.pop(key, None)
        members[key] = value
    return members


def whole(digits: str) -> int | float:
    """An integer of any length: how long the longest may be is not the question. Minus zero is no count."""
    if digits == "-0":
        return -0.0
    return int(digits) if len(digits) <= DIGITS else 2**64


WORDS = {name: Word(name) for name in ("NaN", "Infinity", "-Infinity")}
CONSTANT: Callable[[str], Any] = WORDS.__getitem__


def loads(body: bytes) -> Any:
    """`json.loads`, keeping the order of the body."""
    return json.loads(body, object_pairs_hook=last_wins, parse_int=whole, parse_constant=CONSTANT)


def is_number(value: Any) -> bool:
    """Digits, with or without a sign."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Walk:
    """One walk over a body, in its order."""

    def __init__(self) -> None:
        self.found = Found()

    def visit(self, node: Node, value: Any, scope: Scope) -> None:
        """Take what a value means, and what is in it."""
        around = scope
        if node.is_message and isinstance(value, dict):
            scope = Scope(is_message=True)
        if isinstance(value, dict):
            for key, member in value.items():
                known = node.keys.get(key)
                if known is not None:
                    self.visit(known, member, scope)
        elif isinstance(value, list) and node.each is not None:
            self.elements(node.each, value, scope)
        if scope is not around:
            around.part += 1
        self.take(node, value, around)

    def elements(self, node: Node, values: list[Any], scope: Scope) -> None:
        """Numbers that follow each other are one piece."""
        run: list[Any] | None = None
        for value in values:
            if node.meaning in SPEAKERS | {"text"} and is_number(value):
                if run is None:
                    self.say(node, run := [], scope)
                run.append(value)
            else:
                run = None
                self.visit(node, value, scope)

    def take(self, node: Node, value: Any, scope: Scope) -> None:
        if node.meaning is None:
            return
        if node.meaning == "role":
            scope.role = ROLES.get(value, "user") if isinstance(value, str) else "user"
        elif node.meaning in PARAMETERS:
            self.found.parameters.setdefault(node.meaning, []).append(value)
        elif isinstance(value, str):
            self.say(node, value, scope)
        elif is_number(value):
            self.say(node, [value], scope)

    def say(self, node: Node, value: Any, scope: Scope) -> None:
        speaker = node.meaning if node.meaning in SPEAKERS else None
        self.found.pieces.append(Piece(scope, scope.part, value, speaker or (None if scope.is_message else "user")))


def find(root: Node, document: Any) -> Found:
    """What stands where in a document."""
    walk = Walk()
    body = Scope(is_message=root.is_message)
    if isinstance(document, dict):
        for key, value in document.items():
            known = root.keys.get(key)
            if known is not None:
                walk.visit(known, value, body if root.is_message else Scope())
    else:
        walk.visit(root, document, body)
    return walk.found


MOST = 2**64 - 1
"""What a count can say."""


def count(values: list[Any]) -> int | None:
    """The largest number from 0 without a fraction, in whatever form; beyond 64 bits the most that these hold."""
    numbers = [value for value in values if is_number(value) and copysign(1, value) > 0]
    whole_ones = [value for value in numbers if isinstance(value, int) or value.is_integer() or value > MOST]
    return max((min(MOST, value if value > MOST else int(value)) for value in whole_ones), default=None)


def real(values: list[Any]) -> float | None:
    """The last number that a float can hold."""
    numbers = [value for value in values if is_number(value) and -1.8e308 < value < 1.8e308]
    return float(numbers[-1]) if numbers else None


def text(values: list[Any]) -> str | None:
    """The last string, without half characters."""
    strings = [clean(value) for value in values if isinstance(value, str)]
    return strings[-1] if strings else None


def is_asked(value: Any) -> bool:
    """`true` or a number above 0."""
    return value is True or (is_number(value) and value > 0)


def is_disputed(value: Any) -> bool:
    """Neither a probability nor its refusal: has a test of its own."""
    return isinstance(value, dict | list | str | Word | float) or (is_number(value) and value < 0)


def clean(value: Any) -> Any:
    """The value with a character for each half one."""
    if isinstance(value, str):
        return value if value.isascii() else value.translate(NO_CHARACTERS)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


def parameters(found: Found) -> dict[str, Any]:
    """What the accessors of `Fields` must say."""
    values = {name: found.parameters.get(name, []) for name in PARAMETERS}
    return {
        "model": text(values["model"]),
        "max_tokens": count(values["max_tokens"]),
        "n": count(values["n"]),
        "stream": True in [value is True for value in values["stream"]],
        "user_id": text(values["user_id"]),
        "tools": sum(len(value) for value in values["tools"] if isinstance(value, list)),
        "temperature": real(values["temperature"]),
        "top_p": real(values["top_p"]),
        "top_logprobs": count(values["top_logprobs"]),
        "logprobs": any(is_asked(value) for value in values["logprobs"] + values["top_logprobs"]),
    }


def turns(found: Found) -> list[tuple[str, list[Any]]]:
    """Role and pieces of each turn."""
    made: list[tuple[str, list[Any]]] = []
    last = None
    for each in found.pieces:
        said_by = (id(each.scope), each.part, each.role)
        if said_by != last:
            made.append((each.role, []))
        made[-1][1].append(clean(each.value))
        last = said_by
    return made


def compare(root: Node, body: bytes, fields: Fields, *, boundaries: bool = True) -> bool:
    """Fail unless the reader found what the twin finds. True for a body that is JSON."""
    try:
        document = loads(body)
    except (ValueError, RecursionError):
        assert fields.problem in {"not-json", "not-utf-8"}, body
        assert not fields.turns, body
        assert not fields.spans, body
        return False
    assert fields.problem is None, (fields.problem, body)
    found = find(root, document)
    compare_parameters(found, fields, body)
    compare_turns(turns(found), fields, body, boundaries=boundaries)
    return True


def compare_parameters(found: Found, fields: Fields, body: bytes) -> None:
    wanted = parameters(found)
    got = {name: getattr(fields, name) for name in wanted}
    if any(is_disputed(value) for name in ("logprobs", "top_logprobs") for value in found.parameters.get(name, [])):
        wanted["logprobs"] = got["logprobs"]
    same = got == wanted or (fields.body != body and marked(got) == marked(wanted))
    assert same, f"{got} is not {wanted} in {body!r}"
    spanned = {
        name: [clean(loads(fields.body[start:end])) for start, end in spans] for name, spans in fields.spans.items()
    }
    values = clean(found.parameters)
    assert spanned == values or (fields.body != body and marked(spanned) == marked(values)), body


def compare_turns(wanted: list[tuple[str, list[Any]]], fields: Fields, body: bytes, *, boundaries: bool) -> None:
    plain = fields.body
    got = [(turn.role, [piece(plain[start:end]) for start, end in turn.spans]) for turn in fields.turns]
    if not boundaries:
        wanted = [(role, [value]) for role, values in wanted for value in values]
        got = [(role, [value]) for role, values in got for value in values]
    assert got == wanted or (plain != body and marked(got) == marked(wanted)), f"{got} is not {wanted} in {body!r}"
    for turn in fields.turns:
        texts = [plain[start:end] for start, end in turn.spans]
        lines = [piece(text) if text.startswith(b'"') else text.decode() for text in texts]
        assert turn.text == "\n".join(lines), body
    ends = [place for turn in fields.turns for span in turn.spans for place in span]
    assert ends == sorted(ends), body


def piece(text: bytes) -> Any:
    """What a span holds: a string, or numbers."""
    return clean(loads(text) if text.startswith(b'"') else loads(b"[" + text + b"]"))


def marked(value: Any) -> str:
    """Bodies in other encodings have `?` for half characters."""
    return repr(value).translate(ONE_MARK)
