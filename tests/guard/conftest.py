"""Guards on a clock that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import complete
from ratelimit_guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.testing import ManualClock


@pytest.fixture
def make_guard(clock: ManualClock) -> Callable[..., Guard]:
    """A guard in memory: `make_guard({"policies": …}, hooks=…)`; without tiers anonymous callers get all policies."""

    def make(values: dict[str, Any], **options: Any) -> Guard:
        return Guard.from_dict(complete(values), clock=clock, **options)

    return make
