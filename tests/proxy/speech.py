"""What the model APIs say: the events of a stream and the document without one, from the same few pieces of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

CREATED = 1_800_000_000
Events = Iterator[bytes]
TOOL = {"id": "call_1", "type": "function"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "look"}


class Said(NamedTuple):
    """An answer: its pieces, each of them a token, and what the upstream claims to have counted (None: nothing)."""

    model: str
    pieces: list[str]
    counts: tuple[Any, Any] | None
    include_usage: bool = False
    """OpenAI's `stream_options.include_usage`."""
    calls: bool = False
    """The pieces are a tool's arguments."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def dump(value: Any) -> bytes:
    """JSON with its characters as they are, so that a cut may fall into one."""
    return json.dumps(value, ensure_ascii=False).encode()


def event(value: Any, name: str = "") -> bytes:
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: " + dump(value) + b"\n\n"


def openai_usage(said: Said) -> dict[str, Any]:
    if said.counts is None:
        return {}
    given, made = said.counts
    total = given + made
    return {"usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": total}}


def chat(said: Said) -> dict[str, Any]:
    words: dict[str, Any] = {"content": said.text}
    if said.calls:
        words = {"content": None, "tool_calls": [{**TOOL, "function": {"name": "look", "arguments": said.text}}]}
    choice = {"index": 0, "message": {"role": "assistant", **words}, "finish_reason": _end(said), "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": said.model}
    return {**head, "choices": [choice], **openai_usage(said)}


def chat_events(said: Said) -> Events:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": said.model}
    deltas = [*_deltas(said), {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None if delta else _end(said)} for delta in deltas]
    yield from _openai_events(said, head, choices)


def _deltas(said: Said) -> Iterator[dict[str, Any]]:
    if not said.calls:
        yield {"role": "assistant", "content": ""}
        yield from ({"content": piece} for piece in said.pieces)
        return
    first = {"index": 0, **TOOL, "function": {"name": "look", "arguments": ""}}
    yield {"role": "assistant", "content": None, "tool_calls": [first]}
    for piece in said.pieces:
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _end(said: Said) -> str:
    return "tool_calls" if said.calls else "stop"


def completions(said: Said) -> dict[str, Any]:
    choice = {"index": 0, "text": said.text, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": said.model}
    return {**head, "choices": [choice], **openai_usage(said)}


def completions_events(said: Said) -> Events:
    head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": said.model}
    texts = [*said.pieces, ""]
    choices = [
        {"index": 0, "text": text, "logprobs": None, "finish_reason": None if text else "stop"} for text in texts
    ]
    yield from _openai_events(said, head, choices)


def _openai_events(said: Said, head: dict[str, Any], choices: list[dict[str, Any]]) -> Events:
    """With `include_usage` each event has a usage of null, and one more has the usage and no choices."""
    null = {"usage": None} if said.include_usage else {}
    for choice in choices:
        yield event({**head, "choices": [choice], **null})
    if said.include_usage and said.counts is not None:
        yield event({**head, "choices": [], **openai_usage(said)})
    yield b"data: [DONE]\n\n"


def responses(said: Said) -> dict[str, Any]:
    message = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [_part(said.text)],
    }
    return _response(said, "completed", [message])


def responses_events(said: Said) -> Events:
    item = {"type": "message", "id": "msg_1", "role": "assistant"}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    done = {**item, "status": "completed", "content": [_part(said.text)]}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": _response(said._replace(counts=None), "in_progress", [])}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}),
        ("response.content_part.added", {**at, "part": _part("")}),
        *(("response.output_text.delta", {**at, "delta": piece, "logprobs": []}) for piece in said.pieces),
        ("response.output_text.done", {**at, "text": said.text, "logprobs": []}),
        ("response.content_part.done", {**at, "part": _part(said.text)}),
        ("response.output_item.done", {"output_index": 0, "item": done}),
        ("response.completed", {"response": responses(said)}),
    ]
    for number, (name, more) in enumerate(told):
        yield event({"type": name, "sequence_number": number, **more}, name)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _response(said: Said, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": CREATED, "model": said.model, "status": status}
    options = {
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
    }
    return {**head, **options, "output": output, "usage": _usage(said, total=True)}


def _usage(said: Said, *, total: bool = False) -> dict[str, Any] | None:
    if said.counts is None:
        return None
    given, made = said.counts
    return {"input_tokens": given, "output_tokens": made, **({"total_tokens": given + made} if total else {})}


def embeddings(said: Said) -> dict[str, Any]:
    usage = {} if said.counts is None else {"usage": {"prompt_tokens": said.counts[0], "total_tokens": said.counts[0]}}
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
    return {"object": "list", "data": data, "model": said.model, **usage}


def messages(said: Said) -> dict[str, Any]:
    content = TOOL_USE | {"input": json.loads(said.text)} if said.calls else {"type": "text", "text": said.text}
    return {**_message(said, [content]), "stop_reason": _stop(said), "usage": _usage(said)}


def messages_events(said: Said) -> Events:
    given = {} if said.counts is None else {"usage": {"input_tokens": said.counts[0], "output_tokens": 1}}
    made = {} if said.counts is None else {"usage": {"output_tokens": said.counts[1]}}
    block: dict[str, Any] = {"type": "text", "text": ""}
    deltas = [{"type": "text_delta", "text": piece} for piece in said.pieces]
    if said.calls:
        block, deltas = TOOL_USE | {"input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in said.pieces]
    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**_message(said, []), "stop_reason": None, **given}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": _stop(said), "stop_sequence": None}, **made},
        {"type": "message_stop"},
    ]
    for one in told:
        yield event(one, one["type"])


def _stop(said: Said) -> str:
    return "tool_use" if said.calls else "end_turn"


def _message(said: Said, content: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": said.model}
    return {**head, "content": content, "stop_sequence": None}


def gemini(said: Said) -> dict[str, Any]:
    return _candidate(said, said.text, "STOP")


def gemini_events(said: Said) -> Events:
    for one in gemini_parts(said):
        yield event(one)


def gemini_array(said: Said) -> Events:
    """Without `alt=sse` a stream is one JSON array."""
    for number, one in enumerate(gemini_parts(said)):
        yield (b",\n" if number else b"[") + dump(one)
    yield b"]"


def gemini_parts(said: Said) -> Iterator[dict[str, Any]]:
    for number, piece in enumerate(said.pieces, 1):
        yield _candidate(said, piece, "STOP" if number == len(said.pieces) else None)


def _candidate(said: Said, text: str, finish: str | None) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    usage = {}
    if said.counts is not None:
        usage = {"usageMetadata": {"promptTokenCount": said.counts[0], "candidatesTokenCount": said.counts[1]}}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "modelVersion": said.model,
        **usage,
    }


def models(said: Said) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [{"id": said.model or "scripted", "object": "model", "created": CREATED, "owned_by": "script"}],
    }


DOCUMENTS: dict[str, Callable[[Said], dict[str, Any]]] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completions,
    "/v1/responses": responses,
    "/v1/embeddings": embeddings,
    "/v1/messages": messages,
    "/v1/models": models,
    "generateContent": gemini,
}
STREAMS: dict[str, Callable[[Said], Events]] = {
    "/v1/chat/completions": chat_events,
    "/v1/completions": completions_events,
    "/v1/responses": responses_events,
    "/v1/messages": messages_events,
    "alt=sse": gemini_events,
    "streamGenerateContent": gemini_array,
}
