"""Questions to the script that decides at a server, and its answers. How both look: `stores/scripts/decide.lua`."""

from collections.abc import Sequence
from typing import Any, final

from ratelimit_guard._core import LimitResult, Quota

TAGS: int
"""Hash tags over which the counters of a cluster are spread."""
PREFIX: str
"""What all keys begin with; it names the version of what is stored."""

_Keys = str | bytes | tuple[str | bytes, ...]

@final
class RemotePolicies:
    """Policies as a server knows them. `ConfigError` for none, more than 16, or two of one name."""

    def __new__(cls, namespace: str, policies: Sequence[tuple[str, Quota]]) -> RemotePolicies: ...
    @property
    def prefix(self) -> str:
        """What the keys of their counters begin with."""

    @property
    def units(self) -> list[str]:
        """What each of them counts."""

    def subset(self, indices: list[int]) -> RemotePolicies:
        """Some of them."""

    def registrations(self) -> list[tuple[str, str]]:
        """Name and quota of each, to be entered at the server."""

    def set_stamps(self, stamps: list[int]) -> None:
        """When each was entered, µs of the server: of two quotas under one name the later one holds."""

    def groups(self, keys: tuple[str | bytes, ...]) -> list[tuple[int, list[int]]]:
        """Hash tag and policies of each group of counters that can be asked together, in the order of charging."""

    @staticmethod
    def tag(key: str | bytes) -> int:
        """The hash tag of a key's counters."""

    def merge(self, parts: list[tuple[list[int], LimitResult | bool]], wait_s: float) -> LimitResult:
        """One result of parts: indices and their result, or True: all free, or False: nothing is, for so long."""

@final
class RemoteBatch:
    """Questions of many callers for one call of the script. `UsageError` for keys and numbers that cannot be counted.
    Not for several threads at a time. Cost: half a microsecond for each question.
    """

    def __new__(cls) -> RemoteBatch: ...
    def __len__(self) -> int: ...
    @property
    def counters(self) -> int:
        """Counters that the questions are about: what they cost the server."""

    def acquire(
        self,
        policies: RemotePolicies,
        keys: _Keys,
        cost: int = 1,
        gate: int = 0,
        receipts: bool = False,
        extra: int = 0,
    ) -> None:
        """Take units of every policy, and up to `extra` more; slots of those that count them. `gate`: 1, it opens or
        closes the gate; 2, it is not done behind a closed one. `receipts`: it may be given back.
        """

    def peek(self, policies: RemotePolicies, keys: _Keys, cost: int = 1) -> None:
        """What would be answered."""

    def reset(self, policies: RemotePolicies, key: str | bytes) -> None:
        """Forget a key."""

    def reserve(
        self,
        policies: RemotePolicies,
        keys: _Keys,
        units: int,
        input_tokens: int,
        output_tokens: int,
        *,
        surely: int,
        least: int,
        firm: bool,
        account: str | bytes | None,
        number: int,
        lease_us: int,
        gate: int = 0,
    ) -> list[int]:
        """Reserve what a call of a model needs; gives what each policy is paid besides output."""

    def top_up(
        self, policies: RemotePolicies, keys: _Keys, missing: int, more: int, firm: bool, number: int, lease_us: int
    ) -> None:
        """Reserve what has passed already, and up to `slice` more."""

    def charge_more(self, policies: RemotePolicies, keys: _Keys, units: int) -> None:
        """Take requests and cost alone."""

    def settle(
        self,
        policies: RemotePolicies,
        keys: _Keys,
        dues: list[tuple[int, int, int, int, list[tuple[int, int, int]]]],
    ) -> None:
        """Give back and take what is due: of each policy its index, the reservation and what is listed of it, units to
        take, and mark, life and units of what is given back.
        """

    def renew(self, policies: RemotePolicies, index: int, key: str | bytes, mark: int, born: int) -> None:
        """Let a slot's lease begin anew."""

    def beat(self, policies: RemotePolicies, index: int, key: str | bytes, number: int, lease_us: int) -> None:
        """Let a reservation's lease begin anew."""

    def arguments(self, now_us: int, nonce: int) -> tuple[list[bytes], bytes]:
        """The script's keys and argument. `now_us` 0: the server's time. `nonce`: below 2**52, never used before."""

    def read(self, reply: bytes) -> tuple[list[Any], int]:
        """The answers, and how many reservations were taken back. An answer is a result; with receipts a result, output
        and receipts; a bool; the mark of a renewed slot, None for one that was gone; None for what was not done behind
        a closed gate; `NotImplemented` where a key holds what is not ours. `StoreError` for what is no reply.
        """

def aged(result: LimitResult, seconds: float, spare: int = 0) -> LimitResult:
    """A result as it stands so much later, when nothing was taken and so many units more are free."""
