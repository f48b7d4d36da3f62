"""Campaigns in words: who they are, what they share, since when, what they ask for, and what each member showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit.groups import campaign, member
from audit.results import account
from ratelimit_guard.audit import campaign_sentences as say
from ratelimit_guard.audit import sentences

if TYPE_CHECKING:
    from ratelimit_guard.audit.result import Level


def test_nothing_found_is_said() -> None:
    assert say.found([]) == "No group of accounts acts as one."


def test_groups_are_counted_and_the_first_are_named() -> None:
    """With what would have followed."""
    restricted = "requests would have been restricted because of that."
    assert say.found([campaign()]) == f"1 group of accounts acts as one (C1 of 134): 3,900 {restricted}"
    many = [campaign(f"C{number}", accounts=number) for number in range(1, 6)]
    named = "5 groups of accounts act as one (C1 of 1, C2 of 2 and C3 of 3 and 2 more)"
    assert say.found(many) == f"{named}: 19,500 {restricted}"


@pytest.mark.parametrize(
    ("payers", "text"),
    [
        (80, "134 accounts of 120 tenants, paid for by 80 payers, act as one."),
        (1, "134 accounts of 120 tenants, paid for by 1 payer, act as one."),
        (0, "134 accounts of 120 tenants act as one."),
        (120, "134 accounts of 120 tenants act as one."),
    ],
)
def test_payers_are_told_where_they_say_something(payers: int, text: str) -> None:
    """Not where none is known, or every tenant pays for itself."""
    assert say.group(campaign(payers=payers)) == text


def test_rotation_says_what_honest_users_do_instead() -> None:
    """And whether a history was asked."""
    rest = (
        "97 % of their 4,200 matching requests brought a combination that their account had not used before; "
        "honest users of one shared prompt repeat it."
    )
    start = "134 accounts put their prompts together from 212"
    assert say.shared(campaign(), "enforce") == f"{start} pieces that are not common in the history; {rest}"
    assert say.shared(campaign(), "shadow") == f"{start} common pieces; {rest}"


def test_provenance_says_whose_answers_were_continued() -> None:
    """Nothing about pieces or combinations."""
    assert say.shared(campaign(kind="provenance", accounts=60, pieces=412, matches=700), "enforce") == (
        "60 accounts continued conversations whose answers had been given to another account: 412 such links between "
        "them, in 700 requests; honest users continue their own."
    )


def test_course_says_when_and_what_would_have_followed() -> None:
    assert say.course(campaign()) == (
        "Matching requests from 2026-11-20 00:00:00 to 2026-11-21 00:00:00 UTC; convicted at 2026-11-20 03:00:00 UTC, "
        "3 h after the first of them, with evidence of 31.2 nats by the end. 3,900 requests would have been restricted "
        "because of it."
    )


@pytest.mark.parametrize(
    ("capabilities", "text", "word"),
    [
        (
            {"code": 62, "maths": 30, "writing": 8},
            "Of the matching requests, these ask for: code (62 %) and mathematics (30 %).",
            "code",
        ),
        (
            {"other": 60, "tools": 20, "instructions": 20},
            (
                "Of the matching requests, these ask for: the use of tools (20 %) and "
                "tasks and questions for others to answer (20 %)."
            ),
            "none",
        ),
        ({"other": 95, "tools": 5}, "No single capability stands out.", "none"),
        ({"code": 0}, "No single capability stands out.", "none"),
        ({}, "What the matching requests ask for was not counted.", "not counted"),
        (
            {"origami\u202e": 9},
            "Of the matching requests, these ask for: origami\\u202e (100 %).",
            "origami\\u202e",
        ),
    ],
)
def test_capability_is_what_a_tenth_and_more_asks_for(capabilities: dict[str, int], text: str, word: str) -> None:
    """The most first; what is left over targets nothing."""
    assert say.capability(campaign(capabilities=capabilities)) == text
    assert say.target(campaign(capabilities=capabilities)) == word


@pytest.mark.parametrize(
    ("addresses", "text"),
    [
        (0, "not in the log"),
        (1, "1 network (/24 or /48)"),
        (37, "37 networks (/24 or /48)"),
        (1_024, "1,024 networks (/24 or /48)"),
    ],
)
def test_networks_are_counted(addresses: int, text: str) -> None:
    assert say.networks(campaign(addresses=addresses)) == text


def test_member_says_what_it_showed() -> None:
    one = member(7, requests=1_000)
    (said,) = say.membership(one, campaign())
    assert said == (
        "Member of campaign C1: 393 of its 1,000 requests held pieces that strangers share, 383 in a combination that "
        "was new to it; 343 would have been restricted. Each of these is judged by what it holds, and not by its "
        "account."
    )


def test_member_of_a_relay_says_what_it_showed() -> None:
    (said,) = say.membership(member(restricted=0), campaign(kind="provenance"))
    assert said == (
        "Member of campaign C1: 400 of its 500 requests continued an answer that had been given to another account; "
        "0 would have been restricted."
    )


def test_member_that_is_restricted_as_a_whole_says_so() -> None:
    (said,) = say.membership(member(level="throttle"), None)
    assert said.endswith("Its own part in it weighs so much that the account would have been restricted as a whole.")


def test_account_that_is_no_member_may_have_restricted_requests() -> None:
    """And one without has nothing to do with campaigns."""
    (said,) = say.membership(account(restricted=3), None)
    assert said == (
        "3 of its 147 requests would have been restricted because of a campaign, of which the account itself is no "
        "member."
    )
    assert say.membership(account(matched=40, rotations=1), None) == []


@pytest.mark.parametrize(
    ("level", "restricted", "text"),
    [
        ("none", 0, "Not flagged."),
        ("none", 4, "Not restricted as a whole."),
        ("observe", 4, "Observed, not restricted as a whole: its highest score was 0.71, and 1 restricts."),
        ("observe", 0, "Observed, not restricted: its highest score was 0.71, and 1 restricts."),
    ],
)
def test_verdict_does_not_hide_restricted_requests(level: Level, restricted: int, text: str) -> None:
    """An account that is not flagged may have paid for a request."""
    assert sentences.verdict_sentences(account(level=level, restricted=restricted))[0] == text
