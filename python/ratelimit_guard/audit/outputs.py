"""Files that a command writes: opened before the work, in place only when it is done."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path


@contextmanager
def output(path: Path, inputs: Iterable[Path]) -> Generator[IO[str]]:
    """A file to write, which takes the place of `path` at the end; if the work fails, `path` stays as it was.

    Only its owner may read it: it names accounts. `ConfigError` when it cannot be written, and for one of the `inputs`.
    """
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        msg = f"{path} is read by this very command: write to another file"
        raise ConfigError(msg)
    is_replaced = path.is_file() or not path.exists()
    part = path.with_name(f"{path.name}.part") if is_replaced else path
    try:
        file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with file:
            yield file
        if is_replaced:
            part.replace(path)
    except BaseException as error:
        if is_replaced:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise _unwritable(path, error) from None
        raise


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {path}: {error.strerror or error}")
