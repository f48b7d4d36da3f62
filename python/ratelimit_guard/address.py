"""Whose address a request comes from, behind proxies that the operator trusts."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ratelimit_guard.request import Request

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

MAX_HOPS = 64
"""Hops of X-Forwarded-For that are walked; real chains have fewer than ten."""
MAX_ADDRESS_CHARACTERS = 64
"""Longer than any address with a zone and a port; what is longer is no address."""
IPV6_PREFIX = 64
"""What one subscriber line has at least: single IPv6 addresses cost nothing."""


class Proxies(NamedTuple):
    """The proxies whose X-Forwarded-For is believed. `unix`: whoever reaches the server by its unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    @classmethod
    def of(cls, listed: Iterable[Network | Literal["unix"]]) -> Proxies:
        """As the tier file lists them."""
        listed = tuple(listed)
        return cls(tuple(one for one in listed if not isinstance(one, str)), "unix" in listed)

    @property
    def any(self) -> bool:
        """Is there one at all? Else an address depends on nothing but the peer."""
        return self.unix or bool(self.networks)

    def have(self, address: Address) -> bool:
        """Is it one of them?"""
        return any(address in network for network in self.networks if network.version == address.version)


def client_address(request: Request, proxies: Proxies) -> str:
    """The address that the request belongs to: the nearest hop that is no trusted proxy.

    X-Forwarded-For is walked from the right, where our own proxies wrote. What stands left of the first untrusted or
    malformed hop was said by the client and is not believed. Peers without an address are one of two: `peer:unix`, for
    those of a unix socket, whom servers give no peer or one with "unix:" before it, and `peer:unknown`.
    """
    address = parse_address(request.peer or "")
    socket = not request.peer or request.peer.startswith("unix:")
    if proxies.unix and socket if address is None else proxies.have(address):
        hops = b",".join(request.header_values(b"x-forwarded-for")).rsplit(b",", MAX_HOPS)
        for hop in reversed(hops[-MAX_HOPS:]):
            nearer = parse_address(hop.strip().decode("latin-1"))
            if nearer is None:
                break
            address = nearer
            if not proxies.have(address):
                break
    if address is None:
        return "peer:unix" if socket else "peer:unknown"
    return subscriber(address)


def parse_address(text: str) -> Address | None:
    """Read an address as proxies write it, with or without port or brackets; IPv4 in IPv6 is IPv4."""
    return _parse(text) if len(text) <= MAX_ADDRESS_CHARACTERS else None


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def subscriber(address: Address) -> str:
    """The address itself, or the /64 of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))
