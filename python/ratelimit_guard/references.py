"""Names in a tier file that must mean something, checked on the raw values so that no other mistake hides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def references(values: dict[str, Any]) -> list[str]:
    """A line for every policy, tier or tenant that is named and not defined, and for everything defined twice."""
    tenants = [entry.get("id") for _, entry in _entries(values, "tenants")]
    identity = _table(values, "identity")
    policies, tiers = _table(values, "policies"), _table(values, "tiers")
    hashes = [entry.get("sha256") for _, entry in _entries(identity, "keys")]
    return [
        # Where a whole section is missing, that is the mistake, and not every name that should be in it.
        *(_undefined("policy", _policies(values), policies) if policies else ()),
        *(_undefined("tier", _tiers(values), tiers) if tiers else ()),
        *_owners(identity, tenants),
        *_doubles("tenants", "id", tenants),
        *_doubles("identity.keys", "sha256", hashes),
    ]


def _policies(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, tier in _table(values, "tiers").items():
        yield from ((f"tiers.{name}.policies", policy) for policy in _list(tier, "policies"))
    for index, route in _entries(values, "routes"):
        yield from ((f"routes[{index}].policies", policy) for policy in _list(route, "policies"))


def _tiers(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    identity = _table(values, "identity")
    for key in ("anonymous_tier", "default_tier"):
        yield f"identity.{key}", identity.get(key, "anonymous")
    for key in ("tenants", "access"):
        for index, entry in _entries(values, key):
            if "tier" in entry:
                yield f"{key}[{index}].tier", entry["tier"]


def _owners(identity: dict[str, Any], tenants: list[Any]) -> Iterator[str]:
    defined = {name for name in tenants if isinstance(name, str)}
    for index, entry in _entries(identity, "keys"):
        name = entry.get("tenant")
        if isinstance(name, str) and name not in defined:
            # Not the name: a credential may stand there by mistake.
            yield f"identity.keys[{index}].tenant: is no tenant of this file: define it, or use the id of one"


def _undefined(what: str, named: Iterable[tuple[str, Any]], known: Iterable[Any]) -> Iterator[str]:
    defined = {name for name in known if isinstance(name, str)}
    some = ", ".join(sorted(defined)[:20]) or "none"
    for path, name in named:
        if isinstance(name, str) and name not in defined:
            yield f"{path}: there is no {what} {name!r}: define it or use one of {some}"


def _doubles(path: str, key: str, names: list[Any]) -> Iterator[str]:
    first = dict[str, int]()
    for index, name in enumerate(names):
        if isinstance(name, str) and first.setdefault(name, index) != index:
            # Not the value: under `sha256` a credential may stand by mistake.
            yield f"{path}[{index}].{key}: is the same as that of {path}[{first[name]}]: keep one"


def _table(values: Any, key: str) -> dict[str, Any]:
    found: Any = cast("Any", values).get(key) if isinstance(values, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _list(values: Any, key: str) -> list[Any]:
    found: Any = cast("Any", values).get(key) if isinstance(values, dict) else None
    return list(cast("list[Any]", found)) if isinstance(found, list | tuple) else []


def _entries(values: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, entry in enumerate(_list(values, key)):
        if isinstance(entry, dict):
            yield index, entry
