"""What is asked of a campaign that goes on: a proof, then it gets less, then nothing; and the way back."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from live.helpers import ABNORMAL, CALM, EXCEEDED, Scene, calls, post, question, values
from ratelimit_guard import ConfigError, Guard
from ratelimit_guard.challenge import ProofOfWork, VerifiedHeader, solve
from ratelimit_guard.errors import AccessBlocked

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard.decision import Decision
    from ratelimit_guard.request import Request

EASY: dict[str, Any] = {"challenge": {"bits": 8}}
LESS: dict[str, Any] = {"degrade": {"max_tokens": 64, "models": {"big": "small"}}}


def document(scene: Scene, decision: Decision) -> tuple[int, dict[str, str], dict[str, Any]]:
    refused = scene.guard.refusal(decision)
    head = {name.decode(): value.decode() for name, value in refused.headers}
    assert int(head["content-length"]) == len(refused.body)
    return refused.status, head, json.loads(refused.body)


def test_a_refusal_by_the_campaigns_budget() -> None:
    """Says what kind of refusal it is, what to quote, and when to come again."""
    scene = Scene().learn()
    attacks = scene.attacks(7)
    sent = [scene.send(post(f"org-{place}", "new"), call.body).decision for place, call in enumerate(attacks)]
    status, head, problem = document(scene, sent[-1])
    assert (status, problem["type"], problem["status"]) == (429, ABNORMAL, 429)
    assert problem["error"]["code"] == "abnormal_usage_detected"
    assert problem["violated-policies"] == ["campaign:*"]
    assert head["ratelimit-policy"] == '"few";q=100;w=3600, "campaign:*";q=5;w=3600'
    assert 0 < int(head["retry-after"]) * 1_000 - int(head["retry-after-ms"]) + 1_000 <= 2_000
    assert (head["x-should-retry"], head["cache-control"]) == ("false", "no-store")
    reference = problem["reference"]
    assert reference in problem["detail"]
    found = scene.live._live.dereference(reference)
    assert found is not None
    assert found[0] == scene.live._live.account_number("org-6/new")
    assert found[1] == 1
    assert abs(found[2] - scene.now) <= 60


def test_an_ordinary_refusal_stays_ordinary() -> None:
    """Also of a member, whose own limit it is that is exceeded."""
    scene = Scene(values(policies={"few": {"quota": "1/hour"}})).learn()
    first, second = scene.attacks(2)
    scene.sends(first)
    _, _, problem = document(scene, scene.send(post(first.tenant, first.account), second.body).decision)
    assert (problem["type"], problem["error"]["code"]) == (EXCEEDED, "rate_limit_exceeded")
    assert "reference" not in problem


def test_a_proof_lets_pass() -> None:
    """Without one 403 and what to do; with one on, as far as the budget goes. It is nobody else's."""
    scene = Scene(values(detector=EASY)).learn()
    scene.climb("challenge")
    call = scene.attack()
    refused = scene.sends(call).decision
    status, head, problem = document(scene, refused)
    assert (status, problem["type"], refused.action) == (403, ABNORMAL, "challenge")
    assert problem["reference"].startswith("RG-")
    assert "retry-after" not in head
    answer = solve(head["guard-challenge"])
    assert scene.sends(call, guard_challenge_response="nonsense").decision.action == "challenge"
    stranger = post("org-x", "new", guard_challenge_response=answer)
    assert scene.send(stranger, call.body).decision.action == "challenge"
    passed = [scene.sends(call, guard_challenge_response=answer).decision.action for _ in range(6)]
    assert passed == ["allow"] * 5 + ["refuse"]
    scene.now += 1_300  # valid for ten minutes, and up to ten more
    assert scene.sends(call, guard_challenge_response=answer).decision.action == "challenge"


def test_what_is_refused_for_want_of_proof_costs_nothing() -> None:
    scene = Scene(values(detector=EASY)).learn()
    scene.climb("challenge")
    for call in scene.attacks(20):
        assert scene.send(post("org-y", "new"), call.body).decision.action == "challenge"
    decision = scene.send(post("org-y", "new"), question()).decision
    assert decision.result is not None
    assert decision.result.remaining == 99
    assert len(scene.events) == 21


