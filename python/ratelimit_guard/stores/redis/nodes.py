"""What each server says of itself: version, role, memory, disk, clock, distance."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

from ratelimit_guard.stores.redis.findings import Node
from ratelimit_guard.stores.redis.script import DECIDE
from ratelimit_guard.stores.redis.server import OLDEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard.stores.redis.findings import Report

PINGS = 50
NEARLY_FULL = 0.9
"""Of maxmemory: beyond it a burst of new keys meets a server that refuses to write."""
APART_S = 1.0
"""Between clocks: what a failover may move windows by without anybody asking why."""
OUR_CLOCK_S = 60.0
"""Against this host's, which no decision reads: only worth a word."""


def nodes_of(client: Any, *, is_cluster: bool) -> Iterator[tuple[str, Any]]:
    """Every server, with a client of its own."""
    if not is_cluster:
        yield "", client
        return
    for node in sorted(client.get_nodes(), key=lambda node: (node.server_type, node.name)):
        yield node.name, client.get_redis_connection(node)


def look(report: Report, name: str, client: Any) -> Node | None:
    """Describe one server. None when it does not say anything."""
    info = report.tried("info", client.info)
    if info is None:
        return None
    valkey = info.get("valkey_version")
    node = Node(
        name=name or report.store,
        kind="Valkey" if valkey else "Redis",
        version=str(valkey or info.get("redis_version", "?")),
        role={"master": "primary", "slave": "replica"}.get(info.get("role", ""), "?"),
        used_bytes=info.get("used_memory", 0),
        max_bytes=info.get("maxmemory", 0),
        eviction=info.get("maxmemory_policy", "?"),
        evicted=info.get("evicted_keys", 0),
        disk=_disk(info),
        ping_ms=report.tried("ping", lambda: spans(client.ping, PINGS)),
        clock_s=_clock(report, client),
        knows_script=_knows(report, client),
    )
    _judge(report, node, info)
    return node


def spans(ask: Callable[[], object], count: int) -> tuple[float, float]:
    """Median and longest time of an answer, ms. The first, which may connect, does not count."""
    ask()
    taken: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        ask()
        taken.append(1_000 * (time.perf_counter() - start))
    return round(median(taken), 3), round(max(taken), 3)


def apart(report: Report) -> None:
    """Do the servers' clocks agree? One that takes over goes on by its own."""
    clocks = [node.clock_s for node in report.nodes if node.clock_s is not None]
    if clocks and (most := max(clocks) - min(clocks)) > APART_S:
        report.trouble(
            f"clocks of the servers are {most:.1f} s apart",
            "run NTP on them: after a failover windows are as much longer or shorter",
        )
    if clocks and (off := max(clocks, key=abs)) and abs(off) > OUR_CLOCK_S:
        report.note(f"the server's clock is {off:+.0f} s off this host's", "nothing: the server's alone counts")


def _disk(info: dict[str, Any]) -> str:
    if info.get("aof_enabled"):
        return "append-only file"
    started = time.time() - info.get("uptime_in_seconds", 0)
    saved = info.get("rdb_last_save_time", 0)
    return f"snapshot {time.time() - saved:,.0f} s ago" if saved - started > APART_S + 1 else "nothing yet"


def _clock(report: Report, client: Any) -> float | None:
    before = time.time()
    answer: tuple[int, int] | None = report.tried("time", client.time)
    if answer is None:
        return None
    return round(answer[0] + answer[1] / 1e6 - (before + time.time()) / 2, 3)


def _knows(report: Report, client: Any) -> bool | None:
    answer = report.tried("script|exists", lambda: client.script_exists(DECIDE.sha))
    return None if answer is None else bool(answer[0])


def _judge(report: Report, node: Node, info: dict[str, Any]) -> None:
    version = tuple(int(part) for part in str(info.get("redis_version", "0.0")).split(".")[:2])
    if version < OLDEST:
        report.trouble(f"{node.name} is {node.kind} {node.version}", f"use Redis {'.'.join(map(str, OLDEST))} or later")
    if node.max_bytes and node.eviction != "noeviction":
        report.trouble(
            f"{node.name} makes room by {node.eviction}: exhausted counters may be forgotten",
            "CONFIG SET maxmemory-policy noeviction (a server of its own for limits, if caches live here)",
        )
    if node.evicted:
        report.trouble(f"{node.name} has evicted {node.evicted:,} keys", "give it more memory, and noeviction")
    if node.max_bytes and node.used_bytes > NEARLY_FULL * node.max_bytes:
        share = 100 * node.used_bytes / node.max_bytes
        report.trouble(f"{node.name} uses {share:.0f} % of maxmemory", "raise maxmemory: a full one refuses to count")
    if not node.max_bytes and node.role == "primary":
        report.note(f"{node.name} has no maxmemory", "set one, so that hostile keys end in an error and not in swap")
    if node.role == "replica" and info.get("master_link_status") != "up":
        report.trouble(f"{node.name} has lost its primary", "mend the link: what it lacks a failover forgets")
