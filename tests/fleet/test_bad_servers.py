"""Servers that answer, and wrongly: an error at the start, later the failure policy for who is concerned."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from fleet.helpers import WAYS, Caller, Impostor, answering, kinds, policy, recovered, saying, store_at
from ratelimit_guard import Limiter, Policy, StoreError
from ratelimit_guard.stores.redis import RedisStore
from servers.server import redis62, replica, valkey, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.server import Server

ACL = "user app on >secret ~rlg1:* resetchannels -@all +evalsha +eval"
"""Less than any decision needs."""
GARBAGE: dict[str, Any] = {
    "text": b"garbage",
    "empty": b"",
    "map": bytes.fromhex("81a16101"),
    "strings": bytes.fromhex("9e" + "a178" * 14),
    "short": bytes.fromhex("93010203"),
    "zeros": bytes.fromhex("9e" + "00" * 14),
    "negative": bytes.fromhex("9e" + "ff" * 14),
    "floats": bytes.fromhex("9e" + "cb7ff0000000000000" * 14),  # infinite
    "nothing": bytes.fromhex("9e" + "cb7ff8000000000000" * 14),  # not a number
    "nested": bytes.fromhex("9e" + "90" * 14),
    "deep": b"\x91" * 1_000 + b"\x00",
    "cut": bytes.fromhex("9ecb7ff0"),
}


@pytest.fixture(params=WAYS)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Threads, or tasks of a loop."""
    with Caller(request.param) as caller:
        yield caller


def allowed(results: list[Any]) -> list[bool]:
    """Of each."""
    return [bool(result) for result in results]


# --- at the start


def refusal(url: str) -> str:
    """Why no store can be had; it never shows the password."""
    with pytest.raises(StoreError) as caught:
        RedisStore(url)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_wrong_password_is_told_at_the_start() -> None:
    """And none at all."""
    with valkey(password="correct") as server:  # noqa: S106  of a test
        bare = server.url.replace(":correct@", "")
        assert "user and password" in refusal(bare)
        assert "user and password" in refusal(server.url.replace("correct", "secret"))


def test_missing_permission_is_told_at_the_start() -> None:
    """To run scripts, to write, or for our keys."""
    with valkey(
        ACL,
        "user reader on >secret ~rlg1:* -@all +eval +evalsha +@read +time",
        "user stranger on >secret ~other:* +@all",
        "user mute on >secret ~rlg1:* +@all -@scripting",
    ) as server:
        for user in ("app", "reader", "stranger", "mute"):
            assert "ACL" in refusal(server.url.replace("//", f"//{user}:secret@"))


def test_replica_is_told_at_the_start(redis_server: Server) -> None:
    """It would never count."""
    with replica(redis_server) as copy:
        assert "it is a replica" in refusal(copy.url)


def test_server_that_lacks_what_scripts_need_is_told_at_the_start() -> None:
    """As an old one does, or one whose operator has renamed commands."""
    with redis62("rename-command EVAL ''", "rename-command EVALSHA ''") as server:
        assert "unknown command" in refusal(server.url)
    with redis62("rename-command TIME ''") as server:
        assert refusal(server.url)


def test_old_server_is_named_as_such() -> None:
    """By the version that it tells."""
    info = b"# Server\r\nredis_version:5.0.14\r\n"

    def answer(asked: bytes) -> bytes:
        if b"EVAL" in asked:
            return b"-ERR Write commands not allowed after non deterministic commands\r\n"
        return b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO\r\n$6\r\nserver" in asked else b""

    with Impostor(answering(answer)) as impostor:
        assert "it is version 5.0, and 6.2 is needed" in refusal(impostor.url)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"+OK\r\n" * 9,
        b":5\r\n" * 9,
        b"*0\r\n" * 9,
        b"\x00" * 99,
    ],
)
def test_who_is_no_server_is_told_or_left_alone(caller: Caller, reply: bytes) -> None:
    """Whatever speaks at that port: an error at the start, or the failure policy from then on."""
    with Impostor(saying(reply)) as impostor:
        try:
            store = RedisStore(impostor.url, budget_s=0.2)
        except StoreError:
            return
        limiter = caller.limiter(policy("local"), store)
        assert sum(allowed(caller.take(limiter, 12))) == 10
        store.close()


