"""A request whose prompt is read, or whose tokens and slots are counted: its steps, whatever the server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ratelimit_guard.body import announced
from ratelimit_guard.dialect import request_id
from ratelimit_guard.events import UsageEvent
from ratelimit_guard.passage import Passage
from ratelimit_guard.payment import spending_for
from ratelimit_guard.response import too_large
from ratelimit_guard.tokens import model_of
from ratelimit_guard.watch import REQUEST_ID, Checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.decision import Decision
    from ratelimit_guard.guard import Guard
    from ratelimit_guard.payment import Paid, Payment
    from ratelimit_guard.prompt import Fields
    from ratelimit_guard.request import Request
    from ratelimit_guard.response import Refusal
    from ratelimit_guard.rules import Plan
    from ratelimit_guard.tokens import Need, Tokens
    from ratelimit_guard.watch import Watch

IDENTITY = (b"accept-encoding", b"identity")
"""What an upstream is told when its stream has to be changed on the way."""
EARLY_BYTES = 64 << 10
"""Announced length up to which a body is read before a server is asked: it has mostly come with the request."""


class Call:
    """Asked in this order: `early`, the body if it `reads` one, `check`, the app behind `passage`, and always `end`.

    A loop asks `early_async` and `check_async`.
    """

    __slots__ = (
        "_checked",
        "_guard",
        "_need",
        "_passage",
        "_spending",
        "_tokens",
        "_watch",
        "asks_usage",
        "dialect",
        "plan",
        "refuse",
        "request",
    )

    def __init__(self, guard: Guard, request: Request, plan: Plan, watch: Watch | None, tokens: Tokens | None) -> None:
        """`watch` is there where the detector reads prompts, `tokens` where tokens or models count."""
        self.request, self.plan = request, plan
        self._guard, self._watch, self._tokens = guard, watch, tokens
        self._spending = spending_for(plan.rules)
        self._need: Need | None = None
        self._checked: Checked | None = None
        self._passage: Passage | None = None
        self.dialect = guard.dialect(request, plan)
        self.refuse: Callable[[Decision], Refusal] = partial(guard.refusal, request=request, dialect=self.dialect)
        self.asks_usage = False
        """Whether the upstream is asked, in the caller's name, what the answer used: then it must not be coded."""

    @property
    def reads(self) -> bool:
        """Is the body looked at?"""
        return self._watch is not None or self._tokens is not None

    @property
    def bounds(self) -> tuple[int, float]:
        """Longest body that is read, in bytes, and seconds in which it must come: what is enough for all who read."""
        one, other = self._watch or self._tokens, self._tokens or self._watch
        if one is None or other is None:
            return 0, 0.0
        return max(one.max_body_bytes, other.max_body_bytes), max(one.body_timeout_s, other.body_timeout_s)

    def early(self) -> Decision | None:
        """The refusal for which no body is needed."""
        return self._guard.peek(self.request, self.plan) if self._asks_early else None

    async def early_async(self) -> Decision | None:
        """`early` without blocking the loop."""
        return await self._guard.peek_async(self.request, self.plan) if self._asks_early else None

    @property
    def _asks_early(self) -> bool:
        """Is it worth asking? A server is asked in a round trip of its own, so only for bodies that may be long."""
        if self.plan.rules.remote is None or self.plan.tenant.blocked:
            return True
        said = announced(self.request)
        return self.reads and (said is None or said > EARLY_BYTES)

    def unreadable(self, body: bytes | None) -> Refusal | None:
        """The refusal of a call that must not answer at length, but whose body cannot be read and told so."""
        tokens, request = self._tokens, self.request
        if tokens is None or not self.plan.rules.counts or not tokens.enforces(request.path):
            return None
        coding = request.header(b"content-encoding")
        is_coded = coding is not None and body is not None and tokens.scan(body, _text(coding)) is None
        if body is not None and not is_coded:
            return None
        return too_large(self.bounds[0], self.dialect, request_id(request))

    def check(self, body: bytes | None = None, size: int = 0) -> Checked:
        """Look at the body, reserve, decide, tell. `body` is None when it was too long, or nobody reads it, and `size`
        what is then known of its length.
        """
        payment = self._payment(body, size)
        return self._decided(payment, payment.pay(), body)

    async def check_async(self, body: bytes | None = None, size: int = 0) -> Checked:
        """`check` without blocking the loop; suspends only for a server."""
        payment = self._payment(body, size)
        return self._decided(payment, await payment.pay_async(), body)

    def _payment(self, body: bytes | None, size: int) -> Payment:
        request, watch = self.request, self._watch
        coding = _text(request.header(b"content-encoding")) if body else None
        inspection = None if watch is None else watch.live.inspect(body, self.plan.tenant, coding)
        if self._tokens is not None:
            fields = self._tokens.scan(body, coding) if inspection is None else inspection.prompt.fields
            self._ask(self._tokens, fields, size if body is None else len(body))
        return self._guard.payment(request, self.plan, self.plan.rules.cost, self._spending, watch, inspection)

    def _decided(self, payment: Payment, paid: Paid, body: bytes | None) -> Checked:
        checked = self._guard.decided(payment, paid, body)
        self._checked = self._prepared(checked, body) if body and checked.decision.allowed else checked
        return self._checked

    def _ask(self, tokens: Tokens, fields: Fields | None, size: int) -> None:
        """What is known of the call now that its body is."""
        plan, path = self.plan, self.request.path
        if plan.rules.by_model:
            self.plan = plan.rules.plan(plan.tenant, self.request, model_of(fields, path))
        if self._spending is not None and plan.rules.counts:
            self._need = tokens.need(fields, size, path)
            self._spending.ask = self._need.ask

    def _prepared(self, checked: Checked, body: bytes) -> Checked:
        """With what the upstream has to be told so that tokens can be counted."""
        tokens, need, edited = self._tokens, self._need, checked.replacement
        if tokens is None or need is None:
            return checked
        path, is_edited = self.request.path, edited is not None
        prepared, self.asks_usage = tokens.prepared(need, edited or body, path, is_edited=is_edited)
        return checked if prepared is None else checked._replace(replacement=prepared)

    def passage(self) -> Passage:
        """What the response of a request that may go on passes through."""
        tokens = None if self._need is None else self._tokens
        self._passage = Passage(
            self.dialect,
            self._spending,
            tokens,
            self._need,
            reads_text=self._watch is not None,
            drops_usage=self.asks_usage,
        )
        return self._passage

    def end(self) -> None:
        """The response has ended, or will not come: settle, and tell what was asked and answered."""
        passage, checked = self._passage, self._checked
        self._passage = None
        if passage is None or checked is None:
            if self._spending is not None:  # the app never answered
                self._spending.release()
            return
        used, need = passage.end(), self._need
        if used is not None and need is not None:
            rules, tenant = self.plan.rules, self.plan.tenant
            model, name = model_of(need.fields, self.request.path), _text(self.request.header(REQUEST_ID)) or ""
            self._guard.tell_usage(UsageEvent(tenant, rules.route, model, name, *used))
        # A caller who hangs up in the midst of an answer has it as far as that.
        if self._watch is not None and passage.began and passage.answer is not None:
            self._watch.observe(self.request, checked, passage.answer)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
