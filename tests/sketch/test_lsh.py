"""MinHashLSH: what is similar to a sketch among the last that were seen, in a fixed room."""

from __future__ import annotations

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from math import inf, nan, sqrt
from random import Random
from subprocess import run
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, UsageError
from ratelimit_guard.sketch import MinHash, MinHashLSH
from sketch.helpers import sketch

THREADS = 8
WAYS = 16
"""Sketches that one band may answer with."""


def different(number: int) -> MinHash:
    """A sketch like no other."""
    return sketch([f"{number}-{value}" for value in range(20)])


def close(found: list[tuple[int, float]], key: int, similarity: float) -> bool:
    """One sketch was found, as similar as this."""
    return [key] == [each for each, _ in found] and found[0][1] == pytest.approx(similarity)


def pair(size: int, similarity: float, start: int, seed: int = 1) -> tuple[MinHash, MinHash, float]:
    """Two sets of a size, their values from `start` on, and how similar they truly are."""
    common = round(2 * size * similarity / (1 + similarity))
    values = [f"{start}-{number}" for number in range(2 * size - common)]
    return sketch(values[:size], seed=seed), sketch(values[size - common :], seed=seed), common / (2 * size - common)


def test_new_index_is_empty() -> None:
    """It finds nothing for any sketch, and says what it is."""
    index = MinHashLSH(5, 0.7)
    assert index.is_empty()
    assert (len(index), index.capacity, index.threshold) == (0, 5, 0.7)
    assert index.query(different(1)) == []
    assert index.search(MinHash()) == []
    assert index.query(MinHash(seed=9)) == []
    assert repr(index) == "MinHashLSH(capacity=5, threshold=0.7)"
    assert MinHashLSH(capacity=3).threshold == 0.5


def test_example_of_the_module() -> None:
    """Two prompts that differ in a word."""
    index = MinHashLSH(capacity=1_000_000, threshold=0.5)
    index.insert(1, MinHash.from_text("please translate the following text to German"))
    two = MinHash.from_text("Please translate the following text to French!")
    assert index.query(two) == [1]
    assert close(index.search(two), 1, 2 / 3)
    assert index.query(MinHash.from_text("What is the capital of France?")) == []


def test_what_was_inserted_is_found() -> None:
    """Every sketch finds itself first, with similarity 1, until the index is full."""
    index = MinHashLSH(500)
    for number in range(500):
        index.insert(number, different(number))
    assert len(index) == 500
    for number in range(500):
        assert index.search(different(number)) == [(number, 1.0)]


def test_oldest_are_forgotten() -> None:
    """A full index has the last of its capacity, whatever came before; it goes round many times."""
    index = MinHashLSH(50)
    size = index.size_bytes
    for number in range(330):
        index.insert(number, different(number))
        assert len(index) == min(number + 1, 50)
    found = [index.query(different(number)) for number in range(330)]
    assert found == [[]] * 280 + [[number] for number in range(280, 330)]
    assert index.size_bytes == size


def test_index_of_one_remembers_the_last() -> None:
    """The smallest capacity there is."""
    index = MinHashLSH(1)
    for number in range(40):
        index.insert(number, different(number))
        assert index.query(different(number)) == [number]
        assert index.query(different(number - 1)) == []


def test_forgotten_sketch_is_not_found_under_the_key_of_another() -> None:
    """The place of an old sketch has a new one: it answers for itself only."""
    index = MinHashLSH(2, threshold=0.01)
    index.insert(1, different(1))
    index.insert(2, different(2))
    index.insert(3, different(3))
    assert index.search(different(1)) == []
    assert index.search(different(3)) == [(3, 1.0)]


def test_keys_may_repeat_and_be_any_word() -> None:
    """From 0 to 2**64 - 1; a key that comes twice is found twice."""
    index = MinHashLSH(10)
    for key in (0, 2**64 - 1, 7, 7, True):
        index.insert(key, different(0))
    assert sorted(index.query(different(0))) == [0, 1, 7, 7, 2**64 - 1]


