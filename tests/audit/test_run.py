"""The run over a log: what is judged, in which order, by which thresholds; and what a log may hold besides."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.logs import NOTHING, PREAMBLE, START, attacker, honest, jsonl, kind, mixed, records, restricted, written
from ratelimit_guard._core import audit as _audit
from ratelimit_guard.audit import audit, calibrate
from ratelimit_guard.audit.maps import PRESETS
from ratelimit_guard.detector import CONVICTING, SIGNALS
from ratelimit_guard.prompt import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

    from audit.logs import Record
    from ratelimit_guard.audit import AuditResult

DAY = 86_400.0
NOMINAL = log(3 / 0.001)
"""Nats that the usual alpha asks of each of three signals."""


def found(path: Path, listed: list[Record] | bytes, **options: Any) -> AuditResult:
    """The audit of a log with a history that knows nothing, unless told otherwise."""
    return audit([written(path, listed)], **{"baseline": NOTHING, **options})


def test_same_log_gives_the_same_result(tmp_path: Path) -> None:
    """To the last digit: an operator who looks again sees what he saw."""
    path = written(tmp_path / "log", jsonl(mixed(honest(), attacker())))
    first, second = (audit([path], baseline=NOTHING) for _ in range(2))
    assert first == second
    assert restricted(first) == {"attacker"}


def test_whole_result(tmp_path: Path) -> None:
    """What is counted of an account is what its records say."""
    listed = mixed(honest(40), attacker(number=50))
    result = found(tmp_path / "log", listed)
    one = next(account for account in result.accounts if account.account == "attacker")
    mine = [record for record in listed if record["account"] == "attacker"]
    assert (result.lines, result.records, len(result.accounts)) == (290, 290, 7)
    assert (result.first, result.last) == (listed[0]["time"], listed[-1]["time"])
    assert (result.mode, result.alpha, result.skipped, result.notes) == ("enforce", 0.001, {}, {})
    assert (one.tenant, one.declared, one.suspect) == ("tenant of attacker", None, False)
    assert (one.requests, one.answered, one.counted) == (50, 50, 50)
    assert one.output_tokens == sum(record["usage"]["completion_tokens"] for record in mine)
    assert (one.first, one.last) == (mine[0]["time"], mine[-1]["time"])
    assert one.flagged_after is not None
    assert 8 <= one.flagged_after <= 40
    assert (one.flagged_at, one.flagged_request) == tuple(mine[one.flagged_after][key] for key in ("time", "id"))
    assert one.score >= 1
    assert [signal.name for signal in one.signals if signal.threshold and signal.evidence >= signal.threshold]
    assert {signal.name for signal in one.signals if signal.threshold} == set(CONVICTING)
    assert all(0 <= signal.events <= signal.counted <= 50 for signal in one.signals)
    scores = [point.score for point in one.timeline]
    assert scores == sorted(scores)
    assert next(point for point in one.timeline if point.score >= 1).requests == one.flagged_after + 1
    assert {example.request for example in one.examples} <= {record["id"] for record in mine}


def test_verdict_uses_nothing_later(tmp_path: Path) -> None:
    """A log that ends earlier flags the same accounts at the same requests, as far as it goes."""
    others = (attacker("other", of=name, seed=seed) for seed, name in enumerate(("seeds-50-3", "phrases-10-1")))
    listed = mixed(
        honest(), attacker(), *([{**r, "account": f"{r['account']}-{n}"} for r in o] for n, o in enumerate(others))
    )
    place = {record["id"] + record["account"]: number for number, record in enumerate(listed)}
    whole = {account.account: account for account in found(tmp_path / "whole", listed).accounts}
    flags = {name: one.flagged_request for name, one in whole.items() if one.flagged_request}
    assert len(flags) == 3
    ends = sorted({place[request + name] + more for name, request in flags.items() if request for more in (0, 1)})
    for end in [100, *ends, len(listed) - 1]:
        result = found(tmp_path / "part", listed[:end])
        told = {one.account: one.flagged_request for one in result.accounts if one.flagged_request}
        assert told == {name: request for name, request in flags.items() if place[request + name] < end}, end


@pytest.mark.parametrize("size", [1, 7, 1_000, 65_537])
def test_size_of_chunks_does_not_matter(size: int) -> None:
    """Lines may lie across any number of chunks."""
    pairs = [(column, path) for column, listed in PRESETS["plain"].items() for path in listed]
    dialects = [(name, dict(table)) for name, table in DIALECTS.items()]
    data = b"{}\n\nnonsense\r\n" + jsonl(mixed(honest(10), attacker())) + b'{"account": "last", "time": 1800000000}'

    def fed(step: int) -> tuple[Any, Any]:
        auditor = _audit.Auditor(pairs, dialects, b"a fixed secret 16", 0.001, None, 100, None)
        for start in range(0, len(data), step):
            auditor.feed(data[start : start + step])
        auditor.end_file()
        return auditor.totals, auditor.accounts(0, 100)

    totals, accounts = fed(size)
    assert (totals, accounts) == fed(len(data))
    assert (totals["lines"], totals["records"], accounts[-1]["account"]) == (143, 141, "last")


def test_without_history_thresholds_are_twice_as_high(tmp_path: Path) -> None:
    """Nobody knows yet what honest accounts do there."""
    listed = mixed(honest(), attacker())
    shadow, enforce = found(tmp_path / "log", listed, baseline=None), found(tmp_path / "log", listed)
    assert (shadow.mode, shadow.calibration, enforce.mode) == ("shadow", None, "enforce")
    for name in SIGNALS:
        assert enforce.thresholds[name] == pytest.approx(NOMINAL)
        assert shadow.thresholds[name] == pytest.approx(NOMINAL * (2 if name in CONVICTING else 1))
    (late,), (early,) = (
        [account.flagged_after for account in result.accounts if account.flagged_after] for result in (shadow, enforce)
    )
    assert early is not None
    assert late is not None
    assert early < late


@pytest.mark.parametrize("alpha", [0.5, 0.01, 1e-6, 1e-30])
def test_alpha_moves_thresholds(alpha: float, tmp_path: Path) -> None:
    """The fewer honest accounts may be restricted, the more evidence it takes."""
    result = found(tmp_path / "log", attacker(), alpha=alpha)
    assert result.alpha == alpha
    assert list(result.thresholds.values()) == pytest.approx([log(3 / alpha)] * len(SIGNALS))
    assert restricted(result) == ({"attacker"} if alpha > 1e-10 else set())


def test_history_raises_thresholds_for_its_kinds(tmp_path: Path) -> None:
    """An honest kind that comes near is spared where the history knows it."""
    history = mixed(honest(), *(records(f"old-{seed}", kind("horoscopes", 60, seed)) for seed in range(6)))
    traffic = mixed(honest(), *(records(f"new-{seed}", kind("horoscopes", 60, seed)) for seed in range(10, 16)))
    baseline = calibrate([written(tmp_path / "history", history)])
    guard = dict(zip(CONVICTING, baseline.guard(0.001), strict=True))
    assert NOMINAL < guard["recombination"] <= 2 * NOMINAL
    assert max(guard["template-rotation"], guard["corpus-walk"]) < NOMINAL
    blind, knowing = found(tmp_path / "log", traffic), found(tmp_path / "log", traffic, baseline=baseline)
    assert knowing.thresholds == blind.thresholds | {"recombination": guard["recombination"]}
    assert restricted(knowing) < restricted(blind)
    shown = {
        one.account: next(s.evidence for s in one.signals if s.name == "recombination") for one in knowing.accounts
    }
    beyond = {account for account, nats in shown.items() if nats > guard["recombination"]}
    assert restricted(knowing) == beyond
    assert knowing.calibration is not None
    assert knowing.calibration.guard == {name: max(nats, 0.0) for name, nats in guard.items()}
    assert (knowing.calibration.accounts, knowing.calibration.requests) == (12, len(history))


@pytest.fixture
def tainted(tmp_path: Path) -> dict[str, Any]:
    """A history with an account that extracts, and traffic with it and another one."""
    history = mixed(honest(), attacker("known", seed=1))
    old = attacker("known", seed=2, of="phrases-10-1")
    return {
        "baseline": calibrate([written(tmp_path / "history", history)]),
        "listed": mixed(honest(seed=1), old, attacker("new", seed=3)),
    }


def test_extraction_in_the_history_does_not_blind(tainted: dict[str, Any], tmp_path: Path) -> None:
    """Neither for others nor for the same signal: a suspect calibrates nothing."""
    result = found(tmp_path / "log", **tainted)
    assert restricted(result) == {"new"}
    assert result.thresholds["recombination"] == pytest.approx(NOMINAL)


def test_suspects_of_the_history_are_listed_and_observed(tainted: dict[str, Any], tmp_path: Path) -> None:
    """Somebody has to decide about them; until then they are not restricted."""
    result = found(tmp_path / "log", **tainted)
    assert result.calibration is not None
    assert [(suspect.account, suspect.signal) for suspect in result.calibration.suspects] == [
        ("known", "recombination")
    ]
    assert result.calibration.suspects[0].evidence > 2 * NOMINAL
    assert result.calibration.restricted == 1
    one = next(account for account in result.accounts if account.account == "known")
    assert (one.level, one.suspect, one.flagged_at, one.flagged_request, one.flagged_after) == (
        "observe",
        True,
        *[None] * 3,
    )
    assert one.score > 1
    assert [account.account for account in result.accounts if account.suspect] == ["known"]


def test_operator_may_have_a_suspect_judged(tainted: dict[str, Any], tmp_path: Path) -> None:
    """Like everybody else; it stays listed as a suspect of the history."""
    result = found(tmp_path / "log", **tainted, restrict=["known", "nobody"])
    assert restricted(result) == {"known", "new"}
    assert not any(account.suspect for account in result.accounts)
    assert result.calibration is not None
    assert [suspect.account for suspect in result.calibration.suspects] == ["known"]


def test_declared_account_is_observed_at_most(tmp_path: Path) -> None:
    """Its score says all the same what it does."""
    listed = mixed(honest(), attacker(), attacker("other", seed=1))
    result = found(tmp_path / "log", listed, declared={"attacker": "research", "nobody": "class"})
    one = next(account for account in result.accounts if account.account == "attacker")
    assert (one.level, one.declared, one.flagged_at, one.flagged_after) == ("observe", "research", None, None)
    assert one.score > 1
    assert restricted(result) == {"other"}


UNJUDGED: dict[str, tuple[Record, str, int]] = {
    "embeddings": ({"path": "/v1/embeddings"}, "not_judged", 80),
    "moderation": ({"path": "/v1/moderations"}, "not_judged", 80),
    "refused": ({"status": 429}, "not_judged", 0),
    "failed": ({"status": "failure"}, "not_judged", 0),
    "no request": ({"request": None}, "no_prompt", 80),
    "no body": ({"request": ""}, "no_prompt", 80),
    "unreadable": ({"request": '{"messages": [{"role": "user", "content": "cut o'}, "no_prompt", 80),
    "no prompt": ({"request": {"model": "m", "messages": []}}, "no_prompt", 80),
    "a number": ({"request": 7}, "no_prompt", 80),
}


@pytest.mark.parametrize("why", UNJUDGED)
def test_what_cannot_be_judged_is_counted(why: str, tmp_path: Path) -> None:
    """And restricts nobody, however much of it there is."""
    changed, note, answered = UNJUDGED[why]
    listed = mixed([record | changed for record in attacker()], honest(20))
    result = found(tmp_path / "log", listed)
    one = next(account for account in result.accounts if account.account == "attacker")
    assert (one.level, one.score, one.requests, one.answered, one.counted) == ("none", 0.0, 80, answered, 0)
    assert result.notes == {note: 80}
    assert (one.signals, one.timeline, one.examples) == ((), (), ())


def test_unjudged_requests_between_change_nothing_but_counts(tmp_path: Path) -> None:
    """An attacker that also asks for embeddings is found at the same request, and `flagged_after` counts them."""
    alone = found(tmp_path / "log", attacker()).accounts[0]
    noise = [record | UNJUDGED["embeddings"][0] | {"id": "noise", "time": record["time"] + 1} for record in attacker()]
    among = found(tmp_path / "log", mixed(attacker(), noise)).accounts[0]
    assert alone.flagged_after is not None
    assert (among.flagged_request, among.score) == (alone.flagged_request, alone.score)
    assert among.flagged_after == 2 * alone.flagged_after


def test_records_out_of_order_are_used_and_counted(tmp_path: Path) -> None:
    """The order of the log is the order in which things became known."""
    listed = attacker()
    listed[10], listed[11] = listed[11], listed[10]
    result = found(tmp_path / "log", [*listed, listed[0] | {"id": "late"}])
    assert (result.records, result.notes, restricted(result)) == (81, {"out_of_order": 2}, {"attacker"})
    assert (result.first, result.accounts[0].first) == (listed[0]["time"], listed[0]["time"])


def test_repeated_records_are_passed_over(tmp_path: Path) -> None:
    """A log that was shipped twice says nothing new."""
    once, twice = found(tmp_path / "log", attacker()), found(tmp_path / "log", [*attacker(), *attacker()])
    assert twice.accounts == once.accounts
    assert (twice.lines, twice.records, twice.notes) == (160, 80, {"repeated": 80})
    nameless = [{key: value for key, value in record.items() if key != "id"} for record in attacker()]
    assert found(tmp_path / "log", [*nameless, *nameless]).records == 160


def test_clock_that_jumps_is_counted(tmp_path: Path) -> None:
    """By a day and more, in either direction; a conviction of less than 30 days ago stays."""
    listed = attacker()
    wrong = [
        record | {"time": record["time"] + 2 * DAY} if 50 <= at < 60 else record for at, record in enumerate(listed)
    ]
    result = found(tmp_path / "log", wrong)
    assert (result.notes, restricted(result)) == ({"jumps": 2, "out_of_order": 1}, {"attacker"})


LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"account": "a", "time": 1800000000', "not-json"),
    "a list": (b"[]", "not-json"),
    "a word": (b"null", "not-json"),
    "two values": (b"{} {}", "not-json"),
    "no UTF-8": (b'{"account": "\xff", "time": 1800000000}', "not-utf-8"),
    "too deep": (b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too-deep"),
    "no account": (b'{"time": 1800000000}', "no-account"),
    "empty account": (b'{"account": "", "time": 1800000000}', "no-account"),
    "null account": (b'{"account": null, "time": 1800000000}', "no-account"),
    "account is an object": (b'{"account": {"id": "a"}, "time": 1800000000}', "no-account"),
    "no time": (b'{"account": "a"}', "no-time"),
    "odd time": (b'{"account": "a", "time": "yesterday"}', "no-time"),
    "negative time": (b'{"account": "a", "time": -1}', "no-time"),
    "endless time": (b'{"account": "a", "time": 1e999}', "no-time"),
}


@pytest.mark.parametrize("why", LINES)
def test_line_that_cannot_be_used_is_named(why: str, tmp_path: Path) -> None:
    """With its reason and where the first of them stands; all others are judged."""
    line, reason = LINES[why]
    data = jsonl(attacker())
    path = written(tmp_path / "log", b"\n" + data + line + b"\n\n" + line + b"\n")
    result = audit([path], baseline=NOTHING)
    assert result.skipped == {reason: (2, f"{path}:82")}
    assert (result.lines, result.records, restricted(result)) == (82, 80, {"attacker"})


def adds_up(result: AuditResult) -> bool:
    """Every line is somewhere, and nowhere twice."""
    notes = {name: result.notes.get(name, 0) for name in ("repeated", "not_judged", "no_prompt", "unlisted")}
    judged = sum(account.counted for account in result.accounts)
    used = sum(account.requests for account in result.accounts) + notes["unlisted"]
    skipped = sum(lines for lines, _ in result.skipped.values())
    return (result.lines, result.records, used) == (
        result.records + notes["repeated"] + skipped,
        judged + notes["not_judged"] + notes["no_prompt"],
        result.records,
    )


FIRST = jsonl(attacker("first", 1))
"""A record that can be used."""


@given(st.lists(st.binary(max_size=200) | st.sampled_from([line for line, _ in LINES.values()]), max_size=8))
def test_any_bytes_are_a_log(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    """Nothing that a log may hold ends an audit, and the counts add up."""
    data = FIRST + b"\n".join(parts)
    result = audit([written(tmp_path_factory.getbasetemp() / "any", data)], baseline=NOTHING)
    assert adds_up(result)
    assert result.lines == sum(bool(line.strip(b" \t\r\x0c")) for line in data.split(b"\n"))


VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
)
DAMAGE = st.tuples(st.integers(0, 29), st.sampled_from([*attacker(number=1)[0], "messages"]), JSON)


@given(st.lists(DAMAGE, max_size=12), st.lists(st.tuples(st.integers(0, 30_000), st.binary(max_size=3)), max_size=8))
def test_any_damage_leaves_a_log(
    tmp_path_factory: pytest.TempPathFactory,
    fields: list[tuple[int, str, object]],
    places: list[tuple[int, bytes]],
) -> None:
    """Columns that hold anything else, and bytes that have fallen over."""
    listed = attacker(number=30)
    for number, column, value in fields:
        listed[number] |= {"request": {"messages": value}} if column == "messages" else {column: value}
    data = bytearray(b"".join(json.dumps(record).encode() + b"\n" for record in listed))
    for at, new in places:
        data[at % len(data) : at % len(data) + len(new)] = new
    result = audit([written(tmp_path_factory.getbasetemp() / "any", FIRST + bytes(data))], baseline=NOTHING)
    assert adds_up(result)
    assert result.records >= 1


def test_flood_of_accounts_stays_bounded(tmp_path: Path) -> None:
    """50,000 accounts with a request each in a table of 1,000: the one that extracts among them is found."""
    request = json.dumps({"messages": [{"role": "user", "content": "Write me a poem about the sea, please."}]})
    line = '{"time": %.2f, "account": "flood-%d", "request": %s}\n'
    flood = [(START + at / 100, (line % (START + at / 100, at, request)).encode()) for at in range(50_000)]
    mine = [(START + 100 + at, jsonl([record])) for at, record in enumerate(attacker())]
    data = b"".join(text for _, text in sorted(flood + mine))
    result = audit([written(tmp_path / "log", data)], baseline=NOTHING, capacity=1_000)
    assert restricted(result) == {"attacker"}
    assert (len(result.accounts), result.records) == (50_001, 50_080)
    assert result.notes["forgotten_newcomers"] >= 49_001
    assert set(result.notes) <= {"forgotten_newcomers", "out_of_order"}


def test_level_never_falls(tmp_path: Path) -> None:
    """Who extracted and then behaves for a thousand requests is shown as who extracted."""
    begin = attacker(number=60)
    rest = records("attacker", kind("mails", 1_000), start=START + 200)
    short, long = found(tmp_path / "log", begin).accounts[0], found(tmp_path / "log", begin + rest).accounts[0]
    assert (short.level, long.level, long.requests) == ("throttle", "throttle", 1_060)
    assert (long.flagged_at, long.flagged_after, long.score) == (short.flagged_at, short.flagged_after, short.score)


def test_files_are_one_log(tmp_path: Path) -> None:
    """Wherever it was cut: between two files an account goes on, and a file's last line needs no end."""
    lines = jsonl(mixed(honest(30), attacker())).splitlines(keepends=True)
    whole = audit([written(tmp_path / "whole", PREAMBLE + b"".join(lines))], baseline=NOTHING)
    for cut in (2, 70, len(lines) - 1):
        first = written(tmp_path / "first", PREAMBLE + b"".join(lines[:cut]).rstrip())
        parts = audit([first, written(tmp_path / "second", b"".join(lines[cut:]))], baseline=NOTHING)
        assert replace(parts, files=whole.files) == whole
        assert restricted(parts) == {"attacker"}


def test_place_of_a_skipped_line_names_its_file(tmp_path: Path) -> None:
    """Counted from its beginning."""
    paths = [written(tmp_path / "first", jsonl(attacker())), written(tmp_path / "second", b"\n\nnonsense\n")]
    assert audit(paths).skipped == {"not-json": (1, f"{paths[1]}:3")}
