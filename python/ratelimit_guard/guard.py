"""The way of a request: `plan` (pure) → one store call → `decide` (pure).

ASGI, WSGI, the decorator of handlers and any replay call the same three; nothing here waits or reads a socket.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from ratelimit_guard.config_file import from_dict, load
except ModuleNotFoundError as missing:
    if missing.name != "pydantic":
        raise
    text = "a guard needs pydantic: pip install 'ratelimit-guard[guard]'"
    raise ImportError(text) from missing

from ratelimit_guard.compiled import Compiled, open_store, require
from ratelimit_guard.decision import EXEMPT, Decision, decide
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.events import DecisionEvent, log_event
from ratelimit_guard.limit import limit
from ratelimit_guard.reload import Reloader
from ratelimit_guard.request import Request
from ratelimit_guard.response import Refusal, limit_fields, refusal
from ratelimit_guard.tenant import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from ratelimit_guard._core import ManualClock
    from ratelimit_guard.config import Config
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.stores import MemoryStore, SharedStore
    from ratelimit_guard.tenant import Lookup

    Hook = Callable[[DecisionEvent], None]
    Responder = Callable[[Decision, Refusal], Refusal]

F = TypeVar("F")
log = logging.getLogger("ratelimit_guard")


class Guard:
    """Decides about requests by a configuration. Safe to share between threads and tasks.

    `lookup` replaces the file's list of credentials: it gets the `Request` and returns an `Identity`, or None for a
    request that nobody vouches for. Hooks get one `DecisionEvent` per decision; one that raises is logged and never
    felt. Refusals are logged besides, as infos of `ratelimit_guard.decisions`. `responder` may change the refusal
    before it is sent. `ConfigError`, or `StoreError` when the counters have no home.
    """

    def __init__(
        self,
        config: Config,
        *,
        lookup: Lookup | None = None,
        hooks: Sequence[Hook] = (),
        responder: Responder | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        """Open the store and bind every policy."""
        self._lookup = lookup
        self._hooks = tuple(hooks)
        self._responder = responder
        self._compiled = Compiled(config, open_store(config, clock), lookup)
        self._reloader: Reloader | None = None
        self._decorated = set[tuple[str, ...]]()

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, reload_every: float | None = 1.0, **options: Any) -> Guard:
        """A guard by a TOML file. `ConfigError` lists every mistake.

        Requests look for a changed file at most every `reload_every` seconds (None: never); it then takes effect
        without losing usage, or is reported and ignored when it is wrong.
        """
        reloader = Reloader(path, reload_every)
        guard = cls(load(path), **options)
        guard._reloader = reloader
        return guard

    @classmethod
    def from_dict(cls, values: dict[str, Any], **options: Any) -> Guard:
        """A guard by a dict that looks like the TOML file."""
        return cls(from_dict(values), **options)

    @classmethod
    def either(cls, guard: Guard | None, config: str | PathLike[str] | None) -> Guard:
        """The guard, or one made from the file: what both middlewares take. `ConfigError` for neither or both."""
        if guard is not None and config is None:
            return guard
        if config is not None and guard is None:
            try:
                return cls.from_file(config)
            except (ConfigError, StoreError) as error:
                # Frameworks build middleware at startup, whose errors some servers swallow; then each request fails.
                log.critical("no request can be served: %s", error)
                raise
        msg = "give RateLimitMiddleware a guard or the path of a tier file as config"
        raise ConfigError(msg)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._compiled.config

    def replace(self, config: Config) -> None:
        """Let another configuration take effect between two requests. Used units stay; the store must be the same one.

        `ConfigError` when namespace or store differ or a policy is gone that a decorator or dependency names, and
        then nothing has changed.
        """
        if (config.store, config.namespace) != (self.config.store, self.config.namespace):
            which = "namespace" if config.store == self.config.store else "store"
            msg = f"{which} cannot change while the servers run: stop all workers and start them with the new file"
            raise ConfigError(msg)
        require(config, (name for names in self._decorated for name in names))
        self._compiled = Compiled(config, self._compiled.store, self._lookup, self._decorated)

    def reload(self) -> bool:
        """Look at the file now and wait for it. False: nothing changed, or the file is wrong, which is logged."""
        return self._reloader is not None and self._reloader.reload(self)

    def plan(self, request: Request) -> Plan | None:
        """What the request must pay; None when it is exempt. Pure but for the operator's `lookup`."""
        compiled = self.in_force()
        route = compiled.routes.find(request.method, request.path)
        if route is not None and route.exempt:
            return None
        return compiled.plan(compiled.tenants.identify(request), route, request)

    def check(self, request: Request) -> Decision:
        """Plan, charge, decide, tell. One store call, and one for each shadow policy that watches."""
        plan = self.plan(request)
        if plan is None:
            return EXEMPT
        return self.charge(request, plan, plan.rules.cost)

    def charge(self, request: Request | None, plan: Plan, cost: int) -> Decision:
        """Charge a plan, once more for every message of a websocket that costs something."""
        tenant, rules = plan.tenant, plan.rules
        result = None if tenant.blocked else plan.charge(cost)
        # What is refused does not run, so it must not count for a policy that is tried out.
        watched = rules.shadow and not tenant.blocked and (result is None or result.allowed)
        decision = decide(tenant, result, plan.charge_shadow(cost) if watched else (), rules.policy_field)
        if self._hooks or watched or not decision.allowed:
            method, path = (request.method, request.path) if request else ("", "")
            self._tell(DecisionEvent(method, path, rules.route, cost, decision))
        return decision

    def fields(self, decision: Decision) -> list[tuple[bytes, bytes]]:
        """Header fields that tell the caller about his limits."""
        compiled, result = self._compiled, decision.result
        if result is None or not compiled.headers:
            return []
        return limit_fields(result, decision.policy_field, legacy=compiled.legacy_headers)

    def refusal(self, decision: Decision) -> Refusal:
        """The whole response to a request that may not go on."""
        refused = refusal(decision, self.fields(decision))
        return refused if self._responder is None else self._responder(decision, refused)

    def limit(self, *policies: str, **options: Any) -> Callable[[F], F]:
        """Limit a handler or any function: see `ratelimit_guard.limit.limit`."""
        return limit(self, policies, **options)

    def dependency(self, *policies: str, cost: int = 1) -> Any:
        """A FastAPI dependency that charges the named policies, or those of the tenant's tier. Needs Starlette."""
        from ratelimit_guard.integrations.fastapi import dependency  # noqa: PLC0415  Starlette is optional

        return dependency(self, policies, cost)

    def plan_for(self, who: Request | Identity, policies: Sequence[str], route: str) -> Plan:
        """A plan without a route of the file: the named policies, or those of the tenant's tier."""
        compiled = self.in_force()
        request = who if isinstance(who, Request) else None
        tenant = compiled.tenants.tenant(who) if isinstance(who, Identity) else compiled.tenants.identify(who)
        names = tuple(policies) or compiled.config.tiers[tenant.tier].policies
        return compiled.named(names, route).plan(tenant, request)

    def reserve(self, names: Sequence[str]) -> None:
        """See to it that these policies are there as long as the guard. `ConfigError` for a name that is none."""
        require(self.config, names)
        self._decorated.add(tuple(names))
        self._compiled.named(tuple(names), "")

    @property
    def store(self) -> MemoryStore | SharedStore:
        """Where the counters are."""
        return self._compiled.store

    def in_force(self) -> Compiled:
        """The configuration made ready; now and then a request starts the look at the file by this."""
        if self._reloader is not None:
            self._reloader.look(self)
        return self._compiled

    def _tell(self, event: DecisionEvent) -> None:
        for hook in (log_event, *self._hooks):
            try:
                hook(event)
            except Exception:  # a hook is the operator's; the request is the customer's
                log.exception("hook %r failed", hook)
