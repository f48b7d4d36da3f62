"""The scanner beside `json.loads` and a slow twin: the same bodies taken, the same things found."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from conftest import SOAK
from prompt.bodies import Bodies
from prompt.twin import compare, compile_tables
from ratelimit_guard import ConfigError
from ratelimit_guard.prompt import DIALECTS, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = 10
BODIES = 100_000 if SOAK else 10_000
"""Of each block."""
REFILL = 500
SECRET = b"sixteen bytes or more"
READERS = [(Reader(secret=SECRET), compile_tables(DIALECTS.values()))] + [
    (Reader(name, secret=SECRET), compile_tables([table])) for name, table in DIALECTS.items()
]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_reader_finds_what_its_twin_finds(block: int) -> None:
    """A hundred thousand bodies, a third of them damaged, for all dialects at once and for each by itself."""
    bodies = Bodies(READERS[0][1], block + 1)
    taken = 0
    for number in range(BODIES):
        if number % REFILL == 0:
            bodies.refill()
        body = bodies.damaged() if number % 3 == 0 else bodies.encoded()
        reader, root = READERS[0] if number % 2 else READERS[number // 2 % len(READERS)]
        taken += compare(root, body, reader.read(body).fields)
    assert 0.66 < taken / BODIES < 0.9


KEYS = ["a", "b", "role"]
MEANINGS = ["text", "text", "text", "role", "role", "system", "user", "assistant", "tool", "model", "n", "stream"]


def tables() -> Iterator[dict[str, str]]:
    """Dialects that nobody has: every path of a few keys."""
    random = Random(7)  # noqa: S311  a test repeats itself
    while True:
        table = {}
        for _ in range(random.randrange(1, 9)):
            parts = [random.choice(KEYS) + random.choice(["", "", "[]", "[][]"]) for _ in range(random.randrange(1, 4))]
            path, meaning = random.choice(["", "", "", "[]."]) + ".".join(parts), random.choice(MEANINGS)
            if meaning == "role" and (path in KEYS or path.endswith("[]")):
                continue  # the whole body as a message has tests of its own
            table[path] = meaning
        parameters = [path for path, meaning in table.items() if meaning in {"model", "n", "stream"}]
        nested = any(one != other and other.startswith(one) for one in parameters for other in parameters)
        if table and not nested:  # a parameter within itself has a test of its own
            yield table


def test_reader_of_any_dialect_finds_what_its_twin_finds() -> None:
    """Dialects made at random: messages in messages, messages without text, text where the message is."""
    made = tables()
    for number in range(2_000 if SOAK else 150):
        table = next(made)
        try:
            reader = Reader(("random", table), secret=SECRET)
        except ConfigError as error:
            pytest.fail(f"{table}: {error}")
        root = compile_tables([table])
        bodies = Bodies(root, number + 1)
        bodies.refill()
        for _ in range(60):
            body = bodies.encoded()
            # A message that a repeated key replaces may still part what stands around it.
            compare(root, body, reader.read(body).fields, boundaries=False)
