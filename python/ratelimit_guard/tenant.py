"""Who asks: request → `Tenant` and account.

A credential names an account only when the operator's list or callable knows it. Every other request belongs to its
address, however many credentials it makes up.
"""

from __future__ import annotations

import hashlib
import inspect
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from ratelimit_guard.address import MAX_ADDRESS_CHARACTERS, Proxies, client_address
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ratelimit_guard.config import AccessSection, Attribute, Config, TenantSection
    from ratelimit_guard.request import Request

K = TypeVar("K")
Lookup: TypeAlias = "Callable[[Request], Identity | None]"

MAX_CREDENTIAL_BYTES = 1024
"""Longer credentials are not looked up: hashing them costs the server and no list that we know holds such a one.
What is remembered is no longer than this either, white space and scheme included."""
MAX_REMEMBERED = 16_384
"""Known credentials, and addresses of peers, that are remembered as written; beyond that all are worked out again."""
MAX_NAME_CHARACTERS = 256
"""Longest tenant and account of a tier file. What a lookup returns may be longer and counts under its hash."""
ADDRESS = "address:"
"""What the id of a tenant begins with whom nobody vouched for, and no other: see `_own_name`."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Identity(NamedTuple):
    """What a lookup knows of a request. Without an account the tenant is his own; without a tier the file decides."""

    tenant: str
    account: str | None = None
    tier: str | None = None
    attributes: Mapping[str, Attribute] = _NOTHING


class Tenant(NamedTuple):
    """Who pays, which of his accounts asks, at which tier. `confirmed`: somebody vouched for it."""

    id: str
    account: str
    tier: str
    confirmed: bool
    blocked: bool = False


class Tenants:
    """The operator's list of credentials and tenants."""

    def __init__(self, config: Config, lookup: Lookup | None = None) -> None:
        """Keep what the file says; `lookup` replaces its list of credentials. `ConfigError` for an async one."""
        if inspect.iscoroutinefunction(lookup):
            msg = f"lookup {lookup!r:.100} is async: write a plain function, it is called by sync servers too"
            raise ConfigError(msg)
        self.proxies = Proxies.of(config.identity.trusted_proxies)
        self._config = config
        self._lookup = lookup or (_user if config.identity.source == "user" else None)
        self._headers = [name.lower().encode() for name in config.identity.header]
        self._sections = {tenant.id: tenant for tenant in config.tenants}
        self._keys = {
            bytes.fromhex(key.sha256): Identity(key.tenant, key.account or key.sha256[:16])
            for key in config.identity.keys
        }
        self._by_credential: dict[bytes, Tenant] = {}
        self._by_peer: dict[str | None, Tenant] = {}

    def identify(self, request: Request) -> Tenant:
        """Who asks: the owner of a known credential, or else an address. What a lookup raises is raised."""
        if self._lookup is not None:
            identity = self._lookup(request)
            return self.anonymous(request) if identity is None else self.tenant(identity)
        for header in self._headers if self._keys else ():
            credential = request.header(header)
            if credential is not None:
                tenant = self._by_credential.get(credential) or self._look_up(request, header)
                if tenant is not None:
                    return tenant
        return self.anonymous(request)

    def tenant(self, identity: Identity) -> Tenant:
        """The tenant that an identity means, with the tier that file and access rules give him. Never fails."""
        section = self._sections.get(identity.tenant)
        attributes = {**_attributes(section), **identity.attributes}
        tier, blocked = _access(attributes, self._config.access)
        tier = tier or identity.tier or (section.tier if section else self._config.identity.default_tier)
        if tier not in self._config.tiers:
            tier = self._config.identity.default_tier
        name = _own_name(identity.tenant)
        return Tenant(name, _account_name(name, identity.account), tier, True, blocked)

    def anonymous(self, request: Request) -> Tenant:
        """The tenant of a request for which nobody vouches."""
        known = self._by_peer.get(request.peer)
        if known is not None:
            return known
        name = ADDRESS + client_address(request, self.proxies)
        tenant = Tenant(name, name, self._config.identity.anonymous_tier, False)
        if self.proxies.any or len(request.peer or "") > MAX_ADDRESS_CHARACTERS:
            return tenant
        return _remember(self._by_peer, request.peer, tenant)

    def _look_up(self, request: Request, header: bytes) -> Tenant | None:
        """The owner of the first credential that the list knows, of however many there are."""
        for credential in request.header_values(header):
            digest = credential_digest(credential)
            identity = None if digest is None else self._keys.get(digest)
            if identity is not None:
                # Only known credentials get here, so a flood of made-up ones fills nothing.
                tenant = self.tenant(identity)
                short = len(credential) <= MAX_CREDENTIAL_BYTES
                return _remember(self._by_credential, credential, tenant) if short else tenant
        return None


def _remember(known: dict[K, Tenant], key: K, tenant: Tenant) -> Tenant:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = tenant
    return tenant


def credential_digest(credential: bytes) -> bytes | None:
    """SHA-256 of a credential as the tier file lists it; the scheme `Bearer` and space around do not belong to it.

    None for an empty one and for one beyond `MAX_CREDENTIAL_BYTES`.
    """
    parts = credential.split(None, 1)
    if len(parts) == 2 and parts[0].lower() == b"bearer":
        credential = parts[1]
    credential = credential.strip()
    return hashlib.sha256(credential).digest() if 0 < len(credential) <= MAX_CREDENTIAL_BYTES else None


def _own_name(name: str) -> str:
    """Users choose their names: nobody may take an address's, no two names become one, and none is endless."""
    if len(name) > MAX_NAME_CHARACTERS:
        return "%" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"%{name}" if name.startswith((ADDRESS, "%")) else name


def _account_name(tenant: str, account: str | None) -> str:
    """The first slash ends the tenant, so that no account of one is the account of another."""
    tenant = tenant.replace("%", "%25").replace("/", "%2F")
    return tenant if account is None else f"{tenant}/{_own_name(account)}"


def _user(request: Request) -> Identity | None:
    """The user whom the app's own authentication found: `scope["user"]`, or REMOTE_USER of a WSGI server.

    An object counts if its `is_authenticated` is true, and by a name that is unique and stays: `username`, else
    `identity`. Never by `display_name`, which users choose and change.
    """
    user = request.native.get("user") or request.native.get("REMOTE_USER")
    if isinstance(user, str) or user is None:
        return Identity(user) if user else None
    if not getattr(user, "is_authenticated", False):
        return None
    for field in ("username", "identity"):
        with suppress(NotImplementedError):  # Starlette's BaseUser has properties that are none
            if name := getattr(user, field, None):
                return Identity(str(name))
    return None


def _attributes(section: TenantSection | None) -> Mapping[str, Attribute]:
    return section.attributes if section else _NOTHING


def _access(attributes: Mapping[str, Attribute], rules: tuple[AccessSection, ...]) -> tuple[str | None, bool]:
    for rule in rules:
        if all(_holds(attributes.get(name), wanted) for name, wanted in rule.when.items()):
            return rule.tier, rule.block
    return None, False


def _holds(value: Attribute | None, wanted: Attribute | tuple[Attribute, ...]) -> bool:
    # True is 1 for Python and not for an operator.
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(value == option and type(value) is type(option) for option in options)
