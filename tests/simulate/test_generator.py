"""The generated traffic: the same for a seed, in order, lazy, and as its scenario says."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from hashlib import sha256
from itertools import islice, pairwise

import pytest

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.prompt import read
from ratelimit_guard.simulate import SCENARIOS, Call, Campaign, Scenario, accounts, generate
from ratelimit_guard.simulate.generator import HISTORY

SMALL, DEMO, ALL = (SCENARIOS[name] for name in ("small", "demo", "all"))
MIXED = Scenario(
    days=0.3,
    heavy=1,
    heavy_requests=200,
    small=10,
    classes=1,
    viral=10,
    agency=2,
    campaigns=tuple(Campaign(tier, 5) for tier in ("composed", "pool", "whole", "cover", "relay")),
)
"""Some of everything, quickly made."""


@cache
def demo() -> list[Call]:
    """The demo's calls."""
    return list(generate(DEMO, 1))


def digest(scenario: Scenario, seed: int) -> str:
    """Of all that is in the calls."""
    hashed = sha256()
    for call in generate(scenario, seed):
        hashed.update(f"{call.time!r} {call.id} {call.sender} {call.answer} {call.answer_tokens}".encode() + call.body)
    return hashed.hexdigest()


def test_seed_gives_the_same_traffic_everywhere() -> None:
    """Whatever the machine and the version of Python: another digest is other traffic."""
    assert digest(MIXED, 7) == "cc351750390b7eae319291000409d21ab9fdff8cc4d706129358e7db9acd8476"
    assert digest(MIXED, 8) != digest(MIXED, 7)


@pytest.mark.parametrize("scenario", [MIXED, SMALL], ids=["mixed", "small"])
def test_calls_come_in_the_order_of_time_and_within_it(scenario: Scenario) -> None:
    """Simulated time never goes back, and ends with the scenario; no two calls have one id."""
    calls = list(generate(scenario, 1))
    assert all(one.time <= other.time for one, other in pairwise(calls))
    assert calls[0].time >= scenario.start
    assert calls[-1].time < scenario.start + scenario.days * 86_400
    assert len({call.id for call in calls}) == len(calls)


def test_demo_is_what_it_says() -> None:
    """Two heavy tenants, a hundred small ones, a class, and three hundred accounts that stay low."""
    kinds = Counter(one.kind for one in accounts(DEMO, 1))
    assert kinds == {"heavy": 2, "small": 100, "class": 30, "campaign:composed": 300}
    calls = demo()
    assert 15_000 <= len(calls) <= 20_000
    sent = Counter(call.account for call in calls if call.kind.startswith("campaign"))
    assert set(sent.values()) == {26}


def test_every_account_is_somebody_else() -> None:
    """Names, tenants and credentials differ, tell no kind, and those of another seed are others."""
    known = accounts(ALL, 1)
    for part in ("name", "tenant", "credential"):
        assert len({getattr(one, part) for one in known}) == len(known)
    assert not {one.name for one in known} & {one.name for one in accounts(ALL, 2)}
    assert not any(word in one.name + one.tenant for one in known for word in ("small", "heavy", "campaign"))


def test_class_meets_within_an_hour_and_in_one_network() -> None:
    """Thirty pupils, the same exercises, one lesson, one school."""
    calls = [call for call in generate(SMALL, 1) if call.kind == "class"]
    assert calls[-1].time - calls[0].time <= 3_600
    assert len({call.address.rsplit(".", 1)[0] for call in calls}) == 1


def test_traffic_of_years_begins_at_once() -> None:
    """Nothing is made before it is asked for."""
    long = Scenario(days=3_000, small=20, heavy=1, campaigns=(Campaign("composed", 20),))
    assert len(list(islice(generate(long, 1), 500))) == 500


