"""What a user of the server must be allowed: the least that works. `tests/fleet/test_acl.py` shows that it is both."""

from __future__ import annotations

KEYS = "~rlg1:*"
CONNECT = ("client|setname",)
RUN = ("evalsha", "eval")
COUNT = ("time", "mget", "set", "exists", "del")
HOLD = ("hget", "hset", "hdel", "hlen", "hgetall", "pexpire", "expire")
"""Of scripts: reservations and the register of policies. Servers ask for these of whoever runs the script."""
NEEDED = (*CONNECT, *RUN, *COUNT, *HOLD)
"""Of every worker. `auth` and `hello` are everybody's."""
CLUSTER = ("cluster|slots", "command")
"""Of a cluster's besides."""
DATABASE = ("select",)
"""Of those besides whose URL names a database other than 0."""
CAMPAIGNS = ("get", "incr", "xadd", "xrange", "xrevrange", "xtrim", "getrange", "memory|usage", "pttl")
"""Of hosts besides that look for campaigns together."""
STATS = ("scan", "hkeys")
"""For `RedisStore.stats` and `leases`."""
DOCTOR = ("info", "scan", "ping", "script|exists", "type", "pttl", "memory|usage")
"""For all that `ratelimit-guard store doctor` looks at; what it may not look at it says."""


def rules(*commands: str) -> str:
    """As `ACL SETUSER` and the server's configuration write it."""
    return " ".join([KEYS, *(f"+{command}" for command in commands)])
