"""OpenAI: chat/completions, completions, responses, embeddings, images and audio.

Shapes as the openai package reads them (`_base_client.py`, `_exceptions.py`, `_streaming.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratelimit_guard.dialect.stream import count_of, object_, plain
from ratelimit_guard.dialect.told import document, error, event, head

if TYPE_CHECKING:
    from ratelimit_guard._core import LimitResult
    from ratelimit_guard.dialect.stream import Stream
    from ratelimit_guard.dialect.told import HeaderFields, Told

DONE = b"data: [DONE]\n\n"
KEPT = ("id", "object", "created", "model", "system_fingerprint")
"""What all chunks of a chat have in common."""


class OpenAI:
    """The problem document with its `error` member, under the content type of that API."""

    name = "openai"

    def refusal(self, told: Told) -> tuple[HeaderFields, bytes]:
        """See `Dialect.refusal`."""
        return head(b"application/json", b"x-request-id", told), document(told)

    def fields(self, result: LimitResult, now: float) -> HeaderFields:  # noqa: ARG002
        """See `LimitResult.openai_fields`."""
        return result.openai_fields()

    def cut(self, told: Told, stream: Stream) -> bytes:
        """No `[DONE]` behind it: a client that passes over errors must not take the stream for a whole one."""
        if stream.is_over:
            return b""
        if stream.shape != "responses":
            return event({"error": error(told)})
        # The reference has the members of an error at the top, the service sends it nested, and the package raises
        # only for a nested one: https://github.com/openai/openai-dotnet/issues/881
        data = {"type": "error", "sequence_number": _following(stream), "error": error(told)}
        return event({**data, "code": told.code, "message": told.message, "param": None}, "error")

    def finish(self, stream: Stream) -> bytes:
        """See `Dialect.finish`. A response's `output` stays as in its first event: what has passed is not kept."""
        if stream.is_over:
            return b""
        return _incomplete(stream) if stream.shape == "responses" else _length(stream)


OPENAI = OpenAI()


def _length(stream: Stream) -> bytes:
    is_chat = stream.shape != "completions"
    common = {"object": "chat.completion.chunk" if is_chat else "text_completion", "id": "", "created": 0, "model": ""}
    common |= plain(stream.last(), *KEPT)
    body: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
    chunks = [
        event({**common, "choices": [{"index": index, **body, "logprobs": None, "finish_reason": "length"}]})
        for index in stream.open_choices()
    ]
    if stream.wants_usage:
        usage = {"prompt_tokens": stream.input_tokens, "completion_tokens": stream.output_tokens}
        chunks.append(event({**common, "choices": [], "usage": {**usage, "total_tokens": sum(usage.values())}}))
    return b"".join(chunks) + DONE


def _incomplete(stream: Stream) -> bytes:
    usage = {
        "input_tokens": stream.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": stream.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": stream.input_tokens + stream.output_tokens,
    }
    response: dict[str, Any] = {
        "object": "response",
        "output": [],
        **object_(stream.first().get("response")),
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": usage,
    }
    data = {"type": "response.incomplete", "sequence_number": _following(stream)}
    try:
        return event({**data, "response": response}, "response.incomplete")
    except RecursionError:  # an upstream's nesting that can just be read
        return event({**data, "response": {"status": "incomplete", "output": []}}, "response.incomplete")


def _following(stream: Stream) -> int:
    number = count_of(stream.last().get("sequence_number"))
    return 0 if number is None else number + 1
