"""The contract of the compiled module.

A decision takes well under a microsecond for usual keys, about two for new keys on a full table; the longest key
allowed, 64 KiB, takes about 60 µs to hash. So nothing here detaches from the interpreter lock, except `Table.shared`,
which may wait for another process, and `Table.stats`. All classes are frozen (safe to share between threads); all
state of limits lives in the table's atomic words. Errors are those of `ratelimit_guard.errors`.

The submodules `audit`, `detector`, `prompt`, `remote`, `sketch` and `tokens` have stubs of their own beside this one.
"""

from typing import final

from ratelimit_guard._core import audit as audit
from ratelimit_guard._core import detector as detector
from ratelimit_guard._core import prompt as prompt
from ratelimit_guard._core import remote as remote
from ratelimit_guard._core import sketch as sketch
from ratelimit_guard._core import tokens as tokens

@final
class ManualClock:
    """A clock that moves only when told to, for tests and replays. Thread-safe.

    It shows seconds since the start of the recording, not Unix time: 0 to about 24 years, so that whatever is charged
    then can still be remembered for twelve years. `UsageError` for anything beyond, negative, infinite or no number;
    the clock then stands where it stood.
    """

    def __new__(cls, start_s: float = 1_000_000.0) -> ManualClock: ...
    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`; a negative number steps it back, though never below zero."""
    def set(self, seconds: float) -> None:
        """Set the clock to `seconds` since its origin."""
    def now(self) -> float:
        """Seconds since the clock's origin."""

@final
class Quota:
    """How much may be used in which time. Immutable, hashable, checked when built.

    `Quota(100, 60.0)` is a strict window, `Quota(100, 60.0, burst=20)` a token bucket. Raises `ConfigError` for
    anything that cannot be enforced: limit outside 1..2**36-1, window outside 1 ms..366 days, a burst on a window
    algorithm, an argument of another type.
    """

    def __new__(
        cls,
        limit: int,
        window_s: float,
        burst: int | None = None,
        algorithm: str | None = None,
        unit: str = "requests",
    ) -> Quota: ...
    @staticmethod
    def parse(text: str) -> Quota:
        """Read a quota string such as `"100/minute"` or `"10 tokens per 5 seconds; burst=20"`.

        Grammar: docs/quota-strings.md. Raises `ConfigError` that quotes the text, names the mistake and says what to
        write.
        """
    @property
    def limit(self) -> int:
        """Units per window."""
    @property
    def window_s(self) -> float:
        """Length of the window in seconds; for `concurrent-requests` the lease of a permit."""
    @property
    def burst(self) -> int | None:
        """Size of the token bucket in units; None for windows."""
    @property
    def algorithm(self) -> str:
        """`"strict"`, `"sliding-window"` or `"token-bucket"`."""
    @property
    def unit(self) -> str:
        """`requests`, `input-tokens`, `output-tokens`, `tokens`, `concurrent-requests` or `cost`."""
    def __str__(self) -> str:
        """The canonical quota string; `Quota.parse(str(q)) == q`."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class LimitResult:
    """The answer of a limit. True when allowed.

    With several policies the fields are those of the tightest one: on a refusal the one with the longest `retry_after`,
    else the one with the smallest `remaining`; `results` holds every policy in the order given. Can be copied and
    pickled.
    """

    @property
    def allowed(self) -> bool: ...
    @property
    def limit(self) -> int:
        """The most that can be used at once, in units: the limit of a window, the burst of a token bucket."""
    @property
    def remaining(self) -> int:
        """Units that an acquire at this instant could still take."""
    @property
    def reset_after(self) -> float:
        """Seconds until the whole limit is free again if nothing else is used."""
    @property
    def retry_after(self) -> float:
        """Seconds until the same acquire can succeed if nothing else is used.

        0.0 when allowed, `inf` when the cost exceeds the limit.
        """
    @property
    def policy(self) -> str:
        """Name of the policy that this result belongs to."""
    @property
    def unit(self) -> str:
        """What that policy counts, as in `Quota.unit`."""
    @property
    def results(self) -> tuple[LimitResult, ...]: ...
    def ratelimit_field(self) -> bytes:
        """The value of a RateLimit header field (draft-ietf-httpapi-ratelimit-headers-11), an item for each policy.

        `r` is what remains, `t` the seconds, rounded up, until the whole limit is free or, after a refusal, until the
        same request fits; left out when it never does.
        """
    def openai_fields(self) -> list[tuple[bytes, bytes]]:
        """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`: of each unit the tightest policy, and in how long
        all of it is free (`12ms`, `6m0s`). Where no policy counts all tokens, those that count a part speak for them.
        """
    def anthropic_fields(self, unix_time: float) -> list[tuple[bytes, bytes]]:
        """`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`: the same, and
        when all of it is free (RFC 3339).
        """
    def __bool__(self) -> bool: ...

@final
class Table:
    """Fixed-size table of counters in anonymous memory or in a mapped file. Never grows."""

    @staticmethod
    def memory(capacity: int, clock: ManualClock | None = None) -> Table:
        """Counters of this process and of the children that it forks. `ConfigError` for a capacity outside 1..2**31."""
    @staticmethod
    def shared(path: str, capacity: int, clock: ManualClock | None = None) -> Table:
        """Counters of every process that opens `path`. Creates the file (0600) when absent or left by an earlier boot.

        Waits, without the interpreter lock, while another process opens or makes the file. `StoreError` when the file
        belongs to another user, is a symlink, is read-only, truncated, of another layout version, capacity or time
        namespace, or when there is no room for it. `ConfigError` for a capacity outside 1..2**31.
        """
    @property
    def capacity(self) -> int:
        """Keys that fit comfortably: three quarters of the cells."""
    @property
    def size_bytes(self) -> int:
        """Bytes of address space; in memory, pages count when first touched, in a file they are reserved at once."""
    @property
    def path(self) -> str | None: ...
    def stats(self) -> dict[str, int]:
        """`cells`, `live`, `full_refused`, `full_allowed`.

        Walks the whole table, about 2 ns per cell while other threads go on, and touches each of its pages: for
        operators, not for requests.
        """
    def leases(self) -> dict[str, int]:
        """What reservations hold: `live`, `reclaimed` and `unlisted`.

        `live` entries of the ledger are in use, `reclaimed` were taken back from processes that died or were stopped,
        and for `unlisted` reservations it had no room: what those hold comes back only when its window ends.
        """
    def keep(self) -> int:
        """Make a round of the keeper now: renew this process's leases, take back those of dead ones; how many.

        A thread does so each second from a process's first reservation on, except under a `ManualClock`.
        """
    def limiter(
        self,
        namespace: str,
        policies: list[tuple[str, Quota]],
        on_full: str = "refuse",
    ) -> TableLimiter:
        """Bind named quotas to this table.

        `ConfigError` for none, more than 16, duplicate or malformed names, a namespace that is no text and an unknown
        `on_full`. The first one of a shared table that counts tokens or concurrent requests opens the ledger of leases
        beside it, and waits and fails as `shared` does.
        """

@final
class TableLimiter:
    """Several quotas, one decision: all pay or none pays."""

    def acquire(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> LimitResult:
        """Take `cost` units of every policy, or of none.

        `confirmed=False` keeps a key that nobody vouched for out of the half of the table reserved for confirmed ones.
        `UsageError` for a key that is not str or bytes or is longer than 65,536 bytes, for a negative or non-integer
        cost, and for a limiter with a `concurrent-requests` policy (that takes `permit`).
        """
    def acquire_each(self, keys: tuple[str | bytes, ...], cost: int = 1, confirmed: bool = True) -> LimitResult:
        """`acquire` with a key of its own for every policy, in the order of the policies.

        `UsageError` for another number of keys than policies, too.
        """
    def peek_each(self, keys: tuple[str | bytes, ...], cost: int = 1) -> LimitResult:
        """What `acquire_each` would answer now. Writes nothing."""
    def peek(self, key: str | bytes, cost: int = 1) -> LimitResult:
        """What `acquire` would answer now. Writes nothing.

        For a key that has no counter yet it does not look whether the table has room for one.
        """
    def reset(self, key: str | bytes) -> bool:
        """Forget everything that `key` used. True when there was something to forget."""
    def permit(self, key: str | bytes, cost: int = 1, confirmed: bool = True) -> Permit:
        """Take a slot under every `concurrent-requests` policy and `cost` units of every other one, or nothing.

        `UsageError` when no policy counts concurrent requests.
        """
    def reserve(
        self,
        keys: tuple[str | bytes, ...],
        units: int = 1,
        input_tokens: int = 0,
        output_tokens: int = 0,
        *,
        surely: int = 0,
        least: int = 0,
        firm: bool = False,
        account: str | bytes | None = None,
        confirmed: bool = True,
    ) -> Reservation:
        """Reserve what a call of a model needs, a key for every policy: all pay or none pays.

        A policy is paid by its unit: `units` of requests and of cost, a slot of concurrent requests, input, output, or
        both of tokens. Of `output_tokens` as much as fits is reserved, at least `least` (at most `output_tokens`).
        Input is an estimate, of which the call surely has `surely`: where these and `least` fit into a quota, an
        estimate that does not is cut to it. Numbers of tokens beyond `MAX_LIMIT` count as that.

        An `account` without a reservation in flight is not refused because others hold output that they have not spent:
        it goes into debt, by at most as much. Nobody looks past a `firm` reservation. A token bucket remembers debts of
        a sixteenth of its size beyond empty, so there it is by at most that.

        `UsageError` as for `acquire_each`. Cost: a few microseconds; when an account is refused some nanoseconds more
        for each reservation of the most that were ever in flight on this host.
        """

@final
class Reservation:
    """What a call holds until `settle` or `release`, or the reason why it holds nothing. True when admitted.

    Thread-safe. One that is dropped is settled as spent. Permits are renewed while it is open (leases under 2 s end
    earlier), and what a killed process held is taken back: permits, and output of the last slice that was not spent.
    It belongs to the process that made it: in a forked child its methods change nothing.
    """

    @property
    def result(self) -> LimitResult:
        """The answer of the admission."""
    @property
    def spent(self) -> int:
        """Output tokens told to `spend` so far."""
    @property
    def input_tokens(self) -> int | None:
        """Prompt tokens that were charged at the admission; None where no policy counts any, or it was refused."""
    def spend(self, output_tokens: int, slice: int) -> bool:  # noqa: A002  the word of the contract
        """Tell that so many output tokens have passed.

        They are taken from what is reserved; when that is used up, the missing ones are charged and up to `slice` more,
        as much as fits. False: the missing ones did not fit; they became a debt, and nothing more should be sent. True,
        and nothing changes, when refused or ended. About a tenth of a microsecond while the reserve lasts.
        """
    def charge(self, units: int) -> LimitResult:
        """Take `units` more of every policy of requests and cost, or of none; of an ended reservation only ask."""
    def settle(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """End with the real usage; None: as reserved, and as spent so far.

        What was charged beyond it is given back, what is missing becomes a debt; permits are freed. Without effect when
        ended.
        """
    def release(self) -> None:
        """End with nothing used: tokens and permits are given back, requests and cost stay charged."""
    def __bool__(self) -> bool: ...

@final
class Permit:
    """A slot in flight, or the reason why there is none. Freed by `release()` or when its lease ends.

    It belongs to the process that took it: in a forked child `release()` and `renew()` answer False and touch nothing.
    A permit that a full table let pass uncounted (`on_full="allow"`) is true but holds no slot: both answer False.
    """

    @property
    def result(self) -> LimitResult: ...
    def release(self) -> bool:
        """Free the slot. True when it was still held: False on a second call, after the lease ended or a refusal.

        Idempotent.
        """
    def renew(self) -> bool:
        """Start the lease anew. False when it already ended or was released: the slot is then gone."""
    def __bool__(self) -> bool: ...

MAX_KEY_BYTES: int
MAX_NAME_BYTES: int
MAX_POLICIES: int
MAX_LIMIT: int
DEFAULT_CAPACITY: int
LAYOUT_VERSION: int
RESERVED_SUFFIXES: tuple[str, str, str, str]  # of the files beside a table: lock, unfinished copy, detector, leases
