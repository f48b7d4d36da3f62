"""The way of a request: `plan` (pure) → one store call → `decide` (pure).

ASGI, WSGI, the decorator of handlers and any replay call the same three. The store call is all that may wait, for a
store at a server; methods with `_async` are the others with an `await` before it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from ratelimit_guard.config_file import from_dict, load
except ModuleNotFoundError as missing:
    if missing.name != "pydantic":
        raise
    text = "a guard needs pydantic: pip install 'ratelimit-guard[guard]'"
    raise ImportError(text) from missing

from ratelimit_guard._records import new
from ratelimit_guard.call import Call
from ratelimit_guard.compiled import BY_MODEL, Compiled, open_store, require
from ratelimit_guard.decision import EXEMPT, Decision, decide
from ratelimit_guard.degrade import header_value
from ratelimit_guard.dialect import PROBLEM, recent_dialect, request_id
from ratelimit_guard.errors import ConfigError, StoreError
from ratelimit_guard.events import DecisionEvent, log_event, log_usage
from ratelimit_guard.limit import limit
from ratelimit_guard.payment import Payment, pay, pay_async, peek, peek_async
from ratelimit_guard.reload import Reloader
from ratelimit_guard.remote import remote_of
from ratelimit_guard.request import Request
from ratelimit_guard.response import Refusal, limit_fields, refusal
from ratelimit_guard.spending import METERED
from ratelimit_guard.tenant import Identity
from ratelimit_guard.tokens import Tokens
from ratelimit_guard.watch import Checked, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from ratelimit_guard._core import LimitResult, ManualClock
    from ratelimit_guard.challenge import Challenge
    from ratelimit_guard.config import Config
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.events import UsageEvent
    from ratelimit_guard.live import LiveDetector
    from ratelimit_guard.payment import Paid
    from ratelimit_guard.restriction import Inspection
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.spending import Spending
    from ratelimit_guard.stores import MemoryStore, RemoteStore, SharedStore
    from ratelimit_guard.tenant import Lookup
    from ratelimit_guard.watch import Decides

    Hook = Callable[[DecisionEvent], None]
    UsageHook = Callable[[UsageEvent], None]
    Responder = Callable[[Decision, Refusal], Refusal]

F = TypeVar("F")
log = logging.getLogger("ratelimit_guard")


class Guard:
    """Decides about requests by a configuration. Safe to share between threads and tasks.

    `lookup` replaces the file's list of credentials: it gets the `Request` and returns an `Identity`, or None for a
    request that nobody vouches for. Hooks get one `DecisionEvent` per decision, `usage_hooks` one `UsageEvent` per call
    whose tokens were counted, at its end; one that raises is logged and never felt. Refusals are logged besides, as
    infos of `ratelimit_guard.decisions`. `responder` may change the refusal before it is sent. `challenge` decides
    instead of a proof of work whether a restricted caller may go on. `clock` is that of the counters, `unix_time` that
    of the detector, in seconds. `ConfigError`, or `StoreError` when the counters have no home.
    """

    def __init__(
        self,
        config: Config,
        *,
        lookup: Lookup | None = None,
        hooks: Sequence[Hook] = (),
        usage_hooks: Sequence[UsageHook] = (),
        responder: Responder | None = None,
        challenge: Challenge | Decides | None = None,
        clock: ManualClock | None = None,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        """Open the store and bind every policy."""
        self._lookup = lookup
        self._hooks, self._usage_hooks = tuple(hooks), tuple(usage_hooks)
        self._responder = responder
        self._unix_time = unix_time
        self._tokens = Tokens(config.tokens)
        self._compiled = Compiled(config, open_store(config, clock), lookup)
        at_server = remote_of(self._compiled.store)
        connect = None if at_server is None else at_server.connect
        self._watch = Watch(config, config.detector, unix_time, challenge, connect) if config.detector else None
        self._reloader: Reloader | None = None
        self._decorated = set[tuple[tuple[str, ...], bool]]()

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
            except (ConfigError, StoreError, ImportError) as error:
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
        if config.detector != self.config.detector:
            msg = "section [detector] cannot change while the servers run: restart them one after the other"
            raise ConfigError(msg)
        require(config, (name for names, _ in self._decorated for name in names))
        self._compiled = Compiled(config, self._compiled.store, self._lookup, self._decorated)
        self._tokens.follow(config.tokens)
        if self._watch is not None:
            self._watch.live.follow(config)

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
        """Plan, charge, decide, tell. One store call, and one for each shadow policy that watches; one in all of a
        server, whose answer is waited for: `UsageError` on a running loop, which that would block.
        """
        plan = self.plan(request)
        return EXEMPT if plan is None else self.charge(request, plan, plan.rules.cost)

    async def check_async(self, request: Request) -> Decision:
        """`check` without blocking the loop."""
        plan = self.plan(request)
        return EXEMPT if plan is None else await self.charge_async(request, plan, plan.rules.cost)

    def charge(self, request: Request | None, plan: Plan, cost: int, spending: Spending | None = None) -> Decision:
        """Charge a plan. `spending` holds tokens and slots until the call ends; without it they are free at once."""
        return self._decided(request, plan, cost, pay(plan, cost, spending))

    async def charge_async(
        self, request: Request | None, plan: Plan, cost: int, spending: Spending | None = None
    ) -> Decision:
        """`charge` without blocking the loop; suspends only for a server."""
        return self._decided(request, plan, cost, await pay_async(plan, cost, spending))

    async def charge_more(self, request: Request, plan: Plan, cost: int, spending: Spending) -> Decision:
        """Charge a connection that stays open for one more message."""
        return self._decided(request, plan, cost, await spending.more_async(cost))

    def _decided(self, request: Request | None, plan: Plan, cost: int, paid: Paid) -> Decision:
        result, shadow = paid
        decision = decide(plan.tenant, result, shadow, plan.rules.policy_field)
        if self._hooks or shadow or not decision.allowed:
            self._event(request, plan, cost, decision)
        return decision

    def call(self, request: Request, plan: Plan) -> Call | None:
        """The steps of a request whose prompt is read, or whose tokens and slots are counted; None for any other."""
        rules, watch = plan.rules, self.watch(plan)
        reads = rules.reads and (rules.counts or rules.by_model)
        if watch is None and not rules.metered and not reads:
            return None
        return Call(self, request, plan, watch, self._tokens if reads else None)

    def watch(self, plan: Plan) -> Watch | None:
        """The detector, where the plan's requests hold prompts."""
        return None if plan.rules.budgets is None else self._watch

    def peek(self, request: Request, plan: Plan) -> Decision | None:
        """The refusal of a request whose body need not be read for it; None: read on. Takes nothing."""
        return self._early(request, plan, peek(plan))

    async def peek_async(self, request: Request, plan: Plan) -> Decision | None:
        """`peek` without blocking the loop."""
        return self._early(request, plan, await peek_async(plan))

    def _early(self, request: Request, plan: Plan, result: LimitResult | None) -> Decision | None:
        if not plan.tenant.blocked and (result is None or result.allowed):
            return None
        return self._decided(request, plan, plan.rules.cost, (result, ()))

    def payment(
        self,
        request: Request | None,
        plan: Plan,
        cost: int,
        spending: Spending | None = None,
        watch: Watch | None = None,
        inspection: Inspection | None = None,
    ) -> Payment:
        """What is to be paid for a request whose prompt `watch` has seen: a restricted one pays from its budget too."""
        restriction = None if watch is None else watch.restriction(inspection, plan.tenant)
        made: Payment = new(Payment, (request, plan, cost, spending, watch, inspection, restriction, b"", True))
        if restriction is None or watch is None:
            return made
        is_blocked = plan.tenant.blocked or restriction.reaches("block")
        decision = decide(plan.tenant, None, (), plan.policy_field(restriction), restriction)
        challenge = b"" if is_blocked or request is None else watch.unproven(request, decision)
        return made._replace(challenge=challenge, is_open=not is_blocked and not challenge)

    def decided(self, payment: Payment, paid: Paid, body: bytes | None = None) -> Checked:
        """Decide and tell, after `payment` was paid. A degraded request gets another `body`."""
        request, plan, cost, restriction = payment.request, payment.plan, payment.cost, payment.restriction
        if restriction is None or payment.watch is None:
            checked: Checked = new(Checked, (self._decided(request, plan, cost, paid), payment.inspection, None))
            return checked
        result, shadow = paid
        field = plan.policy_field(restriction)
        decision = decide(plan.tenant, result, shadow, field, restriction, payment.challenge)
        checked = payment.watch.less(decision, payment.inspection, body)
        self._event(request, plan, cost, checked.decision)
        return checked

    def dialect(self, request: Request | None, plan: Plan | None = None) -> Dialect:
        """In which API's way the caller is answered: that of the route, or of the path."""
        named = None if plan is None else plan.rules.dialect
        return named or (PROBLEM if request is None else recent_dialect(request.path))

    def fields(self, decision: Decision, dialect: Dialect = PROBLEM) -> list[tuple[bytes, bytes]]:
        """Header fields that tell the caller about his limits."""
        compiled, result = self._compiled, decision.result
        degraded = [(b"guard-degraded", header_value(decision.degraded))] if decision.degraded else []
        if result is None or not compiled.headers:
            return degraded
        fields = limit_fields(result, decision.policy_field, legacy=compiled.legacy_headers)
        if dialect is not PROBLEM:
            fields += dialect.fields(result, self._unix_time())
        return fields + degraded

    def refusal(self, decision: Decision, request: Request | None = None, dialect: Dialect | None = None) -> Refusal:
        """The whole response to a request that may not go on, in the way of `dialect` or of the request's path."""
        spoken = self.dialect(request) if dialect is None else dialect
        name = "" if request is None else request_id(request)
        refused = refusal(decision, self.fields(decision, spoken), spoken, name)
        return refused if self._responder is None else self._responder(decision, refused)

    def limit(self, *policies: str, **options: Any) -> Callable[[F], F]:
        """Limit a handler or any function: see `ratelimit_guard.limit.limit`."""
        return limit(self, policies, **options)

    def dependency(self, *policies: str, cost: int = 1) -> Any:
        """A FastAPI dependency that charges the named policies, or those of the tenant's tier. Needs Starlette."""
        from ratelimit_guard.integrations.fastapi import dependency  # noqa: PLC0415  Starlette is optional

        return dependency(self, policies, cost)

    def plan_for(
        self, who: Request | Identity, policies: Sequence[str], route: str, *, is_prompted: bool = False
    ) -> Plan:
        """A plan without a route of the file: the named policies, or those of the tenant's tier."""
        compiled = self.in_force()
        request = who if isinstance(who, Request) else None
        tenant = compiled.tenants.tenant(who) if isinstance(who, Identity) else compiled.tenants.identify(who)
        names = tuple(policies) or compiled.config.tiers[tenant.tier].policies
        return compiled.named(names, route, is_prompted=is_prompted).plan(tenant, request)

    def keep_policies(self, names: Sequence[str], *, is_prompted: bool = False) -> None:
        """See to it that these policies are there as long as the guard. `ConfigError` for a name that is none."""
        require(self.config, names)
        for policy in [self.config.policies[name] for name in names]:
            if policy.quota.unit in METERED or policy.per in BY_MODEL:
                what = f"counts {policy.quota.unit} per {policy.per}"
                msg = f"one of {', '.join(names)} {what}: give it to a tier or a route, whose middleware sees it"
                raise ConfigError(msg)
        self._compiled.named(tuple(names), "", is_prompted=is_prompted)
        self._decorated.add((tuple(names), is_prompted))

    @property
    def store(self) -> MemoryStore | SharedStore | RemoteStore:
        """Where the counters are."""
        return self._compiled.store

    def in_force(self) -> Compiled:
        """The configuration made ready; now and then a request starts the look at the file by this."""
        if self._reloader is not None:
            self._reloader.look(self)
        return self._compiled

    @property
    def live(self) -> LiveDetector | None:
        """The detector of this process, None without a section [detector]."""
        return None if self._watch is None else self._watch.live

    def _event(self, request: Request | None, plan: Plan, cost: int, decision: Decision) -> None:
        method, path = (request.method, request.path) if request else ("", "")
        self._tell(DecisionEvent(method, path, plan.rules.route, cost, decision))

    def _tell(self, event: DecisionEvent) -> None:
        for hook in (log_event, *self._hooks):
            _safely(hook, event)

    def tell_usage(self, event: UsageEvent) -> None:
        """What a call has used in the end."""
        for hook in (log_usage, *self._usage_hooks):
            _safely(hook, event)


def _safely(hook: Callable[[Any], None], event: Any) -> None:
    try:
        hook(event)
    except Exception:  # a hook is the operator's; the request is the customer's
        log.exception("hook %r failed", hook)
