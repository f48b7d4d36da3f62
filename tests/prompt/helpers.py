"""Bodies and facts as the tests write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ratelimit_guard.prompt import Prompt, Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = b"sixteen bytes or more"
HASHES = ("digest", "system", "template", "conversation")
LISTS = ("keys", "prefixes", "segments", "answers")
READER = Reader(secret=SECRET)
STORY = (
    "Ada wrote to Charles about the engine, and he answered within the week. She asked for drawings of 3 wheels! "
    "He sent none; instead he asked \"why wheels at all?\" and went for a walk. Later they met in London.\n"
    "The engine was never built. It would have weighed 15 tons and had 25,000 parts: too many for its time."
)  # fmt: skip
PANGRAM = "the quick brown fox jumps over the lazy dog while seven careful wizards watch from the hill and say nothing"
COUNTS = ("words", "left_out", "user_turns", "assistant_turns")


def message(role: str, content: object) -> Mapping[str, object]:
    """One message of a conversation."""
    return {"role": role, "content": content}


def chat(*messages: Mapping[str, object], ascii_only: bool = True) -> bytes:
    """The body of a conversation."""
    return json.dumps({"model": "m", "messages": messages}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def ask(*content: object, ascii_only: bool = True) -> bytes:
    """A body with the user's turns only."""
    return chat(*(message("user", each) for each in content), ascii_only=ascii_only)


def read(text: str) -> Prompt:
    """The user's only turn."""
    return READER.read(ask(text))


def facts(prompt: Prompt) -> dict[str, Any]:
    """Everything that is known about a prompt, to be compared."""
    known = {name: getattr(prompt, name) for name in (*COUNTS, *HASHES, *LISTS, "features", "capability", "problem")}
    return known | {"minhash": prompt.minhash.to_bytes()}


NOTHING = facts(Reader(secret=SECRET).read(b"{}"))
"""Facts of a body without a prompt."""


def is_nothing(prompt: Prompt) -> bool:
    """No facts, whatever the problem."""
    return not prompt and facts(prompt) == NOTHING | {"problem": prompt.problem}


def said(prompt: Prompt) -> list[tuple[str, str]]:
    """Role and text of each turn."""
    return [(turn.role, turn.text) for turn in prompt.fields.turns]
