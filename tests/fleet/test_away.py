"""A server that is not there, and hosts that are none of ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from redis.cluster import RedisCluster

from fleet.hosts import KEY, Host, Hosts, convicted, restricted, small
from live.helpers import spin
from ratelimit_guard.exchange import NAMES
from ratelimit_guard.fleet import AGREE_EVERY_S, common_secret

if TYPE_CHECKING:
    import pytest
    from redis import Redis

    from servers.server import Server


def test_a_server_that_goes_and_comes_back(server: Server, client: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Empty. Verdicts stand meanwhile, observations wait, and who judged before does so again and is heard."""
    with Hosts(2, server) as hosts:
        log = convicted(hosts, small())
        first, second = hosts.split()
        known = restricted(second, log)
        received = first.fleet._counts["received"]
        server.stop()
        caplog.clear()
        for call in log[:50]:
            second.sends(call)
            first.sends(call)
            hosts.round()
        assert [record.levelname for record in caplog.records].count("WARNING") == 2, "once for each host"
        assert restricted(second, log) >= known
        assert second.stats["waiting_bytes"] > 0
        server.start()
        server.wait()
        hosts.until(lambda: second.fleet._version and hosts.correlator is first)
        hosts.until(lambda: first.fleet._counts["received"] > received and not second.stats["waiting_bytes"])
        assert second.stats["dropped"] == 0
        assert first.fleet._counts["lost"] == 0
        assert client.exists(*(KEY + name for name in NAMES)) == len(NAMES)
        assert restricted(second, log) >= known


def test_a_host_that_never_saw_a_server_works_alone(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """With a secret of its own, and says so; one that begins again where verdicts were learned keeps them."""
    server.stop()
    with Hosts(1, server) as hosts:
        assert hosts.all[0].detector.fleet is None
        assert "works alone until its workers are restarted" in caplog.text
        hosts.all[0].sends(small()[0])
        spin(lambda: hosts.all[0].stats["folded"] == 1)


def test_a_cluster_that_is_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Its client says so when it is made, and in its own way."""
    assert common_secret(partial(RedisCluster, "127.0.0.1", 1), "default") is None  # type: ignore[arg-type]
    assert "works alone until its workers are restarted" in caplog.text


def test_a_process_that_is_elected_while_the_server_is_away(server: Server) -> None:
    """Where verdicts were told by another host they stay; where none ever were, the host judges by itself, and goes on
    with what it knows once the server is there.
    """
    with Hosts(2, server) as hosts, Hosts(0, server) as others:
        log = convicted(hosts, small())
        _, second = hosts.split()
        known = restricted(second, log)
        fresh = Host(server.client)
        others.all.append(fresh)
        server.stop()
        second.fleet._begin()
        second.fleet.step(0.0)
        fresh.fleet.step(0.0)
        assert (second.fleet.role, fresh.fleet.role) == ("member", "alone")
        fresh.sends(log[0])
        spin(lambda: fresh.stats["folded"] == 1)
        assert restricted(second, log) == known
        server.start()
        server.wait()
        others.until(fresh.judges)
        assert fresh.requests() == 1


def test_other_secrets_do_not_mix(server: Server, client: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """A host whose baseline is another one's would find nothing: it works alone."""
    with Hosts(2, server) as hosts:
        client.set(KEY + "secret", b"another")
        hosts.now += AGREE_EVERY_S
        hosts.round()
        assert [host.fleet.role for host in hosts.all] == ["alone", "alone"]
        assert "have another secret" in caplog.text
        hosts.all[1].sends(small()[0])
        spin(lambda: hosts.all[1].stats["folded"] >= 1)
    assert common_secret(server.client, "default") is None
