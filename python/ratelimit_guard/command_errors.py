"""What every command says of its errors."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from ratelimit_guard.errors import RateLimitGuardError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def told() -> Generator[None]:
    """End the command with status 1 and one line on standard error for what the operator can mend."""
    try:
        yield
    except RateLimitGuardError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        print(f"ratelimit-guard needs {error.name}: pip install 'ratelimit-guard[cli]'", file=sys.stderr)
        raise typer.Exit(1) from None
