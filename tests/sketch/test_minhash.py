"""MinHash: how similar two sets are, exactly while they are small, within the promised error when not."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, UsageError
from ratelimit_guard.sketch import HyperLogLog, MinHash
from sketch.helpers import EXACT, numbers, sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


THREADS = 8


VALUES = st.lists(st.binary(max_size=8) | st.text(max_size=4), max_size=60)


PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def as_set(values: list[Any]) -> set[bytes]:
    """What the values are to a sketch: text counts as its UTF-8."""
    return {value.encode() if isinstance(value, str) else value for value in values}


@given(VALUES, VALUES)
def test_small_sets_compare_exactly(ours: list[bytes | str], theirs: list[bytes | str]) -> None:
    """Up to 128 values it says what Python's sets say."""
    left, right = as_set(ours), as_set(theirs)
    one, other = sketch(ours), sketch(theirs)
    assert one.count() == len(left)
    assert one.is_exact()
    assert one.is_empty() == (not left)
    assert (one == other) == (left == right)
    wanted = len(left & right) / len(left | right) if left | right else 1.0
    assert one.jaccard(other) == other.jaccard(one) == wanted
    union = MinHash.union(one, other)
    assert union.count() == len(left | right)
    assert union == sketch([*ours, *theirs])


@given(VALUES)
def test_values_count_once_in_any_order(values: list[bytes | str]) -> None:
    """Order, repetition and the way of adding change nothing."""
    one_by_one = MinHash()
    for value in reversed(values * 2):
        one_by_one.update(value)
    assert one_by_one == sketch(values)
    assert one_by_one.to_bytes() == sketch(values).to_bytes()


@pytest.mark.parametrize("size", [EXACT - 1, EXACT, EXACT + 1])
def test_sets_are_kept_whole_up_to_a_size(size: int) -> None:
    """One value more is estimated, however the values arrive; repeating values changes nothing."""
    values = numbers(0, size)
    merged, one_by_one = sketch(values[:70]), MinHash()
    merged.merge(sketch(values[50:]))
    for value in values * 3:
        one_by_one.update(value)
    for made in (sketch(values), sketch(values * 5), merged, one_by_one, MinHash.union(sketch(values), sketch(values))):
        assert made.is_exact() == (size <= EXACT)
        assert made == sketch(values)
        if size <= EXACT:
            assert made.count() == size
    assert sketch(values) == sketch(values[::-1])


def test_large_set_does_not_become_exact_again() -> None:
    """What was forgotten is not made up: only a cleared sketch is whole."""
    made = sketch(numbers(0, 200))
    made.merge(sketch(["a"]))
    assert not made.is_exact()
    small = sketch(["a"])
    small.merge(made)
    assert not small.is_exact()
    assert small == made
    made.clear()
    assert made.is_exact()
    assert made == MinHash()


@pytest.mark.parametrize("num_perm", [128, 256, 1_024])
@pytest.mark.parametrize("similarity", [0.0, 0.2, 0.5, 0.8, 0.95, 1.0])
def test_large_sets_compare_within_the_promised_error(similarity: float, num_perm: int) -> None:
    """Over many seeds the error is as large as said, and as often above as below."""
    size = 400
    common = round(2 * size * similarity / (1 + similarity))
    truth = common / (2 * size - common)
    promised = sqrt(truth * (1 - truth) / num_perm)
    errors = []
    for seed in range(100):
        one, other = (
            sketch(numbers(0, size), num_perm, seed),
            sketch(numbers(size - common, 2 * size - common), num_perm, seed),
        )
        errors.append(one.jaccard(other) - truth)
    assert sqrt(sum(error**2 for error in errors) / 100) <= 1.3 * promised
    assert abs(sum(errors) / 100) <= 4 * promised / sqrt(100)


@pytest.mark.parametrize("size", [129, 1_000, 20_000])
def test_large_sets_are_counted_within_a_few_errors(size: int) -> None:
    """From 128 minima a count is right to about nine percent."""
    errors = [sketch(numbers(0, size), seed=seed).count() / size - 1 for seed in range(60)]
    assert sqrt(sum(error**2 for error in errors) / 60) <= 1.3 / sqrt(128)
    assert max(abs(error) for error in errors) <= 4.5 / sqrt(128)


def test_whole_and_estimated_sets_compare_by_their_minima() -> None:
    """A small set beside a large one that holds it."""
    small, large = sketch(numbers(0, 100)), sketch(numbers(0, 200))
    assert small.jaccard(large) == large.jaccard(small)
    assert small.jaccard(large) == pytest.approx(0.5, abs=4 * sqrt(0.25 / 128))


