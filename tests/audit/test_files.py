"""Logs as bytes: every packing, whole, cut off and damaged; and what cannot be read at all."""

from __future__ import annotations

import gzip
import lzma
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from audit.logs import NOTHING, attacker, honest, jsonl, mixed, restricted, written
from ratelimit_guard.audit import audit
from ratelimit_guard.audit.files import CHUNK, BrokenFileError, chunks
from ratelimit_guard.errors import ConfigError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable


CHECKED = {int(zstd.CompressionParameter.checksum_flag): 1}
"""As the tool of that name writes it."""


def halves(pack: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Packed in two parts, as `cat a.gz b.gz` makes them."""
    middle = len(data) // 2
    return pack(data[:middle]) + pack(data[middle:])


def quick_xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip in parts": lambda data: halves(gzip.compress, data),
    "xz": quick_xz,
    "xz in parts": lambda data: halves(quick_xz, data),
    "zstd": lambda data: zstd.compress(data, options=CHECKED),
    "zstd in parts": lambda data: halves(zstd.compress, data),
}
SINGLE = ("gzip", "xz", "zstd")

LINES = "".join(f"{number} {Random(number).getrandbits(256):x}\n" for number in range(60_000)).encode()  # noqa: S311
"""Four times what is read at once, and no two lines alike."""


@cache
def packed_lines(packing: str) -> bytes:
    return PACKED[packing](LINES)


def read_until_broken(path: Path) -> bytes:
    """What comes of a file that must turn out broken."""
    found: list[bytes] = []
    with pytest.raises(BrokenFileError):
        found.extend(chunks(path))
    return b"".join(found)


def run(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [Path(sys.executable).with_name("ratelimit-guard"), *arguments]
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=False, env={**os.environ})


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", ["log.jsonl", "log.gz", "log.xz", "log.zst", "log"])
def test_packing_is_told_by_content(packing: str, name: str, tmp_path: Path) -> None:
    """A name says nothing: rotated logs have any."""
    data = LINES[:5_000]
    assert b"".join(chunks(written(tmp_path / name, PACKED[packing](data)))) == data


@pytest.mark.parametrize("packing", PACKED)
def test_large_log_comes_in_bounded_chunks(packing: str, tmp_path: Path) -> None:
    """No chunk is larger than its bound, and together they are the log."""
    found = list(chunks(written(tmp_path / "log", packed_lines(packing))))
    assert max(map(len, found)) <= CHUNK < len(LINES)
    assert b"".join(found) == LINES


@pytest.mark.parametrize("content", [b"", b"\x1f", b"{", b"\x28\xb5", b"\xfd7zXZ", b"\n"])
def test_file_shorter_than_a_magic_number_is_plain(content: bytes, tmp_path: Path) -> None:
    """Nothing is asked of a file that is too short to say what it is."""
    assert b"".join(chunks(written(tmp_path / "log", content))) == content


@pytest.mark.parametrize("packing", SINGLE)
def test_what_came_before_a_cut_is_used(packing: str, tmp_path: Path) -> None:
    """A log that is still being written, or was copied by half."""
    packed = packed_lines(packing)
    found = read_until_broken(written(tmp_path / "log", packed[: len(packed) * 3 // 4]))
    assert LINES.startswith(found)
    assert CHUNK <= len(found) < len(LINES)


@pytest.mark.parametrize("packing", SINGLE)
def test_what_came_before_damage_is_used(packing: str, tmp_path: Path) -> None:
    """A bad block of a disk."""
    packed = bytearray(packed_lines(packing))
    damaged = len(packed) * 3 // 4
    packed[damaged : damaged + 4096] = bytes([0xFF]) * 4096
    found = read_until_broken(written(tmp_path / "log", bytes(packed)))
    assert found[:CHUNK] == LINES[:CHUNK]


@pytest.mark.parametrize("packing", SINGLE)
@pytest.mark.parametrize("left", [7, 20])
def test_file_cut_in_its_header_is_broken(packing: str, left: int, tmp_path: Path) -> None:
    """Not a crash, and not an empty log."""
    assert read_until_broken(written(tmp_path / "log", packed_lines(packing)[:left])) == b""


def test_audit_goes_on_behind_a_broken_file(tmp_path: Path) -> None:
    """What can be read of each file is judged, and the broken ones are counted."""
    data = jsonl(mixed(honest(), attacker()))
    middle = data.index(b"\n", len(data) // 2) + 1
    packed = gzip.compress(LINES)
    paths = [
        written(tmp_path / "first", data[:middle]),
        written(tmp_path / "cut", packed[: len(packed) // 2]),
        written(tmp_path / "second", data[middle:]),
        written(tmp_path / "damaged", packed[:100] + b"\xff" * 100 + packed[200:]),
    ]
    result = audit(paths, baseline=NOTHING)
    assert restricted(result) == {"attacker"}
    assert result.records == data.count(b"\n")
    assert result.notes == {"damaged_files": 2}
    lines, first = result.skipped["not-json"]
    assert lines >= CHUNK // 80
    assert first == f"{paths[1]}:1"


def test_every_file_may_be_broken(tmp_path: Path) -> None:
    """Then there is nothing to judge, and the result says why."""
    result = audit([written(tmp_path / "cut", gzip.compress(LINES)[:9])])
    assert (result.records, result.accounts, result.notes) == (0, (), {"damaged_files": 1})


@pytest.mark.parametrize("packing", PACKED)
def test_packing_changes_no_verdict(packing: str, tmp_path: Path) -> None:
    """An archived log says what it said when it was fresh."""
    data = jsonl(mixed(honest(40), attacker(number=40)))
    plain = audit([written(tmp_path / "plain", data)], baseline=NOTHING)
    packed = audit([written(tmp_path / "packed", PACKED[packing](data))], baseline=NOTHING)
    assert restricted(packed) == {"attacker"}
    assert (packed.accounts, packed.lines) == (plain.accounts, plain.lines)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The operator mistyped."""
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.jsonl: No such file"):
        audit([tmp_path / "nowhere.jsonl"])


def test_directory_is_named(tmp_path: Path) -> None:
    """The operator forgot the pattern."""
    with pytest.raises(ConfigError, match=rf"cannot read {tmp_path}: Is a directory"):
        audit([tmp_path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """The operator is somebody else."""
    path = written(tmp_path / "secret.jsonl", b"{}")
    path.chmod(0)
    with pytest.raises(ConfigError, match=r"cannot read .*secret\.jsonl: Permission denied"):
        audit([path])


@pytest.mark.parametrize("packing", PACKED)
def test_progress_rises_to_the_size_of_the_file(packing: str, tmp_path: Path) -> None:
    """It counts bytes of the disk, which is what the operator knows the size of."""
    path = written(tmp_path / "log", packed_lines(packing))
    told: list[int] = []
    assert b"".join(chunks(path, told.append)) == LINES
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_audit_tells_the_progress_of_each_file(tmp_path: Path) -> None:
    """In the order in which they are read."""
    paths = [written(tmp_path / name, LINES[:size]) for name, size in (("a", 100), ("b", 200))]
    told: list[tuple[Path, int]] = []
    audit(paths, progress=lambda path, done: told.append((path, done)))
    assert told == [(paths[0], 100), (paths[1], 200)]


@pytest.mark.parametrize("packing", ["plain", *SINGLE])
def test_standard_input_may_be_a_pipe(packing: str) -> None:
    """`zcat … | ratelimit-guard audit -`, and without the `zcat` too."""
    data = jsonl(mixed(honest(40), attacker()))
    done = run("audit", "-", given=PACKED[packing](data))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"320 requests of 7 accounts: 1 would be restricted" in done.stdout


def test_standard_input_may_be_a_file(tmp_path: Path) -> None:
    """`ratelimit-guard audit - < log`."""
    log = written(tmp_path / "log", jsonl(attacker()))
    command: list[str | Path] = [Path(sys.executable).with_name("ratelimit-guard"), "audit", "-"]
    with log.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, timeout=60, check=False, env={**os.environ})
    assert b"80 requests of 1 account: 1 would be restricted" in done.stdout
