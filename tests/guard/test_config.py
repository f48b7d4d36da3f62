"""The tier file: every mistake at once, with its key path and what to do."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError
from ratelimit_guard.config_file import MAX_FILE_BYTES, from_dict, load

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "limits.toml"
GOOD = tomllib.loads(EXAMPLE.read_text())


def test_the_example_is_correct() -> None:
    config = load(EXAMPLE)
    assert config.policies["burst"].quota.burst == 40
    assert config.tenants[0].attributes["country"] == "DE"


MISTAKES: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("version", lambda c: c.update(version=2), "version"),
    ("no version", lambda c: c.pop("version"), "version: is required"),
    ("unknown section", lambda c: c.update(polices={}), "polices: unknown key"),
    ("unknown key", lambda c: c["policies"]["burst"].update(limit=3), "policies.burst.limit: unknown key"),
    ("quota", lambda c: c["policies"]["daily"].update(quota="many/day"), "policies.daily.quota"),
    ("quota type", lambda c: c["policies"]["daily"].update(quota=5), "policies.daily.quota: write a quota string"),
    ("unit", lambda c: c["policies"]["daily"].update(quota="5 tokens/day"), "policies.daily"),
    ("per", lambda c: c["policies"]["daily"].update(per="planet"), "policies.daily.per"),
    ("policy of a tier", lambda c: c["tiers"]["free"].update(policies=["fre"]), "there is no policy 'fre'"),
    (
        "policy of a route",
        lambda c: c["routes"][1].update(policies=["x"]),
        "routes[1].policies: there is no policy 'x'",
    ),
    ("tier of a tenant", lambda c: c["tenants"][0].update(tier="gold"), "tenants[0].tier: there is no tier 'gold'"),
    ("anonymous tier", lambda c: c["identity"].update(anonymous_tier="x"), "identity.anonymous_tier: there is no tier"),
    (
        "owner of a key",
        lambda c: c["identity"]["keys"][0].update(tenant="x"),
        "identity.keys[0].tenant: is no tenant of this file",
    ),
    ("hash", lambda c: c["identity"]["keys"][0].update(sha256="sk-live-1"), "identity.keys[0].sha256"),
    ("two tenants", lambda c: c["tenants"].append(c["tenants"][0]), "tenants[1].id: is the same as that of tenants[0]"),
    ("two keys", lambda c: c["identity"]["keys"].append(c["identity"]["keys"][0]), "identity.keys[1].sha256"),
    ("route", lambda c: c["routes"][0].update(match="health"), "routes[0].match"),
    ("braces", lambda c: c["routes"][0].update(match="/a/{b"), "routes[0].match: write a parameter as {name}"),
    ("cost", lambda c: c["routes"][1].update(cost=-1), "routes[1].cost"),
    ("access without effect", lambda c: c["access"][0].pop("block"), "access[0]: give a tier or block = true"),
    ("cost as text", lambda c: c["routes"][1].update(cost="5"), "routes[1].cost"),
    ("no proxy", lambda c: c["identity"].update(trusted_proxies=["proxy"]), 'write a network such as "10.0.0.0/8"'),
    ("network", lambda c: c["identity"].update(trusted_proxies=["10.0.0.0/33"]), "identity.trusted_proxies[0]"),
    ("namespace", lambda c: c.update(namespace="../etc"), "namespace"),
    ("no policies", lambda c: c.update(policies={}), "policies"),
    ("too many", lambda c: c["tiers"]["free"].update(policies=["free"] * 9), "tiers.free.policies"),
]


@pytest.mark.parametrize(("change", "text"), [mistake[1:] for mistake in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_named(change: Callable[[dict[str, Any]], Any], text: str) -> None:
    values = copy.deepcopy(GOOD)
    change(values)
    with pytest.raises(ConfigError) as caught:
        from_dict(values, "limits.toml")
    assert text in str(caught.value)
    assert all(line.startswith("limits.toml: ") for line in str(caught.value).splitlines())


def test_all_mistakes_are_named_at_once() -> None:
    values = copy.deepcopy(GOOD)
    for name, change, _ in MISTAKES:
        if name in {"version", "quota", "tier of a tenant", "cost", "two keys"}:
            change(values)
    with pytest.raises(ConfigError) as caught:
        from_dict(values)
    for path in ("version", "policies.daily.quota", "tenants[0].tier", "routes[1].cost", "identity.keys[1].sha256"):
        assert path in str(caught.value)


def test_a_credential_is_not_repeated_in_an_error() -> None:
    keys: list[Any] = [
        [{"sha256": "sk-live-1", "tenant": "acme"}] * 2,
        [{"sha256": "acme", "tenant": "sk-live-1"}],
        [{"sha256": "a" * 64, "tenant": "sk-live-1"}],
        [{"sha256": "a" * 64, "tenant": "acme", "account": ["sk-live-1"]}],
        [{"key": "sk-live-1", "tenant": "acme"}],
        [{"sk-live-1": "acme"}],
        ["sk-live-1"],
        "sk-live-1",
        {"acme": "sk-live-1"},
    ]
    others: list[tuple[str, Any]] = [
        ("header", "Bearer sk-live-1"),
        ("source", "sk-live-1"),
        ("trusted_proxies", ["sk-live-1"]),
        ("key", "sk-live-1"),
    ]
    for name, wrong in [*(("keys", wrong) for wrong in keys), *others]:
        values = copy.deepcopy(GOOD)
        values["identity"][name] = wrong
        with pytest.raises(ConfigError, match=rf"identity\.{name}") as caught:
            from_dict(values)
        assert "sk-live-1" not in str(caught.value)


def test_one_mistake_is_not_ten() -> None:
    """What follows from a missing section is not listed besides."""
    with pytest.raises(ConfigError) as caught:
        from_dict({"version": 1, "policies": 3})
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["policies", "tiers"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"version = \n", "line 1"),
        (b"\xff\xfe", "utf-8"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"x" * (MAX_FILE_BYTES + 1), "larger than"),
        (b"a = " + b"[" * 100_000, "recursion"),
        (b"a = 1" + b"0" * 10_000, "digits"),
    ],
    ids=["syntax", "encoding", "twice", "size", "depth", "number"],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=text):
        load(path)


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "id", "tier", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), JSON, max_size=6))
def test_anything_else_is_a_config_error(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        from_dict(values)
