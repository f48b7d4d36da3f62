"""A server for the tests of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.server import KEY, Server
from live.helpers import SECRET
from ratelimit_guard.fleet import SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    """One that knows the secret of other tests, so that the same comes out each time."""
    with Server() as one:
        one.client.set(KEY + "secret", SECRET[:SECRET_BYTES])
        yield one