def test_conversation_grows_with_the_answers_of_its_own_calls() -> None:
    """What a call quotes as an answer is what the call of that id got, and its call said that it goes on."""
    calls: dict[str, Call] = {}
    quoted = 0
    for call in generate(MIXED, 1):
        assert len(call.messages) <= HISTORY + 2
        for before, message in pairwise(call.messages):
            if message.answer_of:
                origin = calls[message.answer_of]
                assert (message.content, before.content) == (origin.answer, origin.messages[-1].content)
                assert origin.continued
                assert origin.account == call.account or call.kind == "campaign:relay"
                quoted += 1
        calls[call.id] = call
    assert quoted > 50


def test_relay_sends_one_conversation_through_several_accounts() -> None:
    """Answers come back from somebody else."""
    owner: dict[str, str] = {}
    hops = 0
    for call in generate(MIXED, 1):
        owner[call.id] = call.account
        hops += call.kind == "campaign:relay" and any(owner[name] != call.account for name in call.quoted())
    assert hops > 10


def test_cover_is_half_of_what_its_members_send() -> None:
    """Attack and cover are told apart for those who count; honest calls are never attacks."""
    shares: dict[str, list[bool]] = defaultdict(list)
    for call in generate(MIXED, 1):
        shares[call.kind].append(call.attack)
    assert 0.3 < sum(shares["campaign:cover"]) / len(shares["campaign:cover"]) < 0.7
    assert all(all(shares[f"campaign:{tier}"]) for tier in ("composed", "pool", "whole", "relay"))
    assert not any(any(attacks) for kind, attacks in shares.items() if not kind.startswith("campaign"))


def test_day_before_has_the_same_honest_accounts_and_other_texts() -> None:
    """A history: no campaign, no viral prompt, nobody new."""
    before = MIXED.before()
    assert before.start + before.days * 86_400 == MIXED.start
    honest = [one for one in accounts(MIXED, 1) if not one.kind.startswith("campaign")]
    assert accounts(before, 1) == honest
    said = {call.messages[-1].content for call in generate(before, 1)}
    today = [call.messages[-1].content for call in generate(MIXED, 1) if not call.kind.startswith("campaign")]
    assert not any(text in said for text in today if len(text) > 100)
    assert not any("nature documentary" in text for text in said)
    assert any("nature documentary" in text for text in today)


def test_body_is_a_chat_completion_that_the_guard_can_read() -> None:
    """The prompt of every kind is found, and real answers replace the invented ones."""
    for call in generate(MIXED, 1):
        prompt = read(call.body)
        assert prompt.problem is None
        assert prompt.fields.user == call.messages[-1].content
        for name in call.quoted()[-1:]:
            turns = json.loads(call.body_with({name: "really"}))["messages"]
            assert turns[-2] == {"role": "assistant", "content": "really"}


def test_strangers_seldom_say_the_same() -> None:
    """Of pairs of people in a day at most one in four shares five words in a row."""
    users: dict[tuple[str, ...], set[str]] = defaultdict(set)
    people = {one.name for one in accounts(DEMO, 1) if one.kind == "small"}
    for call in demo():
        if call.account in people:
            words = call.messages[-1].content.lower().split()
            for place in range(len(words) - 4):
                users[tuple(words[place : place + 5])].add(call.account)
    pairs = {(one, other) for shared in users.values() for one in shared for other in shared if one < other}
    assert len(pairs) < len(people) * (len(people) - 1) / 2 / 4


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"days": 0.0}, "days"),
        ({"days": float("nan")}, "days"),
        ({"start": -1.0}, "start"),
        ({"small": -1}, "small"),
        ({"heavy": 1, "heavy_requests": float("inf")}, "heavy"),
    ],
)
def test_wrong_scenario_cannot_be_made(wrong: dict[str, float], text: str) -> None:
    """The error names the field."""
    with pytest.raises(ConfigError, match=text):
        Scenario(**wrong)  # type: ignore[arg-type]


def test_wrong_campaign_cannot_be_made() -> None:
    """Its tier is one of five."""
    with pytest.raises(ConfigError, match="composed, pool, whole, cover, relay"):
        Campaign("unknown")  # type: ignore[arg-type]
