"""A request body in, the facts of its prompt out: hashes, counts and sketches, no text.

    >>> from ratelimit_guard import prompt
    >>> body = b'{"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}'
    >>> read = prompt.read(body)
    >>> read.words, read.fields.model, read.fields.user
    (6, 'm', 'What is the capital of France?')

Nothing here raises for what a client may send: a body that cannot be read has a `problem` and no facts.
"""

from __future__ import annotations

import json
import secrets
import zlib
from typing import TYPE_CHECKING, cast

from ratelimit_guard._core import prompt as _prompt
from ratelimit_guard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratelimit_guard.sketch import MinHash

Fields = _prompt.Fields
Prompt = _prompt.Prompt
Turn = _prompt.Turn

__all__ = ["DIALECTS", "MAX_BYTES", "Fields", "Prompt", "Reader", "Turn", "read"]

DIALECTS: Mapping[str, Mapping[str, str]] = _prompt.DIALECTS
"""Built-in dialects: of each, which field stands at which path."""

MAX_BYTES = 16 << 20
"""Longest body that is read, after decompression: a conversation with some images.

Two milliseconds of long strings, 64 of the worst JSON.
"""

GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""The codings that HTTP calls gzip and deflate; zlib tells them apart."""

MAX_MEMBERS = 16
"""Members of a gzip body: one, or as many as somebody who writes in pieces makes of a prompt."""

CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class Reader:
    """Reads the bodies of an API. Thread-safe; made once.

    `dialects` are names of built-in ones, or (name, {path: field}) of your own: paths such as `"messages[].content"`;
    fields `text`, `system`, `user`, `assistant`, `tool`, `role` and the parameters of `Fields`. Without any, all
    built-in ones are understood at once. A reader that knows its API (`Reader("anthropic")`) cannot be distracted by
    prompts in places that the API does not look at.

    `secret` (16 bytes or more) keys all hashes: facts compare between readers of one secret. Without one it is drawn
    at random. `judges`: only the facts that the detector needs, in two thirds of the time; `minhash`, `template` and
    `features` stay empty. `ConfigError` for a dialect, path or field that means nothing, a short secret or a
    `max_bytes` outside 1..2**31-1.
    """

    __slots__ = ("_max_bytes", "_reader")

    def __init__(
        self,
        *dialects: str | tuple[str, Mapping[str, str]],
        secret: bytes | None = None,
        max_bytes: int = MAX_BYTES,
        judges: bool = False,
    ) -> None:
        tables = [_table(dialect) for dialect in dialects or DIALECTS]
        self._reader = _prompt.PromptReader(
            tables, secrets.token_bytes(16) if secret is None else secret, max_bytes, judges
        )
        self._max_bytes = max_bytes

    def read(self, body: bytes, *, content_encoding: str | None = None) -> Prompt:
        """The facts of a body: 4 µs for 1 KB, a tenth of a millisecond for the longest prompt.

        And 0.1 ms for each megabyte of long strings in the body, 4 ms for each of the worst JSON.

        `content_encoding` is that of the HTTP header: gzip and deflate are understood. Of a compressed body, and of
        one in UTF-16 or UTF-32 (which `json.loads` takes, so that applications do), `fields.body` is the plain UTF-8
        that spans point into.
        """
        if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"body must be bytes, got {type(body).__name__}"
            raise UsageError(msg)
        if not isinstance(content_encoding, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"content_encoding must be str or None, got {type(content_encoding).__name__}: decode the header"
            raise UsageError(msg)
        try:
            plain = _decompress(body, content_encoding or "", self._max_bytes)
        except _UnreadableError as why:
            return self._reader.unreadable(str(why))
        prompt = self._reader.read(plain)
        if prompt.problem in _OTHER_ENCODING and (utf8 := _recode(plain, self._max_bytes)) is not None:
            return self._reader.read(utf8)
        return prompt

    def scan(self, body: bytes) -> Fields:
        """What stands where in a body of plain UTF-8 JSON, without deriving facts: to edit or to count."""
        return self._reader.scan(body)

    def minhash(self, text: str) -> MinHash:
        """The sketch of a text that compares with `Prompt.minhash` of this reader's prompts."""
        return self._reader.minhash(text)

    def answer(self, text: str) -> tuple[int, int]:
        """The hash that `text` will have in `Prompt.answers` when it comes back as the model's turn, and the words
        hashed.
        """
        return self._reader.answer(text)

    def answered(self, response: bytes) -> tuple[int, int, int | None] | None:
        """Of a JSON response of OpenAI chat or completions: hash and words of its first answer as `answer` has them,
        and its tokens. None for anything else. Cost: 1 µs for 1 KB.
        """
        return self._reader.answered(response)


def read(body: bytes, *, content_encoding: str | None = None) -> Prompt:
    """`Reader().read(body)` with one reader for the whole process: facts compare inside the process."""
    return _DEFAULT.read(body, content_encoding=content_encoding)


_OTHER_ENCODING = frozenset({"not-json", "not-utf-8"})


class _UnreadableError(Exception):
    """What the problem is called."""


def _table(dialect: str | tuple[str, Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    if isinstance(dialect, str) and dialect in DIALECTS:
        return dialect, dict(DIALECTS[dialect])
    try:
        name, paths = cast("tuple[str, Mapping[str, str]]", dialect)
        return name, dict(paths.items())
    except (TypeError, ValueError, AttributeError):
        known = ", ".join(DIALECTS)
        msg = f"no such dialect: {dialect!r:.100}: write one of {known}, or a pair (name, {{path: field}})"
        raise ConfigError(msg) from None


def _decompress(body: bytes, content_encoding: str, most: int) -> bytes:
    """The plain body. A bomb is stopped at the first byte too many; gzip may come in several members."""
    coding = content_encoding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in CODINGS:
        raise _UnreadableError("content-encoding")
    # What is longer than this cannot have become smaller by compression, and every member costs a copy of the rest.
    if len(body) > most + most // 64 + 1024:
        raise _UnreadableError("too-large")
    plain = bytearray()
    for _ in range(MAX_MEMBERS):
        unpack = zlib.decompressobj(GZIP_OR_ZLIB)
        try:
            plain += unpack.decompress(body, most + 1 - len(plain))
        except zlib.error:
            raise _UnreadableError("not-gzip") from None
        if len(plain) > most:
            raise _UnreadableError("too-large")
        if not unpack.eof:
            raise _UnreadableError("not-gzip")
        body = unpack.unused_data
        if not body:
            return bytes(plain)
    raise _UnreadableError("not-gzip")


def _recode(body: bytes, most: int) -> bytes | None:
    """The body in UTF-8, when it is one that `json.loads` decodes and UTF-8 does not; lone surrogates become `?`."""
    if len(body) > most:
        return None
    encoding = json.detect_encoding(body)
    try:
        text = body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return None
    utf8 = text.encode("utf-8", "replace")
    return None if utf8 == body or text.startswith("\ufeff") else utf8


_DEFAULT = Reader()  # made at once: threads that made one each would disagree about the secret
