"""Every example that we show runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ratelimit_guard
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.stores import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(ratelimit_guard.__path__, "ratelimit_guard.")
    if name != "ratelimit_guard._core"
]


def blocks() -> Iterator[tuple[str, str]]:
    """Every block with its page and line, padded so that an error names the line of the page."""
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start(1))
            yield f"{page.name}:{line + 1}", "\n" * line + match.group(1)


BLOCKS = dict(blocks())


@pytest.mark.parametrize("place", BLOCKS)
def test_example_of_the_docs_runs(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Each Python block runs by itself, in an empty directory; with a server where it asks for one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shared, "SHM_ROOT", tmp_path)
    source = BLOCKS[place]
    if "REDIS_URL" in source:
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    if ">>>" in source:
        case = doctest.DocTestParser().get_doctest(source, {}, place, place, 0)
        assert not doctest.DocTestRunner().run(case).failed
        return
    exec(compile(source, place, "exec"), {"__name__": "__main__"})  # noqa: S102  our own docs


TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIER_FILES = [(page.name, text) for page in PAGES for text in TOML.findall(page.read_text())]


@pytest.mark.parametrize(("page", "text"), TIER_FILES)
def test_tier_file_of_the_docs_is_correct(page: str, text: str) -> None:
    """Each TOML block is a whole, correct tier file."""
    assert from_dict(tomllib.loads(text), page).policies


@pytest.mark.parametrize("name", MODULES)
def test_example_of_a_docstring_runs(name: str) -> None:
    """Each doctest of the package passes."""
    assert not doctest.testmod(importlib.import_module(name)).failed


def test_docs_have_examples() -> None:
    """The search for examples finds some."""
    assert any(place.startswith("quota-strings.md") for place in BLOCKS)
