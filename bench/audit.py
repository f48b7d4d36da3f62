"""The detector: what a request costs, and how fast and in how much room a log is audited."""

from __future__ import annotations

import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import corpus
import harness
import msgspec
from report import Check, Section, Table, command, number

from ratelimit_guard.audit import Baseline, audit
from ratelimit_guard.detector import Detector
from ratelimit_guard.prompt import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness import Figures

METHOD = """\
One request: bodies of 1,024 and 4,096 bytes (a system text of a quarter, then the user's), 4,000 different ones of 500
accounts in turn; `read` is `Reader.read`, `observe` is `Detector.observe` of a prompt that was read, `both` one after
the other, all from Python. A log: 60,000 records of about 1.3 KB as gateways write them, 1,500 accounts, prompts of one to
eight sentences, half of them with a system text of their account; gzip at level 6. `audit` is the whole of
`ratelimit_guard.audit.audit`, unpacking included, in processor seconds (one thread). Beside it what merely reading the
same file costs: unpacking it, and unpacking and parsing each line. Room: largest resident size of a fresh process that
audits the log, and one that audits it ten times over (each time with other names of the requests, so that nothing is a
repeat)."""

NOTES = (
    "Nobody else judges accounts, so there is no peer: the figures beside ours are what reading a log costs anyway.",
)
SIZES = (1 << 10, 4 << 10)
BOUND_US, BOUND_RATE, BOUND_GROWTH = 10, 40_000, 1.1
RECORDS, ACCOUNTS = 60_000, 1_500


def requests(size: int, count: int) -> list[bytes]:
    words = corpus.Corpus(31)
    made = []
    for _ in range(count):
        body = corpus.chat(("system", words.text(size // 4)), ("user", words.text(size * 3 // 4 - 90)))
        made.append(body)
    return made


def step(bodies: Sequence[bytes]) -> Figures:
    """Microseconds of each part, over detectors that have seen everybody."""
    reader, names = Reader(), [f"key_{at % 500:04}" for at in range(len(bodies))]
    detector = Detector(baseline=Baseline.of([], requests=0, first=None, last=None))
    prompts = [reader.read(body) for body in bodies]
    numbers = [str(at) for at in range(len(bodies))]

    def read(keys: Sequence[str]) -> None:
        for key in keys:
            reader.read(bodies[int(key)])

    def observe(keys: Sequence[str]) -> None:
        for key in keys:
            at = int(key)
            detector.observe(names[at], prompts[at], time=float(at), answer_tokens=200)

    def both(keys: Sequence[str]) -> None:
        for key in keys:
            at = int(key)
            detector.observe(names[at], reader.read(bodies[at]), time=float(at), answer_tokens=200)

    observe(numbers)
    return {
        name: harness.ns_per_call(drive, numbers) / 1_000
        for name, drive in (("read", read), ("observe", observe), ("both", both))
    }


def log(path: Path, records: int) -> int:
    """Write a log; its plain bytes."""
    words, chance = corpus.Corpus(32), random.Random(33)
    systems = [words.text(chance.randrange(100, 900)) for _ in range(ACCOUNTS)]
    plain = 0
    with gzip.open(path, "wb", compresslevel=6) as file:
        for at in range(records):
            account = min(int(chance.paretovariate(0.7)) - 1, ACCOUNTS - 1)
            system = [{"role": "system", "content": systems[account]}] if account % 2 else []
            text = " ".join(words.sentence() for _ in range(chance.randrange(1, 9)))
            record = {
                "id": f"req_{at:07}", "time": 1_780_272_000 + at * 1.4, "account": f"key_{account:010}",
                "tenant": f"org_{account // 2:010}", "ip": "198.18.12.42", "user_agent": "python-requests/2.32.3",
                "method": "POST", "path": "/v1/chat/completions",
                "request": {"model": "large", "messages": [*system, {"role": "user", "content": text}]},
                "status": 200, "latency": 2.65, "usage": {"prompt_tokens": 57, "completion_tokens": 188},
                "reply": " ".join(words.sentence() for _ in range(4)),
            }  # fmt: skip
            plain += file.write(json.dumps(record).encode() + b"\n")
    return plain


def seconds(work: Callable[[Path], object], path: Path) -> Figures:
    start = process_time()
    work(path)
    return {"log": process_time() - start}


def unpack(path: Path) -> None:
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def parse(loads: Callable[[bytes], object], path: Path) -> None:
    with gzip.open(path) as file:
        for line in file:
            loads(line)


def room(path: Path, times: int) -> int:
    """The largest resident size in KiB of a process that audits the log, `times` over with other names of requests."""
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, f"{at}.jsonl") for at in range(times)]
        for at, copy in enumerate(copies):
            with gzip.open(path) as lines, copy.open("wb") as file:
                file.writelines(line.replace(b'"id": "req_', f'"id": "r{at}_'.encode(), 1) for line in lines)
        child = [sys.executable, __file__, "--room", *map(str, copies)]
        return int(subprocess.run(child, check=True, capture_output=True, text=True).stdout)


def grow(paths: Sequence[Path]) -> None:
    """Child's part."""
    audit(paths)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(quick: bool) -> Section:
    rounds = 3 if quick else 9
    made = {size: requests(size, 1_000 if quick else 4_000) for size in SIZES}
    taken = harness.interleave({str(size): partial(step, bodies) for size, bodies in made.items()}, rounds)
    parts = ("read", "observe", "both")
    rows = [[f"{int(size):,}", *[f"{harness.middle(taken[size], part):.2f}" for part in parts]] for size in taken]
    steps = Table("µs a request", ("bytes", *parts), rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl.gz")
        records = RECORDS // (10 if quick else 1)
        plain = log(path, records)
        contenders: dict[str, Callable[[Path], object]] = {
            "audit": lambda path: audit([path]),
            "unpack": unpack,
            "unpack, json.loads": partial(parse, json.loads),
            "unpack, msgspec.json.decode": partial(parse, msgspec.json.decode),
        }
        read = harness.interleave({name: partial(seconds, work, path) for name, work in contenders.items()}, rounds)
        rates = {name: median(records / figure["log"] for figure in figures) for name, figures in read.items()}
        once, often = room(path, 1), room(path, 10)
    speeds = Table(
        f"reading a log of {number(records)} records, {plain / records:,.0f} bytes each, gzip",
        ("", "records/s", "MB/s unpacked"),
        [[name, number(rate), number(rate * plain / records / 1e6)] for name, rate in rates.items()],
    )
    sizes = Table("MiB resident", ("log", ""), [["once", number(once / 1024)], ["ten times", number(often / 1024)]])
    checks = [
        Check.at_most("read and observe, 1 KB", BOUND_US, harness.middle(taken[str(1 << 10)], "both"), " µs", 2),
        Check("audit of a gzip log", f"≥ {number(BOUND_RATE)} records/s", f"{number(rates['audit'])} records/s", rates["audit"] >= BOUND_RATE),
        Check("memory at ten times the log", f"≤ {BOUND_GROWTH:g}x", f"{often / once:.2f}x", often <= BOUND_GROWTH * once),
    ]  # fmt: skip
    return Section("The detector and audits", METHOD, (steps, speeds, sizes), checks, NOTES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--room"]:
        grow([Path(path) for path in sys.argv[2:]])
    else:
        command(measure)
