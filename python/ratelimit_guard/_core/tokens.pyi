"""Tokens of a model API: estimated before a call, counted while its answer passes.

Nothing here raises for what a client or an upstream may send. Counts are estimates by script: 0.9 to 1.15 of the truth
for English and code, 0.8 to 1.5 for most other languages on tokenizers since 2024. Pieces of more than 256 KiB are read
without the interpreter lock.
"""

from typing import Literal, final

from ratelimit_guard._core.prompt import Fields

def estimate(fields: Fields) -> tuple[int, int]:
    """Prompt tokens of a scanned body: (estimated, surely).

    All text that the dialects name, tools, longer strings elsewhere (arguments of calls, reasoning), four for each
    message, a thousand for each image, sound or file. `surely` is a lower bound that no tokenizer in use goes below: a
    quarter of the text that the dialects name, and every token that was given as a number.

    Of a body that is too large, too deep or too much to be read: a token for each four bytes, and surely none. Of any
    other problem: (0, 0). Cost: 0.4 µs for 1 KB; 9 µs for 64 KB, 25 µs where each line ends in an escape.
    """

def estimate_text(text: str) -> int:
    """Tokens of a text, the same whether it is cut or not."""

@final
class Meter:
    """Reads one response while it passes: a JSON document, or server-sent events. Thread-safe.

    Understands OpenAI (chat, completions, responses, embeddings), Anthropic and Gemini. Keeps a document of up to
    `MAX_ANSWER_BODY` bytes, or a line of up to `MAX_LINE` and the lines of data of its event, and the text, if `text`.
    `UsageError` for another kind.
    """

    def __new__(cls, kind: Literal["json", "events"], text: bool = True) -> Meter: ...
    def feed(self, chunk: bytes) -> int:
        """Take the next bytes; where they were cut does not matter. The output tokens that they brought: of all
        choices, reasoning and the arguments of calls too. Of a document 0 until `finish`.

        What cannot be read is not free: data that are no JSON count as text; lines of more than `MAX_LINE` bytes too,
        unless they begin as an event that brings no text; documents of more than `MAX_ANSWER_BODY` count a token for
        each four bytes, unless they begin as vectors or images. Cost: 1 µs for an event of 200 bytes.
        """
    def finish(self) -> int:
        """The body has ended: read the document, or the line that did not end. The output tokens it brought; 0 the
        second time.
        """
    @property
    def usage(self) -> tuple[int | None, int | None]:
        """Input and output tokens as the upstream said them last, of a document after `finish`. None for a number that
        it has not said, or that cannot be one: no whole number from 0 to below `MAX_TOKENS`.

        With Anthropic's cached tokens and Gemini's thoughts, which these count beside. Of what is not kept, the last
        4 KiB are searched for a usage.
        """
    @property
    def estimated(self) -> int:
        """Output tokens so far: the sum of what `feed` and `finish` returned."""
    def text(self) -> str | None:
        """The text of the first choice, without reasoning and refusals: of a stream its first `MAX_TEXT` characters,
        of a document, after `finish`, all. A line for each part; lone surrogates become U+FFFD. None for no text.
        """
    def document(self) -> bytes | None:
        """The bytes of a document, when there are no more than `MAX_ANSWER_BODY`."""
    @property
    def in_event(self) -> bool:
        """The stream stands inside an event that has begun: bytes came behind the last blank line."""
    def rest_of_event(self, chunk: bytes) -> int:
        """How many bytes of `chunk`, which was not fed, still belong to the event that stands open, through its blank
        line: 0 when none is open, all when it does not end there.
        """

@final
class UsageFilter:
    """Takes from a stream of OpenAI's chat or completions what only came because usage was asked for on a caller's
    behalf: the event with `"choices": []` and a usage, and `"usage": null` of the others. Thread-safe.

    All else passes byte for byte. Holds back the line that has begun, of one longer than `MAX_LINE` nothing.
    """

    def __new__(cls) -> UsageFilter: ...
    def feed(self, chunk: bytes) -> bytes:
        """What may pass now. Cost: 0.9 µs for an event, 0.2 µs for one without usage."""
    def finish(self) -> bytes:
        """What is held when the stream has ended."""

@final
class Ratios:
    """How many tokens models really count where we counted one. Thread-safe; of at most 256 models.

    Learned as TCP learns its time-outs (RFC 6298): a running mean, and its deviation.
    """

    def __new__(cls) -> Ratios: ...
    def need(self, fields: Fields) -> tuple[int, int, int, int, int]:
        """Of a scanned body the prompt's tokens to reserve, which nearly always suffice; how many it has surely, and
        how many most likely; `estimate` of it; and the number of its model, for the other methods. Cost: that of
        `estimate`.
        """
    def passed(self, model: int, counted: int) -> int:
        """What so many counted tokens of a passing answer mostly are: at most twice as many, so that what a model
        thinks unseen in some answers does not count for all.
        """
    def used(self, model: int, counted: int) -> int:
        """What a whole answer mostly cost of which so many tokens were counted."""
    def learn(self, model: int, estimated: int, counted: int, usage: tuple[int | None, int | None]) -> None:
        """What an upstream said was used, beside what was estimated of the prompt and counted of the answer."""

MAX_TOKENS: int
MAX_LINE: int
MAX_TEXT: int
MAX_ANSWER_BODY: int
