"""The budget of a campaign: one for all its accounts, and nobody else pays from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from live.helpers import Scene, post, question, values
from ratelimit_guard import ConfigError, Guard
from ratelimit_guard.payment import peek


def test_accounts_share_one_budget() -> None:
    """Exactly the quota passes, whoever sends; then only time helps."""
    scene = Scene().learn()
    decisions = [scene.sends(call).decision for call in scene.attacks(12)]
    assert [one.action for one in decisions] == ["allow"] * 5 + ["refuse"] * 7
    assert len({one.tenant for one in decisions}) > 5
    assert {one.restriction.campaign for one in decisions if one.restriction} == {"C1"}
    scene.clock.advance(4_500)
    assert scene.sends(scene.attack()).decision.allowed


def test_threads_share_it_too() -> None:
    scene = Scene(values(campaign={"quota": "40/hour"})).learn()
    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(lambda call: scene.sends(call).decision, scene.attacks(120)))
    assert sum(one.allowed for one in decisions) == 40


def test_other_requests_of_a_member_pay_their_own_only() -> None:
    """And what the campaign's budget refused was not charged to the account."""
    scene = Scene().learn()
    requests = [post(f"org-{number}", "new") for number in range(12)]
    sent = [scene.send(request, call.body) for request, call in zip(requests, scene.attacks(12), strict=True)]
    assert [one.decision.allowed for one in sent] == [True] * 5 + [False] * 7
    for place, request in enumerate(requests):
        decision = scene.send(request, question()).decision
        assert (decision.action, decision.restriction) == ("allow", None)
        assert decision.result is not None
        assert decision.result.remaining == (98 if place < 5 else 99)


def test_more_accounts_buy_nothing() -> None:
    """Sent from twice as many accounts, just as many come through."""
    passed = []
    for split in (1, 2):
        scene = Scene().learn()
        attacks = scene.attacks(12)
        requests = [post(call.tenant, f"{call.account}-{place % split}") for place, call in enumerate(attacks)]
        sent = [scene.send(request, call.body) for request, call in zip(requests, attacks, strict=True)]
        passed.append(sum(one.decision.allowed for one in sent))
    assert passed == [5, 5]


def test_both_pay_or_none() -> None:
    """An account that is out of its own quota takes nothing from the campaign's, and the other way round."""
    scene = Scene(values(policies={"few": {"quota": "1/hour"}})).learn()
    attacks = scene.attacks(40)
    same = post(attacks[0].tenant, attacks[0].account)
    assert [scene.send(same, call.body).decision.allowed for call in attacks[:6]] == [True] + [False] * 5
    strangers = {call.account: call for call in attacks if call.account != attacks[0].account}
    decisions = [scene.sends(call).decision for call in list(strangers.values())[:6]]
    assert [one.allowed for one in decisions] == [True] * 4 + [False] * 2
    last = decisions[-1].tenant
    assert last is not None
    plan = scene.guard.plan(post(last.id, last.account.partition("/")[2]))
    assert plan is not None
    peeked = peek(plan)
    assert peeked is not None
    assert (peeked.allowed, peeked.remaining) == (True, 1)


def test_without_a_quota_it_is_that_of_one_account() -> None:
    """Each policy of the tier has a twin; what is not per account has none."""
    policies = {"few": {"quota": "3/hour"}, "all": {"quota": "1000/hour", "per": "global"}}
    tiers = {"anonymous": {"policies": ["few", "all"]}}
    scene = Scene(values(policies=policies, tiers=tiers, campaign={})).learn()
    decisions = [scene.sends(call).decision for call in scene.attacks(8)]
    assert sum(one.allowed for one in decisions) == 3
    assert decisions[-1].policy_field == b'"few";q=3;w=3600, "all";q=1000;w=3600, "campaign:few";q=3;w=3600'


