"""Where and with what the figures were taken: enough to judge them, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from report import Table

PACKAGES = ("ratelimit-guard", "limits", "throttled-py", "pyrate-limiter", "aiolimiter")
BUSY_LOAD = 0.5


def cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def memory_gib() -> str:
    found = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found.group(1)) / 2**20:.0f} GiB" if found else "unknown"


def disturbance() -> str:
    """A warning for the reader when other work competes for the cores; empty on a quiet machine."""
    load = os.getloadavg()[0]
    if load < BUSY_LOAD:
        return ""
    return (
        f"Other work kept {load:.1f} cores busy when this run began: trust the counts, and the ratios only roughly.\n"
    )


def facts() -> Table:
    rows = [
        ("date", datetime.now(tz=UTC).date().isoformat()),
        ("processor", f"{cpu_model()}, {os.cpu_count()} cores seen"),
        ("memory", memory_gib()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("load average before the run", f"{os.getloadavg()[0]:.2f}"),
        *[(name, version(name)) for name in PACKAGES],
    ]
    return Table("Machine and versions", ("what", "value"), rows)
