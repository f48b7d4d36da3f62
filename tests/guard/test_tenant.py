"""Who asks: credentials, users, access rules, and addresses that lie."""

from __future__ import annotations

import hashlib
import random
from ipaddress import ip_network
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.authentication import BaseUser, SimpleUser

from guard.helpers import complete, request, table
from ratelimit_guard import ConfigError, Identity
from ratelimit_guard.address import MAX_ADDRESS_CHARACTERS, Proxies, client_address
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.tenant import (
    MAX_CREDENTIAL_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_REMEMBERED,
    Tenants,
    credential_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard import Guard

PROXIES = Proxies.of(ip_network(net) for net in ("10.0.0.0/8", "2001:db8:1::/48"))


def digest(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()


def tenants(lookup: Any = None, **sections: Any) -> Tenants:
    base: dict[str, Any] = {
        "tiers": {"anonymous": {"policies": ["few"]}, "paid": {"policies": []}, "slow": {"policies": ["few"]}},
        "tenants": [
            {"id": "acme", "tier": "paid", "attributes": {"verified": True, "country": "DE"}},
            {"id": "umbrella", "tier": "paid", "attributes": {"verified": False, "country": "XX"}},
            {"id": "initech", "tier": "paid", "attributes": {"verified": False}},
        ],
        "identity": {
            "keys": [
                {"sha256": digest("sk-1"), "tenant": "acme", "account": "prod"},
                {"sha256": digest("sk-2"), "tenant": "umbrella"},
                {"sha256": digest("sk-3"), "tenant": "initech"},
            ]
        },
        "access": [{"when": {"country": ["XX", "YY"]}, "block": True}, {"when": {"verified": False}, "tier": "slow"}],
    }
    return Tenants(from_dict(complete({**base, **sections})), lookup)


@pytest.mark.parametrize(
    "header",
    ["Bearer sk-1", "bearer sk-1", "sk-1", "Bearer  sk-1 ", "Bearer\tsk-1", "\tBEARER \t sk-1\t", " " * 2_000 + "sk-1"],
)
def test_a_known_credential(header: str) -> None:
    found = tenants().identify(request(headers={"Authorization": header}))
    assert (found.id, found.account, found.tier, found.confirmed) == ("acme", "acme/prod", "paid", True)


@pytest.mark.parametrize(
    "header", ["Bearer sk-4", "Basic sk-1", "", "Bearer " + "x" * 5_000, "Bearer sk-1, Bearer sk-1"]
)
def test_an_unknown_credential_is_an_address(header: str) -> None:
    found = tenants().identify(request(headers={"Authorization": header}))
    assert (found.id, found.tier, found.confirmed) == ("address:192.0.2.1", "anonymous", False)


def test_of_two_fields_the_known_one_counts() -> None:
    """Else a blocked account were free by a field of nonsense before its own."""
    who = tenants()
    headers = [(b"authorization", b"Bearer nonsense"), (b"authorization", b"Bearer sk-2")]
    assert [who.identify(request(headers=headers)).blocked for _ in range(2)] == [True, True]
    assert not who.identify(request(headers=headers[:1])).confirmed


@pytest.mark.parametrize("credential", [b"", b" \t\n", b"x" * (MAX_CREDENTIAL_BYTES + 1), b"Bearer " + b"x" * 2_000])
def test_what_is_no_credential_has_no_digest(credential: bytes) -> None:
    assert credential_digest(credential) is None
    assert credential_digest(b"x" * MAX_CREDENTIAL_BYTES) is not None


def test_access_rules() -> None:
    who = tenants()
    assert who.identify(request(headers={"Authorization": "sk-2"})).blocked
    third = who.identify(request(headers={"Authorization": "sk-3"}))
    assert (third.tier, third.blocked) == ("slow", False)


def test_true_is_not_one() -> None:
    who = tenants(access=[{"when": {"verified": 1}, "block": True}])
    assert not who.identify(request(headers={"Authorization": "sk-1"})).blocked


def test_a_lookup_replaces_the_list() -> None:
    def lookup(asked: Any) -> Identity | None:
        name = asked.header(b"x-user")
        return Identity(name.decode(), attributes={"country": "YY"}) if name else None

    who = tenants(lookup)
    assert who.identify(request(headers={"Authorization": "sk-1"})).id == "address:192.0.2.1"
    assert who.identify(request(headers={"X-User": "stranger"})).blocked
    assert tenants(lambda _: Identity("new", tier="paid")).identify(request()).tier == "paid"
    assert tenants(lambda _: Identity("new")).identify(request()).tier == "anonymous"


class OwnUser(BaseUser):
    """A user as Starlette's documentation makes them; `identity` is not there."""

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return "acme"


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ({"user": SimpleNamespace(is_authenticated=True, display_name="acme")}, "address:192.0.2.1"),
        ({"user": SimpleNamespace(is_authenticated=True, identity=7, display_name="acme")}, "7"),
        ({"user": SimpleNamespace(is_authenticated=True, username="", identity="u-7")}, "u-7"),
        ({"user": SimpleNamespace(username="acme")}, "address:192.0.2.1"),
        ({"user": OwnUser()}, "address:192.0.2.1"),
        ({"user": SimpleUser("acme")}, "acme"),
        ({"user": SimpleNamespace(is_authenticated=True, username="acme", display_name="A")}, "acme"),
        ({"REMOTE_USER": "acme"}, "acme"),
        ({"user": SimpleNamespace(is_authenticated=False, username="acme")}, "address:192.0.2.1"),
        ({"user": SimpleNamespace(is_authenticated=True, username="")}, "address:192.0.2.1"),
        ({}, "address:192.0.2.1"),
        ({"REMOTE_USER": ""}, "address:192.0.2.1"),
    ],
)
def test_the_user_of_the_app(native: dict[str, Any], expected: str) -> None:
    assert tenants(identity={"source": "user"}).identify(request(native=native)).id == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # a stranger may say what he likes
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),  # left of it: said by the client
        ("10.0.0.1", ["198.51.100.7, 10.0.0.2, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7"], "198.51.100.7"),  # two fields are one list
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8:2::7]:4711"], "2001:db8:2::/64"),
        ("10.0.0.1", ["2001:db8:2::7%eth0"], "2001:db8:2::/64"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7, "], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [", ".join(["1.1.1.1"] * 10_000)], "1.1.1.1"),
        ("10.0.0.1", ["x" * 1_000_000], "10.0.0.1"),
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8:1::1", ["2001:db8:2:3:4::5"], "2001:db8:2:3::/64"),
        ("2001:db8:2:3:4::5", [], "2001:db8:2:3::/64"),
        ("unix:", [], "peer:unix"),
        ("unix:/run/made-up-1.sock", [], "peer:unix"),
        ("", [], "peer:unix"),
        (None, [], "peer:unix"),
        ("testclient", [], "peer:unknown"),
        ("x" * 100_000, [], "peer:unknown"),
    ],
)
def test_the_address_behind_proxies(peer: str | None, forwarded: list[str], expected: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    assert client_address(request(headers=headers, peer=peer), PROXIES) == expected


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from(["192.0.2.1", "10.0.0.1", "::1", "?", None]))
def test_no_header_breaks_it(values: list[bytes], peer: str | None) -> None:
    found = client_address(request(headers=[(b"x-forwarded-for", value) for value in values], peer=peer), PROXIES)
    assert found.isprintable()
    assert peer != "192.0.2.1" or found == "192.0.2.1"


