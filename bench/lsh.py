"""An index of similar prompts: what a prompt costs in time and room, and what is found."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING

import corpus
import harness
import sketch_peers
from memory import resident
from report import Check, Section, Table, command, number

from ratelimit_guard.sketch import MinHash, MinHashLSH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness import Figures

METHOD = """\
Time and room: prompts of two sentences out of 80,000, 160 bytes on average, so that each has some fifty others with
half of its words; one after the other each is sketched, asked for and inserted, from Python, in a fresh process.
Counted are the next tenth of as many when the index holds what the table says (ours is then full and forgets the
oldest). `whole` is one loop of the three calls, the other columns are loops of one call each over 1,000 prompts.
Room: growth of the process's resident pages over prompts stored, the texts not kept; `stated` is `size_bytes` over
capacity. Found: 20,000 stored prompts of 60 to 300 bytes, 4 of 10 filled-in templates in families of 40, and 10,000
queries, half edited copies of stored ones (1 to 30 % of the words) and half new in the same way; the truth is the
exact Jaccard similarity of all pairs as sets of word triples. All get the same lower-cased texts."""

NOTES = (
    "rensa and datasketch return candidates and leave the comparison to the caller: their precision is that of the "
    "bands alone, their time lacks what the others do. gaoya compares sketches, ours compares sets of up to 64 values.",
    "gaoya sketches a prompt twice, to ask and to insert: its interface takes texts.",
    "The recall over a threshold depends on how many pairs lie just above it; the table by similarity does not.",
)
SENTENCES = 80_000
CHUNK = 1_000
MILLION = 1_000_000
BOUND_US, BOUND_BYTES = 2, 400


class Ours(sketch_peers.Index):
    """Compares candidates; forgets the oldest when full."""

    def __init__(self, threshold: float, bands: int, rows: int, capacity: int = MILLION) -> None:
        index = MinHashLSH(capacity, threshold, bands, rows)
        self.sketch, self.insert, self.query = MinHash.from_text, index.insert, index.query
        self.stated = index.size_bytes / index.capacity


Make = type[sketch_peers.Index]
# threshold, bands, rows; how many are stored
PATHS: dict[str, tuple[Make, tuple[float, int, int], int]] = {
    "ours, 16 x 8": (Ours, (0.8, 16, 8), MILLION),
    "ours, 32 x 4": (Ours, (0.5, 32, 4), MILLION),
    "rensa, 16 x 8": (sketch_peers.RensaIndex, (0.8, 16, 8), MILLION),
    "gaoya, 16 x 8": (sketch_peers.GaoyaIndex, (0.8, 16, 8), MILLION),
    "datasketch tuned, 16 x 8": (sketch_peers.DatasketchIndex, (0.8, 16, 8), MILLION // 10),
}
STAGES = ("whole", "sketch", "query", "insert")


class Prompts:
    """Endless prompts, a chunk at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sentences = corpus.Corpus(seed).sentences(SENTENCES)

    def chunk(self) -> list[str]:
        ones, others = (self.random.choices(self.sentences, k=CHUNK) for _ in range(2))
        return [f"{one} {other}" for one, other in zip(ones, others, strict=True)]


def path(index: sketch_peers.Index, texts: Sequence[str], first: int) -> None:
    """What a server does with each prompt."""
    sketch, query, insert = index.sketch, index.query, index.insert
    for key, text in enumerate(texts, first):
        one = sketch(text)
        query(one)
        insert(key, one)


def staged(index: sketch_peers.Index, texts: Sequence[str], first: int) -> list[int]:
    """The same in three loops, and what each took."""
    sketch, query, insert = index.sketch, index.query, index.insert
    start = perf_counter_ns()
    sketches = [sketch(text) for text in texts]
    sketched = perf_counter_ns()
    for one in sketches:
        query(one)
    asked = perf_counter_ns()
    for key, one in enumerate(sketches, first):
        insert(key, one)
    return [sketched - start, asked - sketched, perf_counter_ns() - asked]


