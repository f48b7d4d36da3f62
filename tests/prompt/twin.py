"""The slow twin of the reader: `json.loads`, and a walk that looks every key up in the table of dialects."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf
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


@dataclass(slots=True)
class Piece:
    """A string, or a run of numbers in one array."""

    scope: Scope
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
    parameters: dict[str, Any] = field(default_factory=dict)


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


def whole(digits: str) -> int:
    """An integer of any length: how long the longest may be is not the question here."""
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
        if node.is_message and isinstance(value, dict | list):
            scope = Scope(is_message=True)
        if isinstance(value, dict):
            for key, member in value.items():
                known = node.keys.get(key)
                if known is not None:
                    self.visit(known, member, scope)
        elif isinstance(value, list) and node.each is not None:
            self.elements(node.each, value, scope)
        self.take(node, value, Scope() if node.is_message else around)

    def elements(self, node: Node, values: list[Any], scope: Scope) -> None:
        """Numbers that follow each other are one piece."""
        run: list[Any] | None = None
        for value in values:
            if node.meaning in SPEAKERS | {"text"} and is_number(value):
                if run is None:
                    self.say(node, run := [], Scope() if node.is_message else scope)
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
            if value is not None:
                self.found.parameters[node.meaning] = value
        elif isinstance(value, str):
            self.say(node, value, scope)
        elif is_number(value):
            self.say(node, [value], scope)

    def say(self, node: Node, value: Any, scope: Scope) -> None:
        speaker = node.meaning if node.meaning in SPEAKERS else None
        self.found.pieces.append(Piece(scope, value, speaker or (None if scope.is_message else "user")))


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


def count(value: Any) -> int | None:
    """A whole number from 0 that fits 64 bits."""
    return value if is_number(value) and isinstance(value, int) and 0 <= value < 2**64 else None


def real(value: Any) -> float | None:
    """Any number, as text, since NaN equals nothing."""
    if isinstance(value, Word):
        return float(value.name)
    try:
        return float(value) if is_number(value) else None
    except OverflowError:
        return inf if value > 0 else -inf


def is_asked(value: Any) -> bool:
    """`true` or a number above 0."""
    return value is True or value == WORDS["Infinity"] or (is_number(value) and value > 0)


def is_disputed(value: Any) -> bool:
    """Neither a probability nor its refusal: has a test of its own."""
    return isinstance(value, dict | list | Word | float) or (is_number(value) and value < 0)


def is_text(value: Any) -> str | None:
    """A string without half characters."""
    return clean(value) if isinstance(value, str) else None


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
    value = found.parameters.get
    tools = value("tools")
    return {
        "model": is_text(value("model")),
        "max_tokens": count(value("max_tokens")),
        "n": count(value("n")),
        "stream": value("stream") is True,
        "user_id": is_text(value("user_id")),
        "tools": len(tools) if isinstance(tools, list) else 0,
        "temperature": repr(real(value("temperature"))),
        "logprobs": is_asked(value("logprobs")) or is_asked(value("top_logprobs")),
    }


def turns(found: Found) -> list[tuple[str, list[Any]]]:
    """Role and pieces of each turn."""
    made: list[tuple[Scope, str, list[Any]]] = []
    for piece in found.pieces:
        if made and made[-1][0] is piece.scope and made[-1][1] == piece.role:
            made[-1][2].append(clean(piece.value))
        else:
            made.append((piece.scope, piece.role, [clean(piece.value)]))
    return [(role, values) for _, role, values in made]


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
    got = {name: getattr(fields, name) for name in wanted} | {"temperature": repr(fields.temperature)}
    if any(is_disputed(found.parameters.get(name)) for name in ("logprobs", "top_logprobs")):
        wanted["logprobs"] = got["logprobs"]
    same = got == wanted or (fields.body != body and marked(got) == marked(wanted))
    assert same, f"{got} is not {wanted} in {body!r}"
    spans = fields.spans
    assert spans.keys() == found.parameters.keys(), body
    for name, (start, end) in spans.items():
        spanned, value = clean(loads(fields.body[start:end])), clean(found.parameters[name])
        assert spanned == value or (fields.body != body and marked(spanned) == marked(value)), (name, body)


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
