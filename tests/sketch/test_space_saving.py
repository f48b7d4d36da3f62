"""SpaceSaving: the most frequent items, never further off than said, whatever the stream."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, UsageError
from ratelimit_guard.sketch import SpaceSaving

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8
LARGEST = 2**64 - 1
STREAMS = st.lists(
    st.tuples(st.integers(0, 30) | st.integers(0, LARGEST), st.just(1) | st.integers(0, 10**9)), max_size=120
)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def sketch(capacity: int, stream: list[tuple[int, int]]) -> SpaceSaving:
    """A sketch of this stream."""
    made = SpaceSaving(capacity)
    for item, count in stream:
        made.update(item, count)
    return made


def check_promises(made: SpaceSaving, stream: list[tuple[int, int]]) -> None:
    """Compare with exact counts all that the class promises."""
    truth: Counter[int] = Counter()
    for item, count in stream:
        truth[item] += count
    top = made.top(LARGEST)
    present = {item: (count, error) for item, count, error in top}
    assert made.total == sum(truth.values())
    assert len(made) == len(top) == len(present) <= made.capacity
    assert top == sorted(top, key=lambda row: (-row[1], row[2], row[0]))
    for item in [*truth, 31, 32]:
        count, error = made.estimate(item)
        assert count - error <= truth[item] <= count
        assert error * made.capacity <= made.total
        assert present.get(item, (count, error)) == (count, error)
        assert item in present or truth[item] * made.capacity <= made.total


@given(st.integers(1, 20), STREAMS)
def test_any_stream_keeps_the_promises(capacity: int, stream: list[tuple[int, int]]) -> None:
    """Bounds of every count and the presence of every frequent item."""
    check_promises(sketch(capacity, stream), stream)


@given(st.integers(1, 12), st.lists(STREAMS, min_size=1, max_size=4), STREAMS)
def test_any_merge_keeps_the_promises(
    capacity: int, streams: list[list[tuple[int, int]]], later: list[tuple[int, int]]
) -> None:
    """For all merged streams together, and for what comes after."""
    made = SpaceSaving(capacity)
    for stream in streams:
        made.merge(sketch(capacity, stream))
    together = [row for stream in streams for row in stream]
    check_promises(made, together)
    for item, count in later:
        made.update(item, count)
    check_promises(made, together + later)
    made.merge(made)
    check_promises(made, (together + later) * 2)


def test_frequent_items_outlast_a_stream_of_new_ones() -> None:
    """Four counters among ten thousand strangers: who has more than a quarter is there, with honest bounds."""
    made = SpaceSaving(4)
    for number in range(10_000):
        made.update(1_000 + number)
        made.update(7)
    ((item, count, error),) = made.top(1)
    assert item == 7
    assert count - error <= 10_000 <= count
    assert made.total == 20_000


def test_answers_of_a_small_stream_are_exact() -> None:
    """While there are counters for all items, counts are counts and errors are zero."""
    made = sketch(3, [(5, 2), (6, 3), (5, 2)])
    assert made.top() == [(5, 4, 0), (6, 3, 0)]
    assert (made.estimate(5), made.estimate(9)) == ((4, 0), (0, 0))
    assert (len(made), made.total, made.capacity) == (2, 7, 3)
    assert repr(made) == "<SpaceSaving of 7 items, 2 of 3 counters used>"
    made.update(8)
    made.update(9, 5)
    assert made.top(2) == [(9, 6, 1), (5, 4, 0)]
    assert made.estimate(8) == (3, 3)


def test_top_has_as_many_as_there_are() -> None:
    """Ten unless told otherwise, none for 0, and all for more than there are."""
    made = sketch(50, [(item, item + 1) for item in range(20)])
    assert [item for item, _, _ in made.top()] == list(range(19, 9, -1))
    assert made.top(0) == []
    assert len(made.top(LARGEST)) == 20
    assert SpaceSaving(1).top() == []


def test_count_of_zero_changes_nothing() -> None:
    """It takes no counter from another item."""
    made = sketch(1, [(1, 1), (2, 0)])
    assert made.top() == [(1, 1, 0)]
    assert made.total == 1


def test_numbers_end_at_the_largest() -> None:
    """Counts and totals beyond 64 bits stay at the largest number, without wrapping."""
    made = sketch(2, [(1, LARGEST), (1, LARGEST), (2, 5), (LARGEST, 1)])
    assert made.total == LARGEST
    assert made.top() == [(1, LARGEST, 0), (LARGEST, 6, 5)]


def test_sketches_of_different_capacity_do_not_merge() -> None:
    """Their bounds differ: refused, and nothing is lost."""
    made = sketch(3, [(1, 1)])
    with pytest.raises(UsageError, match="capacities 3 and 4 do not merge"):
        made.merge(SpaceSaving(4))
    assert made.top() == [(1, 1, 0)]


COPIES: list[Callable[[SpaceSaving], SpaceSaving]] = [
    SpaceSaving.copy,
    copy.copy,
    copy.deepcopy,
    lambda made: SpaceSaving.from_bytes(made.to_bytes()),
    *(lambda made, number=number: pickle.loads(pickle.dumps(made, number)) for number in PROTOCOLS),  # noqa: S301  our own
]


@pytest.mark.parametrize("way", COPIES)
def test_copy_has_everything_and_a_life_of_its_own(way: Callable[[SpaceSaving], SpaceSaving]) -> None:
    """All ways of copying keep all counters; the copy goes on as the original would."""
    stream = [(number * 7 % 13, number) for number in range(100)]
    made = sketch(5, stream)
    copied = way(made)
    assert copied.to_bytes() == made.to_bytes() == sketch(5, stream).to_bytes()
    copied.update(99)
    assert copied.to_bytes() == sketch(5, [*stream, (99, 1)]).to_bytes() != made.to_bytes()


def test_bytes_are_the_same_on_every_machine() -> None:
    """The format is fixed: sketches may be stored and sent."""
    numbers = [9, 258, 6, 0, 1, 3, 0]
    expected = b"\x01\x04\x00" + b"".join(number.to_bytes(8, "little") for number in numbers)
    assert sketch(4, [(1, 3), (258, 6)]).to_bytes() == expected


@given(STREAMS, st.integers(0), st.integers(0, 255), st.binary(max_size=60))
def test_any_bytes_are_a_sketch_or_refused(stream: list[tuple[int, int]], place: int, value: int, noise: bytes) -> None:
    """What can be read keeps its order of bounds; the rest is a usage error."""
    data = bytearray(sketch(4, stream).to_bytes())
    data[place % len(data)] = value
    for given_bytes in (bytes(data), noise, b"\x01\x04\x00" + noise):
        try:
            made = SpaceSaving.from_bytes(given_bytes)
        except UsageError:
            continue
        assert len(made.to_bytes()) == len(given_bytes)
        made.update(3)
        assert all(error <= count for _, count, error in made.top())


def test_bytes_that_are_cut_or_impossible_are_refused() -> None:
    """Every cut, another format, an item twice, more than the total."""
    made = sketch(4, [(1, 3), (258, 6)])
    data = made.to_bytes()
    twice = data[:35] + data[11:35]
    more = data[:3] + (8).to_bytes(8, "little") + data[11:]
    whole = {11, 35, 59}
    cut = [data[:length] for length in range(len(data)) if length not in whole]
    for each in [*cut, b"\x02" + data[1:], twice, more, data[:1] + b"\0\0" + data[3:], data[:1] + b"\x01" + data[2:]]:
        with pytest.raises(UsageError, match="not the bytes of a SpaceSaving"):
            SpaceSaving.from_bytes(each)


@pytest.mark.parametrize("capacity", [-1, 0, 4_097, 2**64, 10**50, 1.0, "5", None])
def test_capacity_outside_its_range_is_a_config_error(capacity: Any) -> None:
    """One to 4096 counters, nothing else."""
    with pytest.raises(ConfigError, match="capacity must be 1 to 4096 counters, got"):
        SpaceSaving(capacity)


WRONG_NUMBERS = [-1, 2**64, -(10**50), pytest.param(-(10**5_000), id="unwritable"), 1.0, "1", None, [1]]


@pytest.mark.parametrize("number", WRONG_NUMBERS)
def test_number_that_does_not_fit_is_a_usage_error(number: Any) -> None:
    """Items, counts and k have 64 bits and no sign; the text says what to do, and nothing is counted."""
    made = SpaceSaving(2)
    with pytest.raises(UsageError, match=r"item must be .* & \(2\*\*64 - 1\), got"):
        made.update(number)
    with pytest.raises(UsageError, match=r"item must be .*, got"):
        made.estimate(number)
    with pytest.raises(UsageError, match=r"count must be .* upwards only, got"):
        made.update(1, number)
    with pytest.raises(UsageError, match=r"k must be a whole number from 0 .*, got"):
        made.top(number)
    assert (made.total, len(made)) == (0, 0)


@pytest.mark.parametrize("stranger", [None, 5, "a", bytearray(b"a"), object()])
def test_stranger_is_a_type_error(stranger: Any) -> None:
    """Only sketches merge, only bytes are read."""
    with pytest.raises(TypeError):
        SpaceSaving(1).merge(stranger)
    with pytest.raises(TypeError):
        SpaceSaving.from_bytes(stranger)


def test_number_may_be_any_integer_like() -> None:
    """True is 1, and so is whatever has `__index__`."""

    class Two:
        def __index__(self) -> int:
            return 2

    made = SpaceSaving(2)
    made.update(True, Two())  # type: ignore[arg-type]
    assert made.top() == [(1, 2, 0)]


def test_threads_lose_no_count() -> None:
    """Eight threads update and merge: every unit is there."""
    shared, sides = SpaceSaving(64), [SpaceSaving(64), SpaceSaving(64)]
    barrier = Barrier(THREADS)

    def work(number: int) -> None:
        barrier.wait()
        for step in range(5_000):
            shared.update(step % 10, number + 1)
            if step % 1_000 == 0:  # both ways at once
                sides[number % 2].merge(sides[1 - number % 2])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert shared.total == 5_000 * 36
    assert shared.top() == [(item, 500 * 36, 0) for item in range(10)]
