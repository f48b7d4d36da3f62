"""What callers, clocks and disks may do: no request fails by it."""

from __future__ import annotations

import logging
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from guard.helpers import call, http_scope, plain, status
from live.helpers import JSON, Scene, post, question, seen, spin, values
from ratelimit_guard import ConfigError, Guard, Identity, StoreError
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.challenge import solve

if TYPE_CHECKING:
    from pathlib import Path

    from ratelimit_guard.request import Request

SLOW: dict[str, Any] = {"challenge": {"bits": 8}, "patience_s": 200_000.0}
NAMES = ["\ud800", "a\udfff\ud800b", "\x00", "n" * 10_000, "ü" * 10_000, "a/b%", "%", "'\";--", "\u202e", "🙂" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    """Of tenants and accounts, whatever a lookup finds; a restricted one is still told apart, and refused."""

    def named(request: Request) -> Identity:
        tenant, account = (request.header(field) or b"" for field in (b"x-tenant", b"x-account"))
        return Identity(tenant.decode() + name, name + account.decode())

    scene = Scene(values(detector=SLOW), lookup=named).learn()
    first = scene.attacks(6)
    assert [scene.sends(one).decision.allowed for one in first] == [True] * 5 + [False]
    scene.climb("challenge", SLOW["patience_s"])
    call = scene.attack()
    refused = scene.sends(call).decision
    assert refused.restriction is not None
    assert refused.restriction.reference.startswith("RG-")
    answer = solve(dict(scene.guard.refusal(refused).headers)[b"guard-challenge"].decode())
    assert scene.sends(call, guard_challenge_response=answer).decision.action != "challenge"


@pytest.mark.parametrize(
    "fields",
    [
        [(b"x-request-id", b"r" * 100_000)],
        [(b"x-request-id", b"\xff\xfe\x00\r\n")],
        [(b"x-request-id", b"")] * 500,
        [(b"content-encoding", b"\xff")],
        [(b"content-encoding", b"gzip, gzip, br")],
        [(b"content-type", b"application/json; charset=\xff")],
        [(b"x-forwarded-for", b"\xff, \x00, 1.2.3.4")],
        [(b"guard-challenge-response", b"\xff" * 10_000)],
        [(b"\xff\xff", b"\xff")],
    ],
    ids=range(9),
)
async def test_header_fields(fields: list[tuple[bytes, bytes]]) -> None:
    scene = Scene(values(identity={"trusted_proxies": ["192.0.2.0/24"]}, detector={"challenge": {"bits": 8}}))
    headers = [(b"content-type", JSON), *fields]
    body = [{"type": "http.request", "body": question(), "more_body": False}]
    app = RateLimitMiddleware(plain, scene.guard)
    assert status(await call(app, http_scope(headers=headers), body)) == 200


@pytest.mark.parametrize("client", [None, ("", 0), ("\ud800", 1), ("x" * 9_999, 1), ("::1%eth0", 1), ["1.2.3.4", 5]])
async def test_peers(client: Any) -> None:
    scene = Scene()
    body = [{"type": "http.request", "body": question(), "more_body": False}]
    scope = http_scope(headers=[(b"content-type", JSON)], client=client)
    assert status(await call(RateLimitMiddleware(plain, scene.guard), scope, body)) == 200
    assert seen(scene) == 1


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, -1e9, 1e300, 0.0])
def test_a_clock_that_says_nonsense(odd: float) -> None:
    """For a while: requests go on, and afterwards all is as it was."""
    scene = Scene(values(detector=SLOW)).learn()
    good = scene.now
    for _ in range(3):
        scene.now = odd
        scene.sends(scene.attack())
        scene.send(post(), question())
    scene.settle()
    scene.now = good + 10
    assert [scene.sends(one).decision.allowed for one in scene.attacks(4)] == [True, True, False, False]
    scene.climb("challenge", SLOW["patience_s"])
    assert scene.sends(scene.attack()).decision.action == "challenge"


def test_a_clock_that_goes_back() -> None:
    """Nobody is let go by it."""
    scene = Scene().learn()
    scene.now -= 10 * 86_400
    assert [scene.sends(one).decision.allowed for one in scene.attacks(7)] == [True] * 5 + [False] * 2
    scene.settle()
    assert scene.stats["rungs"] == {1: "throttle"}


def test_an_account_with_a_hundred_requests_at_once() -> None:
    """Exactly the quota, every one that passed told once, and one thread for the detector."""
    scene = Scene(values(policies={"few": {"quota": "70/hour"}}))
    with ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(lambda _: scene.send(post(), question()).decision.allowed, range(100)))
    assert sum(sent) == 70
    assert len(scene.events) == 100
    assert seen(scene) == 70


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.json"):
        Guard.from_dict(values(detector={"baseline": str(tmp_path / "nothing.json")}))
    (tmp_path / "broken").write_text("{")
    with pytest.raises(ConfigError, match="broken"):
        Guard.from_dict(values(detector={"baseline": str(tmp_path / "broken")}))


def test_a_state_directory_that_is_made(tmp_path: Path) -> None:
    """Only the owner may look."""
    scene = Scene(values(detector={"state": str(tmp_path / "a" / "b")}))
    scene.send(post(), question())
    seen(scene)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b").iterdir() if path.suffix == ".state"] == [
        0o600
    ]


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_a_state_directory_that_cannot_be(tmp_path: Path, kind: str) -> None:
    """Said when the guard is built."""
    (tmp_path / "file").write_text("")
    store = {"kind": kind, "capacity": 10_000} | ({"path": str(tmp_path / "store")} if kind == "shared" else {})
    with pytest.raises(ConfigError, match=r"detector\.state .*below: Not a directory"):
        Scene(values(store=store, detector={"state": str(tmp_path / "file" / "below")}))


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_a_state_directory_that_goes_away(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Requests go on, and it is said in the log when nothing can be saved."""
    store = {"kind": kind, "capacity": 10_000} | ({"path": str(tmp_path / "store")} if kind == "shared" else {})
    with caplog.at_level(logging.WARNING):
        scene = Scene(values(store=store, detector={"state": str(tmp_path / "state")}))
        scene.send(post(), question())
        scene.settle()
        shutil.rmtree(tmp_path / "state")
        (tmp_path / "state").write_text("")
        assert scene.live._live.save()
        scene.told += 1
        scene.settle()
        spin(lambda: scene.send(post(), question()) and str(tmp_path / "state") in caplog.text, "nothing was said")


def test_an_area_that_is_somebody_elses(tmp_path: Path) -> None:
    """Said when the guard is built."""
    store = {"kind": "shared", "path": str(tmp_path / "store"), "capacity": 10_000}
    scene = Scene(values(store=store))
    scene.send(post(), question())
    scene.live.stop()
    area = next(
        path
        for path in tmp_path.iterdir()
        if path.name.endswith(("area", "detector")) or path.stat().st_size > 5_000_000
    )
    area.write_bytes(b"not ours")
    with pytest.raises(StoreError):
        Scene(values(store=store))
