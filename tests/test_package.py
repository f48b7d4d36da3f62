"""What users install: the wheel built from the unpacked source distribution."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MATURIN = Path(sys.executable).with_name("maturin")
TRY = """
import ratelimit_guard
limiter = ratelimit_guard.Limiter("1/minute")
assert limiter.acquire("alice") and not limiter.acquire("alice")
print(ratelimit_guard.__file__)
"""
TRY_GUARD = """
try:
    from ratelimit_guard import Guard
except ImportError as error:
    print(error)
"""
EXTRAS = """
from importlib.metadata import metadata
print(*sorted(metadata("ratelimit-guard").get_all("Provides-Extra")))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command; its output is shown when it fails."""
    # The compiled dependencies are kept between runs, apart from those of the checkout.
    target = {"CARGO_TARGET_DIR": str(ROOT / "target" / "sdist")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **target})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    out = tmp_path_factory.mktemp("sdist")
    run(MATURIN, "sdist", "--out", out, cwd=ROOT)
    (archive,) = out.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    for source in out.rglob("*.rs"):
        source.touch()  # all files of the archive have one old date, by which cargo would think them compiled already
    return next(path for path in out.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel built from it."""
    run(MATURIN, "build", "--release", "--locked", "--out", sdist / "dist", cwd=sdist)
    return next((sdist / "dist").glob("*.whl"))


def test_sdist_holds_what_the_build_needs(sdist: Path) -> None:
    """Licence, lock file, both languages, and no machine's own files."""
    for name in ("LICENSE", "README.md", "Cargo.lock", "pyproject.toml", "python/ratelimit_guard/py.typed"):
        assert (sdist / name).is_file(), name
    assert not list(sdist.rglob("*.so"))
    assert not list(sdist.rglob(".venv*"))


def test_wheel_holds_types_and_licence_and_one_module(wheel: Path) -> None:
    """One wheel for every Python from 3.11, with the stubs, the marker and the licence."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "-cp311-abi3-" in wheel.name
    stubs = {f"ratelimit_guard/_core/{name}.pyi" for name in ("__init__", "prompt", "sketch")}
    assert {"ratelimit_guard/_core.abi3.so", "ratelimit_guard/py.typed"} | stubs <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "bench", "demo"))]


def test_wheel_installs_and_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """It needs nothing else; the guard says which extra it needs, and the extras are those that the texts name."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-index", wheel, cwd=tmp_path)
    assert str(home) in run(python, "-I", "-c", TRY, cwd=tmp_path)
    assert "pip install 'ratelimit-guard[guard]'" in run(python, "-I", "-c", TRY_GUARD, cwd=tmp_path)
    assert run(python, "-I", "-c", EXTRAS, cwd=tmp_path).split() == ["all", "cli", "guard", "redis"]