def test_a_flood_of_made_up_callers_is_one_address(make_guard: Callable[..., Guard]) -> None:
    guard, chance = make_guard({}), random.Random(7)  # noqa: S311  a test repeats itself
    admitted = 0
    for _ in range(5_000):
        forwarded = ".".join(str(chance.randrange(256)) for _ in range(4))
        headers = {"Authorization": f"Bearer {chance.random()}", "X-Forwarded-For": forwarded}
        admitted += guard.check(request(headers=headers)).allowed
    assert admitted == 3
    assert table(guard).stats()["live"] == 1


def test_nobody_takes_the_name_of_another(make_guard: Callable[..., Guard]) -> None:
    """Users choose their names: an address's, or one that reads like the account of a tenant."""
    who = [
        Identity("address:192.0.2.1"),
        Identity("%address:192.0.2.1"),
        Identity("a/b"),
        Identity("a", "b"),
        Identity("a%2Fb"),
        Identity("a", "b/c"),
        Identity("a/b", "c"),
        Identity("a"),
        Identity("a", ""),
        Identity("address:2001:db8::", "64"),
    ]
    found = [tenants().tenant(identity) for identity in who]
    callers = [tenants().anonymous(request(peer=peer)) for peer in ("192.0.2.1", "2001:db8::1")]
    names = [tenant.account for tenant in [*found, *callers]]
    assert len(set(names)) == len(names)
    assert len({tenant.id for tenant in [*found, *callers]}) == len({identity.tenant for identity in who}) + 2


