"""examples/fleet.py as on a host of its own: with shared memory that no other has."""

import os
from pathlib import Path

from ratelimit_guard.stores import shared

shared.SHM_ROOT = Path(os.environ["HOST_SHM"])

from examples.fleet import app  # noqa: E402  after that

__all__ = ["app"]
