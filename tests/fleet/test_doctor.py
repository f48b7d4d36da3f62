"""`ratelimit-guard store doctor`: a store that is well is called so, and of every trouble it says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from ratelimit_guard import Limiter, Policy, Quota, StoreError
from ratelimit_guard.cli import app
from ratelimit_guard.exchange import Exchange
from ratelimit_guard.stores.redis import RedisStore
from ratelimit_guard.stores.redis.doctor import TRIALS, examine
from ratelimit_guard.stores.redis.inventory import MAX_KEYS, STEP
from ratelimit_guard.stores.redis.nodes import apart
from ratelimit_guard.stores.redis.permissions import CONNECT, DOCTOR, NEEDED, rules
from servers.cluster import cluster
from servers.engines import ENGINES, Engine
from servers.sentinel import sentinel
from servers.server import HOST, Server, replica, valkey
from servers.tls import secured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

    from ratelimit_guard.stores.redis.findings import Report

BUDGET_S = 5.0
SECRET = "hush-hush"  # noqa: S105
ROOMY = "maxmemory 100mb"
SHARE = "rlg1:my-api:{00}:"
TIERS = """
version = 1
namespace = "my-api"
[store]
kind = "redis"
url_env = "LIMITS_URL"
budget_ms = 5_000
[policies.burst]
quota = "20/second; burst=40"
[tiers.anonymous]
policies = ["burst"]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with valkey(ROOMY, password=SECRET) as one:
        yield one


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no table cuts a word."""
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture
def url(server: Server) -> str:
    with server.client() as client:
        client.flushall()
        client.script_flush()
    return server.url


def use(url: str, quota: str = "20/second; burst=40") -> RedisStore:
    """A store in which three callers have used something."""
    store = RedisStore(url, budget_s=BUDGET_S)
    limiter = Limiter([Policy("burst", quota), Policy("daily", "1_000/day")], store, namespace="my-api")
    assert all(limiter.acquire(caller) for caller in ("alice", "bob", "carol"))
    return store


def doctor(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["store", "doctor", *map(str, arguments)])


def told(url: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(doctor("--url", url, "--json").stdout)
    return said


def troubles(report: Report) -> list[str]:
    return [finding.what for finding in report.findings if finding.level == "trouble"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_that_is_well_is_described(engine: Engine) -> None:
    with valkey(ROOMY, engine=engine) as server:
        store = use(server.url)
        said = told(server.url)
        store.close()
    [node] = said["nodes"]
    assert (said["fine"], said["findings"]) == (True, [])
    assert (node["kind"], node["role"], node["max_bytes"]) == (engine.split("-")[0].title(), "primary", 100 << 20)
    assert node["version"].startswith({"valkey-9": "9.", "valkey-8": "8.", "redis-6": "6.2."}[engine])
    assert node["knows_script"] is True
    assert abs(node["clock_s"]) < 1
    for usual, worst in (node["ping_ms"], said["decision_ms"]):
        assert 0 < usual <= worst
    keys = {(one["namespace"], one["kind"]): one["keys"] for one in said["usage"]}
    assert keys == {("my-api", "counters"): 6, ("my-api", "policies"): 1}
    assert all(50 < one["bytes_each"] < 300 for one in said["usage"])
    assert [(one["policy"], one["limit"], one["window_s"], one["burst"]) for one in said["policies"]] == [
        ("burst", 20, 1.0, 40),
        ("daily", 1_000, 86_400.0, 1_000),
    ]


def test_it_is_shown_in_tables_and_leaves_no_key_behind(url: str, server: Server) -> None:
    store = use(url)
    answer = doctor("--url", url)
    store.close()
    assert answer.exit_code == 0
    for word in ("Valkey 9", "primary", "my-api", "counters", "20 in 1 s, burst 40", "A decision takes", "fine"):
        assert word in answer.stdout
    with server.client() as client:
        assert not [key for key in client.scan_iter() if b":doctor" in key]


def test_holds_are_counted(url: str) -> None:
    store = RedisStore(url, budget_s=BUDGET_S)
    with Limiter("1_000 tokens/minute", store).reserve("alice", output_tokens=100):
        kinds = {one.kind: one.keys for one in examine(url, BUDGET_S).usage}
    store.close()
    assert kinds == {"counters": 1, "holds": 1, "policies": 1}


def test_what_hosts_tell_of_campaigns_is_counted(url: str, server: Server) -> None:
    with server.client() as client:
        host = Exchange(client, "my-api", "me")
        host.agree(b"secret")
        host.lead(is_due=True)
        host.send(b"records", 1)
        report = examine(url, BUDGET_S)
    assert report.is_fine
    assert [(one.kind, one.keys) for one in report.usage] == [("live", 4)]


def test_a_new_server_does_not_know_the_script_yet(url: str) -> None:
    report = examine(url, BUDGET_S)
    assert (report.nodes[0].knows_script, report.is_fine, report.usage) == (False, True, [])


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_room_made_by_forgetting_counters_is_trouble(policy: str) -> None:
    with valkey(ROOMY, f"maxmemory-policy {policy}") as server:
        answer = doctor("--url", server.url)
    assert answer.exit_code == 1
    assert f"makes room by {policy}" in answer.stdout
    assert "CONFIG SET maxmemory-policy noeviction" in answer.stdout


def test_a_server_that_is_nearly_full_is_trouble() -> None:
    with valkey(ROOMY) as own, own.client() as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.05))
        assert any("% of maxmemory" in what for what in troubles(examine(own.url, BUDGET_S)))


def test_no_bound_of_memory_is_a_note() -> None:
    with valkey() as own:
        report = examine(own.url, BUDGET_S)
    assert report.is_fine
    assert [finding.what for finding in report.findings] == [f"{HOST}:{own.port}/0 has no maxmemory"]


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("RPUSH", f"{SHARE}{'a' * 32}", "x"), "a" * 32),
        (("SET", f"{SHARE}{'b' * 32}", "\x97 or not"), None),
        (("SET", f"{SHARE}{'c' * 32}", "no counter"), "c" * 32),
        (("SET", f"{SHARE}{'d' * 32}:h", "no hash"), "d" * 32),
        (("SET", "rlg1:my-api:what-is-this", "x"), "what-is-this"),
        (("SET", "rlg1", "x"), "'rlg1'"),
    ],
)
def test_keys_that_we_do_not_write_are_named(
    url: str, server: Server, command: tuple[str, ...], key: str | None
) -> None:
    """By type, by content, by name; what only looks like a counter by its first byte is the script's to find."""
    with server.client() as client:
        client.execute_command(*[part.encode("latin-1") for part in command])
        client.expire(command[1], 100)
    report = examine(url, BUDGET_S)
    if key is None:
        assert report.is_fine
        return
    [finding] = report.findings
    assert finding.what.startswith("keys that ratelimit-guard does not write like this: 1, such as")
    assert key in finding.what
    assert finding.mend.startswith("DEL")


