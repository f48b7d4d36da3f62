"""The client: sends calls to a server at their simulated time, compressed, over keep-alive connections.

It uses httpx2, which sends about 1,000 requests a second from one core: more than a demo or a test needs.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ratelimit_guard.errors import ConfigError
from ratelimit_guard.simulate.call import PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import httpx2

    from ratelimit_guard.simulate.call import Call

ANSWER_TIMEOUT = 30.0
"""Seconds that a server may take for one answer."""

MAX_ANSWER = 1 << 20
"""Bytes of an answer's body."""

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
    target = checked(url, allow_remote=allow_remote)
    if not speed > 0 or concurrency < 1:
        msg = f"speed and concurrency must be positive, got {speed} and {concurrency}"
        raise ConfigError(msg)
    try:
        import httpx2  # noqa: PLC0415  only who drives a server needs it
    except ModuleNotFoundError:
        msg = "driving a server needs httpx2: pip install 'ratelimit-guard[simulate]'"
        raise ConfigError(msg) from None
    # The environment may name a proxy, and what is meant for this machine must not leave it.
    client = httpx2.AsyncClient(
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        timeout=ANSWER_TIMEOUT,
        trust_env=False,
    )
    async with client:
        driver = _Driver(client, target, concurrency, on_result)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if timeout == inf else timeout):
                await driver.run(islice(calls, limit), speed)
                return True
    return False


def checked(url: str, *, allow_remote: bool) -> str:
    """The url of the chat completions: that path is added to one without a path."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        msg = f"url: {error}, got {url!r:.300}"
        raise ConfigError(msg) from None
    if parts.scheme not in {"http", "https"} or not host:
        msg = f"url: must begin with http:// or https:// and name a host, got {url!r:.300}"
        raise ConfigError(msg)
    if not allow_remote and not is_loopback(host):
        msg = (
            f"url: {host!r:.300} is not this machine; simulate against others only with their consent (--allow-remote)"
        )
        raise ConfigError(msg)
    return url if parts.path.strip("/") else parts._replace(path=PATH).geturl()


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own. Names but `localhost` are not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Driver:
    def __init__(
        self, client: httpx2.AsyncClient, url: str, concurrency: int, on_result: Callable[[Result], None]
    ) -> None:
        self.client = client
        self.url = url
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
        import httpx2  # noqa: PLC0415  see `drive`

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
            async with self.client.stream(
                "POST", self.url, content=call.body_with(self.answers), headers=headers
            ) as response:
                body = await _read(response)
        except httpx2.HTTPError as error:
            return Result(call, None, clock() - began, error=f"{type(error).__name__}: {error}")
        seconds = clock() - began
        if call.continued and response.status_code == 200:
            self.keep(call.id, answer_of(body))
        kept = {name: response.headers[name] for name in HEADERS if name in response.headers}
        return Result(call, response.status_code, seconds, kept)

    def keep(self, name: str, answer: str | None) -> None:
        if answer is None:
            return
        self.answers[name] = answer
        if len(self.answers) > MAX_ANSWERS:
            self.answers.popitem(last=False)


async def _read(response: httpx2.Response) -> bytes:
    """The body; what goes beyond the limit is left, and the connection with it."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    return bytes(body)


def answer_of(body: bytes) -> str | None:
    """The text of a chat completion, None if it is none."""
    try:
        found: Any = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None
