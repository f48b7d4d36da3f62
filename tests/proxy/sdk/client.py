"""An official client at work, in an environment of its own: reads orders, a line of JSON each, and prints what it saw.

Each answer ends with a line that has `seconds`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import anthropic  # type: ignore[import-not-found, unused-ignore]
import openai  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Facts = Iterator[dict[str, Any]]

ASK: list[dict[str, str]] = [{"role": "user", "content": "Say something."}]


def of_openai(order: dict[str, Any]) -> Any:
    return openai.OpenAI(
        base_url=order["proxy"] + "/v1", api_key=order["key"], timeout=20, max_retries=order.get("retries", 2)
    )


def of_anthropic(order: dict[str, Any]) -> Any:
    """With `auth_token`: the guard looks for credentials in one field, Authorization unless told otherwise."""
    return anthropic.Anthropic(
        base_url=order["proxy"], auth_token=order["key"], timeout=20, max_retries=order.get("retries", 2)
    )


def chat(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.chat.completions.create(model=order["model"], messages=ASK)
    yield {"text": answer.choices[0].message.content, "usage": answer.usage and answer.usage.completion_tokens}


def chat_stream(order: dict[str, Any]) -> Facts:
    options = {"extra_body": {"stream_options": {"include_usage": True}}} if order.get("usage") else {}
    with of_openai(order) as client:
        for event in client.chat.completions.create(model=order["model"], messages=ASK, stream=True, **options):
            choice = event.choices[0] if event.choices else None
            usage = getattr(event, "usage", None)
            yield {
                "text": (choice.delta.content or "") if choice else "",
                "finish": choice and choice.finish_reason,
                # An old client does not know the member and keeps it as it came.
                "usage": usage["completion_tokens"] if isinstance(usage, dict) else usage and usage.completion_tokens,
            }


def completions(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.completions.create(model=order["model"], prompt="Say")
        yield {"text": answer.choices[0].text, "usage": answer.usage.completion_tokens}


def completions_stream(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        for event in client.completions.create(model=order["model"], prompt="Say", stream=True):
            yield {"text": event.choices[0].text, "finish": event.choices[0].finish_reason}


def responses(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.responses.create(model=order["model"], input="Say something.")
        yield {"text": answer.output_text, "usage": answer.usage.output_tokens}


def responses_stream(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        for event in client.responses.create(model=order["model"], input="Say something.", stream=True):
            delta = event.delta if event.type == "response.output_text.delta" else ""
            yield {"text": delta, "finish": event.type == "response.completed" or None}


def embeddings(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        answer = client.embeddings.create(model=order["model"], input="words")
        yield {"vector": answer.data[0].embedding, "usage": answer.usage.prompt_tokens}


def models(order: dict[str, Any]) -> Facts:
    with of_openai(order) as client:
        yield {"models": [one.id for one in client.models.list()]}


def messages(order: dict[str, Any]) -> Facts:
    with of_anthropic(order) as client:
        answer = client.messages.create(model=order["model"], max_tokens=100, messages=ASK)
        yield {"text": answer.content[0].text, "usage": answer.usage.output_tokens}


def messages_stream(order: dict[str, Any]) -> Facts:
    with of_anthropic(order) as client:
        for event in client.messages.create(model=order["model"], max_tokens=100, messages=ASK, stream=True):
            yield {
                "text": event.delta.text if event.type == "content_block_delta" else "",
                "finish": event.delta.stop_reason if event.type == "message_delta" else None,
            }


def told(error: Exception) -> dict[str, Any]:
    """What a program that catches it can know."""
    names = ("status_code", "code", "type", "request_id")
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return {"error": str(error), "kinds": kinds, **{name: getattr(error, name, None) for name in names}}


CALLS: dict[str, Callable[[dict[str, Any]], Facts]] = {
    call.__name__: call
    for call in (
        chat, chat_stream, completions, completions_stream, responses, responses_stream, embeddings, models,
        messages, messages_stream,
    )
}  # fmt: skip


def say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        started = time.monotonic()
        try:
            for facts in CALLS[order["call"]](order):
                say(facts)
        except Exception as error:  # noqa: BLE001  the test judges it
            say(told(error))
        say({"seconds": time.monotonic() - started})


if __name__ == "__main__":
    main()
