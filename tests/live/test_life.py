"""From start to exit: forks, restarts, reloads, releases, and guards without a detector."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from live.helpers import Scene, post, question, seen, spin, values
from ratelimit_guard import ConfigError, Guard
from ratelimit_guard.config_file import from_dict
from ratelimit_guard.private import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard.simulate import Call

TESTS = Path(__file__).parents[1]


def shared(folder: Path, **changes: Any) -> dict[str, Any]:
    return values(store={"kind": "shared", "path": str(folder / "store"), "capacity": 10_000}, **changes)


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def in_child(work: Callable[[], bool]) -> int:
    """Fork; the child's exit is 0 when the work was done well."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = 0 if work() else 2
    finally:
        os._exit(code)


def passes(scene: Scene, call: Call) -> bool:
    return scene.sends(call).decision.allowed


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_without_a_detector_nothing_is_there(tmp_path: Path) -> None:
    """No thread, no file, and no look at a body."""
    plain = {name: value for name, value in shared(tmp_path, routes=[]).items() if name not in {"detector", "campaign"}}
    before = threads()
    guard = Guard.from_dict(plain)
    plan = guard.plan(post())
    assert plan is not None
    assert (guard.live, guard.watch(plan), threads()) == (None, None, before)
    assert not [path.name for path in tmp_path.iterdir() if "detector" in path.name]


def test_a_thread_from_the_first_prompt_on() -> None:
    """And one, whoever asks; none is left behind."""
    gc.collect()  # of the tests before
    before = threads()
    scene = Scene()
    assert threads() == before
    barrier = threading.Barrier(8)
    some = [threading.Thread(target=send_behind, args=(scene, barrier)) for _ in range(8)]
    for one in some:
        one.start()
    for one in some:
        one.join()
    spin(lambda: threads() == before + 1)
    scene.live.stop()
    assert threads() == before
    scene.send(post(), question())
    assert threads() == before + 1
    del scene, some, one
    gc.collect()
    assert threads() == before


def send_behind(scene: Scene, barrier: threading.Barrier) -> None:
    barrier.wait()
    scene.send(post(), question())


def test_memory_is_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When the guard goes, what a guard in memory laid out goes too; not when a fork of it ends."""
    monkeypatch.setattr("ratelimit_guard.private._memory", lambda: tmp_path)
    scene = Scene()
    scene.send(post(), question())
    pid = os.fork()
    if not pid:
        finalize: Any = weakref.finalize
        finalize._exitfunc()  # what a worker does that ends in order
        os._exit(0)
    assert code_of(pid) == 0
    assert len(list(tmp_path.iterdir())) == 1
    scene.live.stop()
    del scene
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_forks_obey_and_observe(tmp_path: Path, kind: str) -> None:
    """Children of a server that loaded the app before it forked: one budget with the parent, one detector."""
    scene = Scene(shared(tmp_path) if kind == "shared" else values()).learn()
    attacks = scene.attacks(9)
    folded = scene.stats["folded"]
    pids = [in_child(partial(passes, scene, call)) for call in attacks[:5]]
    assert [code_of(pid) for pid in pids] == [0] * 5
    assert not scene.sends(attacks[5]).decision.allowed
    spin(lambda: scene.stats["folded"] == folded + 5)


def test_a_fork_learns_by_itself() -> None:
    """A parent that never saw a request: the children elect one of them."""
    scene = Scene()

    def work() -> bool:
        scene.learn()
        return not all(scene.sends(call).decision.allowed for call in scene.attacks(6))

    assert code_of(in_child(work)) == 0
    assert scene.stats["convicted"] == 1


LEARN = """
import sys
from live.helpers import Scene
from live.test_life import restartable
scene = Scene(restartable(sys.argv[1], sys.argv[2])).learn()
"""
GO_ON = """
import sys
from live.helpers import Scene, calls, post, spin
from live.test_life import restartable
scene = Scene(restartable(sys.argv[1], sys.argv[2]))
scene.now = calls()[1_000].time
scene._rest = iter(calls()[1_000:])
scene.live.standing(scene.guard.plan(post()).tenant)
scene.send(post(), b"{}")
spin(lambda: scene.stats["convicted"] == 1 and scene.stats["rungs"], "nothing is known")
attacks = scene.attacks(7)
print([scene.sends(call).decision.allowed for call in attacks].count(True))
"""


def restartable(kind: str, folder: str) -> dict[str, Any]:
    state = {"detector": {"state": f"{folder}/state"}}
    return shared(Path(folder), **state) if kind == "shared" else values(**state)


def run(code: str, *arguments: str) -> str:
    places = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": ":".join(places)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_a_restart_goes_on_where_it_was(tmp_path: Path, kind: str) -> None:
    """The interpreter's exit saves; the next one knows the campaign from the first prompts on, a lost area or not."""
    run(LEARN, kind, str(tmp_path))
    assert run(GO_ON, kind, str(tmp_path)).split()[-1] == "5"
    if kind == "shared":
        for path in tmp_path.iterdir():
            if path.is_file():
                path.unlink()  # as after a restart of the machine
        assert run(GO_ON, kind, str(tmp_path)).split()[-1] == "5"


