"""The report in a real browser: its script runs, its policy holds, and it asks for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from audit.groups import day
from audit.results import HOSTILE, account, named, result
from ratelimit_guard.audit import report

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--dump-dom",
]
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"


def browse(html: str, folder: Path) -> tuple[str, list[str]]:
    """The page as a browser makes it, and what its console says; a resource or script that is refused is said there."""
    if not CHROMIUM:
        pytest.skip("no Chromium found in PATH")
    (folder / "report.html").write_text(html, encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *FLAGS, NO_NETWORK, profile, (folder / "report.html").as_uri()]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=True, encoding="utf-8", errors="replace")
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def test_browser_runs_the_script_and_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    """In a real browser: policy and script agree, hostile names do nothing, nothing is asked for."""
    dom, console = browse(report.render(named(HOSTILE)), tmp_path)
    assert console == []
    assert '<html lang="en" data-script="ran">' in dom
    assert f"{3 * len(HOSTILE)} of {3 * len(HOSTILE)} rows" in dom


def test_browser_has_nothing_against_campaigns(tmp_path: Path) -> None:
    """Pictures and tables of members keep to the policy too."""
    dom, console = browse(report.render(day(30)), tmp_path)
    assert console == []
    assert "30 of 30 rows" in dom


def test_browser_refuses_what_is_not_the_report_s_own(tmp_path: Path) -> None:
    """Were a name ever to become markup, the policy would still stop it, and the console would say so."""
    planted = '<img src="http://example.invalid/x"><script>document.title = "owned"</script><p style="color: red">'
    dom, console = browse(report.render(result(account())).replace("<main>", f"<main>{planted}"), tmp_path)
    assert "<title>owned" not in dom
    assert len([line for line in console if "Content Security Policy" in line]) == 3


def test_browser_sorts_and_filters_the_ranking(tmp_path: Path) -> None:
    """A click on a column sorts by it, largest first, then smallest; the filter leaves what fits."""
    accounts = [account("b", requests=90), account("a", requests=1_000), account("c", "observe", requests=200)]
    probe = """<script>
      document.querySelectorAll("#ranking thead button")[5].click();
      const order = () => Array.from(document.querySelectorAll("#ranking tbody th"), (one) => one.textContent).join("");
      const down = order();
      document.querySelectorAll("#ranking thead button")[5].click();
      const level = document.querySelector("#find select");
      level.value = "observe";
      level.dispatchEvent(new Event("input"));
      const left = document.querySelector("#find output").textContent;
      document.body.dataset.probe = [down, order(), left, document.querySelectorAll("#ranking tr[hidden]").length];
    </script>"""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.render(result(*accounts)))
    dom, console = browse(html.replace("</body>", f"{probe}</body>"), tmp_path)
    assert console == []
    assert 'data-probe="acb,bca,1 of 3 rows,2"' in dom
