"""What of a request says how to answer it: the path, and the id that the caller gave it."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

from ratelimit_guard.dialect.anthropic import ANTHROPIC
from ratelimit_guard.dialect.gemini import GEMINI
from ratelimit_guard.dialect.openai import OPENAI
from ratelimit_guard.dialect.problem import PROBLEM
from ratelimit_guard.dialect.told import REQUEST_ID
from ratelimit_guard.routes import MAX_RECENT, MAX_RECENT_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratelimit_guard.dialect.told import Dialect
    from ratelimit_guard.request import Request

ENDS: Mapping[str, Dialect] = {
    "completions": OPENAI,
    "responses": OPENAI,
    "embeddings": OPENAI,
    "messages": ANTHROPIC,
    "complete": ANTHROPIC,
}
METHODS = frozenset({"generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"})
"""Behind the colon of a path of Gemini."""
MAX_TAIL = 128
"""Characters of the path's end that are looked at; all of the above are shorter."""


def dialect_of(path: str) -> Dialect:
    """The dialect of a request by its path's end, as deployments put prefixes of their own before it. 0.5 µs."""
    before, _, last = path[-MAX_TAIL:].rstrip("/").rpartition("/")
    if last in ENDS:
        return ENDS[last]
    if ":" in last:
        return GEMINI if last[last.rfind(":") + 1 :] in METHODS else PROBLEM
    parent = before[before.rfind("/") + 1 :]
    if parent in {"images", "audio"}:
        return OPENAI
    return ANTHROPIC if parent == "messages" and last == "count_tokens" else PROBLEM


_recent = lru_cache(MAX_RECENT)(dialect_of)


def recent_dialect(path: str) -> Dialect:
    """The same, at once for paths that are asked often."""
    return _recent(path) if len(path) <= MAX_RECENT_CHARACTERS else dialect_of(path)


def request_id(request: Request) -> str:
    """The caller's `x-request-id` if it can be given back as it is, else a new one."""
    given = (request.header(b"x-request-id") or b"").decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
