"""Plan, charge, decide, tell: what a guard answers, without any server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import complete, request
from ratelimit_guard import ConfigError, Guard
from ratelimit_guard.config_file import from_dict

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard import DecisionEvent
    from ratelimit_guard.testing import ManualClock

    Make = Callable[..., Guard]

BY_USER: dict[str, Any] = {"identity": {"source": "user"}}


def user(name: str, **more: Any) -> Any:
    return request(native={"REMOTE_USER": name}, **more)


def test_within_and_beyond(make_guard: Make, clock: ManualClock) -> None:
    guard = make_guard({})
    assert [guard.check(request()).allowed for _ in range(4)] == [True, True, True, False]
    refused = guard.check(request())
    assert (refused.action, refused.reason) == ("refuse", "limit 'few' exceeded")
    assert refused.result is not None
    clock.advance(refused.result.retry_after)
    assert guard.check(request()).allowed


@pytest.mark.parametrize(
    ("per", "others_are_refused"),
    [("account", False), ("tenant", False), ("address", False), ("route", True), ("global", True)],
)
def test_who_shares_a_policy(make_guard: Make, per: str, others_are_refused: bool) -> None:
    policies = {"few": {"quota": "3/minute", "per": per}}
    guard = make_guard({"policies": policies, "routes": [{"match": "/v1/chat"}, {"match": "/v1/images"}]})
    assert all(guard.check(request(peer="192.0.2.1")).allowed for _ in range(3))
    assert guard.check(request(peer="192.0.2.2")).allowed is not others_are_refused
    assert not guard.check(request(peer="192.0.2.1")).allowed
    assert guard.check(request("/v1/images", peer="192.0.2.1")).allowed is (per == "route")


def test_accounts_of_one_tenant(make_guard: Make) -> None:
    policies = {"few": {"quota": "3/minute"}, "all": {"quota": "5/minute", "per": "tenant"}}

    def lookup(asked: Any) -> Any:
        from ratelimit_guard import Identity

        return Identity("acme", account=asked.native["account"])

    guard = make_guard({"policies": policies}, lookup=lookup)
    first = [guard.check(request(native={"account": "a"})).allowed for _ in range(4)]
    second = [guard.check(request(native={"account": "b"})).allowed for _ in range(4)]
    assert (first.count(True), second.count(True)) == (3, 2)


def test_routes(make_guard: Make) -> None:
    guard = make_guard(
        {
            "policies": {"few": {"quota": "10/minute"}, "images": {"quota": "1/minute", "per": "account"}},
            "tiers": {"anonymous": {"policies": ["few"]}},
            "routes": [
                {"match": "/health", "exempt": True},
                {"match": "/v1/images/{kind}", "methods": ["POST"], "cost": 4, "policies": ["images"]},
                {"match": "/files/{rest:path}", "cost": 0},
            ],
        }
    )

    def remaining(decision: Any) -> int:
        return int(decision.result.results[0].remaining)

    assert guard.check(request("/health")).reason == "exempt"
    assert remaining(guard.check(request("/files/a/b/c"))) == 10
    assert remaining(guard.check(request("/v1/images/cats", "GET"))) == 9
    refused = guard.check(request("/v1/images/cats"))
    assert refused.result is not None
    assert (refused.allowed, refused.result.policy) == (False, "images")
    assert remaining(guard.check(request("/other"))) == 8


@pytest.mark.parametrize("path", ["/v1/images", "/v1/images/", "//v1//images", "/v1/images///", "/v1/images\n"])
def test_slashes_make_no_route_cheaper(make_guard: Make, path: str) -> None:
    guard = make_guard({"routes": [{"match": "/v1/images", "cost": 3}]})
    assert guard.check(request(path)).allowed
    assert not guard.check(request(path)).allowed


def test_shadow_only_watches(make_guard: Make) -> None:
    events: list[DecisionEvent] = []
    policies = {"few": {"quota": "3/minute"}, "next": {"quota": "1/minute", "mode": "shadow"}}
    guard = make_guard({"policies": policies}, hooks=[events.append])
    decisions = [guard.check(request()) for _ in range(4)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False]
    assert [decision.would_refuse for decision in decisions] == [(), ("next",), ("next",), ()]
    assert [event.decision for event in events] == decisions
    assert guard.fields(decisions[0])[0] == (b"ratelimit-policy", b'"few";q=3;w=60')


def test_shadow_policies_count_for_themselves_and_only_what_runs(make_guard: Make, clock: ManualClock) -> None:
    """Two candidates side by side; what the enforced policy refuses would not have reached either."""
    policies = {
        "few": {"quota": "2/second"},
        "one": {"quota": "1/hour", "mode": "shadow"},
        "five": {"quota": "5/hour", "mode": "shadow"},
    }
    guard = make_guard({"policies": policies})
    seen = []
    for _ in range(4):
        seen += [guard.check(request()).would_refuse for _ in range(5)]
        clock.advance(2)
    assert [len(names) for names in seen] == [0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 2, 0, 0, 0, 2, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("match", "path", "takes"),
    [
        ("/files/{rest:path}", "/files/", True),
        ("/files/{rest:path}", "/files", True),
        ("/files/{rest:path}", "/files/a/b", True),
        ("/files/{rest:path}", "/filesystem", False),
        ("/{rest:path}", "/", True),
        ("/a-{name}/x", "/a-b/x", True),
        ("/a-{name}/x", "/a-/x", False),
        ("/a.c", "/abc", False),
        ("/", "/", True),
    ],
)
def test_patterns(make_guard: Make, match: str, path: str, takes: bool) -> None:
    guard = make_guard({"routes": [{"match": match, "exempt": True}]})
    assert (guard.check(request(path)).reason == "exempt") is takes


def test_no_path_takes_long(make_guard: Make) -> None:
    """Patterns are such that matching takes time in proportion to the path: these would take minutes otherwise."""
    guard = make_guard({"routes": [{"match": "/{a}/{b}/x-{c}-y/{d:path}"}]})
    for path in ("/" + "-" * 1_000_000, "/a" * 500_000, "/a/b/x-" + "-y" * 500_000):
        assert guard.check(request(path)).tenant is not None


def test_a_request_binds_nothing(make_guard: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the store may refuse is asked when a configuration takes effect."""
    guard = make_guard({"routes": [{"match": "/v1/chat", "policies": ["few"]}]})

    @guard.limit("few", tenant=lambda: "acme")
    def decorated() -> None: ...

    monkeypatch.setattr(guard.store, "bind", None)
    assert guard.check(request()).allowed
    decorated()


