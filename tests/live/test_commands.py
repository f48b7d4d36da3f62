"""What operators ask of a running detector: live, report, release, explain; and what they get when they err."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from live.helpers import calls, spin
from ratelimit_guard import Guard
from ratelimit_guard import call as guarded
from ratelimit_guard.cli import app
from ratelimit_guard.live import Answer
from ratelimit_guard.operate import Desk
from ratelimit_guard.request import Request
from ratelimit_guard.tenant import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ratelimit_guard.simulate import Call
    from ratelimit_guard.watch import Checked

TIERS = """
version = 1
namespace = "commands"
store = { path = "PATH/table", capacity = 10_000 }
policies.few.quota = "1_000_000/hour"
tiers.anonymous.policies = ["few"]
routes = [{ match = "/v1/chat", body = true }]
campaign.quota = "5/hour"

[detector]
mode = "enforce"
delay_s = 0
MORE
"""


class Service:
    """A guard by a file, to which the simulator's small scenario came."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.file = folder / "limits.toml"
        self.file.write_text(TIERS.replace("PATH", str(folder)).replace("MORE", more))
        self.now = 0.0
        self.guard = Guard.from_file(self.file, lookup=lambda r: r.native["who"], unix_time=lambda: self.now)

    def send(self, call: Call) -> Checked:
        self.now = call.time
        fields = ((b"x-request-id", call.id.encode()),)
        request = Request("POST", "/v1/chat", fields, call.address, {"who": Identity(call.tenant, call.account)})
        plan = self.guard.plan(request)
        assert plan is not None
        watch = self.guard.watch(plan)
        assert watch is not None
        checked = guarded.Call(self.guard, request, plan, watch, None).check(call.body)
        if checked.decision.allowed and checked.inspection is not None:
            while not watch.live.observe(checked.inspection, plan.tenant, request=call.id, answer=Answer(call.answer)):
                pass
        return checked

    @property
    def stats(self) -> dict[str, object]:
        assert self.guard.live is not None
        return self.guard.live.stats()

    def stop(self) -> None:
        assert self.guard.live is not None
        self.guard.live.stop()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("commands"))
    for call in calls()[:1_500]:
        service.send(call)
    yield service
    service.stop()


def run(service: Service, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--config", str(service.file)], env={"COLUMNS": "160"})
    assert done.exit_code == code, done.output
    return done.output


def refused(service: Service) -> Checked:
    return next(
        checked
        for checked in map(service.send, [call for call in calls()[1_500:] if call.attack])
        if not checked.decision.allowed
    )


def test_a_look_shows_campaign_accounts_and_counts(service: Service) -> None:
    text = run(service, "live", "--once")
    assert "C1" in text
    assert "throttle" in text
    assert "Detector (by the file: enforce)" in text
    assert "No worker answers" not in text


def test_a_page(service: Service, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert str(page) in run(service, "report", "-o", str(page))
    text = page.read_text()
    assert "Detector of model API accounts" in text
    assert "C1" in text
    assert "An audit reads a log" not in text


def test_a_reference_leads_to_account_and_campaign(service: Service) -> None:
    decision = refused(service).decision
    restriction, tenant = decision.restriction, decision.tenant
    assert restriction is not None
    assert tenant is not None
    text = run(service, "explain", restriction.reference.lower())
    assert tenant.account in text
    assert "campaign C1" in text
    assert "act as one" in run(service, "explain", "C1")
    assert "no reference" in run(service, "explain", "RG-00000000-00000000", code=1)
    assert "knows no account" in run(service, "explain", "nobody", code=1)


def test_a_release_is_checked_written_down_and_obeyed(tmp_path: Path) -> None:
    service = Service(tmp_path)
    for call in calls()[:1_500]:
        service.send(call)
    decision = refused(service).decision
    assert decision.restriction is not None
    assert decision.tenant is not None
    account, reference = decision.tenant.account, decision.restriction.reference
    bare = account.split("/")[1]
    for name, said in (("C7", "no campaign"), ("nobody", "--force"), (bare, account), (reference, account)):
        assert said in run(service, "release", name, "--why", "test", code=1)
    assert not Desk(service.file).releases.exists()
    assert "say why" in run(service, "release", "C1", "--why", " ", code=1)

    assert "is released" in run(service, "release", account, "--why", "our own evaluation")
    again = [
        service.send(call) for call in calls()[1_500:] if call.attack and f"{call.tenant}/{call.account}" == account
    ]
    assert again
    assert all(checked.decision.restriction is None for checked in again)

    assert "is released" in run(service, "release", "C1", "--why", "a class")
    rest = [service.send(call) for call in calls()[2_000:2_200] if call.attack]
    assert all(checked.decision.restriction is None for checked in rest)
    assert "released" in run(service, "live", "--once")
    assert "The operator released it" in run(service, "explain", "C1")
    lines = [json.loads(line) for line in Desk(service.file).releases.read_text().splitlines()]
    assert [(line["release"], line["why"]) for line in lines] == [(account, "our own evaluation"), ("C1", "a class")]
    service.stop()


def test_without_a_worker_the_last_state_is_shown_as_such(tmp_path: Path) -> None:
    service = Service(tmp_path)
    assert "nothing was observed yet" in run(service, "live", "--once", code=1)
    for call in calls()[:50]:
        service.send(call)
    spin(lambda: not service.stats["waiting_bytes"], str(service.stats))
    service.stop()
    assert "No worker answers" in run(service, "live", "--once")
    some = f"{calls()[0].tenant}/{calls()[0].account}"
    assert "as soon as a worker runs" in run(service, "release", some, "--why", "test")


def test_files_that_lead_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    text = TIERS.replace("PATH", str(tmp_path)).replace("MORE", "")
    file.write_text(text)
    for words in (["live", "--once"], ["report", "-o", str(tmp_path / "page")], ["release", "C1", "--why", "x"]):
        done = CliRunner().invoke(app, [*words, "--config", str(file)])
        assert done.exit_code == 1
        assert "no worker has made it" in done.output
    file.write_text(
        text.partition("[detector]")[0].replace(", body = true", "").replace('campaign.quota = "5/hour"', "")
    )
    done = CliRunner().invoke(app, ["live", "--once", "--config", str(file)])
    assert "there is no section [detector]" in done.output


def test_check_reads_what_a_worker_reads(tmp_path: Path) -> None:
    for more, said in (
        ('baseline = "gone.json"', f"{tmp_path / 'gone.json'}"),
        ('challenge = { header = "x-captcha" }', "needs a secret_file"),
        ('challenge = { header = "x-captcha", secret_file = "gone" }', f"{tmp_path / 'gone'}"),
        ('quota = "5 concurrent-requests"', "a budget counts requests"),
    ):
        file = tmp_path / "limits.toml"
        file.write_text(TIERS.replace("PATH", str(tmp_path)).replace("MORE", more))
        done = CliRunner().invoke(app, ["check", str(file)])
        assert done.exit_code == 1
        assert said in done.output.replace("\n", "")
