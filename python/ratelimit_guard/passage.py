"""A response on its way out, counted while it passes. Nothing is delayed but what must not be seen.

Only the line of a stream that has begun is held back, and only where the upstream says what the caller did not ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ratelimit_guard._core import tokens as _tokens
from ratelimit_guard.answer import AnswerText
from ratelimit_guard.dialect import Stream, Told

if TYPE_CHECKING:
    from ratelimit_guard.dialect import Dialect
    from ratelimit_guard.events import Ending
    from ratelimit_guard.spending import Spending
    from ratelimit_guard.tokens import Need, Tokens

    Headers = list[tuple[bytes, bytes]]

PIECE = 4096
"""Bytes of a stream that are counted at a time: a slow reader's upstream may send many events at once."""
MAX_REST = 16 << 10
"""Bytes that may pass after the tokens are used up, until the event that stands open ends: ten times a usual one."""
EXHAUSTED = "the limit of tokens was reached in the midst of the answer"


Used: TypeAlias = "tuple[int, int, tuple[int | None, int | None], int, int, bool, Ending]"
"""The last fields of a `UsageEvent`."""


class Passage:
    """Fed with the response's start and pieces; says what to send in their place.

    After `cut` nothing more may be sent. While a top-up is `due` the rest of a piece waits for `top_up`, which says
    what more to send of it; of counters in memory none ever is. `answer` is there for a success that is read. `began`:
    the server took the start of the response; before that nobody has been given anything.
    """

    def __init__(
        self,
        dialect: Dialect,
        spending: Spending | None,
        tokens: Tokens | None,
        need: Need | None,
        *,
        reads_text: bool,
        drops_usage: bool,
    ) -> None:
        """`spending` is what was reserved, if anything; `tokens` and `need` are there where tokens are counted."""
        self._dialect, self._spending, self._tokens, self._need = dialect, spending, tokens, need
        self._reads_text, self._drops_usage = reads_text, drops_usage
        self.answer: AnswerText | None = None
        self.began = self.cut = False
        self._succeeded = self._completed = self._ended = False
        self._exhausted, self._rest = False, 0
        self._has_passed = False
        self._counted, self._spent = 0, 0
        self._left: tuple[bytes, bool] = (b"", True)
        self._stream: Stream | None = None
        self._filter: _tokens.UsageFilter | None = None

    @property
    def has_passed(self) -> bool:
        """Has anybody got anything of the answer?"""
        return self.began and self._has_passed

    def start(self, status: int, headers: Headers) -> Headers:
        """The response's header fields, without those that will not be true."""
        self._succeeded = 200 <= status < 300
        counts = self._tokens is not None
        if not self._succeeded or not (counts or self._reads_text):
            return headers
        answer = self.answer = AnswerText(status, headers, counts=counts, text=self._reads_text)
        if not counts or not answer.is_stream:
            return headers
        if answer.has_events:
            self._stream = Stream()
            self._filter = _tokens.UsageFilter() if self._drops_usage else None
        # A stream that is cut, or from which something is taken, has another length.
        return [pair for pair in headers if pair[0].lower() != b"content-length"]

    @property
    def is_torn(self) -> bool:
        """Was it cut where no last words can be said? Then the server has to break it off."""
        return self.cut and self._stream is None

    def feed(self, chunk: bytes, *, more: bool) -> tuple[bytes, bool]:
        """What to send instead, and whether more will come; of one that `is_torn` it will never."""
        answer = self.answer
        if self.cut:
            return b"", False
        self._has_passed = True
        if answer is not None:
            chunk = bytes(chunk)  # some apps send views of memory
            if self._tokens is not None and answer.is_stream:
                passed = self._count(answer, chunk)
                if self.due:
                    self._left, more = (chunk[len(passed) :], more), True
                chunk = passed
            elif answer.wanted:
                answer.feed(chunk)
        if self._filter is not None:
            chunk = self._filter.feed(chunk)
            if self.cut or not more:
                chunk += self._filter.finish()
        self._completed = not more
        if answer is None or not self.cut:
            return chunk, more
        if self.is_torn:
            return chunk, True
        return chunk + (b"\n\n" if answer.in_event else b"") + self._ending(), False

    @property
    def due(self) -> bool:
        """Must more be reserved before more may pass?"""
        return self._spending is not None and self._spending.due and not self._exhausted

    def top_up(self) -> tuple[bytes, bool]:
        """Reserve what is due, and feed what was left."""
        return self._go_on(has_room=self._spending is None or self._spending.top_up())

    async def top_up_async(self) -> tuple[bytes, bool]:
        """`top_up` without blocking the loop."""
        return self._go_on(has_room=self._spending is None or await self._spending.top_up_async())

    def _go_on(self, *, has_room: bool) -> tuple[bytes, bool]:
        self._exhausted = not has_room
        chunk, more = self._left
        return self.feed(chunk, more=more)

    def _count(self, answer: AnswerText, chunk: bytes) -> bytes:
        """Count what passes of a stream: a document is an answer already given. What is left of the chunk once the
        tokens are used up: up to the end of an event.
        """
        at = 0
        if self._exhausted and self._can_end(answer):
            self.cut = True
        while at < len(chunk) and not self.cut and not self.due:
            piece = chunk[at : at + PIECE] if len(chunk) > PIECE else chunk
            if self._exhausted:
                piece = piece[: answer.rest_of_event(piece)]
                self._rest += len(piece)
            at += len(piece)
            self._pass(answer, piece)
            if self._exhausted and self._can_end(answer):
                self.cut = True
        return chunk[:at]

    def _pass(self, answer: AnswerText, piece: bytes) -> None:
        self._counted += answer.feed(piece)
        if self._stream is not None:
            self._stream.feed(piece)
        if self._tokens is None or self._need is None or self._spending is None:
            return
        due = self._tokens.passed(self._need, self._counted) - self._spent
        if due > 0:
            self._spent += due
            if not self._spending.spend(due):
                self._exhausted = True

    def _can_end(self, answer: AnswerText) -> bool:
        """A stream ends where an event does; one whose coding hides that, anywhere."""
        return self._stream is None or not answer.in_event or self._rest > MAX_REST

    def _ending(self) -> bytes:
        """The last words of a stream that is cut."""
        stream, tokens, need = self._stream, self._tokens, self._need
        if stream is None or tokens is None or need is None:
            return b""
        if need.settings.section.on_exhausted == "finish":
            stream.input_tokens, stream.output_tokens = need.ask.input, self._spent
            stream.wants_usage = tokens.wants_usage(need.fields)
            return self._dialect.finish(stream)
        return self._dialect.cut(Told(429, "rate_limit_exceeded", "tokens", EXHAUSTED), stream)

    @property
    def _how(self) -> Ending:
        if self.cut:
            return "cut"
        return "complete" if self._completed else "broken"

    def end(self) -> Used | None:
        """Settle by what the upstream said, or by what was counted. None where no tokens are counted."""
        spending, tokens, need = self._spending, self._tokens, self._need
        if self._ended or spending is None:
            return None
        self._ended = True
        answer = self.answer
        if not self._succeeded or not self.began or answer is None or tokens is None or need is None:
            spending.release()
            failed: Used = (0, 0, (None, None), 0 if need is None else need.estimated, 0, False, "failed")
            return None if tokens is None or need is None else failed
        usage, seen = answer.totals()
        is_whole = self._completed and not self.cut
        counted = tokens.used(need, seen) if is_whole else max(self._spent, tokens.passed(need, seen))
        output = counted if usage[1] is None else usage[1]
        if is_whole:
            tokens.learn(need, seen, usage)
        else:
            output = max(output, counted)
        charged = spending.input_tokens
        likely = need.likely if charged is None else min(need.likely, charged)
        used = likely if usage[0] is None else usage[0]
        spending.settle(used, output)
        return used, output, usage, need.estimated, counted, spending.would_cut, self._how