def test_variants_of_a_credential_fill_little(make_guard: Callable[..., Guard]) -> None:
    """What is remembered is bounded, though a caller may write his credential in many ways."""
    who = tenants()
    for number in range(MAX_REMEMBERED + 10):
        written = "Bearer " + "".join(" \t"[number >> bit & 1] for bit in range(15)) + "sk-1"
        assert who.identify(request(headers={"Authorization": written})).id == "acme"
    assert len(who._by_credential) <= MAX_REMEMBERED
    who._by_credential.clear()
    long = " " * MAX_CREDENTIAL_BYTES + "sk-1"
    assert who.identify(request(headers={"Authorization": long})).id == "acme"
    assert not who._by_credential
    assert who.identify(request(headers={"Authorization": long[5:]})).id == "acme"
    assert len(who._by_credential) == 1


def test_an_async_lookup_is_a_mistake() -> None:
    async def lookup(_: Any) -> None: ...

    with pytest.raises(ConfigError, match="async"):
        tenants(lookup)


@pytest.mark.parametrize("peer", [None, "", "unix:"])
def test_a_proxy_on_a_unix_socket(make_guard: Callable[..., Guard], peer: str | None) -> None:
    """Such a peer has no address, so the operator says that it is trusted; then the header is believed from there."""
    headers = {"X-Forwarded-For": "1.1.1.1, 198.51.100.7"}
    guard = make_guard({"identity": {"trusted_proxies": ["unix", "10.0.0.0/8"]}})
    decisions = [guard.check(request(headers=headers, peer=one)) for one in (peer, "192.0.2.1", "10.0.0.1")]
    found = [decision.tenant.id for decision in decisions if decision.tenant]
    assert found == ["address:198.51.100.7", "address:192.0.2.1", "address:198.51.100.7"]
    decision = make_guard({}).check(request(headers=headers, peer=peer))
    assert decision.tenant is not None
    assert decision.tenant.id == "address:peer:unix"


@pytest.mark.parametrize("peer", ["testclient", "?", "x" * 1_000])
def test_only_a_unix_socket_is_trusted_as_one(peer: str) -> None:
    who = tenants(identity={"trusted_proxies": ["unix"]})
    headers = {"X-Forwarded-For": "198.51.100.7"}
    assert who.anonymous(request(headers=headers, peer=peer)).id == "address:peer:unknown"


def test_long_peers_are_not_remembered() -> None:
    who = tenants()
    for length in (MAX_ADDRESS_CHARACTERS, MAX_ADDRESS_CHARACTERS + 1):
        assert who.anonymous(request(peer="x" * length)).id == "address:peer:unknown"
    assert [len(peer or "") for peer in who._by_peer] == [MAX_ADDRESS_CHARACTERS]


def test_a_name_of_any_length_is_a_tenant(make_guard: Callable[..., Guard]) -> None:
    """A lookup may return what it likes: the request goes on, and long names stay apart."""
    names = ["x" * MAX_NAME_CHARACTERS, "x" * (MAX_NAME_CHARACTERS + 1), "x" * 10**6, "x" * 10**6 + "y", "\ud800" * 300]
    digest_like = tenants().tenant(Identity(names[2])).id
    who = [*map(Identity, [*names, digest_like]), *(Identity("acme", name) for name in (*names, digest_like))]
    found = [tenants().tenant(identity) for identity in who]
    assert len({tenant.account for tenant in found}) == len(who)
    assert max(len(tenant.account) for tenant in found) <= MAX_NAME_CHARACTERS + len("acme/")
    guard = make_guard({}, lookup=lambda asked: Identity(asked.path, asked.path))
    assert guard.check(request(path="x" * 10**6)).allowed