def test_hashvalues_are_those_of_datasketch() -> None:
    """Minima of 32 bits, all at the highest while empty; an intersection of minima estimates as datasketch does."""
    one, other = sketch(numbers(0, 300)), sketch(numbers(100, 400))
    assert MinHash(64).hashvalues == [2**32 - 1] * 64
    assert all(0 <= value < 2**32 - 1 for value in one.hashvalues)
    equal = sum(a == b for a, b in zip(one.hashvalues, other.hashvalues, strict=True))
    assert one.jaccard(other) == equal / 128
    union = MinHash.union(one, other)
    assert union.hashvalues == [min(pair) for pair in zip(one.hashvalues, other.hashvalues, strict=True)]
    assert len(one) == one.num_perm == len(one.hashvalues) == 128


def test_fewer_permutations_are_the_first_ones() -> None:
    """So that sketches may be cut to compare."""
    assert sketch(numbers(0, 200), 64).hashvalues == sketch(numbers(0, 200)).hashvalues[:64]
    assert sketch(["a"], 1).count() == 1.0
    assert sketch(numbers(0, 200), 1).jaccard(sketch(numbers(0, 200), 1)) == 1.0


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_union_and_merge_are_one(streams: list[list[bytes | str]]) -> None:
    """A union leaves its parts alone; a merge becomes it, also with itself."""
    made = [sketch(stream) for stream in streams]
    union = MinHash.union(*made)
    assert made == [sketch(stream) for stream in streams]
    left = made[0].copy()
    for each in made[1:]:
        left.merge(each)
    left.merge(left)
    assert left == union == sketch([value for stream in streams for value in stream])
    assert MinHash.union(made[0]) == made[0]


def test_sketches_of_different_kinds_do_not_meet() -> None:
    """Another num_perm or seed is another kind: refused, and nothing is lost."""
    ours = sketch(["a"])
    for other in (sketch(["a"], 64), sketch(["a"], seed=2)):
        for call in (ours.merge, ours.jaccard, lambda theirs: MinHash.union(ours, theirs)):
            with pytest.raises(UsageError, match=r"num_perm=.*seed="):
                call(other)
        assert ours != other
    assert ours == sketch(["a"])
    with pytest.raises(UsageError, match="got none"):
        MinHash.union()


def test_sketch_says_what_it_is() -> None:
    """Its parameters can be read, its length is the number of permutations, as in datasketch."""
    made = MinHash(64, seed=7)
    assert (made.num_perm, made.seed, len(made), repr(made)) == (64, 7, 64, "MinHash(num_perm=64, seed=7)")
    assert (MinHash().num_perm, MinHash().seed) == (128, 1)
    assert MinHash.from_text("a b", num_perm=32, seed=9).seed == 9


def test_sketch_is_no_key() -> None:
    """What changes and compares by value has no hash, and equals nothing of another type."""
    with pytest.raises(TypeError):
        hash(MinHash())
    assert MinHash() != MinHash().to_bytes()
    assert MinHash() != HyperLogLog()
    assert MinHash() is not None


COPIES: list[Callable[[MinHash], MinHash]] = [
    MinHash.copy,
    copy.copy,
    copy.deepcopy,
    MinHash.union,
    lambda made: MinHash.from_bytes(made.to_bytes()),
    *(lambda made, number=number: pickle.loads(pickle.dumps(made, number)) for number in PROTOCOLS),  # noqa: S301  our own
]


@pytest.mark.parametrize("size", [0, 2, EXACT, 500])
@pytest.mark.parametrize("way", COPIES)
def test_copy_has_everything_and_a_life_of_its_own(way: Callable[[MinHash], MinHash], size: int) -> None:
    """All ways of copying keep minima, set, num_perm and seed; later values go to one of the two."""
    made = sketch(numbers(0, size), 40, 2**64 - 1)
    copied = way(made)
    assert copied == made
    assert (copied.num_perm, copied.seed, copied.count()) == (made.num_perm, made.seed, made.count())
    assert copied.is_exact() == made.is_exact()
    copied.clear()
    assert made == sketch(numbers(0, size), 40, 2**64 - 1)
    copied.update("another")
    assert copied == sketch(["another"], 40, 2**64 - 1)


