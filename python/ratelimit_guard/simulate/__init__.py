"""Seeded traffic of honest and dishonest accounts, into a log or against a server. On the command line
`ratelimit-guard simulate`.

from ratelimit_guard.simulate import SCENARIOS, generate, write_log

with open("day.jsonl", "wb") as file:
    write_log(generate(SCENARIOS["demo"], seed=1), file)
"""

from ratelimit_guard.simulate.call import Account, Call, Message
from ratelimit_guard.simulate.client import Result, drive
from ratelimit_guard.simulate.generator import accounts, generate
from ratelimit_guard.simulate.log import write_keys, write_log, write_truth
from ratelimit_guard.simulate.scenario import SCENARIOS, Campaign, Scenario

__all__ = [
    "SCENARIOS",
    "Account",
    "Call",
    "Campaign",
    "Message",
    "Result",
    "Scenario",
    "accounts",
    "drive",
    "generate",
    "write_keys",
    "write_log",
    "write_truth",
]
