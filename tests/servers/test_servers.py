"""The servers, networks and disasters of the tests do what they are called."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError
from redis.retry import Retry
from redis.sentinel import Sentinel

from guard.servers import ROOT
from servers.cluster import cluster
from servers.engines import ENGINES, Engine
from servers.sentinel import NAME
from servers.server import HOST, Server, redis62, replica, valkey
from servers.tls import secured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.cluster import Cluster
    from servers.proxy import Proxy
    from servers.sentinel import Sentinels

IMPATIENT_S = 0.1
ENDS_S = 5.0
SECRET, OTHER = "secret", "other"
VERSIONS: dict[Engine, str] = {"valkey-9": "9.", "valkey-8": "8.", "redis-6": "6.2."}
STARTER = """
from servers.server import valkey
with valkey() as server:
    print(server.pid, server.directory, flush=True)
    input()
"""


@contextlib.contextmanager
def through(proxy: Proxy, **more: Any) -> Iterator[Redis]:
    quick = {"socket_timeout": IMPATIENT_S, "socket_connect_timeout": IMPATIENT_S, "retry": Retry(NoBackoff(), 0)}
    with Redis.from_url(proxy.url, **{**quick, **more}) as client:
        yield client


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_runs_as_the_version_it_stands_for(engine: Engine) -> None:
    with valkey(engine=engine) as server:
        said = server.info("server")
        assert said.get("valkey_version", said["redis_version"]).startswith(VERSIONS[engine])
        assert said["process_id"] == server.pid


def test_the_oldest_server_has_a_way_of_its_own() -> None:
    with redis62(password=SECRET) as server, server.client() as client:
        assert client.ping()


def test_it_restarts_on_its_port_empty_or_as_it_was(redis_server: Server) -> None:
    port, first = redis_server.port, redis_server.pid
    with redis_server.client() as client:
        client.set("key", "value")
        redis_server.restart(empty=False)
        assert (redis_server.port, client.get("key")) == (port, b"value")
        redis_server.restart()
        assert (redis_server.port, client.get("key")) == (port, None)
    assert redis_server.pid != first


def test_a_killed_one_is_gone_and_can_start_again(redis_server: Server) -> None:
    redis_server.kill()
    with redis_server.client() as client:
        assert not redis_server.runs
        with pytest.raises(redis.ConnectionError):
            client.ping()
        redis_server.restart()
        assert client.ping()


def test_a_paused_one_accepts_and_says_nothing_until_it_goes_on(redis_server: Server) -> None:
    with redis_server.client(socket_timeout=IMPATIENT_S) as client:
        redis_server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        redis_server.resume()
        assert client.ping()


def test_a_paused_one_still_stops(redis_server: Server) -> None:
    redis_server.pause()
    redis_server.stop()
    assert not redis_server.runs
    assert "SIGTERM" in redis_server.log  # it could say farewell


def test_it_ends_and_leaves_nothing_when_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), valkey() as server:
        raise ZeroDivisionError
    assert not server.runs
    assert not server.directory.exists()


def test_what_cannot_start_says_why() -> None:
    with pytest.raises(AssertionError, match="no-such-thing"), valkey("no-such-thing 1"):
        pass


def test_it_ends_when_its_starter_is_killed() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        pid, directory = starter.stdout.readline().split()
        server = os.pidfd_open(int(pid))
        starter.kill()
        assert select.select([server], [], [], ENDS_S)[0]
        os.close(server)
    shutil.rmtree(directory)


def test_passwords_and_users_are_asked_for() -> None:
    with valkey(f"user app on >{OTHER} ~rlg:* +ping +set", password=SECRET) as server:
        with server.client(username="app", password=OTHER) as app:
            assert app.set("rlg:key", 1)
            with pytest.raises(NoPermissionError):
                app.set("key", 1)
        with server.client() as client:
            assert client.set("key", 1)
        with server.client(password=OTHER) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_a_full_one_refuses_to_write() -> None:
    full = "maxmemory 1mb", "maxmemory-policy noeviction"
    with valkey(*full) as server, server.client() as client, pytest.raises(OutOfMemoryError):
        client.eval("redis.call('set', KEYS[1], ARGV[1])", 1, "key", "value")


def test_it_listens_on_a_unix_socket() -> None:
    with valkey(unix=True) as server, server.client() as client:
        assert server.url.startswith("unix://")
        assert client.ping()


def test_a_replica_copies_and_refuses_to_be_written_to(redis_server: Server) -> None:
    with redis_server.client() as client, replica(redis_server) as copy, copy.client() as reader:
        client.set("key", "value")
        assert client.wait(1, 1_000) == 1
        assert reader.get("key") == b"value"
        with pytest.raises(ReadOnlyError):
            reader.set("key", "other")


def test_the_shared_server_is_empty_for_every_test(redis_url: str, shared_server: Server) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
    assert shared_server.runs


def test_the_proxy_counts_what_passes(redis_proxy: Proxy) -> None:
    with through(redis_proxy, protocol=2) as client:
        client.ping()
        before = redis_proxy.round_trips, redis_proxy.bytes_up, redis_proxy.bytes_down
        client.echo("abc")
        with client.pipeline(transaction=False) as several:
            for _ in range(3):
                several.ping()
            several.execute()
        after = redis_proxy.round_trips, redis_proxy.bytes_up, redis_proxy.bytes_down
    up, down = b"*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n", b"$3\r\nabc\r\n"
    passed = [late - early for late, early in zip(after, before, strict=True)]
    assert passed == [2, len(up) + 3 * len(b"*1\r\n$4\r\nPING\r\n"), len(down) + 3 * len(b"+PONG\r\n")]
    assert redis_proxy.connections == 1


def test_a_cut_resets_connections_and_lets_new_ones_pass(redis_proxy: Proxy) -> None:
    with socket.create_connection((HOST, redis_proxy.port), timeout=2) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
        redis_proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    with through(redis_proxy) as client:
        assert client.ping()


def test_a_frozen_network_accepts_and_goes_on_later(redis_proxy: Proxy, redis_server: Server) -> None:
    with through(redis_proxy) as client, through(redis_proxy) as another, redis_server.client() as direct:
        client.ping()
        redis_proxy.freeze()
        for each in client, another:
            with pytest.raises(redis.TimeoutError):
                each.incr("key")
        assert direct.get("key") is None
        redis_proxy.restore()
        assert client.ping()
        assert direct.get("key") == b"1"  # what was under way arrives, though its client has given up


def test_a_black_hole_answers_no_new_connection(redis_proxy: Proxy, redis_server: Server) -> None:
    with through(redis_proxy) as client, through(redis_proxy) as late:
        client.ping()
        redis_proxy.blackhole()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        with pytest.raises(redis.TimeoutError, match="connecting"):
            late.ping()
        redis_server.kill()  # nobody hears of it
        redis_server.restart()
        redis_proxy.restore()
        assert late.ping()


def test_a_refusing_one_is_not_there_until_it_is_back(redis_proxy: Proxy) -> None:
    with through(redis_proxy) as client:
        client.ping()
        redis_proxy.refuse()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                client.ping()
        redis_proxy.restore()
        assert client.ping()


def test_a_delay_is_a_distance(redis_proxy: Proxy) -> None:
    with through(redis_proxy, socket_timeout=2) as client:
        client.ping()
        redis_proxy.delay(0.05)
        started = time.monotonic()
        client.ping()
        assert 0.1 <= time.monotonic() - started < 1.0
        redis_proxy.restore()


def test_a_dripping_one_passes_every_byte(redis_proxy: Proxy) -> None:
    with through(redis_proxy, socket_timeout=2) as client:
        redis_proxy.drip()
        assert client.echo("abc" * 100) == b"abc" * 100


def test_tls_is_verified_and_can_be_frozen_too(redis_server: Server, tmp_path: Path) -> None:
    with secured(redis_server, tmp_path) as (proxy, trusted):
        with through(proxy, socket_timeout=2, socket_connect_timeout=2, ssl_ca_certs=str(trusted)) as client:
            assert client.echo("abc") == b"abc"
        with (
            through(proxy, socket_connect_timeout=2) as stranger,
            pytest.raises(redis.ConnectionError, match="CERTIFICATE"),
        ):
            stranger.ping()
        proxy.freeze()
        with through(proxy, ssl_ca_certs=str(trusted)) as client, pytest.raises(redis.TimeoutError):
            client.ping()


def test_a_cluster_moves_slots_and_survives_its_nodes(redis_cluster: Cluster) -> None:
    source = redis_cluster.owner("key")
    to = next(node for node in redis_cluster.primaries if node is not source)
    slot = redis_cluster.slot("key")
    with RedisCluster.from_url(redis_cluster.url) as client, source.client() as direct:
        client.set("key", "value")
        redis_cluster.begin_move(slot, to)
        with pytest.raises(redis.ResponseError, match=str(slot)):  # ASK
            direct.get("{key}not there")
        redis_cluster.end_move(slot, source, to)
        assert redis_cluster.owner("key") is to
        assert client.get("key") == b"value"

        heir = redis_cluster.replicas[redis_cluster.primaries.index(to)]
        redis_cluster.fail_over(heir)
        assert redis_cluster.owner("key") is heir
        assert client.get("key") == b"value"

        heir.kill()
        redis_cluster.wait_for_primary(to)
        assert redis_cluster.owner("key") is to
        assert client.get("key") == b"value"


def test_the_oldest_servers_form_a_cluster_too() -> None:
    with cluster(engine="redis-6") as nodes, RedisCluster.from_url(nodes.url) as client:
        assert client.set("key", "value")
        assert nodes.owner("key") in nodes.primaries


def test_sentinels_name_another_primary(redis_sentinels: Sentinels) -> None:
    first = redis_sentinels.primary
    client: Redis = Sentinel(redis_sentinels.addresses).master_for(NAME)  # type: ignore[no-untyped-call]
    client.set("key", "value")
    second = redis_sentinels.fail_over()
    assert (redis_sentinels.primary, redis_sentinels.replica) == (second, first)
    assert client.get("key") == b"value"
    client.close()


def test_sentinels_notice_a_death(redis_sentinels: Sentinels) -> None:
    first = redis_sentinels.primary
    first.kill()
    assert redis_sentinels.wait_for_other(first) is not first
