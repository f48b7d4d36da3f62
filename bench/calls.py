"""Calls whose tokens and slots are counted: what that adds to a request, to a chunk, and to the first byte."""

from __future__ import annotations

import asyncio
import gc
import json
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import corpus
import harness
from ours import shared_directory
from report import Check, Section, Table, command

from ratelimit_guard import Guard
from ratelimit_guard.asgi import RateLimitMiddleware

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Figures

METHOD = """\
Microseconds per request, the app called in the process: no socket, no parser. A bare ASGI app reads its body and answers a chat
completion of 1 KB of JSON with a usage, or a stream of 100 events and a usage; bodies of 1,024 and 65,536 bytes, different ones
of 400 accounts in turn. `guard` is the middleware with four policies (requests, tokens, output-tokens, slots) and all header
fields, counters in shared memory: the prompt is estimated, tokens and a slot are reserved, the answer is counted, tokens are
topped up, the call is settled. `added` is the difference to the bare app inside a round, the median over the rounds. Delays:
how long a piece of the answer is inside of the middleware, from the app's `send` to the server's; and how long it takes from the
request to the app and from the app's first byte to the server, together; all pieces of all rounds. No peer is beside it: the
packages of the `web` family count no tokens."""
SIZES = (1 << 10, 64 << 10)
BOUNDS_US = {SIZES[0]: 12, SIZES[1]: 60}
BOUND_DELAY_US = 1_000
ACCOUNTS = 400
EVENTS = 100
PATH = "/v1/chat/completions"
TEXT = corpus.Corpus(78).text(900)
USAGE = {"prompt_tokens": 300, "completion_tokens": 220, "total_tokens": 520}
ANSWER = json.dumps({"choices": [{"message": {"role": "assistant", "content": TEXT}}], "usage": USAGE}).encode()


def _event(choices: Any, usage: Any = None) -> bytes:
    event = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return b"data: %s\n\n" % json.dumps(event).encode()


STREAM = [_event([{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]) for word in TEXT.split()[:EVENTS]]
STREAM += [_event([], USAGE), b"data: [DONE]\n\n"]


class App:
    """Reads its body, sends its pieces, and notes when it did what."""

    def __init__(self, kind: bytes, pieces: list[bytes]) -> None:
        self.start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}
        last = len(pieces) - 1
        self.pieces = [
            {"type": "http.response.body", "body": piece, "more_body": number < last}
            for number, piece in enumerate(pieces)
        ]
        self.times: list[int] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in (self.start, *self.pieces):
            if self.times is not None:
                self.times.append(perf_counter_ns())
            await send(message)


def guard(directory: Path) -> Guard:
    policies = {
        "hour": "1_000_000_000/hour",
        "tokens": "10_000_000_000 tokens/hour",
        "answers": "10_000_000_000 output-tokens/minute",
        "slots": "100 concurrent-requests; lease=30s",
    }
    values: dict[str, Any] = {
        "version": 1,
        "store": {"path": str(directory / "table"), "capacity": 100_000},
        "policies": {name: {"quota": quota} for name, quota in policies.items()},
        "tiers": {"anonymous": {"policies": list(policies)}},
        "routes": [{"match": PATH, "body": True}],
    }
    return Guard.from_dict(values)


def drive(app: Any, bodies: list[bytes], send: Any) -> float:
    def scope(account: int, body: bytes) -> Any:
        return harness.http_scope(PATH, account, body, f"192.0.2.{account % 250}")

    messages = [{"type": "http.request", "body": body} for body in bodies]
    calls = [(scope(number % ACCOUNTS, body), message) for number, (body, message) in enumerate(zip(bodies, messages))]

    async def all_of_them() -> float:
        start = perf_counter_ns()
        for one, message in calls:

            async def receive(message: Any = message) -> Any:
                return message

            await app(one, receive, send)
        return (perf_counter_ns() - start) / len(calls) / 1_000

    return asyncio.run(all_of_them())


async def nowhere(_: Any) -> None:
    pass


def measure(guarded: bool, bodies: list[bytes], stream: bool) -> Figures:
    with shared_directory() as directory:
        inner = App(b"text/event-stream", STREAM) if stream else App(b"application/json", [ANSWER])
        app: Any = RateLimitMiddleware(inner, guard(directory)) if guarded else inner
        drive(app, bodies[: len(bodies) // 10], nowhere)
        gc.collect()
        gc.disable()
        try:
            return {"us": drive(app, bodies, nowhere)}
        finally:
            gc.enable()


def delays(bodies: list[bytes]) -> tuple[list[int], list[int]]:
    """Nanoseconds that pieces, and first bytes, were inside of the middleware."""
    with shared_directory() as directory:
        inner = App(b"text/event-stream", STREAM)
        app = RateLimitMiddleware(inner, guard(directory))
        pieces: list[int] = []
        first: list[int] = []
        for body in bodies:
            inner.times = sent = []
            got: list[int] = []

            async def send(message: Any, got: list[int] = got) -> None:
                got.append(perf_counter_ns())

            begun = perf_counter_ns()
            drive(app, [body], send)
            # The filter keeps the usage's event back, so pieces are matched from the start.
            taken = [there - here for here, there in zip(sent, got, strict=False)][: EVENTS]
            pieces += taken[1:]
            first.append(taken[0] + sent[0] - begun)
        return sorted(pieces), sorted(first)


def run(quick: bool) -> Section:
    """What counting tokens and slots adds."""
    count, rounds = (400, 3) if quick else (2_000, 9)
    words = corpus.Corpus(53)
    rows, checks = [], []
    for size in SIZES:
        bodies = [corpus.chat(("user", words.text(size - 60))) for _ in range(count if size == SIZES[0] else count // 4)]
        streams = [body[:-1] + b',"stream":true}' for body in bodies]
        for what, texts in (("document", bodies), ("stream of 100 events", streams[: len(streams) // 4])):
            contenders = {
                name: lambda guarded=name == "guard", texts=texts, what=what: measure(guarded, texts, what != "document")
                for name in ("app alone", "guard")
            }
            taken = harness.interleave(contenders, rounds)
            added = median(one["us"] - base["us"] for one, base in zip(taken["guard"], taken["app alone"], strict=True))
            middle = [f"{harness.middle(taken[name], 'us'):.1f}" for name in contenders]
            rows.append([f"{size:,} B", what, *middle, f"{added:.1f}"])
            if what == "document":
                checks.append(Check.at_most(f"added, {size:,} B", BOUNDS_US[size], added, " µs", 1))
    pieces, first = delays([corpus.chat(("user", words.text(1_000)))[:-1] + b',"stream":true}' for _ in range(count // 4)])
    delay_rows = []
    for what, taken_ns in (("piece of a stream", pieces), ("first byte", first)):
        figures = [harness.percentile(taken_ns, share) / 1_000 for share in (0.5, 0.99, 0.999)]
        delay_rows.append([what, *[f"{figure:.1f}" for figure in figures]])
        checks.append(Check.at_most(f"delay of the {what}, p99", BOUND_DELAY_US, figures[1], " µs", 1))
    tables = (
        Table("Microseconds per request", ("body", "answer", "app alone", "guard", "added"), rows),
        Table("Microseconds inside of the middleware", ("what", "median", "p99", "p99.9"), delay_rows),
    )
    return Section("Calls whose tokens and slots are counted", METHOD, tables, checks, ())


if __name__ == "__main__":
    command(run)
