"""Counters of every process of one user on this host that names the same file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ratelimit_guard._core import DEFAULT_CAPACITY, RESERVED_SUFFIXES, Table
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.stores._table import TableStore

if TYPE_CHECKING:
    from ratelimit_guard._core import ManualClock

SHM_ROOT = Path("/dev/shm")  # noqa: S108  memory, not disk; the directory below it is private


class SharedStore(TableStore):
    """Counters in a mapped file: exact over all workers, without a server or a lock.

    `path` without a slash is a name in `/dev/shm/ratelimit-guard-<uid>/`, which is made private to this user;
    anything else is an absolute path, so that every worker means the same file. All of its room, about 53 bytes for
    each key of the capacity, is reserved at once; the first limiter of tokens or slots reserves up to 5 MB more.
    Every process must give the same capacity. The counters survive a restart of the workers, not of the host. Opening
    waits while another process opens or makes the same file; other threads go on.

    `ConfigError` for a path that no file can have or that ends like the helper files beside a table
    (`.ratelimit-guard-lock`, `-new`, `-detector`, `-leases`), and for a capacity outside 1..2**31.
    `StoreError` when the file or its directory belongs to somebody else, is a symlink, cannot be written, is damaged
    or of another version or capacity, or when there is no room for it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        capacity: int = DEFAULT_CAPACITY,
        clock: ManualClock | None = None,
    ) -> None:
        """Open the file, or create it when absent or left by an earlier boot."""
        self._path = resolve(path)
        super().__init__(Table.shared(str(self._path), capacity, clock))

    @property
    def path(self) -> Path:
        """Where the counters are."""
        return self._path

    def __repr__(self) -> str:
        """Path and capacity."""
        return f"SharedStore({str(self._path)!r}, capacity={self.capacity})"


def resolve(path: str | os.PathLike[str]) -> Path:
    """The file that a store's path means. `ConfigError` for one that no file can have."""
    wrong = ConfigError(f"store path {path!r:.100}: write a name such as 'api' or a file path")
    try:
        text = os.fspath(path)
        os.fsencode(Path(path))  # no bytes, no lone surrogates
    except (TypeError, UnicodeEncodeError):
        raise wrong from None
    if not text or "\0" in text or text in {".", ".."}:
        raise wrong
    if Path(text).name.endswith(RESERVED_SUFFIXES):
        msg = f"store path {path!r:.100}: {' and '.join(RESERVED_SUFFIXES)} are for the files beside a table"
        raise ConfigError(msg)
    if "/" not in text:
        return _private_directory() / text
    if not Path(text).is_absolute():  # also "redis://…": a relative path would be another file for every directory
        msg = f"store path {path!r:.100}: write a name without a slash, or an absolute path"
        raise ConfigError(msg)
    return Path(text)


def _private_directory() -> Path:
    directory = SHM_ROOT / f"ratelimit-guard-{os.geteuid()}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        msg = f"{directory}: {error.strerror}; make it a directory of mode 0700 or give SharedStore a full path"
        raise StoreError(msg) from error
    # /dev/shm is writable by all: somebody else may have been there first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        msg = f"{directory}: must be this user's directory of mode 0700; remove it or give SharedStore a full path"
        raise StoreError(msg)
    return directory
