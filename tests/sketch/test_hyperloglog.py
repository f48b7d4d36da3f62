"""HyperLogLog: how many different values, within the promised error, shared by threads and processes."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from math import inf, sqrt
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import ConfigError, UsageError
from ratelimit_guard.sketch import HyperLogLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = 8
VALUES = st.lists(st.binary(max_size=8) | st.text(max_size=4), max_size=60)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def sketch(values: list[Any], p: int = 8, seed: int = 1) -> HyperLogLog:
    """A sketch of these values."""
    made = HyperLogLog(p, seed)
    made.update_batch(values)
    return made


@pytest.mark.parametrize("p", [4, 8, 12, 16])
@pytest.mark.parametrize("values", [1, 10, 300, 5_000, 20_000])
def test_count_is_within_four_standard_errors(p: int, values: int) -> None:
    """At every size of sketch and stream, for seeds that never change."""
    for seed in (1, 2, 3):
        count = sketch([f"user-{number}" for number in range(values)], p, seed).count()
        assert abs(count / values - 1) <= 4 * 1.04 / sqrt(2**p)


def test_count_has_the_promised_standard_error() -> None:
    """Over many seeds the error is as large as said, and as often above as below."""
    values = [b"%d" % number for number in range(2_000)]
    errors = [sketch(values, seed=seed).count() / 2_000 - 1 for seed in range(200)]
    promised = 1.04 / sqrt(2**8)
    assert sqrt(sum(error**2 for error in errors) / 200) == pytest.approx(promised, rel=4 / sqrt(2 * 200))
    assert abs(sum(errors) / 200) <= 4 * promised / sqrt(200)


def test_count_of_nothing_is_zero() -> None:
    """A new sketch is empty and counts nothing; a cleared one is a new one."""
    used = sketch(["a", "b"])
    assert not used.is_empty()
    assert used.count() == pytest.approx(2, rel=0.05)
    used.clear()
    assert used.is_empty()
    assert used.count() == 0.0
    assert used == HyperLogLog()


def test_count_of_forged_full_registers_is_infinite() -> None:
    """Bytes that no stream leads to, but that could be registers, break nothing."""
    data = HyperLogLog(4).to_bytes()
    assert HyperLogLog.from_bytes(data[:9] + bytes([61] * 16)).count() == inf


@given(VALUES)
def test_values_count_once_in_any_order(values: list[bytes | str]) -> None:
    """Order, repetition and the way of adding change nothing."""
    one_by_one = HyperLogLog()
    for value in reversed(values * 2):
        one_by_one.update(value)
    assert one_by_one == sketch(values)
    assert one_by_one.is_empty() == (not values)


@given(st.text())
def test_text_and_its_utf8_bytes_are_one_value(text: str) -> None:
    """A value read as text in one place and as bytes in another is one value."""
    assert sketch([text]) == sketch([text.encode()])


def test_values_of_every_kind_differ() -> None:
    """Empty, NUL, lone surrogates, bytes that are no text: all are values, all different."""
    values: list[Any] = ["", "a", "\0", "a\0", "ключ", "\ud800", b"\xff\xfe"]
    assert sketch(values, 16).count() == pytest.approx(len(values), rel=0.01)


@given(VALUES, VALUES)
def test_merge_and_union_see_both_streams(ours: list[bytes | str], theirs: list[bytes | str]) -> None:
    """A merged sketch is that of both streams; a union leaves its parts alone."""
    left, right = sketch(ours), sketch(theirs)
    union = HyperLogLog.union(left, right)
    assert (left, right) == (sketch(ours), sketch(theirs))
    left.merge(right)
    assert left == union == sketch(ours + theirs)
    left.merge(left)
    assert left == union
    assert HyperLogLog.union(right) == right


def test_sketches_of_different_kinds_do_not_merge() -> None:
    """Another p or seed is another way of counting: refused, and nothing is lost."""
    ours = sketch(["a"])
    for other in (HyperLogLog(9), HyperLogLog(seed=2)):
        with pytest.raises(UsageError, match=r"do not merge: use one (p|seed)"):
            ours.merge(other)
        with pytest.raises(UsageError, match="do not merge"):
            HyperLogLog.union(ours, other)
        assert ours != other
    assert ours == sketch(["a"])
    with pytest.raises(UsageError, match="got none"):
        HyperLogLog.union()


def test_sketch_says_what_it_is() -> None:
    """Its parameters can be read, its length is the number of registers, as in datasketch."""
    made = HyperLogLog(10, seed=7)
    assert (made.p, made.seed, len(made), repr(made)) == (10, 7, 1024, "HyperLogLog(p=10, seed=7)")
    assert (HyperLogLog().p, HyperLogLog().seed) == (8, 1)


def test_sketch_is_no_key() -> None:
    """What changes and compares by value has no hash, and equals nothing of another type."""
    with pytest.raises(TypeError):
        hash(HyperLogLog())
    assert HyperLogLog() != HyperLogLog().to_bytes()


COPIES: list[Callable[[HyperLogLog], HyperLogLog]] = [
    HyperLogLog.copy,
    copy.copy,
    copy.deepcopy,
    lambda made: HyperLogLog.from_bytes(made.to_bytes()),
    *(lambda made, number=number: pickle.loads(pickle.dumps(made, number)) for number in PROTOCOLS),  # noqa: S301  our own
]


@pytest.mark.parametrize("way", COPIES)
def test_copy_has_everything_and_a_life_of_its_own(way: Callable[[HyperLogLog], HyperLogLog]) -> None:
    """All ways of copying keep registers, p and seed; later values go to one of the two."""
    made = sketch(["a", "b"], 6, 2**64 - 1)
    copied = way(made)
    assert copied == made
    assert (copied.p, copied.seed, copied.count()) == (made.p, made.seed, made.count())
    copied.update("c")
    assert copied == sketch(["a", "b", "c"], 6, 2**64 - 1) != made


def test_bytes_are_the_same_on_every_machine() -> None:
    """The format is fixed: sketches may be stored and sent."""
    data = sketch([str(number) for number in range(100)], 4, 258).to_bytes()
    assert data[:9] == b"\x01\x02\x01\0\0\0\0\0\0"
    # As recorded: another hash would make stored sketches useless.
    assert data[9:].hex() == "03030403060703030205080505080504"


@given(st.binary(max_size=40) | st.binary(min_size=24, max_size=24).map(lambda tail: b"\x01" + tail))
def test_any_bytes_are_a_sketch_or_refused(data: bytes) -> None:
    """What can be read is written again as it was; the rest is a usage error."""
    try:
        made = HyperLogLog.from_bytes(data)
    except UsageError:
        return
    assert made.to_bytes() == data
    assert made.count() >= 0.0


def test_bytes_that_are_cut_or_changed_are_refused() -> None:
    """Every cut, another format and a register beyond its highest."""
    data = sketch(["a"], 4).to_bytes()
    broken = [data[:length] for length in range(len(data))]
    for each in [*broken, data + b"\0", b"\x02" + data[1:], data[:-1] + b"\x3e"]:
        with pytest.raises(UsageError, match="HyperLogLog"):
            HyperLogLog.from_bytes(each)


@pytest.mark.parametrize("p", [-1, 0, 3, 17, 2**64, 10**50, 8.0, "8", None])
def test_p_outside_its_range_is_a_config_error(p: Any) -> None:
    """From 16 to 65,536 registers, nothing else."""
    with pytest.raises(ConfigError, match="p must be 4 to 16, got"):
        HyperLogLog(p)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None])
def test_seed_that_is_no_word_is_a_config_error(seed: Any) -> None:
    """A seed has 64 bits."""
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        HyperLogLog(seed=seed)


@pytest.mark.parametrize("value", [None, -5, 2**64, 1.5, ["a"], bytearray(b"a"), object()])
def test_value_of_another_type_is_a_usage_error(value: Any) -> None:
    """Only str, bytes and numbers of 64 bits are values; those before a wrong one are counted."""
    made = HyperLogLog()
    with pytest.raises(UsageError, match="str"):
        made.update(value)
    assert made.is_empty()
    with pytest.raises(UsageError, match="str"):
        made.update_batch(["a", value, "b"])
    assert made == sketch(["a"])


@pytest.mark.parametrize("value", ["abc", b"abc"])
def test_batch_of_one_value_is_a_usage_error(value: Any) -> None:
    """A single value in the place of many would count its letters."""
    with pytest.raises(UsageError, match="use update"):
        HyperLogLog().update_batch(value)


@pytest.mark.parametrize("stranger", [None, 5, b"", "a", object()])
def test_stranger_is_a_type_error(stranger: Any) -> None:
    """Only sketches merge, only bytes are read."""
    for call in (HyperLogLog().merge, HyperLogLog.union, HyperLogLog().update_batch if stranger in (None, 5) else None):
        if call:
            with pytest.raises(TypeError):
                call(stranger)
    if not isinstance(stranger, bytes):
        with pytest.raises(TypeError):
            HyperLogLog.from_bytes(stranger)


def test_batch_may_use_the_sketch_and_may_fail() -> None:
    """Code of the caller runs in between: it can reach the same sketch, and its errors pass through."""
    made = HyperLogLog()

    def values() -> Iterator[str]:
        yield "a"
        made.update("b")
        made.merge(made)
        yield "c"
        raise KeyError("values")

    with pytest.raises(KeyError, match="values"):
        made.update_batch(values())
    assert made == sketch(["a", "b", "c"])


def test_threads_lose_no_value() -> None:
    """Eight threads update and merge one sketch: it is that of all their values."""
    shared, other = HyperLogLog(12), HyperLogLog(12)
    barrier = Barrier(THREADS)

    def work(number: int) -> None:
        barrier.wait()
        for value in range(2_000):
            shared.update(f"{number}-{value}")
            if value % 100 == 0:
                (shared.merge if number % 2 else other.merge)(other if number % 2 else shared)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert shared == sketch([f"{number}-{value}" for number in range(THREADS) for value in range(2_000)], 12)
