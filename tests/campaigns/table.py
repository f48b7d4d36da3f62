"""How every scenario comes out: `cd tests; python -m campaigns.table [NAME ...] [--seeds N] [--changed]` (`--help`).

Names may be parts of names, `campaigns`, `lookalikes` or `framing`. For each seed: accounts of the group, campaigns
convicted, attack requests before the first conviction, the share of all of them that campaigns restricted, of those
after that conviction, of all with those of accounts flagged alone, and honest accounts with a restricted request.
"""

from __future__ import annotations

import argparse
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from campaigns.outcomes import is_expected
from campaigns.scenarios import TITLES, played

if TYPE_CHECKING:
    from campaigns.run import Outcome

COLUMNS = ("seed", "accounts", "convicted", "before", "all %", "after %", "+alone %")
HEAD = f"{'':<30}" + "".join(f"{name:>10}" for name in COLUMNS) + "     s  hurt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--changed", action="store_true", help="only scenarios that do not come out as `outcomes` says")
    parser.add_argument("--honest", type=int, help="so many accounts in the background")
    options = parser.parse_args()
    for title, names in TITLES.items():
        chosen = [name for name in names if is_asked_for(name, title, options.names)]
        if chosen:
            sys.stdout.write(f"{title}\n{HEAD}\n")
        for name in chosen:
            start = perf_counter()
            outcomes = played(name, range(options.seeds), options.honest)
            seconds = (perf_counter() - start) / options.seeds
            if not (options.changed and is_expected(name, outcomes)):
                rows = [row(name, seed, outcome, seconds) for seed, outcome in enumerate(outcomes)]
                sys.stdout.write("".join(f"{one}\n" for one in rows))
                sys.stdout.flush()


def is_asked_for(name: str, title: str, names: list[str]) -> bool:
    return not names or title in names or any(part in name for part in names)


def row(name: str, seed: int, outcome: Outcome, seconds: float) -> str:
    group = next((outcome.groups[one] for one in ("attack", "group") if one in outcome.groups), None)
    alone = (outcome.restricted + outcome.alone) / max(outcome.attacks, 1)
    shares = "".join(f"{100 * share:>10.1f}" for share in (outcome.share, outcome.share_after, alone))
    hurt = ", ".join(
        f"{one} {count}/{outcome.groups[one].accounts} ({outcome.groups[one].restricted})"
        for one, count in outcome.hurt().items()
    )
    kinds = "".join(one["kind"][0] for one in outcome.campaigns[:9])
    counts = f"{seed:>10}{group.accounts if group else 0:>10}{kinds or '-':>10}{outcome.before:>10}"
    return f"{name:<30}{counts}{shares}{seconds:>6.1f}  {hurt or '-'}"


if __name__ == "__main__":
    main()
