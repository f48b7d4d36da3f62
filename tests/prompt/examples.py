"""Bodies as the documentation of each API has them."""

from __future__ import annotations

from typing import Any

CHAT: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [
        {"role": "developer", "content": "You answer in one sentence."},
        {"role": "user", "name": "Ada", "content": "What is the weather in Lyon?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Lyon"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 21 degrees"},
        {"role": "assistant", "content": "It is sunny.", "refusal": None},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And what is in this picture?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
                {"type": "text", "text": "Be brief."},
            ],
        },
    ],
    "max_completion_tokens": 300,
    "n": 2,
    "logprobs": True,
    "top_logprobs": 2,
    "stream": True,
    "stream_options": {"include_usage": True},
    "user": "customer-17",
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "temperature": 0.2,
}
RESPONSES: dict[str, Any] = {
    "model": "gpt-5",
    "instructions": "You are a helpful librarian.",
    "input": [
        {"role": "user", "content": "Find me a book on bees."},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A search is needed."}]},
        {"type": "function_call", "call_id": "fc_1", "name": "search", "arguments": '{"query": "bees"}'},
        {"type": "function_call_output", "call_id": "fc_1", "output": "The Hive, shelf 4"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Look at shelf 4."}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Who wrote it?"},
                {"type": "input_image", "image_url": "https://example.com/cover.png"},
            ],
        },
    ],
    "max_output_tokens": 512,
    "top_logprobs": 0,
    "safety_identifier": "reader-9",
    "tools": [{"type": "function", "name": "search"}, {"type": "web_search"}],
    "temperature": 1,
    "stream": False,
}
COMPLETIONS: dict[str, Any] = {
    "model": "gpt-3.5-turbo-instruct",
    "prompt": ["Say this is a test", "Say that is none"],
    "suffix": "The end.",
    "max_tokens": 7,
    "n": 1,
    "best_of": 5,
    "logprobs": 5,
    "stop": "\n",
    "temperature": 0,
    "user": "u-1",
}
EMBEDDINGS: dict[str, Any] = {
    "model": "text-embedding-3-small",
    "input": "The food was delicious and the waiter kind",
    "encoding_format": "float",
    "user": "guest",
}
ANTHROPIC: dict[str, Any] = {
    "model": "claude-opus-4-1",
    "max_tokens": 1024,
    "system": [
        {"type": "text", "text": "You review contracts.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Quote the clause."},
    ],
    "messages": [
        {"role": "user", "content": "Look up order 4711."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "An order number.", "signature": "c2ln"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "toolu_1", "name": "order", "input": {"number": 4711}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "shipped"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "two parcels"}],
                },
                {"type": "text", "text": "Where are they now?"},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "cGRm", "content": "A note"},
                },
            ],
        },
    ],
    "metadata": {"user_id": "account-3"},
    "tools": [{"name": "order", "input_schema": {"type": "object"}}],
    "temperature": 0.5,
    "stream": True,
}
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "You are a cat."}, {"text": "Your name is Neko."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hello"}]},
        {"role": "model", "parts": [{"text": "Meow."}, {"functionCall": {"name": "purr", "args": {}}}]},
        {
            "role": "function",
            "parts": [{"functionResponse": {"name": "purr", "response": {"result": "purring"}}}],
        },
        {
            "role": "user",
            "parts": [
                {"text": "What is this?"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"text": "Answer in verse."},
            ],
        },
    ],
    "tools": [{"functionDeclarations": [{"name": "purr"}]}],
    "generationConfig": {
        "maxOutputTokens": 800,
        "candidateCount": 3,
        "temperature": 0.9,
        "responseLogprobs": True,
        "logprobs": 2,
        "topP": 0.8,
    },
}
SNAKES: dict[str, Any] = {
    "system_instruction": {"parts": {"text": "You are a snake."}},
    "contents": {"role": "user", "parts": {"text": "Which kind?"}},
    "generation_config": {"max_output_tokens": 64, "candidate_count": 1, "temperature": 0.1},
}

REALISTIC = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "openai-completions": COMPLETIONS,
    "openai-embeddings": EMBEDDINGS,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}

SAID = {
    "openai-chat": [
        ("system", "You answer in one sentence."),
        ("user", "What is the weather in Lyon?"),
        ("tool", "Sunny, 21 degrees"),
        ("assistant", "It is sunny."),
        ("user", "And what is in this picture?\nBe brief."),
    ],
    "openai-responses": [
        ("system", "You are a helpful librarian."),
        ("user", "Find me a book on bees."),
        ("tool", "The Hive, shelf 4"),
        ("assistant", "Look at shelf 4."),
        ("user", "Who wrote it?"),
    ],
    "openai-completions": [("user", "Say this is a test\nSay that is none"), ("user", "The end.")],
    "openai-embeddings": [("user", "The food was delicious and the waiter kind")],
    "anthropic": [
        ("system", "You review contracts.\nQuote the clause."),
        ("user", "Look up order 4711."),
        ("assistant", "One moment."),
        ("tool", "shipped\ntwo parcels"),
        ("user", "Where are they now?\nA note"),
    ],
    "gemini": [
        ("system", "You are a cat.\nYour name is Neko."),
        ("user", "Hello"),
        ("assistant", "Meow."),
        ("tool", "purring"),
        ("user", "What is this?\nAnswer in verse."),
    ],
}  # fmt: skip
"""Role and text of each turn of the examples."""
