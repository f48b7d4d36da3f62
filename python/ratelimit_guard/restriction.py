"""What the detector says about a request, as far as it concerns the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ratelimit_guard._core.live import Sight
    from ratelimit_guard.prompt import Prompt

Rung: TypeAlias = Literal["observe", "throttle", "challenge", "degrade", "block"]


class Restriction(NamedTuple):
    """Why a request is restricted, and how far that goes.

    `campaign` names the campaign whose pieces the request holds, or that its account acts for, None when the account
    is restricted by its own evidence alone. `whole`: all that the account sends is restricted. `reference` is what the
    caller may quote; `ratelimit-guard explain` knows what it stands for. In shadow mode `enforced` is false and
    nothing is done.
    """

    level: Rung
    campaign: str | None
    whole: bool
    score: float
    reference: str
    enforced: bool

    def reaches(self, rung: Rung) -> bool:
        """Is this rung done, or a higher one?"""
        return self.enforced and RUNGS.index(self.level) >= RUNGS.index(rung)


class Inspection(NamedTuple):
    """A request's prompt, and what was seen of it before the decision. `at` is Unix time in seconds."""

    prompt: Prompt
    sight: Sight | None
    at: float


RUNGS: tuple[Rung, ...] = ("observe", "throttle", "challenge", "degrade", "block")
