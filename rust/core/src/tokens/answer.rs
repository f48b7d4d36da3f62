//! What a model says in a response: which of the JSON is paid for, and which of it is the answer's text.
//!
//! Paid for are the texts of all choices, reasoning, refusals and the arguments of calls; the text is that of the first
//! choice, as it comes back in a later conversation.

use super::tally::Tally;
use super::text::Kept;
use super::usage::Usage;
use super::value::{Text, Value};

/// Members of what APIs say that brings no text, or of errors.
const TEXTLESS: [&str; 6] = ["object", "data", "error", "results", "embedding", "embeddings"];

/// What a response may hold at its top: a whole one, or an event of a stream.
struct Top<'b> {
    choices: Option<Value<'b>>,
    candidates: Option<Value<'b>>,
    kind: Option<Value<'b>>,
    delta: Option<Value<'b>>,
    index: Option<Value<'b>>,
    content: Option<Value<'b>>,
    output: Option<Value<'b>>,
    usage: Option<Value<'b>>,
    metadata: Option<Value<'b>>,
    response: Option<Value<'b>>,
    message: Option<Value<'b>>,
}

impl<'b> Top<'b> {
    fn new(document: Value<'b>) -> Self {
        let [choices, candidates, kind, delta, index, content, output, usage, metadata, response, message] = document
            .members([
                "choices",
                "candidates",
                "type",
                "delta",
                "index",
                "content",
                "output",
                "usage",
                "usageMetadata",
                "response",
                "message",
            ]);
        Self { choices, candidates, kind, delta, index, content, output, usage, metadata, response, message }
    }

    /// Does it look like what one of the APIs says?
    fn is_known(&self) -> bool {
        let text = [self.choices, self.candidates, self.kind, self.delta, self.content, self.output, self.message];
        text.into_iter().chain([self.usage, self.metadata, self.response]).any(|member| member.is_some())
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.is_some_and(|value| value.is(kind))
    }
}

/// What is known of one answer.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Tokens of what the model said.
    pub tally: Tally,
    /// What the upstream says.
    pub usage: Usage,
    /// Its text, if wanted.
    pub text: Option<Kept>,
}

impl Found {
    /// Read an event of a stream.
    pub fn event(&mut self, event: Value<'_>) {
        let top = Top::new(event);
        self.usage(&top);
        self.count(&top, "delta");
        self.count_strange(&top, event);
        if let Some(text) = self.text.as_mut().filter(|text| !text.is_full()) {
            event_text(&top, text);
        }
    }

    /// Read a whole response. An array is a stream of Gemini's, written as one document.
    pub fn document(&mut self, document: Value<'_>) {
        document.elements().for_each(|event| self.event(event));
        let top = Top::new(document);
        self.usage(&top);
        self.count(&top, "message");
        self.count_strange(&top, document);
        if let Some(text) = self.text.as_mut() {
            document_text(&top, text);
        }
    }

    fn usage(&mut self, top: &Top<'_>) {
        let of_response = || top.response.and_then(|response| response.member("usage"));
        if let Some(usage) = top.usage.filter(|usage| !usage.is_null()).or_else(of_response) {
            self.usage.read(usage);
        } else if let Some(usage) = top.message.and_then(|message| message.member("usage")) {
            self.usage.read_start(usage);
        }
        if let Some(metadata) = top.metadata {
            self.usage.read_metadata(metadata);
        }
    }

    fn count(&mut self, top: &Top<'_>, said: &str) {
        for choice in elements(top.choices) {
            let [message, text] = choice.members([said, "text"]);
            self.texts([text]);
            if let Some(message) = message {
                self.message(message);
            }
        }
        for candidate in elements(top.candidates) {
            let content = candidate.member("content");
            self.parts(content.and_then(|content| content.member("parts")));
        }
        for item in elements(top.output) {
            let [content, summary, name, arguments] = item.members(["content", "summary", "name", "arguments"]);
            self.texts([name, arguments]);
            self.parts(content);
            self.parts(summary);
        }
        self.parts(top.content);
        if let Some(delta) = top.delta {
            self.delta(top, delta);
        }
    }

    /// Of a shape that no API has, all may be text.
    fn count_strange(&mut self, top: &Top<'_>, value: Value<'_>) {
        let is_known = || top.is_known() || value.members(TEXTLESS).iter().any(Option::is_some);
        if value.is_object() && !is_known() {
            self.tally.add_unread(value.json().len());
        }
    }

    /// A message of chat, or a piece of one.
    fn message(&mut self, message: Value<'_>) {
        let [content, reasoning_content, reasoning, refusal, calls, call] =
            message.members(["content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call"]);
        self.parts(content);
        // Some servers say the same under both names.
        self.texts([reasoning_content.filter(|value| value.text().is_some()).or(reasoning), refusal]);
        let functions = elements(calls).filter_map(|call| call.member("function"));
        for function in functions.chain(call) {
            self.texts(function.members(["name", "arguments"]));
        }
    }

