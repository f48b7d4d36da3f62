"""Bodies made at random of what the dialects know, of what they do not, and of what no client sends."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt.twin import Node

SCALARS = [
    "null", "null", "true", "false", "0", "-1", "7", "17", "4096", "0.7", "1e3", "1E+2", "-2.5E-3", "0.0", "-0.0",
    "2", "3", "100", "1e999", "NaN", "Infinity", "-Infinity", "50256", "[]", "{}",
    "18446744073709551615", "18446744073709551616",
    "9" * 40, "1.0", "[null]", '{"a":{"b":[1,{"c":"d"}]}}', "[[[[]]],[{}]]",
]  # fmt: skip
STRINGS = [
    "", "hello", "What is the capital of France?",
    "a text that is longer than one block of bytes that are read at once",
    "two\nlines", 'a "quoted" \\ word', "tab\there", "漢字", "héllo", "e\u0301", "😀😀", "\u2028", "\x00", "\x7f",
    "\ud83d", '"', 'ends with "', '"starts', "\\",
    "\ude00\ud83d", "x\udfffy", "5", "true", "null", "[]", '{"role":"system"}', "</s>", "gpt-5", "claude", "\ufeff",
]  # fmt: skip
ROLES = [
    "user", "user", "system", "assistant", "assistant", "tool", "developer", "model", "function", "ipython", "ai",
    "bot",
    "User", "system ", "", "wizard", "assistant\x00", "r" * 70,
]  # fmt: skip
STRANGE_KEYS = ["id", "type", "", "rôle", "Role", "message", "a.b", "content[]", "text\x00", "\ud83d", "k" * 80, "[]"]
SPACES = ["", "", "", " ", "\n", "\t\r\n  "]
NOISE = b'"\\{}[],:0-.eE nu\x01\xc3\xed\xa0\x80\xff\xfe\x00aN'
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
FRAGMENTS = 24
"""Values kept ready for each place: bodies are put together from these."""


NUMBERS = {"n", "max_tokens", "logprobs", "top_logprobs", "temperature", "top_p"}


def weight(node: Node) -> int:
    """How often a key appears: more often when there is something in it."""
    return 4 if node.keys or node.each or node.meaning == "role" else 2


class Bodies:
    """An endless supply for one table of dialects. The same bodies everywhere from one seed."""

    def __init__(self, root: Node, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  a test repeats itself
        self.root = root
        self.known: list[tuple[str, list[str]]] = []
        self.weights: list[int] = []

    def refill(self) -> None:
        """Make new fragments for every place."""
        self.known = [(key, self.values(node)) for key, node in self.root.keys.items()]
        self.weights = [weight(node) for node in self.root.keys.values()]

    def body(self) -> str:
        """A whole body: nearly always an object."""
        chance = self.random.random()
        if chance < 0.02:
            return self.random.choice(SCALARS) if chance < 0.01 else self.string(STRINGS)
        spelled = self.members(self.known, self.weights, 10)
        if chance > 0.7:
            spelled.insert(self.random.randrange(len(spelled) + 1), self.strange_member())
        if self.root.each is not None and chance > 0.3:
            return self.array(self.values(self.root.each))
        return self.wrapped("{", spelled, "}")

    def values(self, node: Node) -> list[str]:
        """What may stand at a place: what belongs there, mostly."""
        known = [(key, self.values(child)) for key, child in node.keys.items()]
        weights = [weight(child) for child in node.keys.values()]
        elements = self.values(node.each) if node.each else []
        kinds = ["scalar", *["object"] * 6 * bool(known), *["array"] * 8 * bool(elements)]
        kinds += {"role": ["role"] * 8, None: []}.get(node.meaning, ["string"] * 4)
        kinds += {"tools": ["array"], "stream": ["flag"], "logprobs": ["flag"]}.get(node.meaning or "", []) * 6
        kinds += ["scalar"] * 6 * (node.meaning in NUMBERS)
        return [self.value(self.random.choice(kinds), known, weights, elements) for _ in range(FRAGMENTS)]

    def members(self, known: list[tuple[str, list[str]]], weights: list[int], most: int) -> list[str]:
        """Members of an object; some come again."""
        chosen = self.random.choices(known, weights, k=self.random.randrange(most)) if known else []
        return [self.key(key) + self.colon() + self.random.choice(values) for key, values in chosen]

    def value(self, kind: str, known: list[tuple[str, list[str]]], weights: list[int], elements: list[str]) -> str:
        if kind == "object":
            spelled = self.members(known, weights, 7)
            if self.random.random() < 0.2:
                spelled.append(self.strange_member())
            return self.wrapped("{", spelled, "}")
        if kind == "array":
            return self.array(elements)
        if kind == "flag":
            return self.random.choice(["true", "false"])
        if kind == "scalar":
            return self.random.choice(SCALARS)
        return self.string(ROLES if kind == "role" else STRINGS)

    def array(self, elements: list[str]) -> str:
        """Elements that belong there, with some numbers and others between."""
        many = [*elements, *self.random.choices(SCALARS, k=4)]
        return self.wrapped("[", self.random.choices(many, k=self.random.randrange(5)), "]")

    def wrapped(self, opening: str, parts: list[str], closing: str) -> str:
        space = self.random.choice(SPACES)
        return opening + space + (space + "," + self.random.choice(SPACES)).join(parts) + space + closing

    def colon(self) -> str:
        return self.random.choice([":", ":", ": ", " :\n"])

    def key(self, key: str) -> str:
        """A key as it is, or with some characters escaped."""
        if self.random.random() < 0.85:
            return '"' + key + '"'
        return '"' + "".join(self.escaped(c) if self.random.random() < 0.4 else c for c in key) + '"'

    def escaped(self, character: str) -> str:
        return f"\\u{ord(character):04{self.random.choice('xX')}}"

    def strange_member(self) -> str:
        key = json.dumps(self.random.choice(STRANGE_KEYS))
        return key + ":" + self.random.choice([*SCALARS, '"junk"', '{"role":"user","content":"decoy"}'])

    def string(self, choices: list[str]) -> str:
        """A string, spelled one way or the other."""
        text = self.random.choice(choices)
        chance = self.random.random()
        if chance < 0.1 and text.isascii():
            return '"' + "".join(self.escaped(c) for c in text) + '"'
        plain = json.dumps(text, ensure_ascii=chance < 0.4 or any("\ud800" <= c < "\ue000" for c in text))
        return plain.replace("/", "\\/") if chance > 0.9 else plain

    def encoded(self) -> bytes:
        """A body as bytes; a few not in UTF-8, or with a byte order mark."""
        body = self.body()
        if self.random.random() < 0.03:
            return body.encode(self.random.choice(ENCODINGS))
        return body.encode()

    def damaged(self) -> bytes:
        """A body with bytes changed, cut off, left out or taken from another body."""
        body = bytearray(self.encoded())
        if not body:
            return b""
        way = self.random.randrange(5)
        place = self.random.randrange(len(body))
        if way == 0:
            return bytes(body[:place])
        if way == 1:
            return bytes(body[:place]) + self.encoded()[place // 2 :]
        if way == 2:
            del body[place : place + self.random.randrange(1, 4)]
            return bytes(body)
        for _ in range(self.random.randrange(1, 4)):
            place = self.random.randrange(len(body))
            body[place] = self.random.choice(NOISE) if way == 3 else body[place] ^ 1 << self.random.randrange(8)
        return bytes(body)
