"""Verdicts as lines: what `audit --verdicts` writes, and what `explain` reads of it."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from audit.logs import NOTHING, attacker, honest, jsonl, mixed, written
from audit.results import HOSTILE, account, named, result, signal, timeline
from ratelimit_guard.audit import AuditResult, Example, audit
from ratelimit_guard.audit.lines import Verdict, read_verdicts, write_verdicts
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def text(one: AuditResult) -> str:
    """What is written of a result."""
    file = io.StringIO()
    write_verdicts(one, file)
    return file.getvalue()


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


def parsed(one: AuditResult) -> list[dict[str, Any]]:
    """Its lines, by a parser that takes neither NaN nor Infinity."""
    return [json.loads(line, parse_constant=refuse) for line in text(one).splitlines()]


def read_verdict(lines: Iterable[str], name: str) -> Verdict | None:
    """The line of an account."""
    return read_verdicts(lines, name).verdict


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> AuditResult:
    """An audit with accounts of all levels."""
    listed = mixed(honest(60), attacker("restricted"), attacker("declared", seed=1))
    path = written(tmp_path_factory.mktemp("lines") / "log", listed)
    return audit([path], baseline=NOTHING, declared={"declared": "class"})


def test_line_of_a_restricted_account(real: AuditResult) -> None:
    """All that another program needs to act on it."""
    one = next(one for one in real.accounts if one.account == "restricted")
    line = next(line for line in parsed(real) if line["account"] == "restricted")
    assert (line["level"], line["campaign"], line["mode"]) == ("throttle", None, "enforce")
    assert (line["declared"], line["suspect"], line["tenant"]) == (None, False, "tenant of restricted")
    for name in ("flagged_at", "flagged_request", "flagged_after", "requests", "answered", "counted", "output_tokens"):
        assert line[name] == getattr(one, name)
        assert line[name] is not None
    assert line["risk"] == pytest.approx(one.score, abs=1e-4)
    assert line["risk"] >= 1
    signals = {each["name"]: each for each in line["signals"]}
    assert set(signals["recombination"]) == {"name", "events", "counted", "evidence", "threshold", "honest_rate"}
    assert signals["recombination"]["evidence"] > signals["recombination"]["threshold"] > 8
    assert signals["mosaic"]["threshold"] is None
    assert all(len(point) == 3 for point in line["timeline"])
    assert all(len(example) == 3 for example in line["examples"])
    assert line["timeline"]
    assert line["examples"]


def test_every_line_has_the_same_keys(real: AuditResult) -> None:
    """Absent things are null, so that nobody has to ask."""
    lines = parsed(real)
    assert len(lines) == len(real.accounts)
    assert len({tuple(line) for line in lines}) == 1
    assert [line["flagged_at"] is None for line in lines] == [line["level"] != "throttle" for line in lines]
    assert {line["level"] for line in lines} == {"none", "observe", "throttle"}
    assert {line["declared"] for line in lines} == {None, "class"}


def test_highest_risk_comes_first(real: AuditResult) -> None:
    """Whoever reads only the head reads what matters."""
    risks = [line["risk"] for line in parsed(real)]
    assert risks == sorted(risks, reverse=True)
    assert risks[0] > 1 > risks[-1]


def test_accounts_of_the_same_risk_keep_their_order() -> None:
    """So that two runs can be compared line by line."""
    lines = parsed(result(*(account(name) for name in "cab")))
    assert [line["account"] for line in lines] == ["c", "a", "b"]


def down(value: float) -> float:
    """Four digits, never more than the value."""
    return math.floor(value * 10_000) / 10_000


def test_every_account_is_read_back(real: AuditResult) -> None:
    """But for digits that nobody looks at."""
    lines = text(real).splitlines(keepends=True)
    for one in real.accounts:
        found = read_verdict(lines, one.account)
        assert found is not None
        back, mode, campaign = found
        assert (mode, campaign) == ("enforce", None)
        signals = tuple(
            each._replace(evidence=down(each.evidence), threshold=each.threshold and down(each.threshold))
            for each in one.signals
        )
        points = tuple(point._replace(score=down(point.score)) for point in one.timeline)
        assert back == replace(one, score=down(one.score), signals=signals, timeline=points)


@pytest.mark.parametrize("level", ["none", "observe", "throttle"])
@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_made_up_account_is_read_back(level: Any, mode: Any) -> None:
    """With every field that an account may have."""
    made = account("a", level)
    one = replace(
        made,
        declared="research",
        suspect=True,
        timeline=timeline(replace(made, score=1.5), 4),
        examples=(Example(1.5, "request", "mosaic"),),
        signals=(signal(threshold=None), signal(evidence=0.0)),
    )
    one = replace(one, timeline=tuple(point._replace(score=round(point.score, 3)) for point in one.timeline))
    one = replace(one, score=round(one.score, 3))
    assert read_verdict(text(result(one, mode=mode)).splitlines(), "a") == (one, mode, None)


NAMES = [*HOSTILE, 'a"b', "a\\b", "a\nb", "a\r\nb", "\u2028", "\x85", "é", "💥", " ", "null", '{"account": "x"}']


def test_odd_names_keep_to_their_lines() -> None:
    """A name cannot write a line of its own, and is read back as it was."""
    made = result(*(account(name) for name in NAMES))
    lines = text(made).split("\n")
    assert [json.loads(line)["account"] for line in lines[:-1]] == NAMES
    assert lines[-1] == ""
    for name in NAMES:
        found = read_verdict(lines, name)
        assert found is not None
        assert found[0].account == name


def test_every_text_of_a_log_may_be_odd() -> None:
    """Tenants, requests and examples too."""
    made = named(HOSTILE)
    assert len(parsed(made)) == len(made.accounts)
    for one in made.accounts:
        found = read_verdict(text(made).split("\n"), one.account)
        assert found is not None
        assert (found[0].tenant, found[0].examples) == (one.tenant, one.examples)


def test_names_of_a_log_survive_the_file(tmp_path: Path) -> None:
    """Through UTF-8: an account that no UTF-8 can name, half a surrogate pair, is written as what it was read as."""
    base = attacker(number=1)[0]
    names = [name for name in NAMES if name and len(name) < 100]
    log = jsonl({**base, "account": name, "id": str(at)} for at, name in enumerate(names) if "\ud83d" not in name)
    half = b'{"account": "half \\ud83d", "time": 1800000000, "request": {"prompt": "x"}}\n'
    one = audit([written(tmp_path / "log", log + half)])
    assert len(one.accounts) == len(names)
    path = tmp_path / "verdicts"
    path.write_text(text(one), encoding="utf-8")
    for known in one.accounts:
        with path.open(encoding="utf-8") as file:
            found = read_verdict(file, known.account)
        assert found is not None
        assert found[0].account == known.account


def test_unknown_account_has_no_verdict(real: AuditResult) -> None:
    lines = text(real).splitlines()
    assert read_verdict(lines, "nobody") is None
    assert read_verdict(lines, "") is None
    assert read_verdict([], "restricted") is None


GOOD = text(result(account("a", "throttle"))).strip()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "verdicts",
        GOOD[:-1],
        GOOD + GOOD,
        "[]",
        "7",
        "null",
        '"account"',
        "{}",
        '{"account": "a"}',
        GOOD.replace('"risk"', '"danger"'),
        GOOD.replace('"mode"', '"mood"'),
        GOOD.replace('"signals": [{', '"signals": [7, {'),
        GOOD.replace('"events"', '"event"'),
        GOOD.replace('"timeline": []', '"timeline": [[1]]'),
        GOOD.replace('"timeline": []', '"timeline": 7'),
        GOOD.replace('"examples": []', '"examples": [[1, 2, 3, 4]]'),
    ],
)
def test_broken_line_is_refused(line: str) -> None:
    """Rather than taken for a verdict."""
    assert read_verdict([GOOD], "a") is not None
    assert line != GOOD
    with pytest.raises(ConfigError, match=r"no file of verdicts: write one with .*--verdicts FILE"):
        read_verdict([line], "a")