def test_an_account_is_nobodys_address(make_guard: Make) -> None:
    """Policies per account and per address do not meet, whatever an account is called."""
    policies = {"few": {"quota": "1/minute"}, "by address": {"quota": "1/minute", "per": "address"}}
    values = {**BY_USER, "policies": policies}
    guard = make_guard(values)
    assert guard.check(user("192.0.2.1", peer="192.0.2.9")).allowed
    assert guard.check(user("acme", peer="192.0.2.1")).allowed


def test_no_policy_is_no_limit(make_guard: Make) -> None:
    guard = make_guard({"tiers": {"anonymous": {"policies": []}}})
    decision = guard.check(request())
    assert (decision.allowed, decision.reason, guard.fields(decision)) == (True, "no policy", [])


def test_events_hold_no_secret(make_guard: Make, caplog: pytest.LogCaptureFixture) -> None:
    events: list[DecisionEvent] = []
    guard = make_guard({}, hooks=[events.append])
    with caplog.at_level(logging.INFO, "ratelimit_guard"):
        for _ in range(4):
            guard.check(request("/v1/chat?key=sk-2", headers={"Authorization": "Bearer sk-secret"}))
    assert len(events) == 4
    assert "sk-secret" not in repr(events) + caplog.text + repr([record.__dict__ for record in caplog.records])
    (record,) = caplog.records
    facts = record.ratelimit_guard  # type: ignore[attr-defined]
    assert (facts["action"], facts["tenant"], facts["tier"]) == ("refuse", "address:192.0.2.1", "anonymous")


def test_a_hook_that_fails_is_not_felt(make_guard: Make, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: DecisionEvent) -> None:
        msg = "out of order"
        raise RuntimeError(msg)

    assert make_guard({}, hooks=[broken]).check(request()).allowed
    assert "out of order" in caplog.text


def test_the_same_decision_again(make_guard: Make) -> None:
    """A replay on a clock of its own decides as the live guard did."""
    calls = [request(peer=f"192.0.2.{number % 3}") for number in range(20)]
    first, second = make_guard({}), make_guard({})
    assert [first.check(call).action for call in calls] == [second.check(call).action for call in calls]


def test_replace_keeps_what_was_used(make_guard: Make) -> None:
    guard = make_guard({"policies": {"few": {"quota": "3/minute"}}})
    assert all(guard.check(request()).allowed for _ in range(3))
    guard.replace(from_dict(complete({"policies": {"few": {"quota": "5/minute"}}})))
    assert [guard.check(request()).allowed for _ in range(3)] == [True, True, False]
    guard.replace(from_dict(complete({"policies": {"renamed": {"quota": "5/minute"}}})))
    assert guard.check(request()).allowed


@pytest.mark.parametrize("change", [{"namespace": "other"}, {"store": {"kind": "memory", "capacity": 7}}])
def test_replace_cannot_move_the_store(make_guard: Make, change: dict[str, Any]) -> None:
    guard = make_guard({})
    with pytest.raises(ConfigError, match="stop all workers"):
        guard.replace(from_dict(complete(change)))
    assert guard.config.namespace == "default"


@pytest.mark.parametrize(("method", "cost"), [("GET", 3), ("HEAD", 3), ("get", 3), ("POST", 1), ("OPTIONS", 1)])
def test_no_method_makes_a_route_cheaper(make_guard: Make, method: str, cost: int) -> None:
    """Frameworks run the handler of GET for HEAD, and some do not mind small letters."""
    guard = make_guard({"routes": [{"match": "/v1/chat", "methods": ["GET"], "cost": 3}]})
    result = guard.check(request(method=method)).result
    assert result is not None
    assert result.remaining == 3 - cost


def test_refusals_are_quiet_unless_asked_for(make_guard: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """A server without any logging configuration does not print a line for every refused request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])
        guard = make_guard({})
        for _ in range(9):
            guard.check(request())
    assert capfd.readouterr().err == ""
