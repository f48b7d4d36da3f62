"""An index of similar prompts: what a prompt costs in time and room, and what is found."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from functools import partial
from itertools import pairwise
from time import perf_counter_ns
from typing import TYPE_CHECKING

import corpus
import harness
import sketch_peers
from memory import resident
from report import Check, Section, Table, command, number

from ratelimit_guard.sketch import MinHash, MinHashLSH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Figures

METHOD = """\
Time and room: prompts of two sentences out of 80,000, 160 bytes on average, so that at a million stored each has
some fifty others with half of its words. Each prompt is sketched, asked for and inserted, from Python, in a fresh
process. Counted is the next tenth of as many when the index holds what the table says (ours is then full and
forgets the oldest). `whole` is one loop of the three calls over 1,000 prompts at a time, the other columns loops of
one call each. Room: growth of the process's resident pages over prompts stored, the texts not kept; `stated` is
`size_bytes` over capacity. Found: 20,000 stored prompts (short looks take 4,000) in an index of that capacity, 4 of
10 filled-in templates in families of 2 to 12, the rest one to three sentences; 10,000 queries, half edited copies of
stored prompts (1 to 30 % of the words), half new ones of both kinds; five such sets, each in an index of its own,
counted together. The truth is the exact Jaccard similarity of all pairs as sets of word triples. `answered`: of the
queries with something to find, those that got some of it. `of 40`: a set with families of 40. All get the same
lower-cased texts."""

NOTES = (
    "rensa and datasketch return candidates, compared by nobody: their precision is the bands', their time lacks that.",
    "gaoya compares sketches, ours sets of up to 64 values. gaoya takes texts, so it sketches to ask and to insert.",
    "Ours keeps the newest sixteen of a line: of a large family it finds some, not all. The peers keep all and grow.",
    "The recall over a threshold depends on how many pairs lie just above it; the table by similarity does not.",
)
SENTENCES = 80_000
CHUNK = 1_000
MILLION = 1_000_000
BOUND_US, BOUND_BYTES = 2, 400


class Ours(sketch_peers.Index):
    """Compares candidates; forgets the oldest when full."""

    def __init__(self, threshold: float, bands: int, rows: int, capacity: int) -> None:
        index = MinHashLSH(capacity, threshold, bands, rows)
        self.sketch, self.insert, self.query = MinHash.from_text, index.insert, index.query
        self.stated = index.size_bytes / index.capacity


Make = type[sketch_peers.Index]
Setting = tuple[float, int, int]  # threshold, bands, rows
HIGH, LOW = (0.8, 21, 6), (0.5, 42, 3)  # what ours takes by itself
PEERS_HIGH, PEERS_LOW = (0.8, 16, 8), (0.5, 32, 4)
# and how many are stored
PATHS: dict[str, tuple[Make, Setting, int]] = {
    "ours, 21 x 6": (Ours, HIGH, MILLION),
    "ours, 16 x 8": (Ours, PEERS_HIGH, MILLION),
    "ours, 42 x 3": (Ours, LOW, MILLION),
    "ours, 32 x 4": (Ours, PEERS_LOW, MILLION),
    "rensa, 16 x 8": (sketch_peers.RensaIndex, PEERS_HIGH, MILLION),
    "gaoya, 16 x 8": (sketch_peers.GaoyaIndex, PEERS_HIGH, MILLION),
    "datasketch tuned, 16 x 8": (sketch_peers.DatasketchIndex, PEERS_HIGH, MILLION // 10),
}
PROMISED = ("ours, 21 x 6", "ours, 42 x 3")
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
    index = make(*setting, count)
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
    contenders = {name: partial(measure, name, count) for name, count in counts.items()}
    taken = harness.interleave(contenders, 1 if quick else 2)
    rows, checks = [], []
    for name, figures in taken.items():
        times = [f"{harness.middle(figures, stage):.2f}" for stage in STAGES]
        stated, room = harness.middle(figures, "stated"), harness.middle(figures, "bytes")
        rows.append([name, number(counts[name]), *times, number(room), number(stated) if stated else ""])
        if name in PROMISED:
            what = f"{name}: %s at {number(counts[name])} stored"
            whole = harness.middle(figures, "whole")
            checks.append(Check.at_most(what % "sketch, query and insert", BOUND_US, whole, " µs", 2))
            checks.append(Check.at_most(what % "bytes for each, measured", BOUND_BYTES, room))
            checks.append(Check.at_most(what % "bytes for each, stated", BOUND_BYTES, stated))
    columns = ("index, bands x rows", "stored", *STAGES, "B measured", "B stated")
    return Table("Microseconds and bytes per prompt", columns, rows), checks


Keys = list[list[int]]
SIMILAR = (0.5, 0.6, 0.7, 0.8, 0.9)
# least recall, where it is promised
FOUND: dict[str, tuple[Make, Setting, float | None]] = {
    "ours, 21 x 6": (Ours, HIGH, 0.98),
    "ours, 16 x 8": (Ours, PEERS_HIGH, None),
    "gaoya, 16 x 8": (sketch_peers.GaoyaIndex, PEERS_HIGH, None),
    "rensa, 16 x 8": (sketch_peers.RensaIndex, PEERS_HIGH, None),
    "datasketch, 16 x 8": (sketch_peers.DatasketchIndex, PEERS_HIGH, None),
    "ours at 0.5, 42 x 3": (Ours, LOW, 0.975),
    "ours at 0.5, 32 x 4": (Ours, PEERS_LOW, None),
    "gaoya at 0.5, 32 x 4": (sketch_peers.GaoyaIndex, PEERS_LOW, None),
    "rensa at 0.5, 32 x 4": (sketch_peers.RensaIndex, PEERS_LOW, None),
    "datasketch at 0.5, 32 x 4": (sketch_peers.DatasketchIndex, PEERS_LOW, None),
}
LEAST_PRECISION = 0.999


def stored_and_asked(seed: int, count: int, smallest: int, largest: int) -> tuple[list[str], list[str]]:
    """`count` prompts to store and half as many to ask for."""
    words = corpus.Corpus(seed)
    stored_filled, asked_filled, asked_new = count * 4 // 10, count // 10, count // 4
    filled: list[str] = []
    while len(filled) < stored_filled + asked_filled:
        filled += words.family(words.random.randint(smallest, largest))
    words.random.shuffle(filled)
    free = [" ".join(words.sentences(words.random.randint(1, 3))) for _ in range(count)]
    at = count - stored_filled
    stored = filled[:stored_filled] + free[:at]
    words.random.shuffle(stored)
    fresh = filled[stored_filled:][:asked_filled] + free[at:][: asked_new - asked_filled]
    edited = [words.edited(text, words.random.uniform(0.01, 0.30)) for text in words.random.sample(stored, count // 4)]
    return [text.lower() for text in stored], [text.lower() for text in edited + fresh]


def truth(stored: Sequence[str], asked: Sequence[str]) -> list[dict[int, float]]:
    """For each query the stored prompts that are similar by at least the lowest threshold, and how much."""
    sizes, holders = [], defaultdict(list)
    for key, text in enumerate(stored):
        have = corpus.shingles(text)
        sizes.append(len(have))
        for shingle in have:
            holders[shingle].append(key)
    exact = []
    for text in asked:
        want = corpus.shingles(text)
        common = Counter(key for shingle in want for key in holders.get(shingle, ()))
        similar = {key: both / (len(want) + sizes[key] - both) for key, both in common.items()}
        exact.append({key: similarity for key, similarity in similar.items() if similarity >= SIMILAR[0]})
    return exact


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


def answered(given: Keys, exact: Sequence[dict[int, float]], least: float) -> float:
    wanted = [{key for key, similarity in similar.items() if similarity >= least} for similar in exact]
    some = [not want.isdisjoint(keys) for keys, want in zip(given, wanted, strict=True) if want]
    return sum(some) / max(len(some), 1)


def finding(quick: bool) -> tuple[list[Table], list[Check]]:
    count = 4_000 if quick else 20_000
    sets = [stored_and_asked(seed, count, 2, 12) for seed in range(41, 43 if quick else 46)]
    exact = [similar for one in sets for similar in truth(*one)]
    of_40 = stored_and_asked(60, count, 40, 40)
    exact_40 = truth(*of_40)
    rows, steps, checks = [], [], []
    for name, (make, setting, promised) in FOUND.items():
        least = setting[0]
        given = [keys for one in sets for keys in answers(make(*setting, count), *one)]
        given_40 = answers(make(*setting, count), *of_40)
        share, right = recall(given, exact, least), precision(given, exact, least)
        figures = [share, right, answered(given, exact, least)]
        figures += [recall(given_40, exact_40, least), answered(given_40, exact_40, least)]
        stated = getattr(make(*setting, count), "stated", None)
        rows.append([name, *[f"{figure:.4f}" for figure in figures], number(stated) if stated else ""])
        bins = [recall(given, exact, low, high) if low >= least else None for low, high in pairwise((*SIMILAR, 2))]
        steps.append([name, *["" if share is None else f"{share:.3f}" for share in bins]])
        if promised:
            checks.append(_at_least(f"{name}: recall of J >= {least}", promised, share))
            checks.append(_at_least(f"{name}: precision at J >= {least}", LEAST_PRECISION, right))
    steps.append(["pairs there are", *map(number, _pairs(exact))])
    columns = ("index, bands x rows", "recall", "precision", "answered", "recall of 40", "answered of 40", "B stated")
    ranges = [f"J from {low:.1f}" for low in SIMILAR]
    found = Table(f"What is found among {number(count)} prompts", columns, rows)
    return [found, Table("Recall by similarity", ("index, bands x rows", *ranges), steps)], checks


def _pairs(exact: Sequence[dict[int, float]]) -> list[int]:
    """How many pairs there are from each similarity to the next."""
    above = [sum(similarity >= low for similar in exact for similarity in similar.values()) for low in (*SIMILAR, 2)]
    return [more - fewer for more, fewer in pairwise(above)]


def _at_least(what: str, bound: float, measured: float) -> Check:
    return Check(what, f"≥ {bound}", f"{measured:.5f}", measured >= bound)


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
