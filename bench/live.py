"""The live detector: what it adds to a request inside a worker."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import corpus
import harness
from ours import shared_directory
from report import Check, Section, Table, command
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from ratelimit_guard import call as guarded
from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware
from ratelimit_guard.simulate import SCENARIOS, accounts, generate

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Figures

METHOD = """\
Microseconds per request, the app called in the process: no socket, no parser. One route of Starlette that reads its
body and answers a chat completion of 1 KB of JSON; bodies of 1,024 and 16,384 bytes, 2,000 different ones of 400 accounts
in turn. `limits` is the guard of the `web` family without a detector, `detector` the same route with `body = true`:
the body is read before the app, its prompt looked up, the answer's text read, and the observation appended to the ring,
which this very process also folds at once, on a thread of its own: the worst that a worker can have beside it. `campaign` is that while one is convicted, so that each key of a
prompt is looked for in the table of its pieces. `added` is the difference to the bare app inside a round, and the median
over the rounds is given."""
SIZES = (1 << 10, 16 << 10)
BOUNDS_US = {SIZES[0]: 15, SIZES[1]: 60}
ACCOUNTS = 400
MEMBERS = accounts(SCENARIOS["small"], 1)
TEXT = corpus.Corpus(77).text(900)
ANSWER = json.dumps({"choices": [{"message": {"role": "assistant", "content": TEXT}}], "usage": {"completion_tokens": 150}})


def starlette() -> Any:
    async def answer(request: Any) -> Response:
        await request.body()
        return Response(ANSWER, media_type="application/json")

    return Starlette(routes=[Route("/v1/chat", answer, methods=["POST"])])


def guard(directory: Path, *, detector: bool) -> Guard:
    quota = {"quota": "1000000000/hour"}
    names = [f"account-{number}" for number in range(ACCOUNTS)] + sorted({one.name for one in MEMBERS})
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    values: dict[str, Any] = {
        "version": 1,
        "store": {"path": str(directory / "table"), "capacity": 100_000},
        "policies": {"hour": quota, "burst": {"quota": "1000000/second; burst=1000000"}},
        "tiers": {"anonymous": {"policies": ["burst", "hour"]}},
        "tenants": [{"id": name, "tier": "anonymous"} for name in names],
        "identity": {"keys": [{"sha256": digest, "tenant": name} for name, digest in digests.items()]},
        "routes": [{"match": "/v1/chat", "body": detector}],
    }
    if detector:
        values["detector"] = {"mode": "enforce", "delay_s": 0}
    return Guard.from_dict(values)


def convict(guard: Guard) -> None:
    """A campaign of the simulator's, observed until it is convicted."""
    for call in generate(SCENARIOS["small"], 1):
        request = _request(call.account)
        plan = guard.plan(request)
        watch = guard.watch(plan)
        checked = guarded.Call(guard, request, plan, watch, None).check(call.body)
        while not watch.live.observe(checked.inspection, plan.tenant):
            pass
    while guard.live.stats()["waiting_bytes"]:
        pass
    if not guard.live.stats()["convicted"]:
        raise RuntimeError("the campaign was not convicted")


def _request(account: str) -> Any:
    from ratelimit_guard.request import from_scope

    headers = [(b"authorization", account.encode())]
    return from_scope({"type": "http", "method": "POST", "path": "/v1/chat", "headers": headers})


def drive(app: Any, bodies: list[bytes]) -> float:
    async def send(_: Any) -> None:
        pass

    scopes = [harness.http_scope("/v1/chat", number % ACCOUNTS, body) for number, body in enumerate(bodies)]
    calls = [(scope, {"type": "http.request", "body": body}) for scope, body in zip(scopes, bodies)]

    async def all_of_them() -> float:
        start = perf_counter_ns()
        for one, message in calls:

            async def receive(message: Any = message) -> Any:
                return message

            await app(one, receive, send)
        return (perf_counter_ns() - start) / len(calls) / 1_000

    return asyncio.run(all_of_them())


def measure(kind: str, bodies: list[bytes]) -> Figures:
    with shared_directory() as directory:
        app = starlette()
        if kind != "Starlette alone":
            ours = guard(directory, detector=kind != "limits")
            if kind == "campaign":
                convict(ours)
            app = RateLimitMiddleware(app, ours)
        drive(app, bodies[: len(bodies) // 10])
        gc.collect()
        gc.disable()
        try:
            return {"us": drive(app, bodies)}
        finally:
            gc.enable()
            if kind not in {"Starlette alone", "limits"}:
                ours.live.stop()


def run(quick: bool) -> Section:
    """What the detector adds to a request."""
    count, rounds = (500, 3) if quick else (2_000, 9)
    words = corpus.Corpus(52)
    rows, checks = [], []
    for size in SIZES:
        bodies = [corpus.chat(("user", words.text(size - 60))) for _ in range(count)]
        kinds = ("Starlette alone", "limits", "detector", "campaign")
        contenders = {kind: lambda kind=kind, bodies=bodies: measure(kind, bodies) for kind in kinds}
        taken = harness.interleave(contenders, rounds)
        for kind in kinds:
            added = median(
                one["us"] - base["us"] for one, base in zip(taken[kind], taken["Starlette alone"], strict=True)
            )
            shown = "" if kind == kinds[0] else f"{added:.1f}"
            rows.append([f"{size:,} B", kind, f"{harness.middle(taken[kind], 'us'):.1f}", shown])
            if kind in {"detector", "campaign"}:
                checks.append(Check.at_most(f"added, {kind}, {size:,} B", BOUNDS_US[size], added, " µs", 1))
    table = Table("Microseconds per request", ("body", "app", "in all", "added"), rows)
    return Section("A request with the live detector", METHOD, [table], checks, ())


if __name__ == "__main__":
    command(run)
