"""Bytes that travel: what `to_bytes` writes is read, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard import UsageError
from ratelimit_guard.sketch import MinHash
from sketch.helpers import EXACT, numbers, sketch

HEAD = 13


def test_bytes_are_the_same_on_every_machine() -> None:
    """The format is fixed: sketches may be stored and sent."""
    data = sketch(["a", "b"], 2, 258).to_bytes()
    assert data[:HEAD] == b"\x01" + (258).to_bytes(8, "little") + b"\x02\0" + b"\x02\0"
    values = sketch(["a", "b"], 2, 258).hashvalues
    assert data[HEAD : HEAD + 8] == b"".join(value.to_bytes(4, "little") for value in values)
    assert len(data) == HEAD + 16
    assert sketch(numbers(0, 500), 2).to_bytes()[HEAD - 2 : HEAD] == b"\xff\xff"
    assert len(sketch(numbers(0, 500)).to_bytes()) == HEAD + 512
    assert len(sketch(numbers(0, EXACT)).to_bytes()) <= 1_040


HEADS = st.tuples(st.integers(0, 4), st.integers(0, 4), st.binary(max_size=34)).map(
    lambda row: b"\x01" + bytes(8) + row[0].to_bytes(2, "little") + row[1].to_bytes(2, "little") + row[2]
)


@given(st.binary(max_size=40) | HEADS)
def test_any_bytes_are_a_sketch_or_refused(data: bytes) -> None:
    """What can be read is written again as it was, and can be used; the rest is a usage error."""
    try:
        made = MinHash.from_bytes(data)
    except UsageError:
        return
    assert made.to_bytes() == data
    assert made.count() >= 0.0
    assert made.jaccard(made) == 1.0
    made.update("x")
    made.merge(made.copy())
    assert MinHash.from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize("size", [0, 3, 500])
def test_bytes_that_are_cut_or_changed_are_refused(size: int) -> None:
    """Every cut, another format, counts that do not fit."""
    data = sketch(numbers(0, size), 4).to_bytes()
    broken = [data[:length] for length in range(len(data))]
    broken += [data + b"\0" * more for more in (1, 4)]
    broken += [b"\x02" + data[1:], data[:9] + b"\0\0" + data[11:], data[:9] + b"\xff\xff" + data[11:]]
    broken += [data[:9] + b"\x05\0" + data[11:], data[:11] + b"\x81\0" + data[13:], data[:11] + b"\xfe\xff" + data[13:]]
    for each in broken:
        with pytest.raises(UsageError, match="MinHash"):
            MinHash.from_bytes(each)


def forged(minima: list[int], values: list[int]) -> bytes:
    """Bytes of a sketch that has these minima and this set."""
    head = b"\x01" + (1).to_bytes(8, "little") + len(minima).to_bytes(2, "little") + len(values).to_bytes(2, "little")
    return head + b"".join(number.to_bytes(4, "little") for number in (*minima, *values))


def parts(made: MinHash) -> tuple[list[int], list[int]]:
    """Minima and set of a small sketch."""
    data = made.to_bytes()[HEAD:]
    words = [int.from_bytes(data[place : place + 4], "little") for place in range(0, len(data), 4)]
    return words[: made.num_perm], words[made.num_perm :]


def test_forged_set_is_refused() -> None:
    """A set out of order, with a value twice, or with the value that no hash has."""
    minima, values = parts(sketch(["a", "b", "c"], 4))
    assert MinHash.from_bytes(forged(minima, values)) == sketch(["a", "b", "c"], 4)
    for each in (values[::-1], [values[0], values[0], values[2]], [0, *values[1:]]):
        with pytest.raises(UsageError, match="MinHash"):
            MinHash.from_bytes(forged(minima, each))


def test_forged_minima_are_refused() -> None:
    """While the set is whole, the minima follow from it: others were never written."""
    minima, values = parts(sketch(["a", "b", "c"], 4))
    for each, its in (([1, *minima[1:]], values), ([2**32 - 1] * 4, values), (minima, []), (minima, values[1:])):
        with pytest.raises(UsageError, match="MinHash"):
            MinHash.from_bytes(forged(each, its))
