"""`guard.limit(...)`: the guard's policies on a single handler or on any function."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ratelimit_guard._wrappers import limited
from ratelimit_guard.errors import AccessBlocked, ConfigError, RateLimitExceeded, UsageError
from ratelimit_guard.remote import remote_of
from ratelimit_guard.request import Request, from_environ, from_scope
from ratelimit_guard.tenant import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ratelimit_guard._wrappers import Charge
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.guard import Guard
    from ratelimit_guard.payment import Paid, Payment
    from ratelimit_guard.rules import Plan

    Body = bytes | str | Sequence[Mapping[str, Any]]
    Asked = tuple[Request | None, Plan, int]
    Ask = Callable[[tuple[Any, ...], dict[str, Any]], Asked]


def limit(
    guard: Guard,
    policies: tuple[str, ...],
    *,
    tenant: Callable[..., str | Identity] | None = None,
    account: Callable[..., str] | None = None,
    prompt: Callable[..., Body] | None = None,
    cost: int | Callable[..., int] = 1,
) -> Callable[[Any], Any]:
    """Charge the named policies, or those of the tenant's tier, before the function runs.

    `tenant`, `account`, `prompt` and a callable `cost` get the call's arguments. `prompt` returns what the caller asks,
    as a request's body, a text or a list of messages: the detector sees it, and a restricted call pays from its budget.
    Without `tenant` the request is found among the arguments (Starlette, FastAPI, Litestar, Django) or is Flask's
    current one, and identified as the middleware would.
    A refusal raises `RateLimitExceeded`, an access rule that blocks raises `AccessBlocked`; the ASGI middleware answers
    both, in an error handler of Flask or Django `guard.refusal(error.decision)` is the response. Sync and async
    functions, methods and generators. Over a store at a server async ones await it; sync ones wait for it, so on a
    running loop they raise `UsageError`. `ConfigError` for an unknown policy.
    """
    guard.keep_policies(policies, is_prompted=prompt is not None)
    if account is not None and tenant is None:
        msg = "limit(account=...) needs tenant=... too"
        raise ConfigError(msg)

    def charge_for(module: str, function: str, *, is_async: bool) -> Charge:
        name = f"{module}:{function}"

        def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Asked:
            who = find_request(args, kwargs) if tenant is None else _identity(tenant, account, args, kwargs)
            if who is None:
                msg = f"{name}: no request among the arguments: write limit(tenant=...)"
                raise UsageError(msg)
            plan = guard.plan_for(who, policies, name, is_prompted=prompt is not None)
            request = who if isinstance(who, Request) else None
            return request, plan, cost(*args, **kwargs) if callable(cost) else cost

        waits = is_async and remote_of(guard.store) is not None
        return _charge(guard, asked, waits=waits) if prompt is None else _watched(guard, asked, prompt, waits=waits)

    return lambda function: limited(function, charge_for)


def _charge(guard: Guard, asked: Ask, *, waits: bool) -> Charge:
    def charge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        admit(guard.charge(*asked(args, kwargs)))

    async def charge_async(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        admit(await guard.charge_async(*asked(args, kwargs)))

    return charge_async if waits else charge


def _watched(guard: Guard, asked: Ask, prompt: Callable[..., Body], *, waits: bool) -> Charge:
    """Of a function whose prompts the detector sees, where there is one."""

    def payment(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payment:
        request, plan, units = asked(args, kwargs)
        watch = guard.watch(plan)
        if watch is None:
            return guard.payment(request, plan, units)
        inspection = watch.live.inspect(body_of(prompt(*args, **kwargs)), plan.tenant)
        return guard.payment(request, plan, units, None, watch, inspection)

    def charge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        due = payment(args, kwargs)
        _admit(guard, due, due.pay())

    async def charge_async(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        due = payment(args, kwargs)
        _admit(guard, due, await due.pay_async())

    return charge_async if waits else charge


def _admit(guard: Guard, payment: Payment, paid: Paid) -> None:
    """Let the call go on, and the detector know of it; or raise."""
    checked = guard.decided(payment, paid)
    admit(checked.decision)
    if payment.watch is not None:
        payment.watch.observe(payment.request, checked)


def body_of(prompt: Body) -> bytes:
    """What the caller asks, as the body of a request."""
    if isinstance(prompt, bytes):
        return prompt
    if not isinstance(prompt, str | Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]  anybody may call
        msg = f"prompt=... must return bytes, str or a list of messages, got {type(prompt).__name__}"
        raise UsageError(msg)
    field = "prompt" if isinstance(prompt, str) else "messages"
    return json.dumps({field: prompt}, default=str).encode()


def admit(decision: Decision) -> None:
    """Return for a request that may go on, raise for any other."""
    if decision.result is not None and not decision.allowed:
        raise RateLimitExceeded(decision.result, decision)
    if not decision.allowed:
        raise AccessBlocked(decision)


def find_request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request | None:
    """The request that a handler was called for, if it shows. A body with fields of such names is not believed."""
    for value in (*args, *kwargs.values()):
        scope: Any = getattr(value, "scope", None)  # Starlette, FastAPI, Litestar, Django
        if isinstance(scope, dict) and _is_scope(cast("dict[str, Any]", scope)):
            return from_scope(cast("dict[str, Any]", scope))
        environ: Any = getattr(value, "META", None)  # Django under WSGI
        if isinstance(environ, dict) and callable(getattr(value, "build_absolute_uri", None)):
            return from_environ(cast("dict[str, Any]", environ))
    flask = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        return from_environ(flask.request.environ)
    return None


def _is_scope(scope: dict[str, Any]) -> bool:
    """Does it look like a server's? Those have bytes, and no JSON that a client sends has any."""
    headers: Any = scope.get("headers")
    if scope.get("type") not in ("http", "websocket") or type(headers) not in (list, tuple):
        return False
    first = headers[0] if headers else (b"", b"")
    pair = type(first) in (list, tuple) and [type(part) for part in first] == [bytes, bytes]
    return pair and isinstance(scope.get("query_string"), bytes)


def _identity(
    tenant: Callable[..., str | Identity], account: Callable[..., str] | None, args: tuple[Any, ...], kwargs: Any
) -> Identity:
    found = tenant(*args, **kwargs)
    identity = Identity(found) if isinstance(found, str) else found
    return identity if account is None else identity._replace(account=account(*args, **kwargs))
