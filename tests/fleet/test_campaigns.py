"""One detector over hosts: it judges as on one, the next correlator knows what the one before knew, releases hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.campaigns import C100, Campaign
from fleet.hosts import VERSION, Hosts, convicted, restricted, small
from ratelimit_guard.exchange import MAX_BATCH_BYTES, Exchange

if TYPE_CHECKING:
    from redis import Redis

    from servers.server import Server

SEED = 1
FEW = 0.2
"""Of an attack's beginning so much is restricted at least, once the campaign is convicted."""


def test_a_campaign_over_two_hosts_is_judged_as_on_one(server: Server) -> None:
    """300 accounts, whose requests go to one host after the other."""
    log = Campaign(C100, accounts=300, requests=10).world(SEED, honest=100).log
    with Hosts(1, None) as alone:
        single = alone.play(log)
    with Hosts(2, server) as both:
        spread = both.play(log)
        print(len(log), [host.fleet.stats() for host in both.all])  # noqa: T201
    print(f"served: {single:.3f} on one host, {spread:.3f} over two")  # noqa: T201  the figures are what it is for
    assert single < 0.5
    assert abs(single - spread) < 0.1


def test_the_next_host_knows_what_the_one_before_knew(server: Server, client: Redis) -> None:
    """The correlator is gone without a word; another one goes on with its state, and what came after it."""
    with Hosts(2, server) as hosts:
        log = convicted(hosts, small())
        first, second = hosts.split()
        known = restricted(second, log)
        assert known > FEW
        first.save()
        hosts.round()
        hosts.hand_over(server)
        second.settle()
        assert second.stats["rungs"] == first.stats["rungs"]
        assert second.stats["convicted"] == first.stats["convicted"] > 0
        assert restricted(second, log) == known
        # Who slept learns that it judges no longer, and that what it says is not heard.
        version = client.get(VERSION)
        assert first.fleet._exchange is not None
        assert not first.fleet._exchange.publish("forged", b"")
        assert not first.fleet._exchange.keep(b"", (0, 0))
        assert client.get(VERSION) == version
        hosts.round()
        assert (first.fleet.role, second.fleet.role) == ("member", "correlator")
        # And it obeys what the new one finds.
        hosts.play(log)
        assert first.stats["rungs"] == second.stats["rungs"]
        assert first.fleet.stats()["sent"]


def test_what_came_after_the_saved_state_is_read_again(server: Server) -> None:
    """From the stream, and none of it twice."""
    log = small()
    with Hosts(2, server) as hosts:
        first, second = hosts.split()
        for call in log[:40]:
            second.sends(call)
        hosts.settle()
        assert first.stats["folded"] >= 40
        # Saved are those until now; these are not.
        first.save()
        hosts.round()
        for call in log[40:100]:
            second.sends(call)
        hosts.settle()
        hosts.hand_over(server)
        hosts.until(lambda: second.fleet._counts["received"] >= 60, but=first)
        second.settle()
        second.save()
        assert second.requests() == 100


def test_a_batch_that_arrives_twice_counts_once(server: Server, client: Redis) -> None:
    """Its sender did not hear that it had; what is missing between two batches is counted as lost."""
    with Hosts(2, server) as hosts:
        hosts.settle()
        first, second = hosts.split()
        for call in small()[:10]:
            second.sends(call)
        taken = second.detector._live.take(MAX_BATCH_BYTES)
        assert taken is not None
        records, count, end = taken
        exchange = Exchange(client, "default", "sender")
        for number in (0, 0, count, count, 2 * count + 7):
            exchange.send(records, number)
        second.detector._live.sent(end)
        hosts.settle()
        assert first.requests() == 3 * count == 30
        assert first.fleet.stats()["lost"] == 7


def test_a_release_reaches_all(server: Server) -> None:
    """An operator's word to a member goes the way of the observations, and comes back."""
    with Hosts(2, server) as hosts:
        log = convicted(hosts, small())
        _, second = hosts.split()
        assert restricted(second, log) > FEW
        end = second.detector._live.release_campaign(int(next(iter(second.stats["rungs"]))))
        assert end is not None
        hosts.until(lambda: not any(host.stats["rungs"] for host in hosts.all))
        assert second.stats["saved_up_to"] >= end
        assert restricted(second, log) == 0