def test_tiers_have_their_own_twins() -> None:
    """A policy that two tiers have is one budget; one that only the dear tier has is another."""
    tiers = {"anonymous": {"policies": ["few"]}, "dear": {"policies": ["many"]}}
    policies = {"few": {"quota": "2/hour"}, "many": {"quota": "4/hour"}}
    scene = Scene(values(tiers=tiers, policies=policies, campaign={})).learn()
    attacks = scene.attacks(16)
    cheap = [scene.sends(call).decision for call in attacks[:8]]
    dear = [scene.sends(call, x_tier="dear").decision for call in attacks[8:]]
    assert [sum(one.allowed for one in some) for some in (cheap, dear)] == [2, 4]
    names = [{result.policy for result in one.result.results} for one in dear if one.result]
    assert set().union(*names) == {"many", "campaign:many"}


def test_a_policy_that_is_tried_out_has_no_twin() -> None:
    """Then the campaign gets what an account gets that extracts by itself."""
    config = values(policies={"few": {"quota": "1/hour", "mode": "shadow"}}, campaign={}, detector={"quota": "2/hour"})
    scene = Scene(config).learn()
    decisions = [scene.sends(call).decision for call in scene.attacks(4)]
    assert [one.allowed for one in decisions] == [True, True, False, False]
    assert decisions[-1].policy_field == b'"campaign:*";q=2;w=3600'


def test_costs_count() -> None:
    routes = [{"match": "/v1/chat", "body": True, "cost": 2}]
    scene = Scene(values(routes=routes)).learn()
    assert sum(scene.sends(call).decision.allowed for call in scene.attacks(5)) == 2


def _many(count: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(count)]
    policies = {name: {"quota": "9/hour"} for name in names}
    routes = [{"match": "/v1/chat", "body": True, "policies": names[8:]}]
    return values(policies=policies, tiers={"anonymous": {"policies": names[:8]}}, routes=routes)


def test_more_policies_than_one_decision_takes() -> None:
    """Said when the guard is built, with what to do."""
    Guard.from_dict(_many(15))
    with pytest.raises(ConfigError, match="more than 16"):
        Guard.from_dict(_many(16))
    with pytest.raises(ConfigError, match=r"give \[campaign\] a quota"):
        Guard.from_dict(_many(9) | {"campaign": {}})


@pytest.mark.parametrize("name", ["campaign:x", "account:x"])
def test_names_that_are_the_detectors(name: str) -> None:
    config = values(policies={name: {"quota": "9/hour"}}, tiers={"anonymous": {"policies": [name]}})
    with pytest.raises(ConfigError, match="detector's own"):
        Guard.from_dict(config)


def test_a_campaigns_quota_without_a_detector() -> None:
    """What nobody acts on is a mistake."""
    config = {name: value for name, value in values(routes=[]).items() if name != "detector"}
    with pytest.raises(ConfigError, match="campaign"):
        Guard.from_dict(config)


def test_shadow_changes_nothing_and_tells() -> None:
    """Every response is as if there were no detector; the events say what would have been, and count right."""
    scene = Scene(values(detector={"mode": "shadow"})).learn()
    plain = {name: value for name, value in values(routes=[]).items() if name not in {"detector", "campaign"}}
    twin = Scene(plain)
    for place, call in enumerate(scene.attacks(12)):
        request = post(call.tenant, call.account)
        decision, other = scene.send(request, call.body).decision, twin.guard.check(request)
        assert scene.guard.fields(decision) == twin.guard.fields(other)
        assert (decision.action, decision.reason, str(decision.result)) == (
            other.action,
            other.reason,
            str(other.result),
        )
        event = scene.events[-1].decision
        assert len(scene.events) == place + 1
        assert event.restriction is not None
        assert not event.restriction.enforced
        assert event.would_refuse == (() if place < 5 else ("campaign:*",))


def test_shadow_refuses_by_the_ordinary_limits_alone() -> None:
    """In the ordinary words, which a responder may send."""
    scene = Scene(values(detector={"mode": "shadow"}, policies={"few": {"quota": "1/hour"}})).learn()
    call = scene.attack()
    first, second = (scene.sends(call).decision for _ in range(2))
    assert (first.allowed, second.action, second.reason) == (True, "refuse", "limit 'few' exceeded")
    assert not second.is_abnormal
    assert b"copying" not in scene.guard.refusal(second).body