def test_mending_as_told_mends(url: str, server: Server) -> None:
    store = use(url)
    with server.client() as client:
        key = next(key for key in client.scan_iter("rlg1:my-api:*") if b"policies" not in key)
        client.delete(key)
        client.rpush(key, "x")
        client.expire(key, 100)
        assert not examine(url, BUDGET_S).is_fine
        client.delete(key)
        assert examine(url, BUDGET_S).is_fine
    store.close()


def test_keys_that_never_expire_are_named(url: str, server: Server) -> None:
    store = use(url)
    with server.client() as client:
        key = next(key for key in client.scan_iter("rlg1:my-api:*") if b"policies" not in key)
        client.persist(key)
    store.close()
    [what] = troubles(examine(url, BUDGET_S))
    assert what.startswith("keys that never expire: 1")
    assert key.decode() in what


def test_another_release_at_the_same_server_is_named(url: str, server: Server) -> None:
    with server.client() as client:
        client.set("rlg2:my-api:{00}:x", 1)
        client.set("rlg:mine", 1)
        client.set("session:alice", 1)
    [what] = troubles(examine(url, BUDGET_S))
    assert what == "keys of another release of ratelimit-guard: 1 begin with rlg2"


def test_a_damaged_register_is_named(url: str, server: Server) -> None:
    with server.client() as client:
        client.hset(f"{SHARE}policies", "burst", "all you want")
        client.expire(f"{SHARE}policies", 100)
    assert any("policies has what" in what for what in troubles(examine(url, BUDGET_S)))


