"""What the hosts of a fleet have in common at a Redis or Valkey server, for one detector: keys, bounds and commands.

Whoever holds the lock judges for all; what only that host may write is written by scripts that look at the lock, so one
that slept through the end of its term writes nothing. All keys have one hash tag and expire.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from redis.exceptions import RedisClusterException, RedisError

from ratelimit_guard.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    Connect: TypeAlias = Callable[[], Redis]
    Place: TypeAlias = tuple[int, int]

LOCK_MS = 5_000
"""A host of which nothing was heard for so long judges no longer."""
KEEP_S = 7 * 86_400
"""Keys stay for so long after the last word: a fleet that rests for a weekend remembers."""
MAX_BATCH_BYTES = 16 * 1024
"""Of observations that are sent at once, some twenty to thirty."""
MAX_BATCHES = 4_096
"""In the stream, 64 MiB at most: what a host that takes over reads again."""
READ_AT_ONCE = 64
MAX_VERDICTS_BYTES = 8 << 20
"""Of verdicts: all that the books have room for is 4.5 MiB."""
MAX_STATE_BYTES = 32 << 20
"""Of a saved state at the server, compressed: some hundred thousand accounts."""
REPLAY_MS = 300_000
"""Batches so much older than the last that was read are in the state that was saved."""
TROUBLES = (RedisError, RedisClusterException, OSError)
"""What a server or its network may do. A cluster that is away is no `RedisError`."""
NAMES = ("secret", "lock", "term", "stream", "version", "verdicts", "state")

LEAD = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    return {'mine', 0}
end
if holder then return {'taken', 0} end
if ARGV[3] == '0' then return {'free', 0} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local term = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {'new', term}
"""
WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for place = 2, #KEYS do redis.call('SET', KEYS[place], ARGV[place + 1], 'EX', ARGV[2]) end
return 1
"""
SEND = """
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'by', ARGV[1], 'n', ARGV[4], 'r', ARGV[5])
return redis.call('EXPIRE', KEYS[1], ARGV[3])
"""
LEAVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Lead(NamedTuple):
    """Who judges: this host, as before (`mine`) or from now on (`new`, in the `term`-th term of any host); another one
    (`taken`); or nobody (`free`).
    """

    who: Literal["mine", "new", "taken", "free"]
    term: int


class Batch(NamedTuple):
    """Observations in the stream. `number` counts what the `sender` sent before."""

    place: Place
    sender: bytes
    number: int
    records: bytes


class Exchange:
    """A host's end. Every method asks the server once or twice, and raises what its client does."""

    def __init__(self, client: Redis, namespace: str, me: str) -> None:
        """`me` is a name that nobody else has."""
        # Typed as what it is: which of the many forms of an answer comes, the command says.
        self._ask: Callable[..., Any] = client.execute_command  # pyright: ignore[reportUnknownMemberType]
        self._client, self._me = client, me
        self._keys = {name: f"rlg1:{namespace}:{{live}}:{name}" for name in NAMES}

    def agree(self, secret: bytes) -> bytes:
        """What all hosts have agreed on: this, when nobody has said anything else."""
        self._ask("SET", self._keys["secret"], secret, "EX", KEEP_S, "NX")
        self._ask("EXPIRE", self._keys["secret"], KEEP_S)
        return self.secret()

    def secret(self) -> bytes:
        """The same, for who has no say; empty when nobody has said anything."""
        return bytes(self._ask("GET", self._keys["secret"]) or b"")

    def lead(self, *, is_due: bool) -> Lead:
        """Keep the lock, or take it if it is free and `is_due`."""
        who, term = self._eval(LEAD, ("lock", "term"), LOCK_MS, int(is_due), KEEP_S)
        return Lead(who.decode(), int(term))

    def leave(self) -> None:
        """Give the lock up."""
        self._eval(LEAVE, ("lock",))

    def send(self, records: bytes, number: int) -> None:
        """Append observations to the stream."""
        self._eval(SEND, ("stream",), MAX_BATCHES, KEEP_S, number, records)

    def read(self, after: Place) -> list[Batch]:
        """The next batches of the stream."""
        first = f"({after[0]}-{after[1]}"
        rows = self._ask("XRANGE", self._keys["stream"], first, "+", "COUNT", READ_AT_ONCE)
        return [_batch(place, fields) for place, fields in rows]

    def publish(self, version: str, verdicts: bytes) -> bool:
        """Tell verdicts to all. False: this host does not judge any longer."""
        return self._write(version=version, verdicts=verdicts)

    def keep(self, state: bytes, place: Place) -> bool:
        """Save the state for the next host, and forget the batches that are in it. As `publish`."""
        kept = self._write(state=state)
        if kept:
            self._ask("XTRIM", self._keys["stream"], "MINID", f"{max(place[0] - REPLAY_MS, 0)}-0")
        return kept

    def verdicts(self, known: str) -> tuple[str, bytes] | None:
        """Version and verdicts, if there are others than those `known`."""
        if _text(self._ask("GET", self._keys["version"])) in {known, ""}:
            return None
        # The version first: verdicts that are newer than it are asked for again, never missed.
        version, verdicts = self._ask("GET", self._keys["version"]), self._start("verdicts", MAX_VERDICTS_BYTES)
        return (_text(version), verdicts) if verdicts else None

    def state(self) -> bytes | None:
        """What was kept last."""
        return self._start("state", MAX_STATE_BYTES) or None

    def state_age(self) -> float:
        """Seconds since it was kept."""
        return max(0.0, KEEP_S - max(0, int(self._ask("PTTL", self._keys["state"]))) / 1_000)

    def memory(self) -> dict[str, int]:
        """Bytes of each key at the server."""
        return {name: int(self._ask("MEMORY USAGE", key) or 0) for name, key in self._keys.items()}

    def end(self) -> Place:
        """Where the stream ends."""
        rows = self._ask("XREVRANGE", self._keys["stream"], "+", "-", "COUNT", 1)
        return _place(rows[0][0]) if rows else (0, 0)

    def unread(self, place: Place) -> float | None:
        """Seconds of the stream that come after a place; None when that is before all places."""
        return max(0, self.end()[0] - place[0]) / 1_000 if place[0] else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _start(self, name: str, most: int) -> bytes:
        """What is longer than anything that we write is cut off, and then no good."""
        return bytes(self._ask("GETRANGE", self._keys[name], 0, most - 1))

    def _write(self, **values: str | bytes) -> bool:
        return bool(self._eval(WRITE, ("lock", *values), KEEP_S, *values.values()))

    def _eval(self, script: str, names: tuple[str, ...], *arguments: object) -> Any:
        keys = [self._keys[name] for name in names]
        return self._ask("EVAL", script, len(keys), *keys, self._me, *arguments)


def packed(content: bytes) -> bytes:
    """Compressed, quickly."""
    return zlib.compress(content, 1)


def unpacked(content: bytes, most: int) -> bytes:
    """What was `packed`; `StoreError` for anything else, and for what is longer than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(content, most)
    except zlib.error as error:
        msg = f"what another host told is damaged: {error}"
        raise StoreError(msg) from error
    if not stream.eof:
        msg = "what another host told is cut off, or too long"
        raise StoreError(msg)
    return found


def _batch(place: bytes, fields: dict[bytes, bytes]) -> Batch:
    """What somebody else wrote into the stream is a batch too, of no use."""
    number = fields.get(b"n", b"0")
    count = int(number) if number.isdigit() and len(number) < len(str(1 << 63)) else 0
    return Batch(_place(place), fields.get(b"by", b"")[:64], count, fields.get(b"r", b""))


def _place(text: bytes) -> Place:
    time, _, number = text.partition(b"-")
    return int(time), int(number)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1")
