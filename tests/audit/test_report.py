"""The report page: what it says, that it asks for nothing, and that no name in a log can become markup."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from audit.groups import day
from audit.results import HOSTILE, account, calibration, many, named, result, timeline
from ratelimit_guard.audit import report
from ratelimit_guard.audit.result import Example

if TYPE_CHECKING:
    from ratelimit_guard.audit.result import AccountResult, AuditResult, Level, Mode

VOID = {"meta", "input", "rect", "path"}


class Page(HTMLParser):
    """A page taken apart: tags in order, attributes, text by element; a tag that is not closed properly is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self, *within: str) -> str:
        """The text of the page, or of elements of these names, with single spaces."""
        found = (data for tag, data in self.texts if (tag in within if within else tag not in {"style", "script"}))
        return " ".join("".join(found).split())

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute."""
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def page(audit: AuditResult) -> Page:
    """The page of an audit, taken apart."""
    return Page(report.render(audit))


def drawn(one: AccountResult) -> AccountResult:
    """The account with a timeline and examples."""
    return replace(one, timeline=timeline(one), examples=(Example(one.first, "req-1", "recombination"),))


AUDITS = {
    "empty": result(),
    "shadow": result(drawn(account(level="throttle")), mode="shadow", calibration=None),
    "one": result(account()),
    "every level": result(*(drawn(one) for one in (account(level="throttle"), account("b", "observe"), account("c")))),
    "hostile": named(HOSTILE),
    "many": result(*many(500)),
    "campaigns": day(30, account("honest", restricted=2)),
    "relay": day(3, kind="provenance"),
}


@pytest.fixture(params=AUDITS, ids=str)
def any_html(request: pytest.FixtureRequest) -> str:
    """The page of each kind of audit."""
    return report.render(AUDITS[request.param])


def test_page_is_well_formed_and_asks_for_nothing(any_html: str) -> None:
    """Every link leads to a place in the page; there is no other reference, handler or style beside the one."""
    found = Page(any_html)
    attributes = {name for _, attrs in found.tags for name in attrs}
    assert not attributes & {"src", "srcset", "style", "action", "data", "poster", "xlink:href"}
    assert not [name for name in attributes if name.startswith("on")]
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in found.values("href")} <= set(ids)
    assert not {tag for tag, _ in found.tags} & {"link", "img", "iframe", "object", "embed", "base", "form", "image"}
    assert not re.search(r"url\(|@import|https?:", any_html)


def test_page_admits_no_style_and_no_script_but_its_own(any_html: str) -> None:
    """The policy names the digests of the two that the page holds, and nothing else."""
    found = Page(any_html)
    (policy,) = [attrs["content"] or "" for _, attrs in found.tags if "http-equiv" in attrs]
    sources = dict(part.split(" ", 1) for part in policy.split("; "))
    assert set(sources) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert {sources[name] for name in ("default-src", "base-uri", "form-action")} == {"'none'"}
    for tag in ("style", "script"):
        (text,) = [data for within, data in found.texts if within == tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert sources[f"{tag}-src"] == f"'sha256-{digest}'"


def test_page_can_be_read_aloud(any_html: str) -> None:
    """Tables have captions, plots have labels or are hidden, headings skip no level."""
    found = Page(any_html)
    tags = [tag for tag, _ in found.tags]
    assert tags.count("table") == tags.count("caption")
    plots = [attrs for tag, attrs in found.tags if tag == "svg"]
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") == "true" for attrs in plots)
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_no_name_becomes_markup(mode: Mode) -> None:
    """A page of hostile names has the same tags and attributes as one of harmless names, in the same order."""
    harmless = [f"name-{index}" for index in range(len(HOSTILE))]

    def shape(names: list[str]) -> list[tuple[str, tuple[str, ...]]]:
        return sorted((tag, tuple(attrs)) for tag, attrs in page(named(names, mode)).tags)

    assert shape(HOSTILE) == shape(harmless)


def test_no_name_hides_or_turns_text_around() -> None:
    """What cannot be seen is written out, and the page can be stored as UTF-8."""
    html = report.render(named(HOSTILE))
    html.encode()
    assert {char for char in html if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} == {"\n"}
    assert "\\u202eeman\\u2066\\u200b" in html
    assert len(html) < 500_000


def test_names_read_as_they_are() -> None:
    """Escaped once, not twice, and isolated from the text beside them."""
    html = report.render(result(account("a<b> & \"c\" 'd' שלום", tenant="{{ t }}")))
    assert "<bdi>a&lt;b&gt; &amp; &#34;c&#34; &#39;d&#39; שלום</bdi>" in html
    assert "<bdi>{{ t }}</bdi>" in html


@pytest.mark.parametrize(
    ("levels", "mode", "text"),
    [
        ("", "enforce", "The log held no record that could be used: nothing was judged."),
        ("n", "enforce", "None of 1 account would have been restricted, none observed. That is a finding too, "),
        ("no", "enforce", "None of 2 accounts would have been restricted, 1 observed. That is a finding too, "),
        ("nn", "shadow", "None of 2 accounts would have been restricted, none observed. That is a finding too, "),
        ("tno", "enforce", "1 of 3 accounts would have been restricted, 1 observed."),
        ("ttn", "enforce", "2 of 3 accounts would have been restricted, none observed."),
        ("ttn", "shadow", "2 of 3 accounts would have been restricted, none observed."),
    ],
)
def test_headline_says_the_result(levels: str, mode: Mode, text: str) -> None:
    """Nobody restricted is a finding as well, and in shadow mode nobody was."""
    names: dict[str, Level] = {"n": "none", "o": "observe", "t": "throttle"}
    accounts = [account(f"a{index}", names[letter]) for index, letter in enumerate(levels)]
    assert report.headline(result(*accounts, mode=mode)).startswith(text)


def test_head_says_what_was_audited() -> None:
    """Files up to a number, the period, the amounts, and what alpha means."""
    text = page(result(account(), account("b"), files=tuple(f"f{index}" for index in range(9)))).text()
    assert "f0, f1, f2, f3, f4, f5 and 3 more" in text
    assert "2026-11-20 00:00:00 to 2026-11-20 23:59:59 UTC" in text
    assert "294 records of 2 accounts of 1 tenant" in text
    assert "= 0.003, enforce mode" in text
    assert "with a probability of at most 0.3 %" in text


def test_ranking_is_by_level_then_score() -> None:
    """An observed account with a low score stands above one that was not flagged with a higher one."""
    accounts = (
        account("quiet", score=0.2),
        account("loud", score=0.9),
        account("watched", "observe", score=0.5),
        account("first", "throttle", score=1.1),
        account("worst", "throttle", score=3.0),
    )
    html = report.render(result(*accounts))
    body = html[html.index('<table id="ranking">') :].split("</table>")[0]
    assert re.findall(r"<bdi>(\w+)</bdi></(?:a|th)>", body) == ["worst", "first", "watched", "loud", "quiet"]
    assert re.findall(r'data-level="(\w+)"', body) == ["throttle", "throttle", "observe", "none", "none"]


def test_page_of_many_accounts_is_bounded_and_says_what_is_left_out() -> None:
    """5,000 accounts: every flagged one, those nearest to it, and the count of the rest."""
    accounts = many(5_000)
    html = report.render(result(*accounts))
    found = Page(html)
    flagged = sum(one.level != "none" for one in accounts)
    rows = flagged + report.NEXT
    assert len(found.values("data-level")) == rows
    left_out = (
        f"{rows} of 5,000 accounts: restricted first, then observed, then by score. Left out: {5_000 - rows:,} not"
    )
    assert left_out in html
    sections = [value for value in found.values("id") if value.startswith("account-")]
    assert len(sections) == 25 + report.OBSERVED_DETAILED
    assert len(html) < 700_000


def test_page_of_five_thousand_restricted_accounts_is_bounded_too() -> None:
    """A log in which everybody is restricted makes no endless page."""
    one = drawn(account(level="throttle"))
    html = report.render(result(*(replace(one, account=f"a{index}", requests=147 + index) for index in range(5_000))))
    assert "Left out: 4,700 would restrict." in html
    assert "100 accounts: the restricted ones and the observed ones with the highest scores, of 5,000 flagged." in html
    assert html.count("<details") == report.DETAILED
    assert len(html) < 1_500_000


def test_restricted_account_has_its_evidence() -> None:
    """Sentences, a plot with the moment, the table of signals, and requests to look up."""
    one = replace(drawn(account(level="throttle")), declared="translation")
    found = page(result(one))
    text = found.text()
    assert "The signal was recombination." in found.text("p")
    assert "prompts began and ended with text from two different earlier prompts" in found.text("li")
    assert "Declared use: translation." in text
    assert "2026-11-20 10:00:00 req-1 recombination" in text
    label = (
        "Score over requests: it ends at 1.16, the threshold is 1, restricted after 41 requests, 2026-11-20 10:50:12."
    )
    assert label in found.values("aria-label")
    assert "observes only" in found.text("td")


def test_shadow_mode_without_history_says_what_would_have_been() -> None:
    """No account reads as restricted, and the missing history is named."""
    found = page(result(drawn(account(level="throttle")), mode="shadow", calibration=None))
    text = found.text()
    assert "No history was given." in text
    assert "Shadow: no history was given." in text
    assert "Would have been restricted from 2026-11-20 10:50:12 UTC on" in text
    assert "restricted" not in found.text("span")
    assert "Guard" not in found.text("th")


def test_calibration_is_told_with_its_interval_guard_suspects_and_gaps() -> None:
    """What the history says, and where it is silent."""
    found = page(result(account()))
    text = found.text()
    assert "The history holds 412,006 requests of 1,338 accounts, from 2026-05-24" in text
    assert "2 of them, each judged by what the others show, would have been restricted: 0.15 %" in text
    assert "95 % confidence interval 0.018 % to 0.54 %" in text
    assert "27.49" in found.text("td")
    assert "1 account of the history with evidence too strong to calibrate with." in text
    assert "no account of tenant class agency" in found.text("li")


def test_history_without_accounts_makes_no_rate() -> None:
    """Nothing is divided by nothing."""
    empty = calibration(
        accounts=0, requests=0, first=None, last=None, restricted=0, interval=(0.0, 1.0), guard={}, suspects=(), gaps=()
    )
    text = page(result(account(), calibration=empty)).text()
    assert (
        "The history holds 0 requests of 0 accounts. None of them, each judged by what the others show, would" in text
    )


def test_data_quality_names_reasons_lines_and_notes() -> None:
    """Where to look in the log."""
    audit = result(account(), lines=1_000, skipped={"not-json": (12, "day.jsonl:4711")}, notes={"repeated lines": 3})
    found = page(audit)
    assert "1,000 lines read, 147 records used." in found.text("p")
    assert "day.jsonl:4711" in found.text("td")
    assert "repeated lines: 3" in found.text("li")
    assert "No line was skipped." in page(result(account())).text("p")


def test_heavy_accounts_that_were_not_restricted_are_explained() -> None:
    """The twenty with the most requests, restricted ones left out."""
    accounts = [account(f"a{number:02d}", requests=1_000 + number) for number in range(30)]
    html = report.render(result(*accounts, account("worst", "throttle", requests=10**6)))
    table = html[html.index('id="heavy"') :].split("</table>")[0]
    assert re.findall(r'row" class="name"><bdi>(\w+)', table) == [f"a{number:02d}" for number in range(29, 9, -1)]
    assert table.count("Every signal that could restrict it is within what honest accounts do: ") == 20


@pytest.mark.parametrize(
    ("restricted", "others", "text"),
    [
        ([], [], ""),
        ([], [9_000], "The heaviest account made 9,000 requests and would not be restricted."),
        ([40], [], "The account that would be restricted made 40 requests."),
        (
            [40, 40],
            [1],
            "The accounts that would be restricted made 40 requests; the heaviest of all others made 1 request.",
        ),
        (
            [40, 900],
            [2],
            "The accounts that would be restricted made 40 to 900 requests; the heaviest of all",
        ),
    ],
)
def test_volume_stands_beside_the_verdict(restricted: list[int], others: list[int], text: str) -> None:
    """Numbers that show whether the heavy ones are the restricted ones."""
    first, rest = ([account(requests=number) for number in numbers] for numbers in (restricted, others))
    said = report.volume(first, rest)
    assert said.startswith(text)
    assert bool(said) == bool(text)


def test_usage_adds_up_per_tenant() -> None:
    """Sums, shares and the highest level, the largest tenant first."""
    rows = report.usage(
        [
            account("a", requests=10, answered=9, output_tokens=100, tenant="small"),
            account("b", "observe", requests=50, answered=50, output_tokens=7, tenant="large"),
            account("c", "none", requests=40, answered=1, output_tokens=3, tenant="large"),
        ]
    )
    assert rows == [
        report.Usage("large", 2, 90, 51, 10, 0.9, "observe"),
        report.Usage("small", 1, 10, 9, 100, 0.1, "none"),
    ]