def test_a_state_in_use_is_nobody_elses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of processes whose counters are their own, the first has the state; the others say that they have none."""
    config = restartable("memory", str(tmp_path))
    first = Scene(config).learn()
    second = Scene(config)
    assert "is not used" in caplog.text
    seen(second)
    seen(first)
    assert [path.suffix for path in (tmp_path / "state").iterdir()].count(".state") == 1


def test_reloads() -> None:
    """What the detector is made of stays; the rest may change while it watches, and nobody is forgotten."""
    scene = Scene().learn()
    assert [scene.sends(call).decision.allowed for call in scene.attacks(6)] == [True] * 5 + [False]
    for changes in ({"detector": {"quota": "7/hour"}}, {"detector": {"mode": "shadow"}}):
        with pytest.raises(ConfigError, match=r"\[detector\] cannot change"):
            scene.guard.replace(from_dict(values(**changes)))
    without = {name: value for name, value in values(routes=[]).items() if name not in {"detector", "campaign"}}
    with pytest.raises(ConfigError, match="cannot change"):
        scene.guard.replace(from_dict(without))
    scene.guard.replace(from_dict(values(campaign={"quota": "8/hour"})))
    assert [scene.sends(call).decision.allowed for call in scene.attacks(4)] == [True] * 3 + [False]
    scene.guard.replace(from_dict(values(routes=[])))
    plan = scene.guard.plan(post())
    assert plan is not None
    assert scene.guard.watch(plan) is None


def test_a_reload_declares_a_tenant() -> None:
    """Whose evaluations count for nothing from then on."""
    scene = Scene()
    tenants = [{"id": "lab", "tier": "anonymous", "use": "research"}]
    assert scene.live._declared == set()
    scene.guard.replace(from_dict(values(tenants=tenants)))
    assert scene.live._declared == {"lab"}


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_a_campaign_is_released(tmp_path: Path, kind: str) -> None:
    """In less than a second, in every worker."""
    scene = Scene(shared(tmp_path) if kind == "shared" else values()).learn()
    other = Scene(shared(tmp_path)) if kind == "shared" else scene
    for call in scene.attacks(6):
        scene.sends(call)
    refused = scene.attack()
    assert not other.sends(refused).decision.allowed
    began = time.monotonic()
    assert scene.live._live.release_campaign(1)
    spin(lambda: other.stats["rungs"] == {})
    assert time.monotonic() - began < 1.0
    request = post("org-free", "new")
    assert other.send(request, refused.body).decision.restriction is None


def test_an_account_is_released() -> None:
    """What it sends draws on no budget any longer, and others of the campaign still do."""
    scene = Scene().learn()
    attacks = scene.attacks(8)
    for call in attacks[:5]:
        scene.sends(call)
    request = post("org-free", "new")
    assert not scene.send(request, attacks[5].body).decision.allowed
    began = time.monotonic()
    assert scene.live._live.release_account("org-free/new")
    scene.told += 1
    scene.settle()
    assert time.monotonic() - began < 1.0
    assert scene.send(request, attacks[6].body).decision.allowed
    assert not scene.sends(attacks[7]).decision.allowed


def test_a_blocked_campaign_can_be_released_after_a_restart(tmp_path: Path) -> None:
    """When nobody is answered, somebody must hear of it all the same."""
    config = shared(tmp_path, detector={"block": True})
    scene = Scene(config).learn()
    scene.climb("block")
    call = scene.attack()
    scene.live.stop()
    after = Scene(config)
    after.now = scene.now
    assert after.sends(call).decision.action == "block"
    assert after.live._live.release_campaign(1)
    spin(lambda: after.stats["rungs"] == {})
    assert after.sends(call).decision.action == "allow"


ORPHAN = """
import os, sys, time
from live.helpers import Scene, post, question, spin
from live.test_life import shared
from pathlib import Path
scene = Scene(shared(Path(sys.argv[1])))
scene.send(post(), question())
spin(lambda: scene.stats["leader"] == os.getpid())
if os.fork():
    os.kill(os.getpid(), 9)
terms = scene.stats["terms"]
{first}
end = time.monotonic() + 2
while scene.stats["terms"] == terms and time.monotonic() < end:
    time.sleep(0.01)
Path(sys.argv[1], "result").write_text(str(scene.stats["terms"] - terms))
"""


def test_a_fork_of_the_elected_process_can_take_over(tmp_path: Path) -> None:
    """The parent dies; its child, which observes too, must be elected."""
    code = ORPHAN.format(first="scene.send(post(), question())")
    with pytest.raises(subprocess.CalledProcessError):
        run(code, str(tmp_path))
    spin(lambda: (tmp_path / "result").exists() and (tmp_path / "result").read_text())
    assert (tmp_path / "result").read_text() == "1"


def test_what_a_killed_process_left_is_removed_by_the_next_one() -> None:
    """And not what a living one has, nor its fork."""
    code = (
        "import os, signal, sys\n"
        "from ratelimit_guard.private import private_folder\n"
        "class Owner: pass\n"
        "owner = Owner(); print(private_folder(owner), flush=True)\n"
        "sys.stdin.readline(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        left = Path(one.stdout.readline().strip())
        mine = private_folder(owner := threading.Event())
        assert left.exists()
        one.stdin.write("die\n")
        one.stdin.flush()
        one.wait(10)
    other = private_folder(owner)
    assert not left.exists()
    assert mine.exists()
    del owner
    gc.collect()
    assert not mine.exists()
    assert not other.exists()
