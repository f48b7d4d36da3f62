"""Reading prompts out of request bodies: the scanner beside JSON decoders, and the whole pass on hostile texts too."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import corpus
import harness
import msgspec
import orjson
from report import Check, Section, Table, command, number

from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness import Figures

METHOD = """\
Scanner: GB of body per second from Python, several different bodies of each kind in turn. Ours finds where everything
stands and decodes nothing until it is asked; `and all texts` asks for the text of each message. msgspec decodes into
structs of what ours finds here (model, messages, max_tokens, temperature, stream) and skips the rest; orjson and json
decode everything. Prose is 6.3 bytes to a word in paragraphs, in two messages. The pass: `read` is a call of
`Reader().read`, `scan` one of `scan` on the same bodies right before or after, `pass` the difference inside each
pair, medians. The facts are in the answer; its lists become Python objects when looked at. Lengths are those of the
user's one message in UTF-8, before JSON escapes it; 256 KiB of different bodies of each length in turn, one of 1 MiB.
Shapes: one body of about 32 KiB and one of about 1 MiB; of both head and tail are read, 18 KiB in all."""

ONCE = "A character of each of {pages:,} Unicode pages in one prompt: {first:,.0f} µs at first, {then:,.0f} µs later."
SCAN_BYTES = 2 << 20


class Part(msgspec.Struct):
    type: str
    text: str = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[Part]


class Request(msgspec.Struct):
    model: str
    messages: list[Message]
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = False


def all_texts(scan: Callable[[bytes], Any], body: bytes) -> list[str]:
    return [turn.text for turn in scan(body).turns]


SCAN = Reader().scan
DECODERS: dict[str, Callable[[bytes], Any]] = {
    "ours": SCAN,
    "ours, and all texts": partial(all_texts, SCAN),
    "msgspec, structs": msgspec.json.Decoder(Request).decode,
    "orjson": orjson.loads,
    "json": json.loads,
}
PROSE_4, PROSE_64 = "prose 4 KiB", "prose 64 KiB"


def bodies() -> dict[str, list[bytes]]:
    """Of each kind as many as make 512 KiB, and two at least."""
    words = corpus.Corpus(50)
    size = 64 << 10

    def prose(size: int) -> bytes:
        return corpus.chat(("system", words.text(size // 4)), ("user", words.text(size * 3 // 4)))

    def turns() -> bytes:
        return corpus.chat(*[(("user", "assistant")[at % 2], words.text(120)) for at in range(400)])

    def image() -> bytes:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + words.base64(1 << 20)}}
        return corpus.chat(("user", [{"type": "text", "text": words.text(200)}, picture]))

    makers: dict[str, Callable[[], bytes]] = {
        PROSE_4: lambda: prose(4 << 10),
        PROSE_64: lambda: prose(size),
        "escapes 64 KiB": lambda: corpus.chat(("user", words.code(size * 3 // 4)), ascii_only=True),
        "400 messages": turns,
        "Chinese 64 KiB": lambda: corpus.chat(("user", words.chinese(size))),
        "image 1 MiB": image,
    }
    made = {}
    for name, make in makers.items():
        first = make()
        made[name] = [first, *[make() for _ in range(max(1, (512 << 10) // len(first) - 1))]]
        understood(SCAN, made[name])
    return made


def understood(call: Callable[[bytes], Any], some: Sequence[bytes]) -> None:
    """A body that is refused costs next to nothing: no figure for it."""
    problems = {call(body).problem for body in some} - {None}
    if problems:
        raise ValueError(problems)


def throughput(decode: Callable[[bytes], Any], made: dict[str, list[bytes]]) -> Figures:
    def drive(some: Sequence[bytes]) -> None:
        for body in some:
            decode(body)

    figures = {}
    for name, some in made.items():
        total = sum(map(len, some))
        again = some * max(1, SCAN_BYTES // total)
        figures[name] = total / len(some) / harness.ns_per_call(drive, again)
    return figures


def scanning(quick: bool) -> tuple[Table, list[Check]]:
    made = bodies()
    contenders = {name: partial(throughput, decode, made) for name, decode in DECODERS.items()}
    taken = harness.interleave(contenders, 3 if quick else 15)
    rows = [[name, *[f"{harness.middle(figures, kind):.2f}" for kind in made]] for name, figures in taken.items()]
    checks = []
    for kind in (PROSE_4, PROSE_64):
        rate = harness.middle(taken["ours"], kind)
        checks.append(Check(f"scanner, {kind}", "≥ 2 GB/s", f"{rate:.2f} GB/s", rate >= 2))
        times = harness.ratio(taken["ours"], taken["msgspec, structs"], kind)
        checks.append(Check.times(f"scanner against msgspec, {kind}", 1.5, times))
    return Table("GB/s", ("decoder", *made), rows), checks


def in_all(bodies: Sequence[bytes], reader: Reader, pairs: int) -> tuple[float, ...]:
    """Microseconds of a scan, of a read, and of the difference: medians over pairs of rounds through the bodies."""

    def timed(call: Callable[[bytes], Any]) -> float:
        start = perf_counter_ns()
        for body in bodies:
            call(body)
        return (perf_counter_ns() - start) / len(bodies) / 1_000

    understood(reader.read, bodies)
    gc.collect()
    gc.disable()
    taken = []
    for at in range(pairs):
        if at % 2:
            read, scan = timed(reader.read), timed(reader.scan)
        else:
            scan, read = timed(reader.scan), timed(reader.read)
        taken.append((scan, read, read - scan))
    gc.enable()
    return tuple(median(column) for column in zip(*taken, strict=True))


LENGTHS = {"200 B": 200, "1 KiB": 1 << 10, "4 KiB": 4 << 10, "32 KiB": 32 << 10, "1 MiB": 1 << 20}
READ_US = {"1 KiB": 4, "4 KiB": 14}
PASS_US = 100
COLUMNS = ("scan", "read", "pass")
SHAPED = ("32 KiB", "1 MiB")


def shapes(words: corpus.Corpus) -> dict[str, Callable[[int], bytes]]:
    """Bodies of about a given length, some of them made to cost most."""

    def user(make: Callable[[int], str], ascii_only: bool = False) -> Callable[[int], bytes]:
        return lambda size: corpus.chat(("user", make(size)), ascii_only=ascii_only)

    def conversation(size: int) -> bytes:
        each = size // 18
        turns = [(("user", "assistant")[at % 2], words.text(each)) for at in range(17)]
        return corpus.chat(("system", words.text(each)), *turns)

    def parts(size: int) -> bytes:
        return corpus.chat(("user", [{"type": "text", "text": word} for word in words.words(min(4_000, size // 32))]))

    def unseen(size: int) -> bytes:
        first, answer = "\u200b" * (size // 9), "\u200d" * (size // 9)
        return corpus.chat(("user", first), ("assistant", answer), ("user", "\ufe0f" * (size // 9)))

    return {
        "prose": user(words.text),
        "code": user(words.code),
        "Chinese": user(words.chinese),
        "base64": user(words.base64),
        "emoji": user(words.emoji),
        "a a a": user(lambda size: "a " * (size // 2)),
        "one word": user(lambda size: "a" * size),
        "escapes only": user(lambda size: "".join(words.random.choices('\n"\t\\', k=size // 2))),
        "every character escaped": user(lambda size: words.chinese(size // 2), ascii_only=True),
        "accents": user(words.accents),
        "lines of three words": user(words.three_word_lines),
        "system, 8 answers, 9 questions": conversation,
        "message of many parts": parts,
        "characters without ink": unseen,
    }


def passes(quick: bool) -> tuple[list[Table], list[Check]]:
    words, reader = corpus.Corpus(51), Reader()
    pairs = 15 if quick else 101
    by_length = {}
    for name, size in LENGTHS.items():
        some = [corpus.chat(("user", words.text(size))) for _ in range(max(1, (256 << 10) // size))]
        by_length[name] = in_all(some, reader, pairs)
    checks = [Check.at_most(f"read, {name}", bound, by_length[name][1], " µs", 1) for name, bound in READ_US.items()]
    by_shape = {}
    for name, make in shapes(words).items():
        by_shape[name] = [in_all([make(size)], reader, pairs) for size in (32 << 10, 1 << 20)]
        worst = max(figures[2] for figures in by_shape[name])
        checks.append(Check.at_most(f"pass, {name}, the worse of 32 KiB and 1 MiB", PASS_US, worst, " µs", 1))
    columns = [f"{what}, {size}" for size in SHAPED for what in COLUMNS]
    length_rows = [_row(name, figures) for name, figures in by_length.items()]
    shape_rows = [_row(name, [*short, *long]) for name, (short, long) in by_shape.items()]
    tables = [
        Table("Microseconds by length, prose", ("prompt", *COLUMNS), length_rows),
        Table("Microseconds by shape", ("prompt", *columns), shape_rows),
    ]
    return tables, checks


def _row(name: str, figures: Sequence[float]) -> list[str]:
    return [name, *[number(figure, 1) for figure in figures]]


def every_page() -> None:
    """Child's part: the first and a later read of a prompt that has a character of every Unicode page."""
    characters = [chr(page << 8 | 0x41) for page in range(0x1100) if not 0xD8 <= page <= 0xDF]
    body, read = corpus.chat(("user", "".join(characters))), Reader().read
    read(corpus.chat(("user", "warm")))
    times = []
    for _ in range(9):
        start = perf_counter_ns()
        read(body)
        times.append((perf_counter_ns() - start) / 1_000)
    print(json.dumps({"pages": len(characters), "first": times[0], "then": median(times[1:])}))


def once() -> str:
    answer = subprocess.run([sys.executable, __file__, "--child"], check=True, stdout=subprocess.PIPE, text=True)
    return ONCE.format(**json.loads(answer.stdout))


def run(quick: bool) -> Section:
    """Prompts out of bodies."""
    rates, rate_checks = scanning(quick)
    tables, checks = passes(quick)
    return Section("Prompts", METHOD, [rates, *tables], [*rate_checks, *checks], [once()])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        every_page()
    else:
        command(run)
