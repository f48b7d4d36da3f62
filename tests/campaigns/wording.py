"""Instructions as people write around a task: patterns of our own, with slots of `detection.banks`.

`[one|other]` in a pattern are synonyms: chosen once for a fixed wording, anew each time for a paraphrased one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from detection.texts import RULES, SLOT, Writer

if TYPE_CHECKING:
    from re import Match

OPENINGS = """You are a {adj} {role} who [spent|has spent|passed] {number} years on {field} and {field}.
[Act as|Play|Take the part of] a {adj} {role} [teaching|explaining|showing] {field} to {adj} pupils from {city}.
As [someone|somebody|a person] who knows {field}, [solve|settle] the [task|exercise|problem] of the {adj} {role}.
[Imagine|Suppose|Assume] that {person} [pays|hires|asks] you to [study|treat|handle] {field} with {adj} care.
For a [book|volume|manual] on {field}, [answer|treat|handle] what the {adj} {role} [asks|wants|needs] below.
A {adj} {role} from {city} [needs|wants|expects] your [best|finest|fullest] [answer|reply|response] on this.
[Read|Study|Examine] the [task|request|assignment] with the eyes of a {role} trained in {field} and {field}.
{Firm} [trains|teaches|educates] every {role} with [tasks|cases|exercises] like [this one|the following|the one below].
[Your|The] reader is a {adj} {role}, [fond|proud|tired] of {field} and [short|rich|free] of time {time}.
[Begin|Start|Open] with what {field} says about [it|this|the matter], as a {adj} {role} would.
[Treat|Take|Handle] the [following|next|coming] [task|question|matter] as a [test|trial] in {field} for {things}.
[Put|Place|Set] yourself in the [shoes|place|position] of a {role} who must {verb} {number} {things} {time}.
[Here|Below|Next] is a [task|problem|case] that {number} {adj} {role}s of {firm} [failed|missed|gave up] {time}.
[Help|Assist|Support] a {role} [new|foreign|used] to {field}, who [has|keeps|owns] a {adj} {noun} in {city}.
[Pretend|Say|Believe] that no {noun} [exists|is left|remains] and [write|speak|argue] like a {adj} {role} of {city}.
[Combine|Join|Unite] {field} with {field} in [all|whatever] you [say|write|tell] the {adj} {role}.""".splitlines()

CLOSINGS = """[Think|Reason|Go] [step by step|slowly], [name|state|give] {number} {adj} [reasons|grounds|causes].
[Show|Give|Write out] your [reasoning|thoughts] before the [answer|result], as {field} [demands|asks|wants].
[End|Finish|Close] with a [table|list|summary] of {number} {adj} [points|items|rows] for the {role}.
[Check|Verify|Test] the [result|answer|outcome] twice, [once|first] by {field} and [once|then] by {field}.
[Use|Take|Write] at least {number} {adj} [examples|cases|instances] with a {noun} or a {noun}.
[Avoid|Leave out|Skip] [jargon|slang|idioms] of {field}, and [mention|cite|name] the {adj} {noun} [once|twice|early].
[Explain|Justify|Defend] [each|every|any] [step|move|choice] to a {adj} {role} who [doubts|mistrusts|questions] {field}.
[Write|Answer|Reply] in {number} [paragraphs|sections|parts], the [last|final|closing] one about {field} and {things}.
[Add|Append|Attach] what a {adj} {role} would [object|criticise|reply], and [refute|answer|meet] it with {field}.
[Give|Offer|Present] {number} [versions|variants|drafts], one for [each|every] {role} of {firm} and {city}.
[Keep|Hold|Stay] to the [style|tone|manner] of a {adj} {role} [writing|speaking|reporting] {time}.
[Rate|Grade|Mark] your [own|first|whole] [answer|text|reply] from one to {number} as a {adj} {role} would.
[Mind|Respect|Obey] the [rules|limits|customs] of {field}; [no|never a|not one] {noun} may be [left|lost|hidden].
[Compare|Contrast|Weigh] it with what {person} [did|tried|wrote] for the {adj} {noun} in {city}.
[Name|List|Quote] the [sources|books|authorities] in {field} on which a {adj} {role} would [rely|build|lean].
[Ask|Pose|Raise] {number} [further|new|open] [questions|tasks|problems] on {field} at the [end|close].""".splitlines()

GAP = re.compile(r"(?<=[a-z]) (?=[a-z])|(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])")
BETWEEN = 0.3
"""Share of the gaps between words where one more stands."""

BETWEEN_CHINESE = 0.6

PLAIN = {name: tuple(between[0] for between, slots in choices if not slots) for name, choices in RULES.items()}
"""Single words of a rule."""

PROSE = ("sentence", "question", "task", "input", "code_task")
CHINESE = ("zh_sentence", "zh_question", "zh_task")
GERMAN = ("de_sentence",)


class Hand(Writer):
    """A writer whose sentences strangers seldom share: a rule has few patterns, and what lies between two of its slots
    would be said by hundreds. So further words stand between, until strangers share as few runs of five words as they
    do in real logs.
    """

    def make(self, rule: str) -> str:
        """A text by a rule."""
        text = super().make(rule)
        if rule in PROSE:
            return self.widened(text, ("adj", "adv", "noun"), " {} ", BETWEEN)
        if rule in GERMAN:
            return self.widened(text, ("de_adj", "de_noun", "last"), " {} ", BETWEEN)
        if rule in CHINESE:
            return self.widened(text, ("zh_noun", "zh_city", "zh_role"), "{}", BETWEEN_CHINESE)
        return text

    def log(self) -> str:
        """The end of a build's log: times are but numbers, and left out."""
        lines = (line.split(" ", 1)[1].rsplit(" in ", 1)[0] for line in super().log().splitlines())
        return "\n".join(f"{line} {self.pick(PLAIN['noun'])} {self.pick(PLAIN['adj'])}" for line in lines)

    def widened(self, text: str, rules: tuple[str, ...], form: str, share: float) -> str:
        """The same with words in some of its gaps."""

        def widen(gap: Match[str]) -> str:
            return gap[0] if self.random.random() > share else form.format(self.pick(PLAIN[self.pick(rules)]))

        return GAP.sub(widen, text)


SYNONYMS = re.compile(r"\[([^\]]+)\]")


def opening(w: Writer) -> str:
    """What stands before a task, synonyms still open."""
    return filled(w, w.pick(OPENINGS))


def closing(w: Writer) -> str:
    """What stands behind a task, synonyms still open."""
    return filled(w, w.pick(CLOSINGS))


def filled(w: Writer, pattern: str) -> str:
    """A pattern with its slots filled."""
    return SLOT.sub(lambda slot: w.make(slot[1]), pattern)


def settled(w: Writer, phrase: str) -> str:
    """One of its wordings."""

    def choose(synonyms: Match[str]) -> str:
        choices: list[str] = synonyms[1].split("|")
        return w.pick(choices)

    return SYNONYMS.sub(choose, phrase)


def fixed(w: Writer, count: int, part: str) -> list[str]:
    """So many phrases, `opening` or `closing`, that are always worded alike."""
    make = opening if part == "opening" else closing
    return [settled(w, make(w)) for _ in range(count)]
