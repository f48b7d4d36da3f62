"""Logs as chunks of bytes: plain, gzip, zstd or xz, told apart by how they begin."""

from __future__ import annotations

import gzip
import lzma
import sys
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from io import BufferedReader
    from pathlib import Path

CHUNK = 1 << 20
"""Bytes that are read, and judged, at once."""


class BrokenFileError(Exception):
    """A compressed file that ends too early or is damaged; what came before was read."""


def chunks(path: Path, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The plain bytes of a file, or of standard input for `-`.

    `progress` is told how far the file on disk has been read. `ConfigError` when it cannot be opened, `BrokenFileError`
    where it breaks off.
    """
    try:
        with _raw(path) as raw, _plain(raw, path) as plain:
            while chunk := plain.read(CHUNK):
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
def _raw(path: Path) -> Generator[BufferedReader]:
    if str(path) == "-":
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    with path.open("rb") as raw:
        yield raw


def _plain(raw: BufferedReader, path: Path) -> IO[bytes]:
    magic = raw.peek(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(raw, path)
    return raw


def _zstd(raw: BufferedReader, path: Path) -> IO[bytes]:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415
        else:
            from backports import zstd  # noqa: PLC0415
    except ModuleNotFoundError:
        msg = f"{path} is compressed with zstd: pip install 'ratelimit-guard[cli]', or unpack it"
        raise ConfigError(msg) from None

    class ZstdFile(zstd.ZstdFile):
        def read(self, size: int | None = -1) -> bytes:
            """Damage is an `EOFError`, as in gzip: the library's own error is known only here."""
            try:
                return super().read(size)
            except zstd.ZstdError as error:
                raise EOFError(str(error)) from None

    return cast("IO[bytes]", ZstdFile(raw))
