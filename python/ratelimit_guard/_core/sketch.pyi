"""Sketches: what `ratelimit_guard.sketch` offers.

Thread-safe: each holds its state behind a lock of its own. All but the index can be copied and pickled; none can be
hashed, since they change. A method takes what its docstring says and keeps the interpreter lock, except for texts of
more than 256 KiB.
"""

from collections.abc import Iterable
from typing import ClassVar, final

@final
class MinHash:
    """Signature of a set: how similar two sets are, from `num_perm` numbers of 32 bits each (Broder, 1997).

    Names and meaning of `datasketch.MinHash`, with two differences: a set of at most 128 values is kept whole, so that
    two such sketches compare exactly; and `from_text` makes and hashes the shingles of a text in one call. Otherwise
    the standard error of `jaccard` is sqrt(J * (1 - J) / num_perm). The same seed gives the same sketch on every
    machine and processor; one that others cannot know keeps them from choosing texts that collide. `ConfigError` for a
    num_perm outside 1..1024 or a seed outside 0..2**64-1, `TypeError` for a sketch or bytes that are none.
    """

    def __new__(cls, num_perm: int = 128, seed: int = 1) -> MinHash: ...
    @staticmethod
    def from_text(text: str | bytes, num_perm: int = 128, seed: int = 1) -> MinHash:
        """The sketch of a text's word 3-shingles.

        Case, width, accents and punctuation make no difference; Chinese, Japanese, Thai and emoji count by the
        character; runs of more than 32 bytes without a space are cut by their own content. A text of one or two words
        is one shingle. From 4,096 words on, one shingle in eight counts, chosen by its hash. `bytes` are read as
        UTF-8; what is none parts words. Cost with AVX2: half a microsecond for 200 bytes, 1.3 ns per byte for long
        texts.
        """
    @staticmethod
    def union(*others: MinHash) -> MinHash:
        """A new sketch of all their values. `UsageError` for none, or for sketches of different num_perm or seed."""
    @staticmethod
    def from_bytes(data: bytes) -> MinHash:
        """Read what `to_bytes` wrote. `UsageError` for anything that it cannot have written."""
    @property
    def num_perm(self) -> int:
        """Number of permutations."""
    @property
    def seed(self) -> int:
        """Key of the hash; of a prompt's sketch, a number that stands for its reader's secret."""
    @property
    def hashvalues(self) -> list[int]:
        """The minimum of each permutation; 2**32 - 1 while empty."""
    def update(self, value: str | bytes | int) -> None:
        """Add a value to the set. `UsageError` for another type."""
    def update_batch(self, values: Iterable[str | bytes | int]) -> None:
        """Add each of the values. `UsageError` for a value of another type, and for a single `str` or `bytes`; then
        none is added.
        """
    def jaccard(self, other: MinHash) -> float:
        """Size of the intersection over size of the union, 0.0 to 1.0; exact when both sets are whole.

        Two empty sets are equal. `UsageError` for a sketch of another num_perm or seed.
        """
    def merge(self, other: MinHash) -> None:
        """Become the union. `UsageError` for a sketch of another num_perm or seed."""
    def count(self) -> float:
        """How many different values: exact while the set is whole, else estimated."""
    def is_empty(self) -> bool:
        """Nothing was added since it was made or cleared."""
    def is_exact(self) -> bool:
        """The set is kept whole: it has at most 128 values."""
    def clear(self) -> None:
        """Forget all values."""
    def copy(self) -> MinHash:
        """A sketch of its own with the same values."""
    def to_bytes(self) -> bytes:
        """Format, seed, minima and, while it is whole, the set: at most 1,040 bytes for 128 permutations."""
    def __len__(self) -> int:
        """Number of permutations."""
    def __eq__(self, other: object) -> bool:
        """Same seed, minima and set."""
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MinHashLSH:
    """An index of the last `capacity` sketches, by similarity, that never grows.

    Two sketches meet with probability 1 - (1 - J**rows)**bands, and who meets is compared: sets of at most 64 values
    exactly (of 64 values, six pairs in a hundred by one too many), larger ones to about 0.04. Where a stored set of at
    most 64 meets one of more than 128, it counts as different. Without `bands` and `rows` it takes the most rows at
    which two sketches of just that threshold meet 99 times in 100: 42 bands of 3 for 0.5, 21 of 6 for 0.8 (with
    thresholds below 0.07 fewer). Fewer bands are faster and smaller, more rows meet fewer strangers. A line of a band
    that sixteen newer sketches share forgets the oldest of them. Unlike datasketch's, it forgets the oldest instead of
    growing, keys are numbers and may repeat, and there is nothing to remove. Bytes per sketch: 144 plus 5.33 per band.
    `ConfigError` for sizes out of range.
    """

    def __new__(
        cls, capacity: int, threshold: float = 0.5, bands: int | None = None, rows: int | None = None
    ) -> MinHashLSH: ...
    @property
    def capacity(self) -> int:
        """Sketches that it remembers."""
    @property
    def bands(self) -> int:
        """Bands that a sketch is cut into."""
    @property
    def rows(self) -> int:
        """Minima of a band."""
    @property
    def threshold(self) -> float:
        """Least similarity of what `query` returns."""
    @property
    def size_bytes(self) -> int:
        """Memory when full."""
    def insert(self, key: int, minhash: MinHash) -> None:
        """Remember a sketch under a number from 0 to 2**64 - 1, in place of the oldest when full.

        `UsageError` when its num_perm is below bands * rows (126 by default), or its num_perm or seed is not that of
        the sketches before.
        """
    def query(self, minhash: MinHash) -> list[int]:
        """Keys of the sketches that are at least `threshold` similar, most similar first. `UsageError` as for
        `insert`.
        """
    def search(self, minhash: MinHash, threshold: float | None = None) -> list[tuple[int, float]]:
        """`query` with the similarities, and with a threshold of its own."""
    def is_empty(self) -> bool:
        """Nothing was inserted."""
    def __len__(self) -> int:
        """Sketches remembered."""

