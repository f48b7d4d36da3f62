"""Our keys at a server: how many, how large, and which are not what this package writes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from redis.exceptions import NoPermissionError

from ratelimit_guard._core import remote as _remote
from ratelimit_guard.stores.redis.findings import Usage

if TYPE_CHECKING:
    from ratelimit_guard.stores.redis.findings import Report

STEP = 1_000
"""Keys that the server walks past in one step: well below a millisecond of its time."""
MAX_STEPS = 2_000
MAX_KEYS = 100_000
"""Keys that are looked at one by one, at most: some seconds."""
SAMPLE = 100
"""Keys of a kind that are weighed."""
NAMED = 3
"""Examples that are shown."""
KEY = re.compile(rb"(rlg[0-9]+):([^:]*):\{([^}]*)\}:(.+)", re.DOTALL)
COUNTER = re.compile(rb"[0-9a-f]{32}(:h)?")
HEADS = (b"\x97", b"\x9e")
"""First byte of a counter: an array of 7 or of 14 in MessagePack."""
NO_EXPIRY = -1

Kind = Literal["counters", "holds", "policies", "live", "unknown"]
TYPES: dict[Kind, bytes] = {"counters": b"string", "holds": b"hash", "policies": b"hash"}
"""Of keys that this store writes, and which expire."""


class Name(NamedTuple):
    """A key, read."""

    release: str
    namespace: str
    kind: Kind


def read(key: bytes) -> Name:
    """What a key is by its name."""
    parts = KEY.fullmatch(key)
    if parts is None:
        return Name(key.partition(b":")[0].decode(errors="backslashreplace"), "", "unknown")
    release, namespace, tag, rest = parts.groups()
    kind: Kind = "unknown"
    if tag == b"live":
        kind = "live"
    elif rest == b"policies":
        kind = "policies"
    elif found := COUNTER.fullmatch(rest):
        kind = "holds" if found[1] else "counters"
    return Name(release.decode(), namespace.decode(errors="backslashreplace"), kind)


class Inventory:
    """Counts of one look at all servers."""

    def __init__(self, report: Report) -> None:
        """Nothing is counted yet."""
        self.counts: Counter[Name] = Counter()
        self.others: Counter[str] = Counter()
        self._report = report
        self._sizes: defaultdict[Name, list[int]] = defaultdict(list)
        self._odd: defaultdict[str, set[bytes]] = defaultdict(set)
        self._is_whole = True

    def walk(self, client: Any) -> None:
        """Count the keys of one primary."""
        cursor: Any = 0
        for _ in range(MAX_STEPS):
            answer: Any = self._report.tried("scan", partial(client.scan, cursor, match="rlg[0-9]*", count=STEP))
            if answer is None:
                return
            cursor, keys = answer
            self._take(client, keys)
            if not cursor:
                return
            if self.counts.total() >= MAX_KEYS:
                break
        self._is_whole = False

    @property
    def namespaces(self) -> list[str]:
        """With registered policies."""
        return sorted({name.namespace for name in self.counts if name.kind == "policies"})

    def close(self) -> None:
        """Say what was found."""
        report = self._report
        for name, count in sorted(self.counts.items()):
            sizes = self._sizes[name]
            report.usage.append(Usage(name.namespace, name.kind, count, sum(sizes) // len(sizes) if sizes else None))
        for release, count in self.others.most_common(NAMED):
            report.trouble(
                f"keys of another release of ratelimit-guard: {count:,} begin with {release}",
                "bring all hosts to one release: until then each release counts for itself; its keys end by themselves",
            )
        self._tell("foreign", "that ratelimit-guard does not write like this", "DEL them: counters begin afresh")
        self._tell("lasting", "that never expire", "DEL them, and see who writes here: those of ours expire")
        if not self._is_whole:
            report.note("there are more keys than were looked at: counts are too low", "nothing, or look at night")

    def _tell(self, kind: str, which: str, mend: str) -> None:
        keys = sorted(self._odd[kind])
        if keys:
            names = ", ".join(ascii(key.decode(errors="backslashreplace"))[:100] for key in keys[:NAMED])
            self._report.trouble(f"keys {which}: {len(keys):,}, such as {names}", mend)

    def _take(self, client: Any, keys: list[bytes]) -> None:
        ours: list[tuple[bytes, Name]] = []
        for key in keys:
            name = read(key)
            if name.release != _remote.PREFIX:
                self.others[name.release] += 1
            elif name.namespace != "probe":
                ours.append((key, name))
        self.counts.update(name for _, name in ours)
        self._check(client, ours)
        self._weigh(client, ours)

    def _check(self, client: Any, ours: list[tuple[bytes, Name]]) -> None:
        types = self._ask(client, "type", [("TYPE", key) for key, _ in ours])
        spans = self._ask(client, "pttl", [("PTTL", key) for key, _ in ours])
        lasting = (
            key for (key, name), span in zip(ours, spans, strict=True) if span == NO_EXPIRY and name.kind in TYPES
        )
        self._odd["lasting"].update(lasting)
        counters: list[bytes] = []
        for (key, name), kind in zip(ours, types, strict=True):
            if name.kind == "unknown" or kind not in {None, b"none", TYPES.get(name.kind, kind)}:
                self._odd["foreign"].add(key)
            elif name.kind == "counters":
                counters.append(key)
        values = self._ask(client, "mget", [("MGET", key) for key in counters])
        damaged = (key for key, value in zip(counters, values, strict=True) if value and not _is_counter(value[0]))
        self._odd["foreign"].update(damaged)

    def _weigh(self, client: Any, ours: list[tuple[bytes, Name]]) -> None:
        chosen = [(key, name) for key, name in ours if len(self._sizes[name]) < SAMPLE][: 4 * SAMPLE]
        sizes = self._ask(client, "memory|usage", [("MEMORY USAGE", key) for key, _ in chosen])
        for (_, name), size in zip(chosen, sizes, strict=True):
            if size is not None:
                self._sizes[name].append(size)

    def _ask(self, client: Any, command: str, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Answers to many commands in one round trip; None for what is gone, forbidden or not answered."""
        if not calls:
            return []
        pipeline = client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call)
        answers: list[Any] | None = self._report.tried(command, partial(pipeline.execute, raise_on_error=False))
        if answers is None:
            return [None] * len(calls)
        if any(isinstance(answer, NoPermissionError) for answer in answers):
            self._report.forbidden(command)
        return [None if isinstance(answer, Exception) else answer for answer in answers]


def _is_counter(value: bytes | None) -> bool:
    return value is None or value[:1] in HEADS
