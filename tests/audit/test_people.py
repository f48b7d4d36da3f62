"""What the operator knows about accounts: the accounts file and `--declare`."""

from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

import pytest

from audit.logs import NOTHING, attacker, jsonl, written
from ratelimit_guard.audit import audit
from ratelimit_guard.audit.files import CHUNK
from ratelimit_guard.audit.people import declared_uses
from ratelimit_guard.detector import USES
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEOPLE = b"""
{"account": "key_1", "declared": "evaluation", "tenant": "acme", "tier": "free", "created": 1743173947}
{"account": "key_2", "declared": null}
{"account": "key_3"}

{"declared": "class", "account": "caf\\u00e9 \xe2\x98\x95 = 1"}
{"account": 7, "declared": "research"}"""


def test_declared_accounts_of_a_file(tmp_path: Path) -> None:
    """Others, other keys and blank lines are passed over; the last line needs no end."""
    found = declared_uses(written(tmp_path / "accounts.jsonl", PEOPLE), [])
    assert found == {"key_1": "evaluation", "café ☕ = 1": "class", "7": "research"}


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_file_may_be_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """As logs may."""
    assert len(declared_uses(written(tmp_path / "accounts", pack(PEOPLE)), [])) == 3


def test_line_may_lie_across_two_chunks(tmp_path: Path) -> None:
    """A file of a million accounts is read in parts."""
    line = b'{"account": "key_%07d", "declared": "class"}\n'
    count = CHUNK * 2 // len(line % 0)
    found = declared_uses(written(tmp_path / "accounts", b"".join(line % number for number in range(count))), [])
    assert len(found) == count
    assert set(found.values()) == {"class"}


def test_nobody_is_declared_unless_told() -> None:
    assert declared_uses(None, []) == {}


@pytest.mark.parametrize("use", USES)
def test_words_declare_too(use: str) -> None:
    """An account's name may have an equals sign."""
    assert declared_uses(None, [f"key_1={use}", f"a=b={use}"]) == {"key_1": use, "a=b": use}


def test_words_come_after_the_file(tmp_path: Path) -> None:
    """What was typed is newer than what was written down."""
    file = written(
        tmp_path / "accounts", b'{"account": "a", "declared": "class"}\n{"account": "b", "declared": "class"}'
    )
    assert declared_uses(file, ["a=research", "a=evaluation"]) == {"a": "evaluation", "b": "class"}


@pytest.mark.parametrize(
    "line",
    [
        b"key_1,class",
        b"[]",
        b'["account"]',
        b'"account"',
        b"7",
        b"null",
        b'{"declared": "class"}',
        b'{"account": "a", "declared": "class"',
        b'{"account": "\xff", "declared": "class"}',
        b'{"account": "a"} {"account": "b"}',
    ],
)
def test_line_that_is_no_account_is_named(line: bytes, tmp_path: Path) -> None:
    """By its number in the file, blank lines counted."""
    file = written(tmp_path / "accounts", b'{"account": "a"}\n\n' + line + b"\n")
    with pytest.raises(
        ConfigError, match=r'accounts, line 3: write {"account": "…", "declared": "evaluation"} or null'
    ):
        declared_uses(file, [])


@pytest.mark.parametrize("use", ['"testing"', '""', "true", "7", '["class"]', "{}", f'"{"x" * 900}"'])
def test_use_that_means_nothing_is_named(use: str, tmp_path: Path) -> None:
    """With those that are known; an account is not taken for declared by mistake."""
    file = written(tmp_path / "accounts", f'{{"account": "a", "declared": {use}}}'.encode())
    with pytest.raises(ConfigError, match=r"accounts, line 1: no such use: .*: write one of class, research") as raised:
        declared_uses(file, [])
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("key_1", "--declare 'key_1': write ACCOUNT=USE"),
        ("=class", "--declare '=class': write ACCOUNT=USE"),
        ("", "--declare '': write ACCOUNT=USE"),
        ("key_1=", "no such use: ''"),
        ("class=key_1", "no such use: 'key_1': write one of class, research, evaluation"),
        ("key_1=Class", "no such use: 'Class'"),
    ],
)
def test_word_that_declares_nothing_is_named(word: str, text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        declared_uses(None, [word])
    assert text in str(raised.value)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere"):
        declared_uses(tmp_path / "nowhere", [])


def test_account_that_is_a_number_is_the_one_of_the_log(tmp_path: Path) -> None:
    """The log has the number without quotes, and so has the file."""
    log = [record | {"account": 1234567890123} for record in attacker()]
    uses = declared_uses(written(tmp_path / "accounts", jsonl([{"account": 1234567890123, "declared": "class"}])), [])
    (account,) = audit([written(tmp_path / "log", log)], baseline=NOTHING, declared=uses).accounts
    assert (account.account, account.declared, account.level) == ("1234567890123", "class", "observe")
