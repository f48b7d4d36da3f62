"""A look at a store for its operator: can it be used, what is there, what is wrong, and what to do about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.errors import StoreError
from ratelimit_guard.stores.redis.address import Address
from ratelimit_guard.stores.redis.findings import Entry, Report
from ratelimit_guard.stores.redis.inventory import Inventory
from ratelimit_guard.stores.redis.keeper import probe
from ratelimit_guard.stores.redis.line import TROUBLES, monotonic
from ratelimit_guard.stores.redis.nodes import apart, look, nodes_of, spans
from ratelimit_guard.stores.redis.script import DECIDE, arguments
from ratelimit_guard.stores.redis.server import Server
from ratelimit_guard.stores.redis.state import State, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard._core import Quota

DECISIONS = 100
MAX_NAMESPACES = 200
"""Whose policies are shown; a fleet has a few."""
TRIAL = f"{_remote.PREFIX}:probe:{{00}}:doctor"
"""A hash that lives for a second, to try commands on."""
ITEM = f"{TRIAL}:item"
ENTRY = ("client", "select")
"""Commands without which there is no connection, and nothing to look at."""
TRIALS: dict[str, tuple[Any, ...]] = {
    "time": (),
    "mget": (ITEM,),
    "set": (ITEM, "", "PX", 1_000),
    "exists": (ITEM,),
    "hset": (TRIAL, "field", "value"),
    "pexpire": (TRIAL, 1_000),
    "expire": (TRIAL, 1),
    "hget": (TRIAL, "field"),
    "hlen": (TRIAL,),
    "hgetall": (TRIAL,),
    "hdel": (TRIAL, "field"),
    "del": (TRIAL, ITEM),
    "eval": ("return 1", 0),
}


def examine(url: str, budget_s: float, namespace: str = "", policies: Sequence[tuple[str, Quota]] = ()) -> Report:
    """Look at a store, for some seconds. `policies` are those that a tier file gives the namespace, to be compared.

    `ConfigError` for a url that names no server, `StoreError` for one that does not let us in.
    """
    state = State(Address.parse(url), budget_s, None, None, monotonic)
    server, report = Server(state), Report(str(state.address))
    try:
        client = _enter(server, report)
        nodes = list(nodes_of(client, is_cluster=state.address.is_cluster))
        report.nodes = [node for name, each in nodes if (node := look(report, name, each)) is not None]
        apart(report)
        if _may_count(report, client):
            _decide(report, server, budget_s, _remote.TAGS if state.address.is_cluster else 1)
        _count(report, nodes, client, [namespace] if policies else [])
        _compare(report, namespace, policies)
        return report
    finally:
        server.close()


def _enter(server: Server, report: Report) -> Any:
    try:
        client = server.client()
        client.time()
    except NoPermissionError as error:
        if any(f"'{command}" in str(error) for command in ENTRY):
            msg = f"store {report.store}: {told(error)}"
            raise StoreError(msg) from error
    except TROUBLES as error:
        msg = f"store {report.store}: {told(error)}"
        raise StoreError(msg) from error
    return server.client()


def _may_count(report: Report, client: Any) -> bool:
    """Try every command that workers need, each on its own: servers before 7 cannot be asked."""
    missing: list[str] = []
    for command, options in TRIALS.items():
        try:
            client.execute_command(command.upper(), *options)
        except NoPermissionError:
            missing.append(command)
        except TROUBLES as error:
            report.trouble(f"{command}: {told(error)}", "workers hold by on_store_failure until it is mended")
            return False
    if missing:
        allowed = " ".join(f"+{command}" for command in missing)
        report.trouble(f"the user may not run {', '.join(missing)}", f"ACL SETUSER <the user> {allowed}")
    return not missing


def _decide(report: Report, server: Server, budget_s: float, tags: int) -> None:
    batches = [probe(tag) for tag in range(tags)]
    number = 0

    def decide() -> None:
        nonlocal number
        number += 1
        server.run(DECIDE, *arguments(batches[number % len(batches)], 0))

    report.decision_ms = report.tried("evalsha", lambda: spans(decide, DECISIONS))
    if report.decision_ms is None:
        return
    usual, worst = report.decision_ms
    if usual > 1_000 * budget_s:
        report.trouble(
            f"a decision takes {usual:g} ms, and workers wait {1_000 * budget_s:g} ms for it",
            "have the server nearer, or raise store.budget_ms: policies hold by on_store_failure all the time",
        )
    elif worst > 1_000 * budget_s:
        report.note(
            f"one of {DECISIONS} decisions took {worst:g} ms, and workers wait {1_000 * budget_s:g} ms",
            "look for slow commands (SLOWLOG GET), forks for snapshots, or a busy host if it stays so",
        )


def _count(report: Report, nodes: list[tuple[str, Any]], client: Any, asked: list[str]) -> None:
    inventory = Inventory(report)
    replicas = {node.name for node in report.nodes if node.role == "replica"}
    for name, each in nodes:
        if len(nodes) == 1 or name not in replicas:
            inventory.walk(each)
    inventory.close()
    # The file's is known without a scan, which may be forbidden or not have come so far.
    for namespace in dict.fromkeys((*asked, *inventory.namespaces[:MAX_NAMESPACES])):
        key = f"{_remote.PREFIX}:{namespace}:{{00}}:policies"
        rows: dict[bytes, bytes] = report.tried("hgetall", partial(client.hgetall, key)) or {}
        for field, value in rows.items():
            entry = _entry(namespace, field, value)
            if entry is None:
                report.trouble(f"{key} has what ratelimit-guard does not write", f"DEL '{key}', then start a worker")
                break
            report.policies.append(entry)


def _entry(namespace: str, field: bytes, value: bytes) -> Entry | None:
    try:
        name, algorithm = field.decode().split("\0")
        stamp, quota = value.decode().split(" ")
        limit, window, burst = quota.split("/")
        return Entry(namespace, name, algorithm, int(limit), int(window) / 1e9, int(burst), int(stamp) / 1e6)
    except ValueError:
        return None


def _compare(report: Report, namespace: str, policies: Sequence[tuple[str, Quota]]) -> None:
    """Does the fleet have the quotas of this file?"""
    known = {(entry.policy, entry.algorithm): entry for entry in report.policies if entry.namespace == namespace}
    for name, quota in policies:
        [(field, text)] = _remote.RemotePolicies(namespace, [(name, quota)]).registrations()
        ours = _entry(namespace, field.encode(), f"0 {text}".encode())
        theirs = known.get((ours.policy, ours.algorithm)) if ours else None
        if theirs is None:
            report.note(f"no worker has registered policy {name} as this file has it", "start one with this file")
        elif theirs._replace(since=0.0) != ours:
            report.trouble(
                f"policy {name} is {theirs.quota} for the fleet, and in this file {quota}",
                "bring all hosts to one tier file: of two quotas the one that came later holds",
            )
