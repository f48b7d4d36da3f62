"""A dependency for FastAPI: `Depends(guard.dependency(...))` on a route or router, HTTP and websockets."""

from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ratelimit_guard.limit import admit
from ratelimit_guard.request import from_scope

if TYPE_CHECKING:
    from ratelimit_guard.decision import Decision
    from ratelimit_guard.guard import Guard


def dependency(guard: "Guard", policies: tuple[str, ...], cost: int) -> Any:
    """Charge the named policies, or those of the tenant's tier, and add the header fields to the response.

    FastAPI drops these where the handler returns a `Response` of its own: such a response has no fields but those of
    the middleware, if that stands in front.
    """
    guard.keep_policies(policies)

    async def limited(connection: HTTPConnection, response: Response) -> "Decision":
        request = from_scope(connection.scope)
        route = getattr(connection.scope.get("route"), "path", "")
        decision = await guard.charge_async(request, guard.plan_for(request, policies, route), cost)
        admit(decision)
        for name, value in guard.fields(decision):
            response.headers.append(name.decode("latin-1"), value.decode("latin-1"))
        return decision

    return limited
