"""The plots of the report: what they show, and that they stay inside their frames."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from audit.results import START, account, timeline
from ratelimit_guard.audit import plots
from ratelimit_guard.audit.result import Point


def test_timeline_crosses_the_threshold_where_the_account_was_flagged() -> None:
    """The stair is below the dashed line before the flag and on or above it after."""
    one = account(level="throttle")
    plot = plots.timeline(replace(one, timeline=timeline(one)))
    assert plot is not None
    assert plot.flag is not None
    steps = [(float(x), float(y)) for x, y in re.findall(r"H([\d.]+)V([\d.]+)", plot.stair)]
    assert all((y <= plot.axes.threshold) == (x >= plot.flag.at) for x, y in steps)
    assert plot.flag.label == "after 41 requests, 2026-11-20 10:50:12"
    assert plot.stair.endswith(f"H{plots.RIGHT}")


def test_timeline_without_points_is_none() -> None:
    """No plot rather than an empty one."""
    assert plots.timeline(account(level="throttle")) is None


def test_thinned_timeline_keeps_the_crossing_and_the_end() -> None:
    """Ten thousand points become a few hundred, and the verdict does not move."""
    points = tuple(Point(START + at, at, at / 7_777) for at in range(10_000))
    kept = plots.thinned(points)
    assert {points[0], points[7_777], points[-1]} <= set(kept)
    assert len(kept) <= plots.STEPS + 2
    assert plots.thinned(points[:3]) == list(points[:3])


@pytest.mark.parametrize("highest", [0.0, 0.3, 1.0, 1.9, 3.3, 500.0])
def test_plots_stay_inside_their_frame(highest: float) -> None:
    """Whatever the score and however many requests: no mark and no label outside, and the threshold always shown."""
    one = account(level="throttle", score=highest, requests=10**9, flagged_after=10**9)
    plot = plots.timeline(replace(one, timeline=(Point(START, 1, 0.0), Point(START, 10**9, highest))))
    cloud = plots.scatter([one, account("b", requests=0, counted=0, score=-1.0)])
    assert plot is not None
    assert cloud is not None
    marks = [re.findall(r"[MH]([\d.]+)", plot.stair), re.findall(r"M([\d.]+)", "".join(cloud.marks.values()))]
    heights = [re.findall(r"V([\d.]+)", plot.stair), re.findall(r"M[\d.]+ ([\d.]+)", "".join(cloud.marks.values()))]
    assert all(plots.LEFT <= float(x) <= plots.RIGHT for row in marks for x in row)
    assert all(plots.TOP <= float(y) <= plots.BASE for row in heights for y in row)
    for axes in (plot.axes, cloud.axes):
        assert plots.TOP < axes.threshold < plots.BASE
        assert all(plots.LEFT <= tick.at <= plots.RIGHT for tick in axes.across)
        assert 2 <= len(axes.across) <= 11


def test_scatter_keeps_every_flagged_account_and_the_heaviest() -> None:
    """The cloud is thinned, the verdicts are not, and the number left out is told."""
    quiet = [account(f"q{index}", requests=index + 1, score=(index % 97) / 100) for index in range(4_500)]
    worst = [account(f"t{index}", "throttle", requests=2**index, score=1.5) for index in range(12)]
    cloud = plots.scatter([*worst, *quiet])
    assert cloud is not None
    assert cloud.marks["throttle"].count("M") == 12
    assert cloud.marks["none"].count("M") <= plots.DRAWN
    assert cloud.left_out == 4_500 - math.ceil(4_500 / 3)
    rightmost = max(int(x) for x in re.findall(r"M(\d+)", cloud.marks["none"]))
    assert rightmost == round(plots.LEFT + (plots.RIGHT - plots.LEFT) * math.log10(4_500) / 4)
