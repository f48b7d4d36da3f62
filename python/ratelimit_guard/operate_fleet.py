"""What an operator's command asks the server of a fleet: its secret, what was found, and how the exchange goes."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from ratelimit_guard._core import live as _live
from ratelimit_guard.compiled import server_url
from ratelimit_guard.errors import StoreError
from ratelimit_guard.exchange import TROUBLES, Exchange, unpacked
from ratelimit_guard.fleet import SECRET_BYTES, mark_of
from ratelimit_guard.stores.redis.address import Address
from ratelimit_guard.stores.redis.server import START_S
from ratelimit_guard.stores.redis.state import told
from ratelimit_guard.term import MAX_UNPACKED

if TYPE_CHECKING:
    from collections.abc import Generator

    from ratelimit_guard.config import Config


class FleetDesk:
    """The server's side of a `Desk`. `StoreError` when the server cannot be asked; no text names a password."""

    def __init__(self, config: Config, given: bytes | None) -> None:
        """`given` is a baseline's secret; without one the server is asked for that of its hosts. `ConfigError` when
        the configuration, or its environment, names no server.
        """
        self._address = Address.parse(server_url(config.store))
        self._namespace = config.namespace
        self.secret = given or self._drawn()
        self._mark = mark_of(self.secret, is_drawn=given is None)

    def findings(self) -> tuple[_live.Findings, float]:
        """What the host that judges kept last, and how many seconds ago that was."""
        with self._asking():
            kept, age = self._exchange.state(), self._exchange.state_age()
        if kept is None:
            msg = "another host judges, and has kept nothing yet: try again in a minute"
            raise StoreError(msg)
        with NamedTemporaryFile(prefix="ratelimit-guard-") as file:  # nobody else's to read
            file.write(unpacked(kept, MAX_UNPACKED))
            file.flush()
            return _live.Findings(file.name), age

    def line(self, live: _live.Live) -> str:
        """What this host is in the fleet, how far it is behind, and what stands at the server."""
        try:
            with self._asking():
                is_ours = self._exchange.secret() == self._mark
                unread, stored = self._exchange.unread(live.read_up_to), sum(self._exchange.memory().values())
        except StoreError as error:
            return f"Fleet: {error}. What is known of campaigns stays in force."
        if not is_ours:
            role = "this host works alone, for others have another secret, as with another baseline"
        elif live.stats()["learned"]:
            role = "another host judges"
        else:
            behind = "nothing of other hosts was read yet" if unread is None else f"{unread:.1f} s of others are unread"
            role = f"this host judges, {behind}"
        return f"Fleet: {role}; {stored / 1e6:.1f} MB at the server."

    def _drawn(self) -> bytes:
        """Only hosts draw one."""
        with self._asking():
            found = self._exchange.secret()
        if len(found) == SECRET_BYTES:
            return found
        why = "its hosts have a baseline: name the same one" if found else "no host has been there: start the app"
        msg = f"store {self._address}, namespace {self._namespace}: {why}"
        raise StoreError(msg)

    @cached_property
    def _exchange(self) -> Exchange:
        return Exchange(self._address.client(START_S), self._namespace, "")

    @contextmanager
    def _asking(self) -> Generator[None]:
        try:
            yield
        except TROUBLES as error:
            msg = f"store {self._address} cannot be asked: {told(error)}"
            raise StoreError(msg) from error
