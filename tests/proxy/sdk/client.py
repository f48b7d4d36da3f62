"""An official client at work, in an environment of its own: reads orders, a line of JSON each, and prints what it saw.

Each answer ends with a line that has `seconds`.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import anthropic  # type: ignore[import-not-found, unused-ignore]
import openai  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Facts = Generator[dict[str, Any], None, None]

DEFAULTS = {"prompt": "Say something.", "timeout": 20, "retries": 2, "max_tokens": 100}


def of_openai(order: dict[str, Any]) -> Any:
    return openai.OpenAI(
        base_url=order["proxy"] + "/v1", api_key=order["key"], timeout=order["timeout"], max_retries=order["retries"]
    )


def of_anthropic(order: dict[str, Any]) -> Any:
    return anthropic.Anthropic(
        base_url=order["proxy"], api_key=order["key"], timeout=order["timeout"], max_retries=order["retries"]
    )


def ask(order: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": order["model"], "messages": [{"role": "user", "content": order["prompt"]}], **more}


def ask_anthropic(order: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The time-out again: this method of old clients has its own, of ten minutes."""
    return ask(order, max_tokens=order["max_tokens"], timeout=order["timeout"], **more)


def chat(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.chat.completions.create(**ask(order))
    yield {"text": words(answer.choices[0].message), "usage": answer.usage and answer.usage.completion_tokens}


def chat_stream(order: dict[str, Any]) -> Facts:
    options = {"extra_body": {"stream_options": {"include_usage": order["usage"]}}} if "usage" in order else {}
    with of_openai(order) as client:
        for event in client.chat.completions.create(**ask(order), stream=True, **options):
            choice = event.choices[0] if event.choices else None
            usage = getattr(event, "usage", None)
            yield {
                "text": words(choice.delta) if choice else "",
                "finish": choice and choice.finish_reason,
                "choices": len(event.choices),
                # An old client does not know the member and keeps it as it came.
                "usage": usage["completion_tokens"] if isinstance(usage, dict) else usage and usage.completion_tokens,
            }


def words(of: Any) -> str:
    """What is said, or asked of a tool."""
    return of.content or "".join(call.function.arguments for call in of.tool_calls or ())


def chat_fields(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        for stream in (False, True):
            yield fields(client.chat.completions.with_raw_response.create(**ask(order), stream=stream))


def fields(answer: Any) -> dict[str, Any]:
    """Of the head of an answer."""
    return {"fields": dict(answer.headers)}


def completions(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.completions.create(model=order["model"], prompt=order["prompt"])
        yield {"text": answer.choices[0].text, "usage": answer.usage.completion_tokens}


def completions_stream(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        for event in client.completions.create(model=order["model"], prompt=order["prompt"], stream=True):
            yield {"text": event.choices[0].text, "finish": event.choices[0].finish_reason}


def responses(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.responses.create(model=order["model"], input=order["prompt"])
        yield {"text": answer.output_text, "usage": answer.usage.output_tokens}


def responses_stream(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        for event in client.responses.create(model=order["model"], input=order["prompt"], stream=True):
            delta = event.delta if event.type == "response.output_text.delta" else ""
            ended = event.type in {"response.completed", "response.incomplete"}
            yield {"text": delta, "finish": event.response.status if ended else None}


def embeddings(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.embeddings.create(model=order["model"], input=order["prompt"])
        yield {"vector": answer.data[0].embedding, "usage": answer.usage.prompt_tokens}


def models(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        yield {"models": [one.id for one in client.models.list()]}


def messages(order: dict[str, Any]) -> Facts:
    with of_anthropic(order) as client:
        answer = client.messages.create(**ask_anthropic(order))
        said = answer.content[0]
        yield {
            "text": said.text if said.type == "text" else json.dumps(said.input),
            "usage": answer.usage.output_tokens,
        }


def messages_stream(order: dict[str, Any]) -> Facts:
    with of_anthropic(order) as client:
        for event in client.messages.create(**ask_anthropic(order), stream=True):
            delta = event.delta if event.type == "content_block_delta" else None
            yield {
                "text": getattr(delta, "text", None) or getattr(delta, "partial_json", ""),
                "finish": event.delta.stop_reason if event.type == "message_delta" else None,
            }


def messages_fields(order: dict[str, Any]) -> Facts:
    with of_anthropic(order) as client:
        for stream in (False, True):
            yield fields(client.messages.with_raw_response.create(**ask_anthropic(order, stream=stream)))


def told(error: Exception) -> dict[str, Any]:
    """What a program that catches it can know."""
    names = ("status_code", "code", "type", "request_id", "body")
    kinds = [kind.__name__ for kind in type(error).__mro__]
    response = fields(error.response) if isinstance(error, openai.APIStatusError | anthropic.APIStatusError) else {}
    return {"error": str(error), "kinds": kinds, **{name: getattr(error, name, None) for name in names}, **response}


CALLS: dict[str, Callable[[dict[str, Any]], Facts]] = {
    call.__name__: call
    for call in (
        chat, chat_stream, completions, completions_stream, responses, responses_stream, embeddings, models,
        messages, messages_stream, chat_fields, messages_fields,
    )
}  # fmt: skip


def say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        order = DEFAULTS | json.loads(line)
        started = time.monotonic()
        try:
            with closing(CALLS[order["call"]](order)) as seen:
                for facts in islice(seen, order.get("leave")):
                    say(facts)
        except Exception as error:  # noqa: BLE001  the test judges it
            say(told(error))
        say({"seconds": time.monotonic() - started})


if __name__ == "__main__":
    main()