def test_strange_names_do_no_harm(url: str, server: Server) -> None:
    """Whoever may write to the server may choose them."""
    with server.client() as client:
        client.set(b"rlg1:\x1b[31m\xff\n:{00}:x", 1)
        client.hset(b"rlg1:\x1b]0;\x07:{00}:policies", "a\x1b\0strict", "1 1/1/1")
    answer = doctor("--url", url)
    assert answer.exit_code == 1
    assert "\x1b" not in answer.stdout
    assert json.loads(doctor("--url", url, "--json").stdout)["fine"] is False


def test_more_keys_than_it_looks_at_are_a_note(url: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.client() as client, client.pipeline() as many:
        for number in range(3 * STEP):
            many.set(f"{SHARE}{number:032x}", b"\x97", ex=100)
        many.execute()
    assert examine(url, BUDGET_S).usage[0].keys == 3 * STEP
    assert 3 * STEP < MAX_KEYS
    monkeypatch.setattr("ratelimit_guard.stores.redis.inventory.MAX_KEYS", STEP)
    report = examine(url, BUDGET_S)
    assert report.is_fine
    assert STEP <= report.usage[0].keys < 3 * STEP
    assert "counts are too low" in report.findings[-1].what


def test_a_file_that_the_fleet_does_not_have_is_told(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(TIERS)
    monkeypatch.setenv("LIMITS_URL", url)
    answer = doctor(file)
    assert answer.exit_code == 0
    assert "no worker has registered policy burst" in answer.stdout
    use(url).close()
    assert "policy burst" not in doctor(file).stdout
    use(url, "30/second; burst=40").close()
    answer = doctor(file)
    assert answer.exit_code == 1
    assert "policy burst is 30 in 1 s, burst 40 for the fleet, and in this file 20/second; burst=40" in answer.stdout


def test_policies_of_a_file_are_known_without_a_scan(
    server: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(TIERS)
    use(url).close()
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", f">{SECRET}", *rules(*NEEDED).split())
    monkeypatch.setenv("LIMITS_URL", f"redis://app:{SECRET}@{HOST}:{server.port}")
    answer = doctor(file)
    assert answer.exit_code == 0
    assert "the user may not run scan" in answer.stdout
    assert "policy burst" not in answer.stdout
    monkeypatch.setenv("LIMITS_URL", f"redis://app:{SECRET}@{HOST}:{server.port}/3")
    answer = doctor(file)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "'select'" in answer.stderr


def test_a_single_server_fits_into_a_narrow_terminal(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said = doctor("--url", url).stdout
    assert all(word in said for word in ("Valkey 9", "primary", "noeviction", "worst"))


def test_mistakes_of_the_call_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(TIERS.replace('kind = "redis"\nurl_env = "LIMITS_URL"\nbudget_ms = 5_000', 'kind = "memory"'))
    monkeypatch.delenv("LIMITS_URL", raising=False)
    for arguments, why in (
        ((), "--url"),
        (("--url", f"http://:{SECRET}@host"), "redis+cluster://"),
        ((file,), 'only "redis" has a doctor'),
        ((tmp_path / "none.toml",), "none.toml"),
    ):
        answer = doctor(*arguments)
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert why in answer.stderr
        assert SECRET not in answer.stderr
    file.write_text(TIERS)
    assert "the environment has no LIMITS_URL" in doctor(file).stderr


def test_the_password_is_never_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = url.replace(SECRET, "not-it")
    for where in (url, wrong):
        for more in ((), ("--json",)):
            answer = doctor("--url", where, *more)
            assert SECRET not in answer.output
            assert "not-it" not in answer.output
    assert doctor("--url", wrong).exit_code == 1
    assert "check user and password" in doctor("--url", wrong).stderr
    monkeypatch.setenv("REDIS_URL", url)
    assert doctor().exit_code == 0
    assert SECRET not in doctor("--help").output


def test_a_server_that_is_away_is_an_error() -> None:
    with valkey() as gone:
        url = gone.url
    answer = doctor("--url", url)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"store {HOST}:")


def test_a_server_that_says_nothing_is_an_error_soon(redis_server: Server) -> None:
    redis_server.pause()
    answer = doctor("--url", redis_server.url)
    assert answer.exit_code == 1
    assert "Timeout" in answer.stderr


def test_a_full_server_is_trouble() -> None:
    with valkey(ROOMY) as full, full.client() as client:
        client.config_set("maxmemory", 100_000)
        report = examine(full.url, BUDGET_S)
    assert any("raise maxmemory" in what for what in troubles(report))


def test_certificates_stand_in_the_url(server: Server, tmp_path: Path) -> None:
    with secured(server, tmp_path) as (proxy, trusted):
        where = proxy.url.replace("//", f"//:{SECRET}@")
        assert examine(f"{where}?ssl_ca_certs={trusted}", BUDGET_S).is_fine
        with pytest.raises(StoreError, match="certificate"):
            examine(where, BUDGET_S)


def test_without_redis_py_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['redis'] = None; from ratelimit_guard.cli import app; app(sys.argv[1:])"
    command = [sys.executable, "-c", script, "store", "doctor", "--url", "redis://localhost"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "pip install 'ratelimit-guard[redis]'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_replica_is_trouble() -> None:
    with valkey(ROOMY) as primary, replica(primary, ROOMY) as copy:
        report = examine(copy.url, BUDGET_S)
    assert report.nodes[0].role == "replica"
    assert any("name its primary" in what for what in troubles(report))


def test_every_command_that_is_needed_is_tried() -> None:
    assert {*TRIALS, "evalsha", *CONNECT} == set(NEEDED)


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_permissions_are_listed(engine: Engine) -> None:
    """What workers lack is trouble; what only the doctor lacks is a note."""
    with valkey(ROOMY, engine=engine) as server, server.client() as client:

        def allow(*commands: str) -> str:
            client.execute_command("ACL", "SETUSER", "app", "reset", "on", f">{SECRET}", *rules(*commands).split())
            return f"redis://app:{SECRET}@{HOST}:{server.port}"

        use(server.url).close()
        assert told(allow(*NEEDED, *DOCTOR))["findings"] == []
        lacking = set(NEEDED) - {"hget", "expire"}
        assert troubles(examine(allow(*lacking, *DOCTOR), BUDGET_S)) == ["the user may not run expire, hget"]
        assert "+expire +hget" in doctor("--url", allow(*lacking, *DOCTOR)).stdout
        for command in DOCTOR:
            report = examine(allow(*NEEDED, *(each for each in DOCTOR if each != command)), BUDGET_S)
            assert report.is_fine
            assert f"the user may not run {command}" in report.findings[0].what
        answer = doctor("--url", allow(*(each for each in NEEDED if each not in CONNECT)))
        assert answer.exit_code == 1
        assert "docs/fleet.md" in answer.stderr


@pytest.mark.filterwarnings("ignore:.*cluster_error_retry_attempts:DeprecationWarning")
def test_a_cluster_is_looked_at_node_by_node() -> None:
    with cluster(3, ROOMY, replicas=True) as nodes:
        url = f"redis+cluster://{HOST}:{nodes.primaries[0].port}"
        store = use(url)
        report = examine(url, BUDGET_S)
        store.close()
        assert report.is_fine, report.findings
        assert [node.role for node in report.nodes] == ["primary"] * 3 + ["replica"] * 3
        assert {one.kind: one.keys for one in report.usage} == {"counters": 6, "policies": 1}
        nodes.replicas[0].kill()
        assert not examine(url, BUDGET_S).is_fine


def test_sentinels_lead_to_the_primary() -> None:
    with sentinel() as servers:
        [(host, port)] = servers.addresses
        report = examine(f"redis+sentinel://{host}:{port}/limits", BUDGET_S)
    assert (report.is_fine, report.nodes[0].role) == (True, "primary")


def test_clocks_that_differ_are_trouble(url: str) -> None:
    """Between servers; against this host they are only worth a word."""
    report = examine(url, BUDGET_S)
    [node] = report.nodes
    report.nodes = [node._replace(clock_s=600.0)]
    apart(report)
    assert (report.is_fine, len(report.findings)) == (True, 1)
    report.nodes = [node._replace(clock_s=0.0), node._replace(clock_s=5.0)]
    apart(report)
    assert troubles(report) == ["clocks of the servers are 5.0 s apart"]


def test_a_server_that_is_too_far_away_is_trouble(url: str) -> None:
    report = examine(url, 1e-6, "my-api", [("burst", Quota.parse("1/second"))])
    assert any("have the server nearer" in finding.mend for finding in report.findings)
