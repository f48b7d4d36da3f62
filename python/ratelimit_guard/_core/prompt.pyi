"""Prompts: what `ratelimit_guard.prompt` is made of.

A reader finds a prompt in a JSON body and derives facts from it. Nothing here raises for what a caller may send: a
body that cannot be read gives a `problem`. The interpreter lock is kept, except for bodies of
more than 256 KiB: a body costs 0.1 ms per megabyte of long
strings, 4 ms per megabyte of the worst JSON, and the facts at most about a tenth of a millisecond.
"""

from typing import final

from ratelimit_guard._core.sketch import MinHash

@final
class PromptReader:
    """Reads bodies by a table of dialects. Thread-safe; made once.

    `dialects` are (name, {path: field}); `secret` keys the hashes: facts compare within one secret. `ConfigError` that
    names the dialect and path for a path or field that means nothing, for a secret of less than 16 bytes and for
    max_bytes outside 1..2**31-1. `judges`: only for the detector, sketch, template and features stay empty.
    """

    def __new__(
        cls, dialects: list[tuple[str, dict[str, str]]], secret: bytes, max_bytes: int, judges: bool = False
    ) -> PromptReader: ...
    def scan(self, body: bytes) -> Fields:
        """What stands where in a body of UTF-8 JSON, without deriving facts."""
    def read(self, body: bytes) -> Prompt:
        """`scan`, and the facts."""
    def unreadable(self, problem: str) -> Prompt:
        """A prompt without facts, for a body that never came to reading."""
    def minhash(self, text: str | bytes) -> MinHash:
        """The sketch of a plain text, comparable with those of this reader's prompts."""
    def answered(self, body: bytes) -> tuple[int, int, int | None] | None:
        """Of a JSON response the first answer, as `answer` of its text, and its tokens; None when there is none."""
    def answer(self, text: str) -> tuple[int, int]:
        """Hash and number of the words that identify `text` when it comes back as the model's turn, see
        `Prompt.answers`.
        """

@final
class Turn:
    """A message of the body, or what one key says outside of messages."""

    @property
    def role(self) -> str:
        """`"system"`, `"user"`, `"assistant"` or `"tool"`."""
    @property
    def text(self) -> str:
        """Its pieces, a line each. Lone surrogates become U+FFFD."""
    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where its pieces stand in the body: first byte and one past the last; strings with their quotes."""

@final
class Fields:
    """What stands where in a body. Holds on to the body; texts and values are decoded when asked for."""

    @property
    def problem(self) -> str | None:
        """Why nothing was found: `"too-large"`, `"too-deep"`, `"too-many"`, `"not-json"`, `"not-utf-8"`, or what the
        caller of `unreadable` said. None for a body that was read, also when it held no prompt.
        """
    @property
    def body(self) -> bytes:
        """The bytes that spans point into."""
    @property
    def turns(self) -> list[Turn]:
        """Every message, in the order of the body. Pieces of different roles in one message are turns of their own."""
    @property
    def system(self) -> str:
        """All text of the application, a line for each piece."""
    @property
    def user(self) -> str:
        """The user's last turn."""
    @property
    def model(self) -> str | None: ...
    @property
    def max_tokens(self) -> int | None:
        """The most tokens of an answer. A parameter may stand in a body under several names, and no two applications
        heed the same one: numbers are the largest of all whole numbers found, switches are on when one of them is.

        None when absent, or nowhere a whole number: then `spans` still has the places.
        """
    @property
    def n(self) -> int | None:
        """Number of answers."""
    @property
    def logprobs(self) -> bool:
        """Probabilities of tokens are asked for, by `true` or by a number above 0."""
    @property
    def top_logprobs(self) -> int | None: ...
    @property
    def stream(self) -> bool: ...
    @property
    def user_id(self) -> str | None:
        """What the caller says about its own end user."""
    @property
    def tools(self) -> int:
        """Number of tools offered."""
    @property
    def temperature(self) -> float | None: ...
    @property
    def top_p(self) -> float | None: ...
    @property
    def spans(self) -> dict[str, list[tuple[int, int]]]:
        """Every place of every parameter, `null` too, by the name it has here: all the bytes that a later step must
        edit.
        """

@final
class Prompt:
    """Facts about a prompt: its system text, the user's last turn, the conversation before. Hashes and counts, no text.

    The object holds on to the body through `fields`: keep facts, not objects.

    All hashes are keyed by the reader's secret. Without a prompt, or with a problem, they are 0 and the lists empty.
    True when there are words.
    """

    @property
    def fields(self) -> Fields: ...
    @property
    def problem(self) -> str | None:
        """That of the fields."""
    @property
    def words(self) -> int:
        """Words of system text and last turn."""
    @property
    def left_out(self) -> int:
        """Bytes, and then words, of them that were not read: of more than 18 KiB, and of more than 3,072 words (2,304
        of the system text), three quarters are read from the start and the rest from the end.
        """
    @property
    def digest(self) -> int:
        """Hash of all words in order."""
    @property
    def system(self) -> int:
        """Hash of the words of the system text."""
    @property
    def template(self) -> int:
        """Hash of the words with every run of slots (numbers, quotations, words of more than 12 bytes) masked."""
    @property
    def conversation(self) -> int:
        """Hash of the start of the user's first turn: the same for every request of a conversation.

        As far as its first 7,680 bytes in the body have words.
        """
    @property
    def user_turns(self) -> int: ...
    @property
    def assistant_turns(self) -> int: ...
    @property
    def minhash(self) -> MinHash:
        """Sketch of the word 3-shingles, of 128 permutations."""
    @property
    def keys(self) -> list[int]:
        """Hashes of word 5-grams within a line or sentence, digits masked, one in four, of long prompts fewer; at most
        128, rising.
        """
    @property
    def prefixes(self) -> list[int]:
        """Hashes of the first 4, 8 and 16 words of the last turn, digits masked."""
    @property
    def suffix(self) -> int:
        """Hash of the last 4 words of the last turn, digits masked; 0 when it has fewer."""
    @property
    def segments(self) -> list[tuple[int, int]]:
        """Hash and words of each different line or sentence of three words or more of the last turn: the first 16 and
        the last 16.
        """
    @property
    def answers(self) -> list[tuple[int, int, int]]:
        """Of the last 8 turns of the model, as far as 24 KiB of the conversation hold them: hash of its first 32 words
        (as far as they end in its first 1,280 bytes), hash of these and the user's turn before, words hashed.
        """
    @property
    def features(self) -> bytes:
        """Words hashed into 128 signed bytes, as a vector of length 127."""
    @property
    def capability(self) -> str:
        """What is asked for: `code`, `maths`, `tools` (also where the body declares any), `instructions` (made up for
        others to answer), `writing` or `other`. By a small lexicon, in the first and last 48 words of system text and
        last turn: a hint, wrong now and then.
        """
    def __bool__(self) -> bool: ...

DIALECTS: dict[str, dict[str, str]]
PARAMETERS: tuple[str, ...]
MAX_TEXT: int
MAX_WORDS: int
MAX_PIECES: int
MAX_DEPTH: int
