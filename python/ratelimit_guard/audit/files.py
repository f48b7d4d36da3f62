"""Logs as chunks of bytes: plain, gzip, zstd or xz, told apart by how they begin."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import zlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

CHUNK = 1 << 20
"""Bytes that are read, and judged, at once."""


MAGIC_BYTES = 6


class BrokenFileError(Exception):
    """A compressed file that ends too early or is damaged; what came before was read."""


def chunks(path: Path, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The plain bytes of a file, or of standard input for `-`.

    `progress` is told how far the file on disk has been read. `ConfigError` when it cannot be opened, `BrokenFileError`
    where it breaks off.
    """
    try:
        with _raw(path) as raw, closing(_plain(raw, path)) as plain:
            # Not `read`: it keeps what it has to itself when the file then breaks off.
            while chunk := plain.read1(CHUNK):
                yield chunk
                progress(raw.tell() if raw.seekable() else 0)
    except gzip.BadGzipFile as error:
        raise BrokenFileError(str(error)) from None
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ConfigError(msg) from None
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise BrokenFileError(str(error)) from None


@contextmanager
def _raw(path: Path) -> Generator[io.BufferedReader]:
    if str(path) == "-":
        yield cast("io.BufferedReader", sys.stdin.buffer)
        return
    with path.open("rb") as raw:
        yield raw


class _Plain(Protocol):
    def read1(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


def _plain(raw: io.BufferedReader, path: Path) -> _Plain:
    magic = raw.read(MAGIC_BYTES)
    if raw.seekable():
        raw.seek(-len(magic), io.SEEK_CUR)
    else:
        raw = io.BufferedReader(_Again(magic, raw), CHUNK)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if magic.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(raw, path)
    return raw


class _Again(io.RawIOBase):
    """A pipe of which the first bytes were read, from its start."""

    def __init__(self, first: bytes, rest: io.BufferedReader) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        part = self._first or self._rest.read1(len(room))
        part, self._first = part[: len(room)], part[len(room) :]
        room[: len(part)] = part
        return len(part)


def _zstd(raw: io.BufferedReader, path: Path) -> _Plain:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415
        else:
            from backports import zstd  # noqa: PLC0415
    except ModuleNotFoundError:
        msg = f"{path} is compressed with zstd: pip install 'ratelimit-guard[cli]', or unpack it"
        raise ConfigError(msg) from None

    class ZstdFile(zstd.ZstdFile):
        def read1(self, size: int | None = -1) -> bytes:
            """Damage is an `EOFError`, as in gzip: the library's own error is known only here."""
            try:
                return super().read1(size)
            except zstd.ZstdError as error:
                raise EOFError(str(error)) from None

    return ZstdFile(raw)
