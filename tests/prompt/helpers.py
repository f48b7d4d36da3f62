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


def facts(prompt: Prompt) -> dict[str, Any]:
    """Everything that is known about a prompt, to be compared."""
    known = {name: getattr(prompt, name) for name in (*COUNTS, *HASHES, *LISTS, "features", "problem")}
    return known | {"minhash": prompt.minhash.to_bytes()}


NOTHING = facts(Reader(secret=SECRET).read(b"{}"))
"""Facts of a body without a prompt."""


def is_nothing(prompt: Prompt) -> bool:
    """No facts, whatever the problem."""
    return not prompt and facts(prompt) == NOTHING | {"problem": prompt.problem}


def said(prompt: Prompt) -> list[tuple[str, str]]:
    """Role and text of each turn."""
    return [(turn.role, turn.text) for turn in prompt.fields.turns]