    /// Parts of a message, or its only text.
    fn parts(&mut self, parts: Option<Value<'_>>) {
        self.texts([parts]);
        for part in elements(parts) {
            let [text, thinking, refusal, input, call, code] =
                part.members(["text", "thinking", "refusal", "input", "functionCall", "executableCode"]);
            self.texts([text, thinking, refusal]);
            for json in [input, call, code].into_iter().flatten().filter(|value| value.is_object()) {
                self.tally.add(json.json());
            }
        }
    }

    /// A piece of an answer of Anthropic's, or of OpenAI's responses.
    fn delta(&mut self, top: &Top<'_>, delta: Value<'_>) {
        if top.is("content_block_delta") {
            self.texts(delta.members(["text", "thinking", "partial_json"]));
        } else if top.kind.is_some_and(brings_text) {
            self.texts([Some(delta)]);
        }
    }

    fn texts<const N: usize>(&mut self, values: [Option<Value<'_>>; N]) {
        for Text { raw, escaped } in values.into_iter().flatten().filter_map(Value::text) {
            if escaped { self.tally.add_escaped(raw) } else { self.tally.add(raw) }
        }
    }
}

/// The type of an event that brings text. Sound is none.
pub(super) fn brings_text(kind: Value<'_>) -> bool {
    kind.text().is_some_and(|kind| kind.raw.ends_with(b"delta") && !kind.raw.ends_with(b"audio.delta"))
}

fn elements<'b>(array: Option<Value<'b>>) -> impl Iterator<Item = Value<'b>> {
    array.into_iter().flat_map(Value::elements)
}

fn event_text(top: &Top<'_>, out: &mut Kept) {
    if let Some(choices) = top.choices {
        let first = choices.elements().next();
        let index = first.and_then(|choice| choice.member("index"));
        if index.is_none_or(|index| index.count() == Some(0)) {
            choice_text(first, "delta", out);
        }
    } else if top.candidates.is_some() {
        candidate_text(top, out);
    } else if top.is("content_block_delta") {
        let text = top.delta.and_then(|delta| delta.member("text"));
        text.and_then(Value::text).into_iter().for_each(|text| out.push(text));
    } else if top.is("response.output_text.delta") {
        top.delta.and_then(Value::text).into_iter().for_each(|text| out.push(text));
    } else if top.is("content_block_start") && top.index.and_then(Value::count).is_some_and(|index| index > 0) {
        out.push_char('\n');
    }
}

fn document_text(top: &Top<'_>, out: &mut Kept) {
    if let Some(choices) = top.choices {
        choice_text(choices.elements().next(), "message", out);
    } else if top.candidates.is_some() {
        candidate_text(top, out);
    } else if let Some(output) = top.output {
        let is_said =
            |item: &Value<'_>| item.member("type").is_none_or(|kind| !kind.is("reasoning") && !kind.is("thinking"));
        let contents = output.elements().filter(is_said).filter_map(|item| item.member("content"));
        let said = contents.filter(|content| texts(*content).any(|text| !text.raw.is_empty()));
        for (place, content) in said.enumerate() {
            if place > 0 {
                out.push_char('\n');
            }
            join(content, out);
        }
    } else if let Some(content) = top.content {
        join(content, out);
    }
}

fn choice_text(choice: Option<Value<'_>>, said: &str, out: &mut Kept) {
    let Some(choice) = choice else { return };
    let [message, text] = choice.members([said, "text"]);
    match message.filter(|message| !message.is_null()) {
        Some(message) => message.member("content").into_iter().for_each(|content| join(content, out)),
        None => text.and_then(Value::text).into_iter().for_each(|text| out.push(text)),
    }
}

fn candidate_text(top: &Top<'_>, out: &mut Kept) {
    let first = elements(top.candidates).next();
    let content = first.and_then(|candidate| candidate.member("content"));
    content.and_then(|content| content.member("parts")).into_iter().for_each(|parts| join(parts, out));
}

/// A line for each text.
fn join(parts: Value<'_>, out: &mut Kept) {
    for (place, text) in texts(parts).enumerate() {
        if place > 0 {
            out.push_char('\n');
        }
        out.push(text);
    }
}

/// The only text, or those of parts that are no thoughts.
fn texts<'b>(parts: Value<'b>) -> impl Iterator<Item = Text<'b>> {
    let said = |part: Value<'b>| {
        let [text, thought] = part.members(["text", "thought"]);
        text.filter(|_| !thought.is_some_and(Value::is_true))?.text()
    };
    parts.text().into_iter().chain(parts.elements().filter_map(said))
}
