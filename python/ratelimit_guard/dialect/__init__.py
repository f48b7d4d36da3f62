"""Refusals, header fields and ends of streams in the language of the API that a caller's client speaks."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ratelimit_guard.dialect.anthropic import ANTHROPIC
from ratelimit_guard.dialect.gemini import GEMINI
from ratelimit_guard.dialect.openai import OPENAI
from ratelimit_guard.dialect.problem import PROBLEM
from ratelimit_guard.dialect.request import dialect_of, recent_dialect, request_id
from ratelimit_guard.dialect.stream import Stream
from ratelimit_guard.dialect.told import Dialect, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ANTHROPIC",
    "DIALECTS",
    "GEMINI",
    "OPENAI",
    "PROBLEM",
    "Dialect",
    "Stream",
    "Told",
    "dialect_of",
    "recent_dialect",
    "request_id",
]

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {dialect.name: dialect for dialect in (PROBLEM, OPENAI, ANTHROPIC, GEMINI)}
)
