"""A changed file takes effect while the server runs, or is reported and ignored."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from ratelimit_guard.config_file import load
from ratelimit_guard.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from os import PathLike

    from ratelimit_guard.guard import Guard

log = logging.getLogger("ratelimit_guard")


class Reloader:
    """Looks at a file when requests come, and never from the thread of a request.

    There is no standing thread: it would not survive the fork of a worker. The look itself, a `stat` and for a changed
    file the parsing, happens in a thread of its own that ends after it. What a request reads of this is one clock.
    """

    def __init__(self, path: str | PathLike[str], every: float | None) -> None:
        """Remember what the file looks like now; `every` in seconds, None to look only when told to."""
        self._path = Path(path)
        self._every = every
        self._seen = self._signature()
        self._next = 0.0 if every is None else monotonic() + every
        self._lock, self._process = threading.Lock(), os.getpid()

    def look(self, guard: Guard) -> None:
        """Start a look if it is time for one."""
        if self._every is None or (now := monotonic()) < self._next:
            return
        self._next = now + self._every
        if self._process != os.getpid():  # a fork may have left the lock in the hands of a thread that is not here
            self._lock, self._process = threading.Lock(), os.getpid()
        thread = threading.Thread(target=self.reload, args=(guard,), name="ratelimit-guard-reload", daemon=True)
        with suppress(RuntimeError):  # no more threads, or the interpreter ends: the next look may succeed
            thread.start()

    def reload(self, guard: Guard) -> bool:
        """Let a changed file take effect. Never raises: False if nothing changed, or if it is wrong: see the log."""
        if not self._lock.acquire(blocking=False):
            return False  # another thread is at it
        try:
            signature = self._signature()
            if signature == self._seen:
                return False
            self._seen = signature  # a wrong file is reported once
            guard.replace(load(self._path))
        except (ConfigError, StoreError) as error:
            text = "worker %d: %s changed and is ignored, the former configuration stays in force:\n%s"
            log.error(text, os.getpid(), self._path, error)  # noqa: TRY400  the text says it all
            return False
        except Exception:  # whatever it is, the thread ends with a word and the next change is looked at
            log.exception("%s changed and cannot be read", self._path)
            return False
        finally:
            self._lock.release()
        log.info("worker %d: %s changed and has taken effect", os.getpid(), self._path)
        return True

    def _signature(self) -> tuple[int, int, int] | None:
        """What tells two versions of the file apart, also of a link that was switched (Kubernetes does that)."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
