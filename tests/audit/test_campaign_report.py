"""Campaigns on the report page: what is said and drawn of them, within bounds, whatever names they have."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from audit.groups import campaign, day, member
from audit.results import DAY, HOSTILE, START, account, result
from audit.test_report import Page
from ratelimit_guard.audit import campaign_plots as plots
from ratelimit_guard.audit import report
from ratelimit_guard.audit.plots import LEFT, RIGHT, TOP
from ratelimit_guard.audit.result import Bin, Match

if TYPE_CHECKING:
    from ratelimit_guard.audit import AuditResult


def page(audit: AuditResult) -> Page:
    return Page(report.render(audit))


def section(html: str) -> str:
    """What the page says of campaigns."""
    return html[html.index('aria-labelledby="campaigns"') :].split("</section>", maxsplit=1)[0]


def test_page_without_campaigns_says_so() -> None:
    """One sentence, and no picture."""
    html = section(report.render(result(account())))
    assert "No group of accounts acts as one." in html
    assert not {"<details", "<svg", "<table"} & set(re.findall(r"<\w+", html))
    assert "Campaigns</h2>" not in report.render(result())


def test_headline_names_campaigns() -> None:
    """Nobody restricted as a whole, and yet there is a finding."""
    said = report.headline(day(3, account("b")))
    assert said == (
        "None of 4 accounts would have been restricted, none observed. 1 group of accounts acts as one (C1 of 3): "
        "3,900 requests would have been restricted because of that."
    )


def test_campaign_has_its_facts_its_picture_and_its_members() -> None:
    """In words that say what would have happened."""
    html = report.render(day(30))
    found, part = Page(html), section(html)
    text = found.text()
    for said in (
        "30 accounts of 120 tenants, paid for by 80 payers, act as one.",
        "from 212 pieces that are not common in the history; 97 % of their 4,200 matching requests",
        "convicted at 2026-11-20 03:00:00 UTC, 3 h after the first of them",
        "these ask for: code (62 %) and mathematics (30 %).",
        "37 networks (/24 or /48)",
        "The 20 members with the most matching requests, of 30.",
        "2026-11-20 00:00:05 req-5 account member-5",
    ):
        assert said in text
    assert re.findall(r'row" class="name"><bdi>([\w-]+)', part) == [f"member-{number}" for number in range(20)]
    assert found.values("id").count("campaign-C1") == 1
    assert found.values("href").count("#campaign-C1") == 30


def test_relay_shows_no_combinations() -> None:
    """There are none to show."""
    html = section(report.render(day(3, kind="provenance")))
    assert "New combinations" not in html
    assert "continued conversations whose answers had been given to another account" in html
    assert "New combinations" in section(report.render(day(3)))


def test_member_has_its_campaign_in_its_own_section() -> None:
    """So has an account that was hit and is no member, where it is explained."""
    one = member(level="throttle", signals=())
    hit = account("honest", restricted=2, requests=9_000)
    text = page(result(one, hit, campaigns=(campaign(members=("member-0",)),))).text()
    assert "Member of campaign C1: 400 of its 500 requests held pieces" in text
    assert "2 of its 9,000 requests would have been restricted because of a campaign, of which the account" in text


def test_no_member_s_name_becomes_markup() -> None:
    """A page of hostile members has the tags and attributes of one with harmless members."""

    def shape(names: list[str]) -> list[tuple[str, tuple[str, ...]]]:
        found = [member(number, name, tenant=name) for number, name in enumerate(names)]
        examples = tuple(Match(START, name, name) for name in names[:6])
        made = campaign(members=tuple(names), examples=examples, capabilities=dict.fromkeys(names, 9))
        return sorted((tag, tuple(attrs)) for tag, attrs in page(result(*found, campaigns=(made,))).tags)

    assert shape(HOSTILE) == shape([f"name-{index}" for index in range(len(HOSTILE))])


def test_page_of_many_campaigns_is_bounded() -> None:
    """Fifty of 400 members each: twenty are shown, and the rest is counted."""
    members = [member(number) for number in range(400)]
    names = tuple(one.account for one in members)
    made = tuple(campaign(f"C{number}", members=names) for number in range(1, 51))
    html = report.render(result(*members, campaigns=made))
    assert "50 groups of accounts act as one (C1 of 134, C2 of 134 and C3 of 134 and 47 more)" in html
    assert "Shown are the first 20 that were convicted." in html
    assert section(html).count("<svg") == 20
    assert "Left out: 200 of 400 members, those with the fewest matching requests." in html
    assert len(html) < 1_500_000


def numbers(path: str) -> list[tuple[str, float]]:
    """The steps of a path, with one number each."""
    pairs = re.findall(r"([MHV])(-?[\d.]+)(?: (-?[\d.]+))?", path)
    return [step for letter, x, y in pairs for step in ((letter, float(x)), *((("V", float(y)),) if y else ()))]


def drawn(*members: tuple[float, float], convicted: float = 10_800.0) -> plots.Picture:
    """The picture of members with these first and last requests."""
    found = [member(at, first=START + one, last=START + end) for at, (one, end) in enumerate(members)]
    made = campaign(members=tuple(one.account for one in found), convicted=START + convicted)
    return plots.picture(made, found)


def lines(path: str) -> list[tuple[float, float, float]]:
    """From, to and height of each line."""
    found = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", path)
    return [(float(left), float(right), float(y)) for left, y, right in found]


def test_members_are_lines_from_their_first_to_their_last_request() -> None:
    """In the order of the first; in colour from the conviction on."""
    picture = drawn((43_200, 86_400), (0, 5_000), (0.1, 86_400))
    width = RIGHT - LEFT
    whole = lines(picture.members)
    assert [one[2] for one in whole] == sorted({one[2] for one in whole})
    assert whole[0][:2] == pytest.approx((LEFT, LEFT + width * 5_000 / DAY), abs=0.1)
    assert whole[2][:2] == pytest.approx((LEFT + width / 2, RIGHT), abs=0.1)
    hit = lines(picture.hit)
    assert [one[2] for one in hit] == [one[2] for one in whole[1:]]
    assert [one[0] for one in hit] == pytest.approx([picture.convicted.at, LEFT + width / 2], abs=0.1)


def test_member_without_restricted_requests_has_no_colour() -> None:
    one = member(restricted=0)
    assert plots.picture(campaign(members=("member-0",)), [one]).hit == ""


def test_bars_are_in_proportion() -> None:
    """The highest reaches the top; what was restricted stands within."""
    made = campaign(timeline=(Bin(START, 10, 0), Bin(START + DAY / 2, 40, 20)))
    picture = plots.picture(made, [])
    tops = [value for letter, value in numbers(picture.matches) if letter == "V" and value != plots.STRIP]
    assert tops == [plots.STRIP - 15, plots.STRIP - 60]
    assert [value for letter, value in numbers(picture.restricted) if letter == "V"][1:2] == [plots.STRIP - 30]
    assert picture.restricted.count("M") == 1


def test_bars_are_as_wide_as_two_are_apart() -> None:
    """Where bins without a match are left out; a single one takes the whole course."""
    starts = (0, 1, 5, 23)
    made = campaign(timeline=tuple(Bin(START + at * DAY / 24, 1, 0) for at in starts))
    left, right = zip(*re.findall(r"M([\d.]+).*?H([\d.]+)", plots.picture(made, []).matches), strict=True)
    hour = (RIGHT - LEFT) / 24
    assert [float(one) for one in left] == pytest.approx([LEFT + at * hour for at in starts], abs=0.1)
    assert [float(one) - float(other) for one, other in zip(right, left, strict=True)] == pytest.approx(
        [hour - 0.5] * 4, abs=0.2
    )
    whole = plots.picture(campaign(timeline=(Bin(START, 1, 0),)), []).matches
    assert re.findall(r"[MH]([\d.]+)", whole) == [f"{LEFT:.1f}", f"{RIGHT - 0.5:.1f}"]


@pytest.mark.parametrize("count", [0, 1, 7, 200, 3_000])
def test_picture_has_a_bound(count: int) -> None:
    """However many members there are, no two lines lie on each other, and all stay inside."""
    found = [member(at, first=START + at, last=START + at + at % 7 * 1e4) for at in range(count)]
    picture = plots.picture(campaign(members=tuple(one.account for one in found)), found)
    heights = sorted(one[2] for one in lines(picture.members))
    assert len(heights) == min(count, plots.DRAWN)
    assert picture.left_out == count - len(heights)
    assert all(later - earlier >= 1.9 for earlier, later in pairwise(heights))
    assert picture.height < 600
    paths = (picture.matches, picture.restricted, picture.members, picture.hit)
    assert all(LEFT <= value <= RIGHT for path in paths for letter, value in numbers(path) if letter in "MH")
    assert all(TOP <= value <= picture.edge for path in paths for letter, value in numbers(path) if letter == "V")


@pytest.mark.parametrize("change", [{"first": START, "last": START}, {"timeline": ()}, {"convicted": START - DAY}])
def test_picture_of_a_moment_is_drawn(change: dict[str, Any]) -> None:
    """A log of one second, and times that do not fit together, divide by nothing."""
    made = replace(campaign(timeline=(Bin(START, 1, 0),)), **change)
    picture = plots.picture(made, [member(first=START, last=START)])
    assert LEFT <= picture.convicted.at <= RIGHT
    assert len(lines(picture.members)) == 1
