"""What comes out today: of attacks within how many requests, and what comes out wrong, and why.

A test fails whenever a line here is no longer true, also when the detector has become better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detection.judge import Outcome

FOUND = {
    "seeds-50-3": 60,
    "seeds-175-3": 100,
    "seeds-175-8": 60,
    "seeds-500-5": 150,
    "seeds-500-8": 120,
    "seeds-175-8-numbered": 500,
    "seeds-175-3-answers": 200,
    "seeds-growing": 100,
    "seeds-in-conversation": 120,
    "walk": 400,
    "walk-code": 400,
    "walk-polyglot": 400,
    "walk-nonce": 400,
    "paraphrased": 400,
    "phrases-10-1": 60,
    "phrases-10-2": 60,
    "phrases-40-2": 90,
    "composed-10": 150,
    "composed-10-line": 120,
    "composed-100": 150,
    "composed-300": 150,
    "composed-100-line": 200,
    "composed-300-line": 200,
    "whole-10": 300,
    "whole-25": 500,
    "whole-60": 600,
    "elicit-30": 200,
    "personas-50-tasks": 700,
    "personas-20-new-tasks": 250,
    "covered-composed": 120,
    "covered-by-chat": 120,
    "covered-seeds": 700,
    "turned-composed": 800,
    "turned-seeds": 700,
    "turned-walk": 1_200,
}
"""Attacks that have to be found, and the request until which."""

ONE_TEMPLATE = "one template around ever new text is what translation, tagging and review do"
ENDS_IN_JUNK = "a new line at the end is what a question behind passages looks like"
HALF = "half of the requests show nothing, so the rate stays below what honest programs may have"
FEW_FRAMES = "few frames come back within six requests, as the features of a product do"
AGAIN = "a repeated prompt is not a new task, and monitors and timers repeat theirs too"

MISSED = {
    "seeds-500-5-answers": "a pool of long seeds is more than the memory holds",
    "walk-chinese": "a task begins with the same eight characters as one before: of words eight say more",
    "walk-behind-system": "a system prompt is what a product has",
    "walk-in-template": ONE_TEMPLATE,
    "from-documents": ONE_TEMPLATE,
    "judged": ONE_TEMPLATE,
    "elicit-6": FEW_FRAMES,
    "evolve-200": "the operator stands before and behind, and is one of a few",
    "samples-4-in-a-row": AGAIN,
    "samples-4-shuffled": AGAIN,
    "personas-new-tasks": "a persona comes back too rarely to be a frame, and often enough to be no new task",
    "seeds-nonce": ENDS_IN_JUNK,
    "composed-nonce": ENDS_IN_JUNK,
    "covered-walk": HALF,
}
"""Attacks that are not found with at least one of the secrets, and why."""

BOTH_ENDS = "both ends are text of a stock: what is asked stands between"
ALL_STOCK = "everything is from a stock, in any order, as with a pool of seeds"
MANY_FRAMES = "many frames used evenly are many templates"

MISJUDGED = {
    "rag-4-middle": ("recombination", BOTH_ENDS),
    "rag-4-middle-bare": ("recombination", BOTH_ENDS),
    "rag-snippets-middle": ("recombination", BOTH_ENDS),
    "memory-query-middle": ("recombination", BOTH_ENDS),
    "form-topic-middle": ("recombination", BOTH_ENDS),
    "rules-both-rare": ("recombination", BOTH_ENDS),
    "npc": ("recombination", BOTH_ENDS),
    "reports": ("recombination", BOTH_ENDS),
    "labelling-with-reasons": ("recombination", BOTH_ENDS),
    "menu-documents-questions-styles": ("recombination", "choices of menus before and behind documents seen before"),
    "products-shuffled": ("recombination", ALL_STOCK),
    "quizzes": ("recombination", ALL_STOCK),
    "newsletters": ("recombination", ALL_STOCK),
    "clauses": ("recombination", ALL_STOCK),
    "recipes": ("recombination", ALL_STOCK),
    "features-10-even": ("template-rotation", MANY_FRAMES),
    "features-25-even": ("template-rotation", MANY_FRAMES),
    "unit-tests": ("recombination", "an instruction of a few before functions of which the middle is forgotten"),
    "horoscopes": ("recombination", "menus only: what comes back soon is not known to be constant in the beginning"),
    "consumer-chat-chinese": ("recombination", "four characters are too short for an end: common words begin and end"),
    "cron-300": ("corpus-walk", "the first day of a timer with 300 prompts is a walk of 300 tasks"),
}
"""Honest kinds that are convicted with at least one of the secrets, by which signal, and why."""

REPLAYED: dict[str, tuple[int, ...]] = {
    "rag-4-middle-bare": (60,),
    "memory-query-middle": (60,),
    "clauses": (60,),
}
"""Honest kinds of which so many requests, played a hundred times, are convicted: more different prompts than are
remembered as repeats, so that their ends seem to come from different earlier requests."""


def is_expected(name: str, outcomes: Sequence[Outcome]) -> bool:
    """Whether a kind comes out, over several secrets, as this file says."""
    convicted = [one.convicted for one in outcomes if one.convicted]
    if name in FOUND:
        return len(convicted) == len(outcomes) and max(convicted) <= FOUND[name]
    if name in MISSED:
        return len(convicted) < len(outcomes)
    if name in MISJUDGED:
        return {one.signal for one in outcomes if one.convicted} == {MISJUDGED[name][0]}
    return not convicted