def test_empty_sets_are_equal() -> None:
    """As for `jaccard`: prompts without words meet each other and nothing else."""
    index = MinHashLSH(10)
    index.insert(1, MinHash())
    index.insert(2, different(2))
    assert index.search(MinHash()) == [(1, 1.0)]
    assert index.query(different(2)) == [2]


@given(st.lists(st.lists(st.integers(0, 30), max_size=64), max_size=12), st.lists(st.integers(0, 30), max_size=64))
def test_small_sets_are_compared_exactly(stored: list[list[int]], asked: list[int]) -> None:
    """Similarities are those of Python's sets, up to one value; sorted, and all above the threshold."""
    index = MinHashLSH(20, threshold=0.3, bands=64, rows=1)
    for key, values in enumerate(stored):
        index.insert(key, sketch([str(value) for value in values]))
    found = index.search(sketch([str(value) for value in asked]))
    assert [similarity for _, similarity in found] == sorted((similarity for _, similarity in found), reverse=True)
    assert len({key for key, _ in found}) == len(found)
    for key, similarity in found:
        ours, theirs = set(stored[key]), set(asked)
        common, union = len(ours & theirs), len(ours | theirs)
        exact = common / union if union else 1.0
        assert similarity >= 0.3
        assert similarity == exact or similarity == pytest.approx((common + 1) / (union - 1))
    for key, values in enumerate(stored):
        if set(values) == set(asked):
            assert (key, 1.0) in found


@pytest.mark.parametrize(
    ("bands", "rows", "similarity"),
    [(32, 4, 0.5), (16, 8, 0.8), (32, 4, 0.8), (32, 4, 0.1), (64, 2, 0.1), (1, 128, 0.99), (42, 3, 0.5), (21, 6, 0.8)],
)
def test_similar_sketches_meet_as_often_as_said(bands: int, rows: int, similarity: float) -> None:
    """The share of pairs that meet is 1 - (1 - J**rows)**bands."""
    met, truth = 0, 0.0
    for number in range(600):
        one, other, truth = pair(60, similarity, number)
        index = MinHashLSH(1, threshold=0.001, bands=bands, rows=rows)
        index.insert(1, one)
        met += bool(index.query(other))
    promised = 1 - (1 - truth**rows) ** bands
    assert met / 600 == pytest.approx(promised, abs=4 * sqrt(promised * (1 - promised) / 600) + 0.01)


SIZES = """
from ratelimit_guard.sketch import MinHashLSH
for index in [*(MinHashLSH(1, share) for share in (0.3, 0.5, 0.8, 0.95, 1.0)), MinHashLSH(1, bands=8, rows=7)]:
    print(index.bands, index.rows)
"""


def test_index_chooses_bands_for_its_threshold() -> None:
    """The most rows at which two sketches of just that similarity meet 99 times in 100, of 128 minima."""
    # In a process of its own: what waits for itself holds the interpreter's lock, and no test would ever end.
    ran = run([sys.executable, "-c", SIZES], capture_output=True, text=True, timeout=60, check=True)
    sizes = [tuple(int(number) for number in line.split()) for line in ran.stdout.splitlines()]
    assert sizes[1:3] == [(42, 3), (21, 6)]
    assert sizes[-1] == (8, 7)
    for threshold, (bands, rows) in zip((0.3, 0.5, 0.8, 0.95, 1.0), sizes, strict=False):
        assert bands * rows <= 128
        assert 1 - (1 - threshold**rows) ** bands >= 0.99


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_index_finds_what_is_as_similar_as_its_threshold(threshold: float) -> None:
    """Without a word about bands, at least 97 of 100 pairs."""
    index, met = MinHashLSH(1, threshold), 0
    for number in range(400):
        one, other, truth = pair(64, threshold + 0.02, number)
        assert truth >= threshold
        index.insert(1, one)
        met += bool(index.query(other))
    assert met >= 388


def test_bands_and_rows_are_given_together() -> None:
    """One of them alone says too little."""
    with pytest.raises(ConfigError, match="bands and rows"):
        MinHashLSH(10, bands=8)
    with pytest.raises(ConfigError, match="bands and rows"):
        MinHashLSH(10, rows=4)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.9])
