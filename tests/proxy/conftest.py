"""One upstream for all tests here, and one proxy of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from guard.servers import ROOT
from proxy.clients import Sdk
from proxy.helpers import Control, limits, proxying, scripted
from proxy.metered import KEYS, QUOTAS, Metered, credential, metering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    with scripted(tmp_path_factory.mktemp("upstream") / "log") as control:
        yield control


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory, upstream: Control) -> Iterator[httpx2.Client]:
    place = tmp_path_factory.mktemp("proxy")
    tiers = place / "limits.toml"
    tiers.write_text(limits(place / "table"))
    with proxying(place / "log", tiers, upstream) as http:
        yield http
    assert "Traceback" not in (place / "log").read_text()


@pytest.fixture(scope="session")
def metered(tmp_path_factory: pytest.TempPathFactory, upstream: Control) -> Iterator[Metered]:
    """As it ships, with tokens and slots."""
    with metering(tmp_path_factory.mktemp("metered"), upstream) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def finishing(tmp_path_factory: pytest.TempPathFactory, upstream: Control) -> Iterator[Metered]:
    with metering(tmp_path_factory.mktemp("finishing"), upstream, on_exhausted="finish") as proxy:
        yield proxy


@pytest.fixture(scope="session")
def firm(tmp_path_factory: pytest.TempPathFactory, upstream: Control) -> Iterator[Metered]:
    with metering(tmp_path_factory.mktemp("firm"), upstream, reserve="max-tokens", max_tokens=100) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """The environments' interpreters. `make` makes them, and knows whether there is anything to do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "--silent", "sdk", f"PYTHON={sys.executable}"], cwd=ROOT, env=environment, check=True)  # noqa: S607
    return {age: ROOT / f".sdk-{age}" / "bin" / "python" for age in ("newest", "oldest")}


@pytest.fixture(scope="session", params=["newest", "oldest"])
def sdk(request: pytest.FixtureRequest, pythons: dict[str, Path], metered: Metered) -> Iterator[Sdk]:
    """The official clients of one age."""
    client = Sdk(request.param, pythons[request.param], metered.url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def fresh() -> Callable[[str], str]:
    """Gives a credential of a tier that nobody has used."""
    numbers = {tier: iter(range(KEYS)) for tier in QUOTAS}
    return lambda tier: credential(tier, next(numbers[tier]))
