"""The scripts that decide at the server, and how they are called."""

from __future__ import annotations

import hashlib
import os
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratelimit_guard._core.remote import RemoteBatch

NONCE_BITS = 52


class Script:
    """One script. `sha` is its name at the server."""

    def __init__(self, *names: str) -> None:
        """Read it from the package; of several files one after the other."""
        folder = files("ratelimit_guard.stores") / "scripts"
        self.text = b"\n".join((folder / name).read_bytes() for name in names)
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()

    def call(self, *arguments: Any) -> tuple[Any, ...]:
        """As a command, by its name."""
        return ("EVALSHA", self.sha, *arguments)

    def whole(self, *arguments: Any) -> tuple[Any, ...]:
        """As a command that brings the script: for a server that forgot it."""
        return ("EVAL", self.text, *arguments)


DECIDE = Script("decide.lua", "counters.lua", "questions.lua")
REGISTER = Script("register.lua")


def arguments(batch: RemoteBatch, now_us: int) -> tuple[Any, ...]:
    """Number of keys, keys and program of a batch."""
    nonce = int.from_bytes(os.urandom(8), "big") >> (64 - NONCE_BITS)
    keys, program = batch.arguments(now_us, nonce)
    return (len(keys), *keys, program)
