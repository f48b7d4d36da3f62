"""How every kind of account comes out: `cd tests; python -m detection.table [NAME ...] [--changed]` (`--help`).

Names may be parts of names, `honest` or `attacks`. Requests to conviction for each secret (and seed), then of each
signal the share of requests that show it, in percent, and the highest evidence: convicting from 8.0 on.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from statistics import fmean

from detection.attacks import ATTACKS
from detection.honest import HONEST
from detection.judge import Outcome, judge
from detection.outcomes import is_expected
from ratelimit_guard.detector import SIGNALS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--secrets", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--no-usage", action="store_true", help="answers of unknown length")
    parser.add_argument("--changed", action="store_true", help="only kinds that do not come out as `outcomes` says")
    parser.add_argument("--requests", type=int, default=1_500)
    options = parser.parse_args()
    heads = "".join(f"{name[:13]:>16}" for name in SIGNALS)
    for title, kinds in (("honest", HONEST), ("attacks", ATTACKS)):
        names = [name for name in kinds if is_asked_for(name, title, options.names)]
        if names:
            sys.stdout.write(f"{title:<33}{'convicted at':<24}{'by':<18}{heads}\n")
        for name in names:
            outcomes = judged(name, options)
            if not (options.changed and is_expected(name, outcomes)):
                sys.stdout.write(row(name, outcomes) + "\n")
                sys.stdout.flush()


def is_asked_for(name: str, title: str, names: list[str]) -> bool:
    return not names or title in names or any(part in name for part in names)


def judged(name: str, options: argparse.Namespace) -> list[Outcome]:
    kind = (HONEST | ATTACKS)[name]
    streams = [kind.take(options.requests, seed=seed) for seed in range(options.seeds)]
    return [
        judge(one, key, declared=kind.declared, usage=not options.no_usage)
        for one, key in product(streams, range(options.secrets))
    ]


def row(name: str, outcomes: list[Outcome]) -> str:
    convicted = " ".join(str(one.convicted or "-") for one in outcomes)
    by = ",".join(sorted({one.signal for one in outcomes if one.signal}))
    rates = {signal: 100 * fmean(one.shown[signal] / one.requests for one in outcomes) for signal in SIGNALS}
    highest = {signal: max(one.highest[signal] for one in outcomes) for signal in SIGNALS}
    signals = "".join(f"{rates[signal]:>8.1f}{highest[signal]:>8.1f}" for signal in SIGNALS)
    return f"{name:<33}{convicted:<24}{by:<18}{signals}"


if __name__ == "__main__":
    main()