@pytest.mark.parametrize("num_perm", [-1, 0, 1_025, 2**64, 10**50, 8.0, "8", None])
def test_num_perm_outside_its_range_is_a_config_error(num_perm: Any) -> None:
    """From 1 to 1,024, nothing else."""
    with pytest.raises(ConfigError, match="num_perm must be 1 to 1024, got"):
        MinHash(num_perm)
    with pytest.raises(ConfigError, match="num_perm"):
        MinHash.from_text("a", num_perm)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None])
def test_seed_that_is_no_word_is_a_config_error(seed: Any) -> None:
    """A seed has 64 bits."""
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        MinHash(seed=seed)
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        MinHash.from_text("a", seed=seed)


def test_numbers_are_values() -> None:
    """Hashes and other numbers from 0 to 2**64 - 1 count as eight bytes, the lowest first."""
    values: list[Any] = [0, 1, 255, 2**63, 2**64 - 1]
    assert sketch(values).count() == len(values)
    assert sketch(values) == sketch([value.to_bytes(8, "little") for value in values])
    assert sketch([True, 1]).count() == 1
    for wrong in (-1, 2**64, 10**50, 10**5_000):
        with pytest.raises(UsageError, match="value must be"):
            MinHash().update(wrong)


@pytest.mark.parametrize("value", [None, 1.5, ["a"], bytearray(b"a"), object()])
def test_value_of_another_type_is_a_usage_error(value: Any) -> None:
    """Only str, bytes and numbers are values; of a batch with a wrong one none is added."""
    made = MinHash()
    with pytest.raises(UsageError, match="str"):
        made.update(value)
    with pytest.raises(UsageError, match="str"):
        made.update_batch(["a", value, "b"])
    with pytest.raises(UsageError, match="str or bytes"):
        MinHash.from_text(value)
    assert made.is_empty()


@pytest.mark.parametrize("value", ["abc", b"abc", ""])
def test_batch_of_one_value_is_a_usage_error(value: Any) -> None:
    """A single value in the place of many would count its letters."""
    with pytest.raises(UsageError, match="use update"):
        MinHash().update_batch(value)


@pytest.mark.parametrize("stranger", [None, 5, b"", "a", object(), HyperLogLog()])
def test_stranger_is_a_type_error(stranger: Any) -> None:
    """Only sketches meet, only bytes are read."""
    calls: list[Callable[[Any], Any]] = [MinHash().merge, MinHash().jaccard, MinHash.union]
    calls += [] if isinstance(stranger, bytes) else [MinHash.from_bytes]
    calls += [] if isinstance(stranger, str | bytes) else [MinHash().update_batch]
    for call in calls:
        with pytest.raises(TypeError):
            call(stranger)


def test_batch_may_use_the_sketch_and_may_fail() -> None:
    """Code of the caller runs in between: it can reach the same sketch, and its errors pass through."""
    made = MinHash()

    def values(*, fail: bool) -> Iterator[str]:
        yield "a"
        made.update("b")
        made.merge(made)
        yield "c"
        if fail:
            raise KeyError("values")

    with pytest.raises(KeyError, match="values"):
        made.update_batch(values(fail=True))
    assert made == sketch(["b"])
    made.update_batch(values(fail=False))
    assert made == sketch(["a", "b", "c"])


def test_values_of_every_kind_differ() -> None:
    """Empty, NUL, lone surrogates, bytes that are no text: all are values, all different."""
    values: list[Any] = ["", "a", "\0", "a\0", "ключ", "\ud800", b"\xff\xfe", "a" * 10**6, b"a" * (10**6 - 1)]
    assert sketch(values).count() == len(values)
    assert sketch(["ключ"]) == sketch(["ключ".encode()])


def test_seeds_give_other_hashes() -> None:
    """Sets of one seed say nothing about those of another."""
    minima = [set(sketch(numbers(0, 50), seed=seed).hashvalues) for seed in (0, 1, 2, 2**64 - 1)]
    assert not any(one & other for place, one in enumerate(minima) for other in minima[:place])


def test_threads_lose_no_value() -> None:
    """Eight threads update, merge and compare two sketches both ways: they are those of all their values."""
    shared, other = MinHash(64), MinHash(64)
    barrier = Barrier(THREADS)

    def work(number: int) -> None:
        barrier.wait()
        for value in range(1_000):
            shared.update(f"{number}-{value}")
            if value % 50 == 0:
                one, two = (shared, other) if number % 2 else (other, shared)
                one.merge(two)
                assert 0.0 <= two.jaccard(one) <= 1.0
                assert one != MinHash()
                assert MinHash.from_bytes(two.to_bytes()).num_perm == 64

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert shared == sketch([f"{number}-{value}" for number in range(THREADS) for value in range(1_000)], 64)