def test_large_sets_are_compared_to_about_four_hundredths(similarity: float) -> None:
    """Of more than 128 values eight bits of each minimum are kept."""
    errors = []
    for number in range(200):
        one, other, truth = pair(300, similarity, number)
        index = MinHashLSH(1, threshold=0.001, bands=64, rows=2)
        index.insert(1, one)
        errors += [found - truth for _, found in index.search(other)]
    assert len(errors) > 190
    assert sqrt(sum(error**2 for error in errors) / len(errors)) < 0.05


def test_small_set_counts_as_different_from_a_large_one() -> None:
    """At most 64 values beside more than 128 are never as much as half alike."""
    values = [str(number) for number in range(140)]
    index = MinHashLSH(4, threshold=0.01, bands=64, rows=1)
    index.insert(1, sketch(values[:60]))
    assert index.search(sketch(values)) == []
    index.insert(2, sketch(values))
    assert [key for key, _ in index.search(sketch(values))] == [2]


@pytest.mark.parametrize("size", [1, 63, 64, 65, 127, 128, 129, 1_000])
def test_sets_of_every_size_find_themselves(size: int) -> None:
    """On both sides of each border between exact and estimated."""
    made = sketch([str(number) for number in range(size)])
    index = MinHashLSH(3, threshold=1.0)
    index.insert(5, made)
    assert index.search(made) == [(5, 1.0)]


def test_threshold_of_a_search_is_its_own() -> None:
    """Below or above that of the index, which stays; a query has the one of the index."""
    one, other, truth = pair(60, 0.8, 1)
    index = MinHashLSH(10, threshold=0.9)
    index.insert(1, one)
    index.insert(2, other)
    assert index.query(one) == [1]
    assert index.search(one) == [(1, 1.0)]
    assert index.search(one, None) == [(1, 1.0)]
    both = index.search(one, 0.5)
    assert both[0] == (1, 1.0)
    assert close(both[1:], 2, truth)
    assert index.search(one, threshold=1) == [(1, 1.0)]
    assert index.threshold == 0.9
    assert [key for key, _ in index.search(other, 0.5)] == [2, 1]


def test_sketches_of_another_seed_are_refused() -> None:
    """The first one decides; what is refused changes nothing."""
    index = MinHashLSH(10)
    with pytest.raises(UsageError, match=r"num_perm \d+ or more"):
        index.insert(1, MinHash(32, seed=5))
    index.insert(1, sketch(["a"], seed=3))
    for call in (index.query, index.search, lambda made: index.insert(2, made)):
        with pytest.raises(UsageError, match="seed 3, this one has 1: use one seed"):
            call(sketch(["a"]))
    assert len(index) == 1
    assert index.query(sketch(["a"], seed=3)) == [1]


def test_sketches_with_too_few_minima_are_refused() -> None:
    """An index needs bands times rows of them."""
    index = MinHashLSH(10, bands=8, rows=8)
    for call in (index.query, index.search, lambda made: index.insert(2, made)):
        with pytest.raises(UsageError, match="num_perm 64 or more, this one has 63"):
            call(sketch(["a"], 63))
    assert index.is_empty()
    index.insert(1, sketch(["a"], 64))
    with pytest.raises(UsageError, match="holds sketches of num_perm 64, this one has 128"):
        index.insert(2, sketch(["a"], 128))
    assert len(index) == 1


def test_crowd_of_equals_is_bounded() -> None:
    """However many are alike, an answer has at most sixteen of each band: the newest."""
    index = MinHashLSH(5_000)
    index.insert(9_999, different(1))
    for key in range(4_000):
        index.insert(key, different(0))
    found = index.query(different(0))
    assert 1 <= len(found) <= WAYS * index.bands
    assert max(found) == 3_999
    assert min(found) >= 4_000 - len(found)
    assert index.query(different(1)) == [9_999]


