"""Files of a simulation: the log that the audit reads, the truth about the accounts, the server's keys."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import IO, TYPE_CHECKING

from ratelimit_guard.simulate.call import PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ratelimit_guard.simulate.call import Account, Call


def write_log(calls: Iterable[Call], file: IO[bytes], tell: Callable[[Call], None] = lambda _call: None) -> None:
    """Write one record a line, as docs/audit.md has them; every call was answered. `tell` hears of each."""
    for call in calls:
        record = {
            "time": call.time,
            "account": call.account,
            "tenant": call.tenant,
            "address": call.address,
            "id": call.id,
            "path": PATH,
            "status": 200,
            "request": call.request(),
            "usage": {"completion_tokens": call.answer_tokens},
            "reply": call.answer,
        }
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        tell(call)


def write_truth(accounts: Iterable[Account], file: IO[bytes]) -> None:
    """Write a JSON object: account to kind. For evaluation; nothing that judges may read it."""
    file.write(json.dumps({one.name: one.kind for one in accounts}, indent=1).encode() + b"\n")


def write_keys(accounts: Iterable[Account], file: IO[bytes], tier: str) -> None:
    """Write the part of a tier file that tells a server these accounts. Its tenants are in `tier`."""
    known = list(accounts)
    for one in known:
        digest = sha256(one.credential.encode()).hexdigest()
        file.write(
            f'[[identity.keys]]\nsha256 = "{digest}"\ntenant = "{one.tenant}"\naccount = "{one.name}"\n\n'.encode()
        )
    for tenant in dict.fromkeys(one.tenant for one in known):
        file.write(f"[[tenants]]\nid = {json.dumps(tenant)}\ntier = {json.dumps(tier)}\n\n".encode())