# --- later


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n",
        b":5\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"$0\r\n\r\n",
        b"$3\r\n\x93\x01\x02\r\n",
        b"$5\r\n\xdd\xff\xff\xff\xff\r\n",
        b"$4\r\n\x93\x01\x09\x00\r\n",
        b"-ERR nonsense\r\n",
        b"-WRONGTYPE of something\r\n",
        b"-BUSY Redis is busy running a script\r\n",
        b"-LOADING soon\r\n",
        b"-CLUSTERDOWN Hash slot not served\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"?\r\n",
    ],
    ids=repr,
)
def test_wrong_answers_are_no_answers(caller: Caller, reply: bytes) -> None:
    """Numbers too few, too many or of another kind, errors of every sort: the failure policy, and a loud event."""
    good = []  # at the start all is well

    def answer(asked: bytes) -> bytes:
        if b"EVAL" not in asked:
            return b""
        good.append(asked)
        return GOOD if len(good) == 1 else reply

    with Impostor(answering(answer)) as impostor, store_at(impostor.url, 0.5) as (store, events):
        limiter = caller.limiter(policy("local"), store)
        assert sum(sum(allowed(caller.take(limiter, 4))) for _ in range(3)) == 10
        assert kinds(events)[0] == "down"


GOOD = b"$8\r\n\x97\x01\x01\x00\x0a\x09\x00\x00\r\n"
"""A charge as its answer begins and ends: now, taken, no output, 10 in all, 9 left, free in 0, nothing reclaimed."""


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize(
    "quota", ["10/hour", "10/hour; burst=10", "10/hour; algorithm=sliding-window", "10 concurrent-requests"]
)
def test_garbage_under_a_key_concerns_nobody_else(redis_url: str, quota: str, garbage: bytes) -> None:
    """Only who has that key gets the failure policy, whoever asks at the same moment; nothing is written over it."""
    with Caller("async") as caller, store_at(redis_url, 5.0) as (store, events):
        limiter = caller.limiter(Policy("p", quota, "closed"), store)
        slots = "concurrent" in quota

        async def ask(key: str) -> Any:
            return (await limiter.permit(key)).result if slots else await limiter.acquire(key)

        assert caller.run(lambda: ask("bad"))
        with client_of(redis_url) as client:
            (key,) = [key for key in client.keys("rlg1::*") if not key.endswith((b":h", b":policies"))]
            client.set(key, garbage)
        results = caller.run(lambda: gathered([ask(key) for key in ("alice", "bad", "bob") * 4]))
        assert allowed(results) == [True, False, True] * 4
        assert kinds(events) == ["damaged"]
        assert not store.is_down
        with client_of(redis_url) as client:
            assert client.getdel(key) == garbage
        assert caller.run(lambda: ask("bad"))


@pytest.mark.parametrize("quota", ["10/hour", "100 tokens/hour", "10 concurrent-requests"])
def test_wrong_type_under_a_key_concerns_nobody_else(redis_url: str, quota: str) -> None:
    """A list where a counter should be."""
    with Caller("async") as caller, store_at(redis_url, 5.0) as (store, events):
        limiter = caller.limiter(Policy("p", quota, "closed"), store)

        async def ask(key: str) -> Any:
            async with limiter.reserve(key, output_tokens=5) as held:
                return held.result

        assert caller.run(lambda: ask("bad"))
        wait_until(lambda: not store.state.outbox.waiting(), what="the end")
        with client_of(redis_url) as client:
            (key,) = [key for key in client.keys("rlg1::*") if not key.endswith((b":h", b":policies"))]
            client.delete(key)
            client.rpush(key, "x")
        assert allowed(caller.run(lambda: gathered([ask(key) for key in ("alice", "bad", "bob")]))) == [
            True,
            False,
            True,
        ]
        assert kinds(events) == ["damaged"]
        assert not store.is_down


@pytest.mark.parametrize("spoilt", ["a string", "garbage inside"])
def test_wrong_list_of_reservations_concerns_nobody_else(redis_url: str, spoilt: str) -> None:
    """The second key of a metered quota: what is reserved of it."""
    with Caller("async") as caller, store_at(redis_url, 5.0) as (store, _):
        limiter = caller.limiter(Policy("p", "100 tokens/hour", "closed"), store)

        async def fill(key: str) -> Any:
            return await limiter.reserve(key, output_tokens=60).__aenter__()

        async def ask(key: str) -> bool:
            async with limiter.reserve(key, output_tokens=50, least=50) as held:
                return bool(held.result)

        held = caller.run(lambda: fill("bad"))
        with client_of(redis_url) as client:
            (listed,) = client.keys("rlg1:*:h")
            if spoilt == "a string":
                client.delete(listed)
                client.set(listed, "x")
            else:
                client.hset(listed, mapping=dict.fromkeys(client.hkeys(listed), "x"))
        assert caller.run(lambda: gathered([ask(key) for key in ("alice", "bad", "bob")])) == [True, False, True]
        assert store.state.failures == 0
        assert held