def test_capacity_costs_what_is_said() -> None:
    """144 bytes a sketch and 5.4 a band: known before the first sketch, and the same ever after."""
    for capacity, bands in ((1_000, 32), (10_000, 16), (10_000, 64)):
        assert MinHashLSH(capacity, bands=bands, rows=4).size_bytes == pytest.approx(
            capacity * (144 + 5.4 * bands), rel=0.01
        )


@pytest.mark.parametrize("capacity", [0, -1, 2**24, 2**64, 10**50, 1.5, "10", None])
def test_capacity_out_of_range_is_a_config_error(capacity: Any) -> None:
    """From one to sixteen million sketches."""
    with pytest.raises(ConfigError, match="capacity"):
        MinHashLSH(capacity)


@pytest.mark.parametrize("threshold", [0, 0.0, -0.1, 1.0001, 2, inf, -inf, nan, 10**400, "0.5", [0.5]])
def test_threshold_out_of_range_is_a_config_error(threshold: Any) -> None:
    """Above 0 and at most 1, of an index as of a search."""
    with pytest.raises(ConfigError, match="threshold"):
        MinHashLSH(10, threshold)
    with pytest.raises(ConfigError, match="threshold"):
        MinHashLSH(10).search(MinHash(), threshold)


@pytest.mark.parametrize(
    ("bands", "rows"),
    [(0, 4), (-1, 4), (65, 4), (32, 0), (32, -1), (32, 33), (1, 1_025), (10**50, 1), (1.5, 4), ("8", 4), (8, 2**64)],
)
def test_bands_out_of_range_are_a_config_error(bands: Any, rows: Any) -> None:
    """At most 64 bands, and no more rows in all than a sketch can have minima."""
    with pytest.raises(ConfigError, match=r"bands|rows"):
        MinHashLSH(10, bands=bands, rows=rows)


def test_extreme_bands_work() -> None:
    """Of one row, of all rows, and of one minimum only."""
    for bands, rows in ((64, 16), (1, 1_024), (64, 1), (1, 1)):
        index = MinHashLSH(3, bands=bands, rows=rows)
        index.insert(1, sketch(["a", "b"], 1_024))
        assert index.query(sketch(["a", "b"], 1_024)) == [1]


@pytest.mark.parametrize("key", [-1, 2**64, 10**50, 1.0, "1", None, b"1"])
def test_key_that_is_no_word_is_a_usage_error(key: Any) -> None:
    """A key has 64 bits; nothing is inserted under another."""
    index = MinHashLSH(10)
    with pytest.raises(UsageError, match="key must be a whole number from 0 to"):
        index.insert(key, different(1))
    assert index.is_empty()


@pytest.mark.parametrize("stranger", [None, 5, "a", b"", [1], object()])
def test_stranger_is_a_type_error(stranger: Any) -> None:
    """Only sketches are similar."""
    index = MinHashLSH(10)
    for call in (index.query, index.search, lambda made: index.insert(1, made)):
        with pytest.raises(TypeError):
            call(stranger)


def test_index_stays_where_it_is() -> None:
    """It is neither copied nor pickled: it may be gigabytes."""
    index = MinHashLSH(10)
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            call(index)


def test_inserted_sketch_may_change_afterwards() -> None:
    """The index has what the sketch was."""
    index, made = MinHashLSH(10), different(1)
    index.insert(1, made)
    made.clear()
    assert index.query(different(1)) == [1]
    assert index.query(made) == []


def test_threads_share_an_index() -> None:
    """Eight threads insert and ask: none is lost, every answer was inserted."""
    index = MinHashLSH(THREADS * 300)
    barrier = Barrier(THREADS)

    def work(number: int) -> None:
        random = Random(number)  # noqa: S311  a test repeats itself
        barrier.wait()
        for step in range(300):
            key = number * 300 + step
            index.insert(key, different(key))
            mine = number * 300 + random.randrange(step + 1)
            assert index.query(different(mine)) == [mine]
            assert all(0 <= key < THREADS * 300 for key in index.query(different(random.randrange(THREADS * 300))))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert len(index) == THREADS * 300
    assert all(index.query(different(key)) == [key] for key in range(0, THREADS * 300, 7))
