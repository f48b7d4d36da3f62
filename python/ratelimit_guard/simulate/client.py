"""The driver: sends calls to a server at their simulated time, compressed, each account's in order."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.simulate.http import FAILURES, Client, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ratelimit_guard.simulate.call import Call

MAX_ANSWERS = 16_384
"""Answers kept until their conversation goes on; the oldest go first, and then the invented ones are sent."""

AHEAD = 8
"""Times `concurrency`: calls that may wait for their account's turn while others are sent."""

HEADERS = ("guard-degraded", "retry-after-ms")
"""Of an answer, what a result keeps."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a call. `status` is None when there was no answer, and `error` then says why."""

    call: Call
    status: int | None
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    error: str = ""


async def drive(
    calls: Iterable[Call],
    url: str,
    *,
    speed: float = inf,
    concurrency: int = 32,
    limit: int | None = None,
    timeout: float = inf,  # noqa: ASYNC109  a run that is out of time is a value, not an exception
    allow_remote: bool = False,
    on_result: Callable[[Result], None] = lambda _result: None,
) -> bool:
    """Send calls, `speed` simulated seconds in one real; at most `limit` of them, for at most `timeout` seconds.

    False when the time ran out. Calls of an account go one after the other, and a call that quotes answers after those
    that got them: it carries the real ones. At most `concurrency` are under way, over as many connections. Results
    come in the order of the answers. `ConfigError` for an url that is none, or not of this machine (`allow_remote`
    permits it). Memory is bounded by `concurrency` and the constants above.
    """
    target = Target.of(url, allow_remote=allow_remote)
    if not speed > 0 or concurrency < 1:
        msg = f"speed and concurrency must be positive, got {speed} and {concurrency}"
        raise ConfigError(msg)
    client = Client(target)
    driver = _Driver(client, concurrency, on_result)
    try:
        async with asyncio.timeout(None if timeout == inf else timeout):
            await driver.run(islice(calls, limit), speed)
    except TimeoutError:
        return False
    finally:
        await client.close()
    return True


class _Driver:
    def __init__(self, client: Client, concurrency: int, on_result: Callable[[Result], None]) -> None:
        self.client = client
        self.on_result = on_result
        self.slots = asyncio.Semaphore(concurrency)
        self.ahead = asyncio.Semaphore(concurrency * AHEAD)
        self.latest: dict[str, asyncio.Task[None]] = {}  # of each account the call to wait for
        self.awaited: dict[str, asyncio.Task[None]] = {}  # calls under way whose answer will be quoted
        self.answers: OrderedDict[str, str] = OrderedDict()

    async def run(self, calls: Iterable[Call], speed: float) -> None:
        clock = asyncio.get_running_loop().time
        began, first = clock(), None
        async with asyncio.TaskGroup() as group:
            for call in calls:
                first = call.time if first is None else first
                wait = began + (call.time - first) / speed - clock()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self.ahead.acquire()
                tasks = (self.latest.get(call.account), *(self.awaited.get(name) for name in call.quoted()))
                before = {task for task in tasks if task}
                task = group.create_task(self.turn(call, before))
                self.latest[call.account] = task
                if call.continued:
                    self.awaited[call.id] = task

    async def turn(self, call: Call, before: set[asyncio.Task[None]]) -> None:
        """Send the call when those are done that it follows, which were begun before: so none waits for ever."""
        if before:
            await asyncio.wait(before)
        async with self.slots:
            result = await self.sent(call)
        if self.latest.get(call.account) is asyncio.current_task():
            del self.latest[call.account]
        self.awaited.pop(call.id, None)
        self.ahead.release()
        self.on_result(result)

    async def sent(self, call: Call) -> Result:
        """What became of it; an answer that will be quoted is kept."""
        headers = {
            "Authorization": f"Bearer {call.credential}",
            "Content-Type": "application/json",
            "X-Forwarded-For": call.address,
            "X-Request-Id": call.id,
            "X-Simulated-Time": f"{call.time:.6f}",
        }
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            answer = await self.client.post(headers, call.body_with(self.answers))
        except FAILURES as error:
            return Result(call, None, clock() - began, error=f"{type(error).__name__}: {error}")
        seconds = clock() - began
        if call.continued and answer.status == 200:
            self.keep(call.id, answer_of(answer.body))
        kept = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        return Result(call, answer.status, seconds, kept)

    def keep(self, name: str, answer: str | None) -> None:
        if answer is None:
            return
        self.answers[name] = answer
        if len(self.answers) > MAX_ANSWERS:
            self.answers.popitem(last=False)


def answer_of(body: bytes) -> str | None:
    """The text of a chat completion, None if it is none."""
    try:
        found: Any = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None