def test_full_server_is_loud_and_recovers(caller: Caller) -> None:
    """`OOM`: each policy holds, decisions that only look still work, and room brings it back."""
    with valkey("maxmemory-policy noeviction") as server, store_at(server.url) as (store, events):
        limiters = {mode: caller.limiter(policy(mode), store) for mode in ("open", "closed", "local")}
        assert allowed(caller.take(limiters["closed"])) == [True]
        with server.client() as operator:
            operator.config_set("maxmemory", 1)
            told = {mode: sum(allowed(caller.take(limiter, 12))) for mode, limiter in limiters.items()}
            assert told == {"open": 12, "closed": 0, "local": 10}
            assert "raise maxmemory" in events[0].text
            operator.config_set("maxmemory", 0)
        recovered(caller, store, limiters["closed"])
        assert sum(allowed(caller.take(limiters["closed"], 12))) == 9


def test_full_server_at_the_start_is_no_error() -> None:
    """It may have room again any time; an app that does not start helps nobody."""
    with valkey("maxmemory 1", "maxmemory-policy noeviction") as server, store_at(server.url) as (store, events):
        assert (store.is_down, kinds(events)) == (True, ["down"])


def test_permission_that_is_taken_away_is_loud(caller: Caller) -> None:
    """An operator's mistake, and its correction, while connections stay."""
    with (
        valkey("user app on >secret ~rlg1:* resetchannels +@all") as server,
        store_at(server.url.replace("//", "//app:secret@")) as (store, events),
        server.client() as operator,
    ):
        limiter = caller.limiter(policy("local"), store)
        assert allowed(caller.take(limiter)) == [True]
        operator.execute_command("ACL", "SETUSER", "app", "-@scripting")
        assert sum(allowed(caller.take(limiter, 12))) == 10
        assert "ACL" in events[0].text
        operator.execute_command("ACL", "SETUSER", "app", "+@scripting")
        recovered(caller, store, limiter)
        assert sum(allowed(caller.take(limiter, 12))) == 9


def test_primary_that_becomes_a_replica_is_loud(caller: Caller, redis_server: Server) -> None:
    """Someone else is the primary now: decisions are refused there, and it says what to do."""
    with store_at(redis_server.url) as (store, events), valkey() as other, redis_server.client() as operator:
        limiter = caller.limiter(policy("local"), store)
        assert allowed(caller.take(limiter)) == [True]
        operator.replicaof("127.0.0.1", other.port)
        assert sum(allowed(caller.take(limiter, 12))) == 10
        assert "name its primary" in events[0].text
        operator.replicaof("NO", "ONE")
        recovered(caller, store, limiter)


# --- time


def test_clocks_of_hosts_do_not_matter(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes apart, they share a window to the instant: its time is the server's."""
    with store_at(redis_url, 5.0) as (here, _), store_at(redis_url, 5.0) as (there, _):
        ours, theirs = Limiter("10/minute", here), Limiter("10/minute", there)
        wall = time.time
        got = 0
        for limiter, ahead in [(ours, 0.0), (theirs, 600.0), (ours, -600.0), (theirs, 0.0)] * 5:
            monkeypatch.setattr(time, "time", lambda ahead=ahead: wall() + ahead)
            got += bool(limiter.acquire("alice"))
        assert got == 10


JUMPS = pytest.mark.parametrize(
    "quota", ["10/minute", "10/minute; burst=10", "10/minute; algorithm=sliding-window", "10/second", "10/hour"]
)


@JUMPS
def test_server_whose_clock_jumps_ahead_gives_one_further_limit_at_most(redis_url: str, quota: str) -> None:
    """Ten minutes, as by a failover to a replica with another clock: what was used in shorter windows is forgotten."""
    from ratelimit_guard.testing import ManualClock

    clock = ManualClock()
    with store_at(redis_url, 5.0, clock=clock) as (store, _):
        limiter = Limiter(quota, store)
        assert sum(bool(limiter.acquire("alice")) for _ in range(20)) == 10
        clock.advance(600)
        assert sum(bool(limiter.acquire("alice")) for _ in range(20)) <= 10


@JUMPS
def test_server_whose_clock_jumps_back_refuses_for_two_windows_at_most(redis_url: str, quota: str) -> None:
    """Ten minutes: nothing more passes at first; then the limit comes back in its own time, not in the jump's."""
    from ratelimit_guard.testing import ManualClock

    clock = ManualClock()
    clock.advance(10_000)
    with store_at(redis_url, 5.0, clock=clock, refusal_cache_s=0) as (store, _):
        limiter = Limiter(quota, store)
        assert sum(bool(limiter.acquire("alice")) for _ in range(20)) == 10
        clock.set(clock.now() - 600)
        refused = limiter.acquire("alice")
        assert not refused
        window = {"m": 60, "s": 1, "h": 3_600}[quota[3]]
        assert refused.retry_after <= 2 * window
        clock.advance(2 * window)
        assert sum(bool(limiter.acquire("alice")) for _ in range(20)) == 10


# --- helpers


def client_of(url: str) -> Any:
    """An operator's."""
    import redis

    return redis.Redis.from_url(url)


async def gathered(calls: list[Any]) -> list[Any]:
    """All at once."""
    import asyncio

    return list(await asyncio.gather(*calls))