@final
class HyperLogLog:
    """How many different values a stream held, in 2**p bytes; standard error 1.04 / sqrt(2**p), 6.5 % for p = 8.

    Names and meaning of `datasketch.HyperLogLog`, with 64-bit hashes and Ertl's estimator (2017), good from one value
    to 2**64. `str` counts as its UTF-8 bytes, a number from 0 to 2**64-1
    (a hash, for instance) as eight bytes. The same seed gives the same sketch on every machine; one that others
    cannot know keeps them from choosing values that distort the count. Thread-safe, can be copied and pickled;
    unhashable, since it changes. `ConfigError` for p outside 4..16 or a seed outside 0..2**64-1, `TypeError` for a
    sketch or bytes that are none.
    """

    def __new__(cls, p: int = 8, seed: int = 1) -> HyperLogLog: ...
    @staticmethod
    def union(*others: HyperLogLog) -> HyperLogLog:
        """A new sketch of all their values. `UsageError` for none, or for sketches of different p or seed."""
    @staticmethod
    def from_bytes(data: bytes) -> HyperLogLog:
        """Read what `to_bytes` wrote. `UsageError` for anything that it cannot have written."""
    @property
    def p(self) -> int:
        """The number of registers is 2**p."""
    @property
    def seed(self) -> int:
        """Key of the hash."""
    def update(self, value: str | bytes | int) -> None:
        """Count a value: about 0.1 µs, and 1 ns for each byte. `UsageError` for another type."""
    def update_batch(self, values: Iterable[str | bytes | int]) -> None:
        """`update` with each of the values, in about half the time.

        `UsageError` for a value of another type, after counting those before it, and for a single `str` or `bytes`.
        """
    def count(self) -> float:
        """Estimate how many different values were counted: 0.0 for none; about 1 ns per register."""
    def merge(self, other: HyperLogLog) -> None:
        """Take in the other's values. `UsageError` for a sketch of another p or seed."""
    def is_empty(self) -> bool:
        """Nothing was counted since it was made or cleared."""
    def clear(self) -> None:
        """Forget all values."""
    def copy(self) -> HyperLogLog:
        """A sketch of its own with the same values."""
    def to_bytes(self) -> bytes:
        """Format, seed and registers: 9 + 2**p bytes."""
    def __len__(self) -> int:
        """Number of registers, 2**p."""
    def __eq__(self, other: object) -> bool:
        """Same p, seed and registers."""
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SpaceSaving:
    """The items that a stream holds most of (Metwally, Agrawal and El Abbadi, 2005), in about 36 bytes per counter.

    Whatever the stream: `count - error` <= what the item truly has <= `count`; `error` <= `total / capacity`; every
    item that truly has more than `total / capacity` is present. Merging keeps this. Items are numbers, such as hashes;
    numbers end at 2**64-1, where counts and `total` stay. Thread-safe, can be copied and pickled.
    `ConfigError` for a capacity outside 1..4096, `UsageError` for an item, count or k that is no whole number from 0 to
    2**64-1, `TypeError` for a sketch or bytes that are none.
    """

    def __new__(cls, capacity: int) -> SpaceSaving: ...
    @staticmethod
    def from_bytes(data: bytes) -> SpaceSaving:
        """Read what `to_bytes` wrote. `UsageError` for anything that it cannot have written."""
    @property
    def capacity(self) -> int:
        """Most counters."""
    @property
    def total(self) -> int:
        """Sum of all counts ever added."""
    def update(self, item: int, count: int = 1) -> None:
        """Count `item` `count` times more; 0 changes nothing. At most about 0.2 µs at any capacity."""
    def top(self, k: int = 10) -> list[tuple[int, int, int]]:
        """The largest `k` counters as (item, count, error), largest first; of equal counts the surer one."""
    def estimate(self, item: int) -> tuple[int, int]:
        """Its count and error. For an absent item both are the most that it may have had."""
    def merge(self, other: SpaceSaving) -> None:
        """Take in the other's counts. `UsageError` for a sketch of another capacity."""
    def copy(self) -> SpaceSaving:
        """A sketch of its own with the same counters."""
    def to_bytes(self) -> bytes:
        """Format, capacity, total and counters: 11 bytes and 24 per counter in use; equal bytes, equal answers."""
    def __len__(self) -> int:
        """Number of counters in use."""

NUM_PERM: int
MAX_NUM_PERM: int
