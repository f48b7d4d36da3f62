"""How the scripted upstream answers a request: it stands in its model's name, `script:chunks=20,usage=huge`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from proxy.speech import Said

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN_TOKENS = 7
MAX_KEPT = 64 << 10
"""Bytes of a body that are kept to be looked at; of longer ones length and hash."""
GEMINI = "/v1beta/models/"
READING = "reading"
"""What a request is called while its body comes."""


@dataclass(frozen=True)
class Script:
    """What to do. Places are counted in events of a stream, or 0 for a document; -1 is before the head."""

    name: str = ""
    """What the request is called at /control."""
    chunks: int = 3
    text: str = "wörd"
    delay_ms: int = 0
    """Between two events."""
    stall: int = -2
    """Before this event wait for /control/go."""
    close: int = -2
    """Before this event drop the connection."""
    tear: int = -2
    """Drop the connection inside of the first character of this event that has more than one byte."""
    usage: str = "true"
    """`true`, `missing`, `negative`, `string`, `huge` or a factor, `x3`."""
    gzip: int = 0
    """1 where the request accepts it, 2 always."""
    cut: int = 0
    """Pieces of so many bytes, wherever events and characters end."""
    lie: int = 0
    """Is added to the Content-Length of a document."""
    endless: int = 0
    """A line of so many bytes instead of events."""
    status: int = 200
    retry_after: str = ""
    limits: int = 0
    """Tell of limits on every answer, as OpenAI and Anthropic do."""
    tool: int = 0
    """Answer by calling a tool: with the text as its argument."""

    @classmethod
    def of(cls, model: str) -> Script:
        """Unknown options are mistakes of a test: TypeError."""
        options = model.partition("script:")[2]
        given = dict(option.split("=", 1) for option in options.split(",") if option)
        kinds: dict[str, Callable[[str], Any]] = {one.name: int if one.type == "int" else str for one in fields(cls)}
        return cls(**{name: kinds.get(name, str)(value) for name, value in given.items()})

    def said(self, model: str, *, include_usage: bool, max_tokens: int | None = None) -> Said:
        """Each piece counts as one token."""
        made = self.chunks if max_tokens is None else min(self.chunks, max_tokens)
        pieces = [f"{self.text}{number} " for number in range(made)]
        pieces = ['{"text": "', *pieces, '"}'] if self.tool else pieces
        return Said(model, pieces, self._counts(made), include_usage, bool(self.tool))

    def _counts(self, made: int) -> tuple[Any, Any] | None:
        wrong = {"negative": (-GIVEN_TOKENS, -made), "string": ("7", "3"), "huge": (10**18, 10**18)}
        if self.usage == "missing":
            return None
        factor = int(self.usage[1:]) if self.usage.startswith("x") else 1
        return wrong.get(self.usage, (GIVEN_TOKENS * factor, made * factor))


class Asked(NamedTuple):
    """A request, with its body read."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def model(self) -> str:
        if self.path.startswith(GEMINI):
            return unquote(self.path.removeprefix(GEMINI)).rpartition(":")[0]
        return str(self.document.get("model", ""))

    @property
    def kind(self) -> str:
        """Where to look it up in `speech`: the path; of Gemini the method, or how a stream is wanted."""
        if not self.path.startswith(GEMINI):
            return self.path
        method = self.path.rpartition(":")[2]
        return "alt=sse" if method.startswith("stream") and "alt=sse" in self.target else method

    @property
    def streamed(self) -> bool:
        if self.path.startswith(GEMINI):
            return self.kind in {"alt=sse", "streamGenerateContent"}
        return self.document.get("stream") is True

    @property
    def include_usage(self) -> bool:
        options = self.document.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def max_tokens(self) -> int | None:
        """The most that the answer may have, in the words of any API."""
        options = self.document.get("generationConfig", self.document)
        names = ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens")
        return next((options[name] for name in names if isinstance(options.get(name), int)), None)

    @property
    def script(self) -> Script:
        script = Script.of(self.model)
        accepted = any(name == "accept-encoding" and "gzip" in value for name, value in self.headers)
        return script if accepted or script.gzip > 1 else replace(script, gzip=0)

    def record(self) -> dict[str, Any]:
        kept = self.body.decode("utf-8", "replace") if len(self.body) <= MAX_KEPT else None
        facts = {"length": len(self.body), "sha256": hashlib.sha256(self.body).hexdigest(), "body": kept}
        return {"method": self.method, "target": self.target, "headers": self.headers, **facts}