def test_a_function_decides() -> None:
    """It gets request and decision; what raises has not agreed."""
    answers: list[Any] = [True, False, 1, None, ZeroDivisionError()]
    seen: list[tuple[Request, Decision]] = []

    def decides(request: Request, decision: Decision) -> bool:
        seen.append((request, decision))
        answer = answers[len(seen) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    scene = Scene(values(detector=EASY), challenge=decides).learn()
    scene.climb("challenge")
    call = scene.attack()
    actions = [scene.sends(call).decision for _ in answers]
    assert [one.action for one in actions] == ["allow"] + ["challenge"] * 4
    assert document(scene, actions[1])[1]["guard-challenge"] == "required"
    assert seen[0][0].header(b"x-account") == call.account.encode()
    assert seen[0][1].restriction is not None


def test_a_verifier_in_front(tmp_path: Path) -> None:
    """Vouches in a header, signed with the secret of the file."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret of twenty-odd bytes\n")
    challenge = {"header": "x-verified", "secret_file": str(secret)}
    scene = Scene(values(detector={"challenge": challenge})).learn()
    scene.climb("challenge")
    call = scene.attack()
    signed = VerifiedHeader("x-verified", secret.read_bytes().strip()).sign(f"{call.tenant}/{call.account}", scene.now)
    assert scene.sends(call).decision.action == "challenge"
    assert scene.sends(call, x_verified=signed).decision.allowed
    assert not scene.sends(call, x_verified=signed[:-1] + "0").decision.allowed or signed.endswith("0")


@pytest.mark.parametrize(
    ("challenge", "text"),
    [
        ({"header": "x-verified"}, "needs a secret_file"),
        ({"secret_file": "{folder}/nothing"}, "secret_file .*nothing"),
        ({"secret_file": "{folder}/empty"}, "16 bytes"),
        ({"secret_file": "{folder}"}, "secret_file"),
    ],
)
def test_secrets_that_are_none(tmp_path: Path, challenge: dict[str, str], text: str) -> None:
    """Said when the guard is built, an empty file too."""
    (tmp_path / "empty").write_bytes(b"\n")
    filled = {name: value.format(folder=tmp_path) for name, value in challenge.items()}
    with pytest.raises(ConfigError, match=text):
        Guard.from_dict(values(detector={"challenge": filled}))


def test_a_challenge_that_nobody_would_ask() -> None:
    with pytest.raises(ConfigError, match=r"detector\.challenge"):
        Guard.from_dict(values(), challenge=ProofOfWork(b"sixteen bytes or more"))


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_less_of_everything(coding: str) -> None:
    """The stated fields change and nothing else; header and event say which."""
    scene = Scene(values(detector=LESS)).learn()
    scene.climb("degrade")
    asked = json.loads(scene.attack().body) | {"model": "big", "n": 4, "logprobs": True, "max_tokens": 999, "user": "u"}
    body = json.dumps(asked).encode()
    request = post("org-z", "new", content_encoding=coding)
    checked = scene.send(request, gzip.compress(body) if coding == "gzip" else body)
    assert checked.decision.action == "degrade"
    assert checked.replacement is not None
    expected = asked | {"model": "small", "n": 1, "logprobs": None, "max_tokens": 64}
    assert json.loads(checked.replacement) == expected
    fields = dict(scene.guard.fields(checked.decision))
    assert fields[b"guard-degraded"] == b"logprobs, max_tokens=64, n=1, model=small"
    assert b"ratelimit" in fields
    event = scene.events[-1].decision
    assert (event.action, event.degraded) == ("degrade", ("logprobs", "max_tokens=64", "n=1", "model=small"))
    assert len(scene.events) == 1
    other = scene.send(post("org-z", "new"), question(n=4))
    assert (other.replacement, other.decision.action) == (None, "allow")


def test_nothing_for_who_is_blocked() -> None:
    """403 without a challenge: no proof would help. The rest of the account's requests go on."""
    asked: list[object] = []
    scene = Scene(values(detector={**EASY, "block": True}), challenge=lambda *one: bool(asked.append(one))).learn()
    scene.climb("block")
    decision = scene.send(post("org-b", "new"), scene.attack().body).decision
    status, head, problem = document(scene, decision)
    assert (status, decision.action, problem["type"]) == (403, "block", ABNORMAL)
    assert "guard-challenge" not in head
    assert not asked
    assert "copying" in problem["detail"]
    assert scene.send(post("org-b", "new"), question()).decision.allowed
    with pytest.raises(AccessBlocked, match="campaign C1 is blocked"):
        raise AccessBlocked(decision)


def test_up_by_patience_and_down_by_calm() -> None:
    """Time is the observations' own."""
    patience = 40_000.0
    scene = Scene(values(detector={**EASY, **LESS, "patience_s": patience})).learn()
    assert scene.stats["rungs"] == {1: "throttle"}
    scene.tell_at(calls()[0].time + patience - 1)
    assert scene.stats["rungs"] == {1: "throttle"}
    scene.climb("challenge", patience)
    scene.tell_at(scene.now + patience - 1)
    assert scene.stats["rungs"] == {1: "challenge"}
    scene.climb("degrade", patience)
    at = scene.now
    for days, rung in ((0.9, "degrade"), (1, "challenge"), (1.9, "challenge"), (2, "throttle"), (9, "throttle")):
        scene.now = at + days * (CALM + 1_000)
        scene.send(post("quiet", "one"), question())
        scene.settle()
        assert scene.stats["rungs"] == {1: rung}


def test_the_beginning_is_delayed() -> None:
    """Who is convicted is not restricted at once, or it could see which request did it."""
    scene = Scene(values(detector={"delay_s": 86_400.0}))
    for call in calls()[:1_000]:
        scene.tell(call)
    scene.settle()
    assert (scene.stats["convicted"], scene.stats["rungs"]) == (1, {})


def test_an_account_by_its_own_evidence() -> None:
    """All it sends draws on `detector.quota`, and no campaign is named."""
    from detection.attacks import ATTACKS

    scene = Scene(values(detector={"quota": "3/hour"}, policies={"few": {"quota": "1000/hour"}}))
    bodies = [json.dumps(one.body).encode() for one in ATTACKS["composed-100"].take(200)]
    request = post("extractor", "one")
    tenant = scene.guard.plan(request).tenant  # type: ignore[union-attr]
    for body in bodies:
        inspection = scene.live.inspect(body, tenant)
        assert inspection is not None
        scene.live.observe(inspection, tenant)
        scene.told += 1
        scene.now += 3
    scene.settle()
    sent = [scene.send(request, question()).decision for _ in range(4)]
    assert [one.allowed for one in sent] == [True] * 3 + [False]
    restriction = sent[-1].restriction
    assert restriction is not None
    assert (restriction.campaign, restriction.whole, restriction.score >= 1) == (None, True, True)
    assert document(scene, sent[-1])[2]["violated-policies"] == ["account:*"]
    assert scene.send(request, None).decision.action == "refuse"  # a body that nobody could read is no way out
    assert scene.send(post("extractor", "two"), question()).decision.restriction is None
