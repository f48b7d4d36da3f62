"""Folders in memory for one process and its forks, and files that only one process may use."""

from __future__ import annotations

import fcntl
import os
import shutil
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "ratelimit-guard-memory-"


def private_folder(owner: object) -> Path:
    """A folder of this process and its forks, gone with `owner`.

    What a killed process left is removed by whoever makes the next one: its lock is free then.
    """
    root = _memory()
    for left in root.glob(f"{PREFIX}*"):
        _remove_left(left)
    while True:
        folder = Path(mkdtemp(prefix=PREFIX, dir=root))
        lock = hold(folder)
        if lock is not None and folder.exists():  # else another one has just taken it for left
            break
    weakref.finalize(owner, leave, os.getpid(), partial(shutil.rmtree, folder, ignore_errors=True))
    weakref.finalize(owner, os.close, lock)
    return folder


def hold(path: Path) -> int | None:
    """Lock a file or folder for this process and its forks, until the descriptor is closed; None: another one has it.

    `OSError` when it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def leave(process: int, last: Callable[[], object]) -> None:
    """Do the last thing, in the process that has to: those which it forked inherit this."""
    if process == os.getpid():
        last()


def _remove_left(folder: Path) -> None:
    with suppress(OSError):  # somebody else's, or gone
        if folder.lstat().st_uid == os.geteuid() and (lock := hold(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _memory() -> Path:
    folder = Path("/dev/shm")  # noqa: S108  memory, not disk; what is made below it is private
    return folder if os.access(folder, os.W_OK) else Path(gettempdir())
