"""MinHash of a text, its accuracy, and counts of streams: ours beside the peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial, reduce
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import corpus
import datasketch
import harness
import sketch_peers
from report import Check, Section, Table, command, number
from xxhash import xxh32_intdigest

from ratelimit_guard.sketch import HyperLogLog, MinHash, SpaceSaving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness import Figures

METHOD = """\
Time: a Python call from a text to its MinHash of word 3-shingles with 128 permutations, microseconds, loop included.
4,000 different texts of 200 bytes, 400 of 4 KiB and 60 of 32 KiB in turn (short looks take fewer), invented
words by Zipf's law, 6.3 bytes to a word. Ours and gaoya take the text; rensa and datasketch take shingles, which
Python makes for them (`floor` is that alone). datasketch `tuned` shares its permutations by `copy` and hashes
with xxh32; both rows use `update_batch`. gaoya gives its sketch as a list of numbers; a query of an empty index
shows it without that list, and the better of the two counts. Ours `portable` is the same source built without
AVX2. Accuracy: pairs of a text and a copy with 1 to 30 % of its words edited, estimate minus the exact Jaccard
similarity of the sets of word triples; at 4 KiB 100 pairs with 64 seeds each, since one seed's permutations err alike
on all pairs. Streams: 100,000 different values of some ten bytes for HyperLogLog, 100,000 words by Zipf's law for
SpaceSaving, which datasketch does not have; one call per value."""

NOTES = (
    "Accents and scripts or runs without spaces cost ours work that the peers do not do; these texts have none.",
    "From 4,096 words on, as at 32 KiB, ours hashes every word but sketches one shingle in eight, the peers all.",
    "gaoya is asked to lower-case and keeps the case of its shingles nevertheless: less work than ours.",
    "At 4 KiB theory gives all the same error (Broder, 1997): the target allows two standard errors of the difference.",
)
SIZES = {"200 B": (200, 4_000), "4 KiB": (4 << 10, 400), "32 KiB": (32 << 10, 60)}
TARGETS_US = {"200 B": 0.5, "4 KiB": 6, "32 KiB": 50}
PORTABLE = Path(__file__).resolve().parent.parent / "target" / "portable"
STREAM = 100_000
STREAM_CALLS = ("update", "count or top")
Texts = dict[str, list[str]]


def portable() -> Any | None:
    """The extension without AVX2, from its own build; None where it cannot be built."""
    if not shutil.which("cargo"):
        return None
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--package", "ratelimit-guard-bindings"]
    features = ["--features", "portable", "--target-dir", str(PORTABLE)]
    environment = {**os.environ, "PYO3_BUILD_EXTENSION_MODULE": "1", "PYO3_PYTHON": sys.executable}
    if subprocess.run([*build, *features], cwd=PORTABLE.parent.parent, env=environment, check=False).returncode:
        return None
    loader = ExtensionFileLoader("_core", str(PORTABLE / "release" / "lib_core.so"))
    spec = spec_from_loader("_core", loader)
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def sketchers(slow: Any | None) -> dict[str, Callable[[str], Any]]:
    gaoya = sketch_peers.gaoya().minhash_index
    found = {
        "ours": MinHash.from_text,
        "gaoya, as a list": gaoya.tokenize_and_minhash,
        "gaoya, query of an empty index": gaoya.query,
        "rensa RMinHash": sketch_peers.rensa_r,
        "rensa CMinHash": sketch_peers.rensa_c,
        "datasketch, tuned": sketch_peers.DatasketchTuned().sketch,
        "datasketch, default": sketch_peers.datasketch_default,
        "floor: shingles in Python": sketch_peers.shingles,
    }
    return {**found, "ours, portable": slow.sketch.MinHash.from_text} if slow else found


def time_sketches(name: str, sketch: Callable[[str], Any], texts: Texts) -> Figures:
    def drive(texts: Sequence[str]) -> None:
        for text in texts:
            sketch(text)

    passes = 5 if name.startswith(("ours", "gaoya")) else 1
    return {size: harness.ns_per_call(drive, some * passes) / 1_000 for size, some in texts.items()}


def timing(quick: bool, slow: Any | None) -> tuple[Table, list[Check]]:
    words = corpus.Corpus(30)
    share = 5 if quick else 1
    texts = {size: [words.text(bytes_) for _ in range(count // share)] for size, (bytes_, count) in SIZES.items()}
    contenders = {
        name: lambda name=name, sketch=sketch: time_sketches(name, sketch, texts)
        for name, sketch in sketchers(slow).items()
    }
    taken = harness.interleave(contenders, 3 if quick else 9)
    rows = [
        [name, *[f"{harness.middle(figures, size):.2f}" for size in SIZES], f"{_rate(figures):.2f}"]
        for name, figures in taken.items()
    ]
    peers = [name for name in taken if not name.startswith(("ours", "floor"))]
    best = reduce(harness.better, (taken[name] for name in peers))
    checks = []
    for size, bound in TARGETS_US.items():
        checks.append(Check.at_most(f"text to sketch, {size}", bound, harness.middle(taken["ours"], size), " µs", 2))
        times = harness.ratio(best, taken["ours"], size)
        checks.append(Check.times(f"text to sketch, {size}, ours against the best peer", 10, times))
    checks += _portable_checks(taken, texts, slow)
    return Table("Microseconds per text", ("sketch", *SIZES, "GB/s at 32 KiB"), rows), checks


def _rate(figures: Sequence[Figures]) -> float:
    size = SIZES["32 KiB"][0]
    return size / harness.middle(figures, "32 KiB") / 1_000


def _portable_checks(taken: dict[str, list[Figures]], texts: Texts, slow: Any | None) -> list[Check]:
    if slow is None:
        return [Check("text to sketch, the build without AVX2", "≤ 5x", "no Rust to build it with", None)]
    times = {size: harness.ratio(taken["ours, portable"], taken["ours"], size) for size in SIZES}
    checks = [Check.at_most(f"text to sketch, {size}, without AVX2", 5, ratio, "x", 2) for size, ratio in times.items()]
    both = [(MinHash.from_text(text), slow.sketch.MinHash.from_text(text)) for some in texts.values() for text in some]
    different = sum(fast.to_bytes() != other.to_bytes() for fast, other in both)
    return [*checks, Check.exactly("texts whose sketch without AVX2 is another", 0, different)]


def pairs(words: corpus.Corpus, size: int, count: int) -> list[tuple[str, str, float]]:
    """A text, its copy with 1 to 30 % of the words edited, and how similar they truly are."""
    found = []
    for _ in range(count):
        one = words.text(size)
        two = words.edited(one, words.random.uniform(0.01, 0.30))
        found.append((one, two, corpus.jaccard(corpus.shingles(one), corpus.shingles(two))))
    return found


def errors(sketch: Callable[[str], Any], some: Sequence[tuple[str, str, float]]) -> list[float]:
    return [abs(sketch(one).jaccard(sketch(two)) - exact) for one, two, exact in some]


SEEDED: dict[str, Callable[[int], Callable[[str], Any]]] = {
    "ours": lambda seed: partial(MinHash.from_text, seed=seed),
    "datasketch": lambda seed: sketch_peers.DatasketchTuned(seed).sketch,
    "rensa RMinHash": lambda seed: partial(sketch_peers.rensa_r, seed=seed),
}


def accuracy(quick: bool) -> tuple[Table, list[Check]]:
    words = corpus.Corpus(31)
    short, long = pairs(words, 200, 400 if quick else 2_000), pairs(words, 4 << 10, 25 if quick else 100)
    seeds = range(1, 17 if quick else 65)
    of_short = {name: errors(make(1), short) for name, make in SEEDED.items()}
    by_seed = {name: [errors(make(seed), long) for seed in seeds] for name, make in SEEDED.items()}
    rows = [
        [name, *[f"{figure:.4f}" for figure in (fmean(some), max(some), *_mean_and_largest(by_seed[name]))]]
        for name, some in of_short.items()
    ]
    means = {name: [fmean(one) for one in of_seeds] for name, of_seeds in by_seed.items()}
    ours, theirs = fmean(means["ours"]), fmean(means["datasketch"])
    differences = [one - other for one, other in zip(means["ours"], means["datasketch"], strict=True)]
    allowance = 2 * stdev(differences) / len(differences) ** 0.5
    against = "mean error of Jaccard at %s against datasketch's"
    short_ours, short_theirs = fmean(of_short["ours"]), fmean(of_short["datasketch"])
    long_bound = f"≤ {theirs:.4f} + {allowance:.4f}"
    checks = [
        Check.at_most("largest error of Jaccard at 200 B", 0, max(of_short["ours"]), digits=4),
        Check(against % "200 B", f"≤ {short_theirs:.4f}", f"{short_ours:.4f}", short_ours <= short_theirs),
        Check(against % "4 KiB", long_bound, f"{ours:.4f}", ours <= theirs + allowance),
    ]
    columns = ("sketch of 128", "mean, 200 B", "largest, 200 B", "mean, 4 KiB", "largest, 4 KiB")
    return Table("Error of the Jaccard estimate", columns, rows), checks


def _mean_and_largest(by_seed: Sequence[Sequence[float]]) -> tuple[float, float]:
    every = [error for some in by_seed for error in some]
    return fmean(every), max(every)


HYPERLOGLOGS: dict[str, Callable[[], Any]] = {
    "ours, HyperLogLog p=8": lambda: HyperLogLog(8),
    "datasketch, HyperLogLog p=8": lambda: datasketch.HyperLogLog(8),
    "datasketch, HyperLogLog p=8, xxh32": lambda: datasketch.HyperLogLog(8, hashfunc=xxh32_intdigest),
}
SPACE_SAVINGS: dict[str, Callable[[], Any]] = {
    "ours, SpaceSaving of 64": lambda: SpaceSaving(64),
    "ours, SpaceSaving of 1,024": lambda: SpaceSaving(1_024),
}


def counting(quick: bool) -> Table:
    """Streams: nanoseconds per update and per answer."""
    words = corpus.Corpus(32)
    drawn = words.words(STREAM // (5 if quick else 1))
    values = [f"{word} {place}".encode() for place, word in enumerate(drawn)]
    items = [xxh32_intdigest(word.encode()) for word in drawn]
    contenders = {name: partial(distinct, make, values) for name, make in HYPERLOGLOGS.items()}
    contenders |= {name: partial(frequent, make, items) for name, make in SPACE_SAVINGS.items()}
    taken = harness.interleave(contenders, 3 if quick else 7)
    rows = [[name, *[number(harness.middle(some, what)) for what in STREAM_CALLS]] for name, some in taken.items()]
    return Table("Streams: nanoseconds per call", ("sketch", *STREAM_CALLS), rows)


def stream(sketch: Any, values: Sequence[Any], ask: Callable[[], Any]) -> Figures:
    def update(values: Sequence[Any]) -> None:
        for value in values:
            sketch.update(value)

    def answer(rounds: Sequence[Any]) -> None:
        for _ in rounds:
            ask()

    return {"update": harness.ns_per_call(update, values), "count or top": harness.ns_per_call(answer, values[:200])}


def distinct(make: Callable[[], Any], values: Sequence[bytes]) -> Figures:
    sketch = make()
    return stream(sketch, values, sketch.count)


def frequent(make: Callable[[], Any], items: Sequence[int]) -> Figures:
    sketch = make()
    return stream(sketch, items, sketch.top)


def run(quick: bool) -> Section:
    """Sketches of texts and streams."""
    times, time_checks = timing(quick, portable())
    precision, precision_checks = accuracy(quick)
    tables = [times, precision, counting(quick)]
    return Section("Sketches", METHOD, tables, [*time_checks, *precision_checks], NOTES)


if __name__ == "__main__":
    command(run)
