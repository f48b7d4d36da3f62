"""The one store call of a request, between `plan` and `decide`: of counters in memory at once, of those at a server in
one round trip. The two kinds of driver differ by an `await`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ratelimit_guard.remote import Due, RemoteSpending
from ratelimit_guard.spending import Spending

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.request import Request
    from ratelimit_guard.restriction import Inspection, Restriction
    from ratelimit_guard.rules import Plan, Rules
    from ratelimit_guard.watch import Watch

Paid: TypeAlias = "tuple[LimitResult | None, tuple[LimitResult, ...]]"
"""The answer of the enforced policies, None without any, and of each that only watches, asked when they allow."""
UNPAID: Paid = (None, ())


def spending_for(rules: Rules) -> Spending | None:
    """What holds tokens and slots of a call under these rules; None where they count none."""
    if not rules.metered:
        return None
    return Spending() if rules.remote is None else RemoteSpending()


def pay(plan: Plan, cost: int, spending: Spending | None = None, restriction: Restriction | None = None) -> Paid:
    """Take the cost from every enforced policy or from none, and from each shadow policy that has room for it.

    `spending` holds tokens and slots until the call ends; without it they are free at once.
    """
    rules, tenant = plan.rules, plan.tenant
    if tenant.blocked:
        return UNPAID
    if rules.acquire is not None and restriction is None:
        return rules.acquire(plan.keys, cost, tenant.confirmed), ()
    if rules.remote is not None:
        return Due.of(plan, cost, spending, restriction).pay(rules.remote)
    if spending is None and rules.metered:
        spending = Spending()
    charge, keys = (rules.enforced, plan.keys) if restriction is None else plan.enforced(restriction)
    result = None if charge is None else charge.take(keys, cost, tenant, spending)
    # What is refused does not run, so it must not count for a policy that is tried out.
    if (result is not None and not result.allowed) or not (rules.shadow or restriction):
        return result, ()
    watching = zip(rules.shadow, plan.shadow_keys, strict=True) if restriction is None else plan.watching(restriction)
    return result, tuple([charge.take(keys, cost, tenant, spending, watches=True) for charge, keys in watching])


async def pay_async(
    plan: Plan, cost: int, spending: Spending | None = None, restriction: Restriction | None = None
) -> Paid:
    """`pay` without blocking the loop."""
    remote = plan.rules.remote
    if remote is None or plan.tenant.blocked:
        return pay(plan, cost, spending, restriction)
    return await Due.of(plan, cost, spending, restriction).pay_async(remote)


def peek(plan: Plan) -> LimitResult | None:
    """What the policies would answer now that need no body; takes nothing."""
    early = plan.rules.early
    return None if early is None or plan.tenant.blocked else early.peek(plan.early_keys, plan.rules.cost)


async def peek_async(plan: Plan) -> LimitResult | None:
    """`peek` without blocking the loop."""
    early = plan.rules.early
    if early is None or plan.tenant.blocked or plan.rules.remote is None:
        return peek(plan)
    return await early.remote.peek_each_async(plan.early_keys, plan.rules.cost)


class Payment(NamedTuple):
    """What a call is about to pay, after its prompt was looked at. One that is not `is_open` is refused for nothing:
    whom the operator or the detector blocks, or who has not proven what `challenge` asks for.
    """

    request: Request | None
    plan: Plan
    cost: int
    spending: Spending | None
    watch: Watch | None = None
    inspection: Inspection | None = None
    restriction: Restriction | None = None
    challenge: bytes = b""
    is_open: bool = True

    def pay(self) -> Paid:
        """The one store call."""
        return pay(self.plan, self.cost, self.spending, self.restriction) if self.is_open else UNPAID

    async def pay_async(self) -> Paid:
        """`pay` without blocking the loop."""
        return await pay_async(self.plan, self.cost, self.spending, self.restriction) if self.is_open else UNPAID
