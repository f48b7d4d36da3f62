"""Clients of the model API under load: raw sockets, each with a will of its own, some of which hang up."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

WORDS_TOKENS = 5
"""Of what an event of the model brings."""
PATH = "/v1/chat/completions"
FACTORS = (0.3, 1.0, 3.0)
TELLS = (*("truth",) * 6, "nothing", "wrong")
WAIT_S = (0.3, 1.2)
"""How long a refused client stays away, so that the machine has time for those that are served."""
PAUSE_S = 0.08
"""Between two events of an answer."""
EVENTS = (5, 90)
PROMPT_WORDS = (10, 300)


class Script(NamedTuple):
    """What a call shall do, as its header `x-script` says it. The factors are what is used of what can be seen."""

    words: int
    prompt_factor: float
    events: int
    output_factor: float
    every_s: float
    tells: str

    @property
    def prompt(self) -> int:
        return round(self.words * self.prompt_factor)

    def output(self, events: int) -> int:
        return round(events * WORDS_TOKENS * self.output_factor)


class Client:
    """Asks again and again until it is cancelled, and counts what became of it."""

    def __init__(self, port: int, seed: int, seen: Counter[str]) -> None:
        self.port, self.random, self.seen = port, random.Random(seed), seen  # noqa: S311  nothing is secret

    async def run(self) -> None:
        await asyncio.sleep(self.random.random())
        while True:
            try:
                outcome = await self._call()
            except TimeoutError:
                outcome = "cancelled"
            except (OSError, asyncio.IncompleteReadError):
                outcome = "lost"
            self.seen[outcome] += 1
            if outcome in {"429", "lost"}:
                await asyncio.sleep(self.random.uniform(*WAIT_S))

    async def _call(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self._request())
            async with asyncio.timeout(self._patience(0.1, 3.0)):
                return await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1].decode()
        if status != "200":
            await reader.read()
            return status
        left = self._patience(300, 20_000)
        last = b""
        while chunk := await reader.read(65_536):
            last = (last + chunk)[-400:]
            if left is not None and (left := left - len(chunk)) < 0:
                if self.random.random() < 0.5:
                    writer.transport.abort()
                return "left"
        if b"[DONE]" in last:
            return "complete"
        return "cut" if b"rate_limit_exceeded" in last else "broken"

    def _patience(self, low: float, high: float) -> float | None:
        """One client in eight goes away in the midst."""
        return self.random.uniform(low, high) if self.random.random() < 1 / 8 else None

    def _request(self) -> bytes:
        draw = self.random
        number = draw.randrange(len(FACTORS) + 1)
        # A model is true to its factor, which can be learned; but of the last one each call has factors of its own.
        factors = [FACTORS[number]] * 2 if number < len(FACTORS) else [3 ** draw.uniform(-1, 1) for _ in range(2)]
        words = draw.randint(*PROMPT_WORDS)
        script = Script(words, factors[0], draw.randint(*EVENTS), factors[1], PAUSE_S, draw.choice(TELLS))
        messages = [{"role": "user", "content": "word " * words}]
        body = json.dumps({"model": f"m{number}", "messages": messages, "stream": True}).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        return f"{head}X-Script: {json.dumps(script)}\r\n\r\n".encode() + body


async def load(port: int, clients: int, seconds: float, seed: int) -> tuple[Counter[str], float]:
    """What became of the calls, and when all clients left at once."""
    seen: Counter[str] = Counter()
    tasks = [asyncio.create_task(Client(port, seed * clients + number, seen).run()) for number in range(clients)]
    done, _ = await asyncio.wait(tasks, timeout=seconds)
    end = time.monotonic()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert not done, [task.exception() for task in done]
    return seen, end