def fill(name: str, count: int) -> None:
    """Child's part: fill an index, then time the next tenth."""
    make, setting, _ = PATHS[name]
    prompts = Prompts(40)
    prompts.chunk()
    gc.collect()
    gc.disable()
    before = sum(resident().values())
    index = make(*setting, count) if make is Ours else make(*setting)
    for first in range(0, count, CHUNK):
        path(index, prompts.chunk(), first)
    figures = {"bytes": (sum(resident().values()) - before) / count, "stated": getattr(index, "stated", 0)}
    taken, chunks = [0, 0, 0, 0], max(4, count // 10 // CHUNK)
    for at in range(chunks):
        texts, first = prompts.chunk(), count + at * CHUNK
        if at % 2:
            start = perf_counter_ns()
            path(index, texts, first)
            taken[0] += perf_counter_ns() - start
        else:
            taken[1:] = [one + more for one, more in zip(taken[1:], staged(index, texts, first), strict=True)]
    each = [(chunks // 2 if at == 0 else chunks - chunks // 2) * CHUNK * 1_000 for at in range(len(STAGES))]
    figures |= {stage: total / prompts_ for stage, total, prompts_ in zip(STAGES, taken, each, strict=True)}
    print(json.dumps(figures))


def measure(name: str, count: int) -> Figures:
    child = [sys.executable, __file__, "--child", name, str(count)]
    return json.loads(subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True).stdout)


def costs(quick: bool) -> tuple[Table, list[Check]]:
    counts = {name: 20_000 if quick else count for name, (_, _, count) in PATHS.items()}
    taken = harness.interleave({name: partial(measure, name, count) for name, count in counts.items()}, 1 if quick else 3)
    rows, checks = [], []
    for name, figures in taken.items():
        times = [f"{harness.middle(figures, stage):.2f}" for stage in STAGES]
        stated, room = harness.middle(figures, "stated"), harness.middle(figures, "bytes")
        rows.append([name, number(counts[name]), *times, number(room), number(stated) if stated else ""])
        if name.startswith("ours"):
            what = f"{name}: %s at {number(counts[name])} stored"
            whole = harness.middle(figures, "whole")
            checks.append(Check.at_most(what % "sketch, query and insert", BOUND_US, whole, " µs", 2))
            checks.append(Check.at_most(what % "bytes for each, measured", BOUND_BYTES, room))
            checks.append(Check.at_most(what % "bytes for each, stated", BOUND_BYTES, stated))
    columns = ("index, bands x rows", "stored", *STAGES, "B measured", "B stated")
    return Table("Microseconds and bytes per prompt", columns, rows), checks


Keys = list[list[int]]
SIMILAR = (0.5, 0.6, 0.7, 0.8, 0.9)
# least recall where it is promised
FOUND: dict[str, tuple[Make, tuple[float, int, int], float | None]] = {
    "ours, 16 x 8": (Ours, (0.8, 16, 8), 0.98),
    "ours, 24 x 5": (Ours, (0.8, 24, 5), None),
    "ours, 32 x 4": (Ours, (0.8, 32, 4), None),
    "ours at 0.5, 32 x 4": (Ours, (0.5, 32, 4), 0.975),
    "ours at 0.5, 42 x 3": (Ours, (0.5, 42, 3), None),
    "gaoya, 16 x 8": (sketch_peers.GaoyaIndex, (0.8, 16, 8), None),
    "gaoya at 0.5, 32 x 4": (sketch_peers.GaoyaIndex, (0.5, 32, 4), None),
    "rensa, 16 x 8": (sketch_peers.RensaIndex, (0.8, 16, 8), None),
    "rensa at 0.5, 32 x 4": (sketch_peers.RensaIndex, (0.5, 32, 4), None),
    "datasketch tuned, 16 x 8": (sketch_peers.DatasketchIndex, (0.8, 16, 8), None),
    "datasketch tuned at 0.5, 32 x 4": (sketch_peers.DatasketchIndex, (0.5, 32, 4), None),
}
LEAST_PRECISION = 0.999


def stored_and_asked(count: int) -> tuple[list[str], list[str]]:
    """20,000 stored prompts and half as many queries, for a `count` of 20,000."""
    words = corpus.Corpus(41)
    families = [family for _ in range(count // 60) for family in (words.family(40),)]
    templated = [text for family in families for text in family][: count * 6 // 10]
    words.random.shuffle(templated)
    free = [" ".join(words.sentences(words.random.randint(1, 3))) for _ in range(count * 9 // 10)]
    kept, new = count * 4 // 10, count // 10
    stored = templated[:kept] + free[: count - kept]
    fresh = templated[kept : kept + new] + free[count - kept : count - kept + count // 4 - new]
    edited = [words.edited(text, words.random.uniform(0.01, 0.30)) for text in words.random.sample(stored, count // 4)]
    return [text.lower() for text in stored], [text.lower() for text in edited + fresh]


def truth(stored: Sequence[str], asked: Sequence[str]) -> list[dict[int, float]]:
    """For each query the stored prompts that share a shingle with it, and how similar they are."""
    sizes, holders = [], defaultdict(list)
    for key, text in enumerate(stored):
        have = corpus.shingles(text)
        sizes.append(len(have))
        for shingle in have:
            holders[shingle].append(key)
    answers = []
    for text in asked:
        want = corpus.shingles(text)
        common = Counter(key for shingle in want for key in holders.get(shingle, ()))
        answers.append({key: both / (len(want) + sizes[key] - both) for key, both in common.items()})
    return answers


def answers(index: sketch_peers.Index, stored: Sequence[str], asked: Sequence[str]) -> Keys:
    for key, text in enumerate(stored):
        index.insert(key, index.sketch(text))
    return [list(index.query(index.sketch(text))) for text in asked]


def recall(given: Keys, exact: Sequence[dict[int, float]], least: float, most: float = 2) -> float:
    """Of the pairs at least `least` and less than `most` similar, the share that was found."""
    true = found = 0
    for keys, similar in zip(given, exact, strict=True):
        wanted = {key for key, similarity in similar.items() if least <= similarity < most}
        true += len(wanted)
        found += len(wanted.intersection(keys))
    return found / max(true, 1)


def precision(given: Keys, exact: Sequence[dict[int, float]], least: float) -> float:
    right = sum(similar.get(key, 0) >= least for keys, similar in zip(given, exact, strict=True) for key in keys)
    return right / max(sum(map(len, given)), 1)


def finding(quick: bool) -> tuple[list[Table], list[Check]]:
    count = 4_000 if quick else 20_000
    stored, asked = stored_and_asked(count)
    exact = truth(stored, asked)
    rows, steps, checks = [], [], []
    for name, (make, setting, promised) in FOUND.items():
        given = answers(make(*setting), stored, asked)
        least = setting[0]
        of_all, right = recall(given, exact, least), precision(given, exact, least)
        room = number(make(*setting).stated) if make is Ours else ""
        rows.append([name, f"{least:.1f}", f"{of_all:.4f}", f"{right:.4f}", room])
        bins = [recall(given, exact, low, low + 0.1) if low >= least else None for low in SIMILAR]
        steps.append([name, *["" if share is None else f"{share:.3f}" for share in bins]])
        if promised:
            checks.append(_at_least(f"{name}: recall of J >= {least}", promised, of_all))
            checks.append(_at_least(f"{name}: precision at J >= {least}", LEAST_PRECISION, right))
    pairs = Counter(int(similarity * 10) / 10 for similar in exact for similarity in similar.values())
    steps.append(["pairs there are", *[number(pairs[low] + (pairs[1.0] if low == 0.9 else 0)) for low in SIMILAR]])
    ranges = [f"J {low:.1f} to {low + 0.1:.1f}" for low in SIMILAR]
    found = Table("What is found", ("index, bands x rows", "J at least", "recall", "precision", "B stated at 1 M"), rows)
    return [found, Table("Recall by similarity", ("index, bands x rows", *ranges), steps)], checks


def _at_least(what: str, bound: float, measured: float) -> Check:
    return Check(what, f"≥ {bound}", f"{measured:.4f}", measured >= bound)


def run(quick: bool) -> Section:
    """Similar prompts: time, room and what is found."""
    found, found_checks = finding(quick)
    cost, cost_checks = costs(quick)
    return Section("Similar prompts", METHOD, [cost, *found], [*cost_checks, *found_checks], NOTES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        fill(sys.argv[2], int(sys.argv[3]))
    else:
        command(run)
