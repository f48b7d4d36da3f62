"""A server for the tests of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    """One that is empty."""
    with Server() as one:
        yield one
