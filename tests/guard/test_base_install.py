"""Without the extras: the limiter works, and the guard says what is missing."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

# Not installed: finders that come first and know nothing of these packages.
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(source: str, *missing: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(missing=set(missing)) + dedent(source)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_a_limiter_needs_nothing() -> None:
    done = run(
        """
        import ratelimit_guard
        from ratelimit_guard import AsyncLimiter, Limiter, MemoryStore, Quota, SharedStore, rate_limit
        assert [bool(limiter.acquire("a")) for limiter in [Limiter("2/day")] for _ in range(3)] == [True, True, False]
        assert not {"pydantic", "starlette", "typer", "rich"} & set(sys.modules)
        """,
        "pydantic", "typer", "rich", "starlette", "fastapi",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "from ratelimit_guard import Guard",
        "from ratelimit_guard.asgi import RateLimitMiddleware",
        "from ratelimit_guard.wsgi import RateLimitMiddleware",
    ],
)
def test_the_guard_names_its_extra(line: str) -> None:
    done = run(line, "pydantic")
    assert done.stderr.splitlines()[-1] == "ImportError: a guard needs pydantic: pip install 'ratelimit-guard[guard]'"


@pytest.mark.parametrize("missing", ["pydantic", "typer", "rich"])
def test_the_command_names_its_extra(missing: str) -> None:
    done = run("from ratelimit_guard.cli import main", missing)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "pip install 'ratelimit-guard[cli]'" in done.stderr


def test_a_dependency_needs_starlette_only_then() -> None:
    done = run(
        """
        from ratelimit_guard import Guard
        from ratelimit_guard.asgi import RateLimitMiddleware
        guard = Guard.from_dict({"version": 1, "store": {"kind": "memory"}, "policies": {"a": {"quota": "1/day"}},
            "tiers": {"anonymous": {"policies": ["a"]}}})
        try:
            guard.dependency()
        except ImportError as error:
            assert "starlette" in str(error)
        """,
        "starlette", "fastapi",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
