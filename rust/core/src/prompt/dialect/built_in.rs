//! The dialects that need no configuration.
//!
//! "assistant" is what a caller was given as the answer, so that an answer that comes back reads as it was given:
//! reasoning and the arguments of calls are left out. What came back from a call is "tool". Left out too: contents in
//! base64, and objects with keys of the caller's own choice (arguments of Anthropic's `tool_use`, `prompt.variables`
//! of OpenAI), which no path can name.

/// One dialect: its name, and what stands at which path.
type Entry = (&'static str, &'static [(&'static str, &'static str)]);

/// Name and paths of each built-in dialect, in the form of [`Dialect`](super::Dialect).
pub const BUILT_IN: &[Entry] = &[
    ("openai-chat", OPENAI_CHAT),
    ("openai-responses", OPENAI_RESPONSES),
    ("openai-completions", OPENAI_COMPLETIONS),
    ("openai-embeddings", OPENAI_EMBEDDINGS),
    ("anthropic", ANTHROPIC),
    ("gemini", GEMINI),
];

/// Responses of OpenAI's chat and completions: the model's text, and its tokens in the place of the most tokens.
pub const ANSWERS: &[(&str, &str)] = &[
    ("choices[].message.content", "assistant"),
    ("choices[].text", "assistant"),
    ("usage.completion_tokens", "max_tokens"),
];

const OPENAI_CHAT: &[(&str, &str)] = &[
    ("messages[].role", "role"),
    ("messages[].content", "text"),
    ("messages[].content[]", "text"),
    ("messages[].content[].text", "text"),
    ("messages[].content[].refusal", "assistant"),
    ("messages[].refusal", "assistant"),
    ("model", "model"),
    ("max_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("n", "n"),
    ("logprobs", "logprobs"),
    ("top_logprobs", "top_logprobs"),
    ("stream", "stream"),
    ("user", "user_id"),
    ("safety_identifier", "user_id"),
    ("tools", "tools"),
    ("functions", "tools"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
];

const OPENAI_RESPONSES: &[(&str, &str)] = &[
    ("input", "text"),
    ("input[].role", "role"),
    ("input[].content", "text"),
    ("input[].content[].text", "text"),
    ("input[].content[].refusal", "assistant"),
    ("input[].output", "tool"),
    ("input[].output[].text", "tool"),
    ("input[].output[].stdout", "tool"),
    ("input[].output[].stderr", "tool"),
    ("input[].outputs[].logs", "tool"),
    ("instructions", "system"),
    ("model", "model"),
    ("max_output_tokens", "max_tokens"),
    ("top_logprobs", "top_logprobs"),
    ("stream", "stream"),
    ("user", "user_id"),
    ("safety_identifier", "user_id"),
    ("tools", "tools"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
];

/// `best_of` answers are made, and paid for, even where fewer are returned.
const OPENAI_COMPLETIONS: &[(&str, &str)] = &[
    ("prompt", "text"),
    ("prompt[]", "text"),
    ("prompt[][]", "text"),
    ("suffix", "text"),
    ("model", "model"),
    ("max_tokens", "max_tokens"),
    ("n", "n"),
    ("best_of", "n"),
    ("logprobs", "logprobs"),
    ("stream", "stream"),
    ("user", "user_id"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
];

const OPENAI_EMBEDDINGS: &[(&str, &str)] =
    &[("input", "text"), ("input[]", "text"), ("input[][]", "text"), ("model", "model"), ("user", "user_id")];

const ANTHROPIC: &[(&str, &str)] = &[
    ("system", "system"),
    ("system[].text", "system"),
    ("messages[].role", "role"),
    ("messages[].content", "text"),
    ("messages[].content[].text", "text"),
    ("messages[].content[].context", "text"),
    ("messages[].content[].source.content", "text"),
    ("messages[].content[].source.content[].text", "text"),
    ("messages[].content[].content", "tool"),
    ("messages[].content[].content.stdout", "tool"),
    ("messages[].content[].content.stderr", "tool"),
    ("messages[].content[].content[].text", "tool"),
    ("messages[].content[].content[].content[].text", "tool"),
    ("messages[].content[].content[].source.content", "tool"),
    ("messages[].content[].content[].source.content[].text", "tool"),
    ("prompt", "text"),
    ("model", "model"),
    ("max_tokens", "max_tokens"),
    ("max_tokens_to_sample", "max_tokens"),
    ("metadata.user_id", "user_id"),
    ("stream", "stream"),
    ("tools", "tools"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
];

/// The server takes either spelling of a name, and one object in place of an array of one.
const GEMINI: &[(&str, &str)] = &[
    ("systemInstruction.parts.text", "system"),
    ("systemInstruction.parts[].text", "system"),
    ("system_instruction.parts.text", "system"),
    ("system_instruction.parts[].text", "system"),
    ("contents", "text"),
    ("contents.role", "role"),
    ("contents.parts.text", "text"),
    ("contents.parts[].text", "text"),
    ("contents[]", "text"),
    ("contents[].role", "role"),
    ("contents[].parts.text", "text"),
    ("contents[].parts[].text", "text"),
    ("contents[].parts[].codeExecutionResult.output", "tool"),
    ("contents[].parts[].code_execution_result.output", "tool"),
    ("contents[].parts[].functionResponse.response.output", "tool"),
    ("contents[].parts[].functionResponse.response.result", "tool"),
    ("contents[].parts[].functionResponse.response.error", "tool"),
    ("contents[].parts[].function_response.response.output", "tool"),
    ("contents[].parts[].function_response.response.result", "tool"),
    ("contents[].parts[].function_response.response.error", "tool"),
    ("content.parts.text", "text"),
    ("content.parts[].text", "text"),
    ("requests[].content.parts.text", "text"),
    ("requests[].content.parts[].text", "text"),
    ("model", "model"),
    ("tools", "tools"),
    ("generationConfig.maxOutputTokens", "max_tokens"),
    ("generationConfig.max_output_tokens", "max_tokens"),
    ("generationConfig.candidateCount", "n"),
    ("generationConfig.candidate_count", "n"),
    ("generationConfig.responseLogprobs", "logprobs"),
    ("generationConfig.response_logprobs", "logprobs"),
    ("generationConfig.logprobs", "top_logprobs"),
    ("generationConfig.temperature", "temperature"),
    ("generationConfig.topP", "top_p"),
    ("generationConfig.top_p", "top_p"),
    ("generation_config.maxOutputTokens", "max_tokens"),
    ("generation_config.max_output_tokens", "max_tokens"),
    ("generation_config.candidateCount", "n"),
    ("generation_config.candidate_count", "n"),
    ("generation_config.responseLogprobs", "logprobs"),
    ("generation_config.response_logprobs", "logprobs"),
    ("generation_config.logprobs", "top_logprobs"),
    ("generation_config.temperature", "temperature"),
    ("generation_config.topP", "top_p"),
    ("generation_config.top_p", "top_p"),
];
