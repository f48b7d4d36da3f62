"""What stands at the server is bounded, and what somebody else writes there breaks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.hosts import KEY, VERSION, Hosts, convicted, restricted, small
from ratelimit_guard.exchange import KEEP_S, MAX_BATCHES, MAX_VERDICTS_BYTES, NAMES, Exchange, packed

if TYPE_CHECKING:
    from redis import Redis

    from servers.server import Server


def test_what_the_server_holds_is_bounded_and_expires(server: Server, client: Redis) -> None:
    """All keys, whoever wrote them."""
    with Hosts(2, server) as hosts:
        convicted(hosts, small())
        exchange = Exchange(client, "default", "somebody")
        for number in range(MAX_BATCHES + 10):
            exchange.send(b"x", number)
        assert client.xlen(KEY + "stream") == MAX_BATCHES
        keys = client.keys()
        assert set(keys) <= {(KEY + name).encode() for name in NAMES}
        assert all(0 < client.ttl(key) <= KEEP_S for key in keys)
        hosts.until(lambda: hosts.split()[0].term.place >= exchange.end())
        correlator, _ = hosts.split()
        assert correlator.fleet.stats()["refused"] == MAX_BATCHES
        assert sum(exchange.memory().values()) < 2 << 20


def test_hostile_words_at_the_server(server: Server, client: Redis) -> None:
    """Verdicts, batches and a state that are none: refused, counted, and everything goes on."""
    with Hosts(2, server) as hosts:
        log = convicted(hosts, small())
        first, second = hosts.split()
        known = restricted(second, log)
        for content in (b"", b"x", packed(b"x"), packed(bytes(MAX_VERDICTS_BYTES + 1))):
            client.set(KEY + "verdicts", content)
            client.set(VERSION, content[:1] or b"-")
            hosts.round(but=first)
            assert restricted(second, log) == known
        client.xadd(KEY + "stream", {"anything": "else", "n": "9" * 30})
        client.set(KEY + "state", b"nothing")
        hosts.round()
        hosts.hand_over(server)
        assert second.fleet.stats()["refused"]
