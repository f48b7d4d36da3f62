"""What the operator knows about accounts: the accounts file and `--declare`."""

from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

import pytest

from audit.logs import NOTHING, attacker, jsonl, written
from ratelimit_guard.audit import audit
from ratelimit_guard.audit.files import CHUNK
from ratelimit_guard.audit.people import PAYERS, read_people
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
    found = read_people(written(tmp_path / "accounts.jsonl", PEOPLE)).uses
    assert found == {"key_1": "evaluation", "café ☕ = 1": "class", "7": "research"}


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_file_may_be_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """As logs may."""
    assert len(read_people(written(tmp_path / "accounts", pack(PEOPLE))).uses) == 3


def test_line_may_lie_across_two_chunks(tmp_path: Path) -> None:
    """A file of a million accounts is read in parts."""
    line = b'{"account": "key_%07d", "declared": "class"}\n'
    count = CHUNK * 2 // len(line % 0)
    found = read_people(written(tmp_path / "accounts", b"".join(line % number for number in range(count)))).uses
    assert len(found) == count
    assert set(found.values()) == {"class"}


def test_nobody_is_declared_unless_told() -> None:
    assert read_people(None) == ({}, {})


@pytest.mark.parametrize("use", USES)
def test_words_declare_too(use: str) -> None:
    """An account's name may have an equals sign."""
    assert read_people(None, [f"key_1={use}", f"a=b={use}"]).uses == {"key_1": use, "a=b": use}


@pytest.mark.parametrize("key", PAYERS)
def test_accounts_file_says_who_pays(key: str, tmp_path: Path) -> None:
    """Under any of the usual keys, beside or without a declared use."""
    lines: list[dict[str, object]] = [
        {"account": "a", key: "card-1", "declared": "class"},
        {"account": "b", key: 4711, "declared": None},
        {"account": "c", key: None},
        {"account": "d"},
    ]
    people = read_people(written(tmp_path / "accounts", jsonl(lines)))
    assert people.payers == {"a": "card-1", "b": "4711"}
    assert people.uses == {"a": "class"}


@pytest.mark.parametrize("value", [None, True, False, "", [], ["card"], {"type": "card"}, 1.5])
def test_other_values_name_no_payer(value: object, tmp_path: Path) -> None:
    """A key of that name may be about something else; the next key is asked then."""
    lines = [{"account": "a", "payer": value}, {"account": "b", "payer": value, "billing_account": "x"}]
    assert read_people(written(tmp_path / "accounts", jsonl(lines))).payers == {"b": "x"}


def test_words_come_after_the_file(tmp_path: Path) -> None:
    """What was typed is newer than what was written down."""
    file = written(
        tmp_path / "accounts", b'{"account": "a", "declared": "class"}\n{"account": "b", "declared": "class"}'
    )
    assert read_people(file, ["a=research", "a=evaluation"]).uses == {"a": "evaluation", "b": "class"}


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
        read_people(file)


@pytest.mark.parametrize("use", ['"testing"', '""', "true", "7", '["class"]', "{}", f'"{"x" * 900}"'])
def test_use_that_means_nothing_is_named(use: str, tmp_path: Path) -> None:
    """With those that are known; an account is not taken for declared by mistake."""
    file = written(tmp_path / "accounts", f'{{"account": "a", "declared": {use}}}'.encode())
    with pytest.raises(ConfigError, match=r"accounts, line 1: no such use: .*: write one of class, research") as raised:
        read_people(file)
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
        read_people(None, [word])
    assert text in str(raised.value)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere"):
        read_people(tmp_path / "nowhere")


def test_account_that_is_a_number_is_the_one_of_the_log(tmp_path: Path) -> None:
    """The log has the number without quotes, and so has the file."""
    log = [record | {"account": 1234567890123} for record in attacker()]
    file = written(tmp_path / "accounts", jsonl([{"account": 1234567890123, "declared": "class"}]))
    uses = read_people(file).uses
    (account,) = audit([written(tmp_path / "log", log)], baseline=NOTHING, declared=uses).accounts
    assert (account.account, account.declared, account.level) == ("1234567890123", "class", "observe")
