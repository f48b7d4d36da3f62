"""The file of a `SharedStore`: private, recognised, and refused when it is not what it should be."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ratelimit_guard import ConfigError, Limiter, SharedStore, StoreError
from ratelimit_guard._core import LAYOUT_VERSION, RESERVED_SUFFIXES
from ratelimit_guard.stores import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and mount")
VERSION_AT = 8  # bytes: the second word of the header


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table with alice's use in it."""
    made = tmp_path / "table"
    Limiter("10/hour", SharedStore(made, capacity=100)).acquire("alice", 4)
    return made


def open_table(path: Path | str, capacity: int = 100) -> SharedStore:
    """Open the table as another process would."""
    return SharedStore(path, capacity=capacity)


def test_counters_stay_when_the_store_is_opened_again(path: Path) -> None:
    """A restarted worker goes on where it was."""
    assert Limiter("10/hour", open_table(path)).peek("alice").remaining == 6


def test_file_is_private(path: Path) -> None:
    """Only the owner may read the counters and their secret."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_path_may_be_text_or_pathlike(path: Path) -> None:
    """Both name the same table."""
    assert open_table(str(path)).path == open_table(path).path == path
    assert str(path) in repr(open_table(path))


def test_name_is_a_file_in_a_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a slash is a name below the user's own directory."""
    monkeypatch.setattr(shared, "SHM_ROOT", tmp_path)
    store = open_table("api")
    assert store.path == tmp_path / f"ratelimit-guard-{os.geteuid()}" / "api"
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def _file(directory: Path) -> None:
    directory.write_text("")


def _link(directory: Path) -> None:
    elsewhere = directory.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    directory.symlink_to(elsewhere)


def _open_to_all(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)


def _foreign(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    os.chown(directory, 12_345, 12_345)


@pytest.mark.parametrize("prepare", [_file, _link, _open_to_all, pytest.param(_foreign, marks=needs_root)])
def test_directory_that_is_not_private_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Any
) -> None:
    """Whoever came first with the directory's name gets no say in our counters."""
    monkeypatch.setattr(shared, "SHM_ROOT", tmp_path)
    prepare(tmp_path / f"ratelimit-guard-{os.geteuid()}")
    with pytest.raises(StoreError, match="0700"):
        open_table("api")


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b", "a\ud800", 5, None, b"api"])
def test_name_that_is_no_file_is_a_config_error(name: Any) -> None:
    """What names no file is said at once."""
    with pytest.raises(ConfigError, match="store path"):
        open_table(name)


@pytest.mark.parametrize("suffix", RESERVED_SUFFIXES)
@pytest.mark.parametrize("form", ["{}/api{}", "{}/{}", "{}/api{}/", "{}/api{}/."])
def test_name_of_a_helper_file_is_a_config_error(tmp_path: Path, suffix: str, form: str) -> None:
    """A table beside another one is never taken for its lock or its unfinished copy."""
    with pytest.raises(ConfigError, match=suffix):
        open_table(form.format(tmp_path, suffix))


@pytest.mark.parametrize("suffix", [".lock", ".new", "-lock", ".ratelimit-guard-lock.1"])
def test_tables_with_names_alike_are_tables_of_their_own(path: Path, suffix: str) -> None:
    """Making a table leaves its neighbour alone."""
    neighbour = path.with_name("fresh" + suffix)
    Limiter("10/hour", open_table(neighbour)).acquire("alice", 7)
    assert Limiter("10/hour", open_table(path.with_name("fresh"))).peek("alice").remaining == 10
    assert Limiter("10/hour", open_table(neighbour)).peek("alice").remaining == 3


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _grown(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 4_096)


def _other_version(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(VERSION_AT)
        assert struct.unpack("=Q", file.read(8)) == (LAYOUT_VERSION,)
        file.seek(VERSION_AT)
        file.write(struct.pack("=Q", LAYOUT_VERSION + 1))


def _no_table(path: Path) -> None:
    path.write_bytes(b"precious notes of somebody else\n" * 100)


def _linked(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _given_away(path: Path) -> None:
    os.chown(path, 12_345, 12_345)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [_truncated, _grown, _other_version, _no_table, _linked, _directory, _fifo]


@pytest.mark.parametrize("damage", [*DAMAGES, pytest.param(_given_away, marks=needs_root)])
def test_file_that_is_not_our_table_is_refused(path: Path, damage: Any) -> None:
    """Damaged, foreign and redirected files are errors that name the file, and stay as they are."""
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=path.name):
        open_table(path)
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_ledger_is_an_error_for_limiters_that_need_it(path: Path, damage: Any) -> None:
    """It names the file; limits of requests work without it."""
    Limiter("5 concurrent-requests", open_table(path))
    ledger = path.with_name(path.name + RESERVED_SUFFIXES[-1])
    damage(ledger)
    with pytest.raises(StoreError, match=ledger.name):
        Limiter("5 concurrent-requests", open_table(path))
    assert Limiter("5/hour", open_table(path)).acquire("alice")


def test_file_of_another_capacity_is_refused(path: Path) -> None:
    """All processes must agree on the size of the table."""
    with pytest.raises(StoreError, match="capacity"):
        open_table(path, capacity=50_000)


def test_directory_that_does_not_exist_is_made_private(tmp_path: Path) -> None:
    """A missing directory is made for this user alone."""
    store = open_table(tmp_path / "missing" / "table")
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_directory_that_others_may_write_is_refused(path: Path) -> None:
    """Where strangers may replace the file, no table is opened."""
    path.parent.chmod(0o777)
    with pytest.raises(StoreError, match="others may write"):
        open_table(path)


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o666])
def test_file_of_another_mode_is_refused(path: Path, mode: int) -> None:
    """Read-only or open to others is an error at the start, not at the first request."""
    path.chmod(mode)
    with pytest.raises(StoreError, match="600"):
        open_table(path)


def test_file_for_which_there_is_no_room_is_refused(tmp_path: Path) -> None:
    """A limit on file sizes is met when the table is made, and nothing half-made stays."""
    script = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
from ratelimit_guard import SharedStore, StoreError
try:
    SharedStore(sys.argv[1], capacity=1_000_000)
except StoreError as error:
    print(error)
"""
    table = tmp_path / "table"
    done = subprocess.run([sys.executable, "-c", script, table], capture_output=True, text=True, check=True)
    assert "table" in done.stdout
    assert Limiter("1/hour", SharedStore(table, capacity=10)).acquire("alice")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", disk],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    yield disk
    subprocess.run(["umount", disk], check=True)  # noqa: S607


@needs_root
def test_full_file_system_is_met_when_the_table_is_made(tiny_disk: Path) -> None:
    """Without room the store is an error; a later write can never kill the process for want of a page."""
    with pytest.raises(StoreError, match="table"):
        SharedStore(tiny_disk / "table", capacity=100_000)
    assert Limiter("1/hour", SharedStore(tiny_disk / "small", capacity=10)).acquire("alice")
