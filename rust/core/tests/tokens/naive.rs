//! Twins that are slow and obviously right: whole streams, trees of JSON, character by character.

use ratelimit_guard_core::tokens::MAX_TOKENS;
use serde_json::Value;

/// Lines without their ends, and where each one stands with its end; the last one may have none.
pub fn lines(stream: &[u8]) -> Vec<(&[u8], std::ops::Range<usize>)> {
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < stream.len() {
        let end = at;
        at += 1;
        if stream[end] == b'\r' && stream.get(at) == Some(&b'\n') {
            at += 1;
        } else if !matches!(stream[end], b'\r' | b'\n') {
            continue;
        }
        lines.push((&stream[start..end], start..at));
        start = at;
    }
    if start < at {
        lines.push((&stream[start..], start..at));
    }
    lines
}

/// The lines of data, joined into events: by themselves where they are JSON, else up to the blank line.
fn events(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    for (line, _) in lines(stream).into_iter().chain([(&b""[..], 0..0)]) {
        if line.is_empty() && !waiting.is_empty() {
            waiting.pop();
            events.push(std::mem::take(&mut waiting));
        }
        let Some(data) = line.strip_prefix(b"data:").or((line == b"data").then_some(b"")) else { continue };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        match waiting.is_empty() {
            true if data.is_empty() || data == b"[DONE]" => {}
            true if serde_json::from_slice::<Value>(data).is_ok() => events.push(data.to_vec()),
            _ => waiting = [&waiting[..], data, b"\n"].concat(),
        }
    }
    events
}

/// Tokens, usage and text of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub tokens: u64,
    pub input: Option<u32>,
    pub output: Option<u32>,
    pub text: String,
    said: Vec<u8>,
    counts: [Option<u32>; 5],
}

pub fn answer(stream: &[u8]) -> Answer {
    let mut answer = Answer::default();
    for event in events(stream) {
        match serde_json::from_slice::<Value>(&event) {
            Ok(event) => answer.event(&event),
            Err(_) => answer.said.extend(&event),
        }
    }
    let [input, created, read, output, thoughts] = answer.counts;
    let sum = |counts: [Option<u32>; 3]| {
        let sum: u64 = counts.iter().map(|count| u64::from(count.unwrap_or(0))).sum();
        (sum < u64::from(MAX_TOKENS)).then_some(sum as u32)
    };
    answer.input = input.and_then(|_| sum([input, created, read]));
    answer.output = output.or(thoughts).and_then(|_| sum([output, thoughts, None]));
    answer.tokens = tokens(&answer.said);
    answer.said.clear();
    answer.counts = Default::default();
    answer
}

impl Answer {
    fn event(&mut self, event: &Value) {
        self.usage(event);
        for choice in event["choices"].as_array().into_iter().flatten() {
            let delta = &choice["delta"];
            let reasoning = delta["reasoning_content"].as_str().map_or("reasoning", |_| "reasoning_content");
            let call = &delta["tool_calls"][0]["function"]["arguments"];
            self.say(&[&choice["text"], &delta["content"], &delta[reasoning], &delta["refusal"], call]);
        }
        for part in event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            self.say(&[&part["text"]]);
        }
        let delta = &event["delta"];
        let kind = event["type"].as_str().unwrap_or("");
        if kind == "content_block_delta" {
            self.say(&[&delta["text"], &delta["thinking"]]);
        } else if kind.ends_with(".delta") {
            self.say(&[delta]);
        }
        let first = &event["choices"][0];
        let part = &event["candidates"][0]["content"]["parts"][0];
        let text = match kind {
            _ if first["index"].as_u64().unwrap_or(0) > 0 => &Value::Null,
            _ if !first["delta"].is_null() => &first["delta"]["content"],
            _ if !first.is_null() => &first["text"],
            _ if part["thought"] == true => &Value::Null,
            _ if !part.is_null() => &part["text"],
            "content_block_delta" => &delta["text"],
            "response.output_text.delta" => delta,
            _ => &Value::Null,
        };
        self.text += text.as_str().unwrap_or("");
    }

    fn say(&mut self, texts: &[&Value]) {
        texts.iter().filter_map(|text| text.as_str()).for_each(|text| self.said.extend(text.as_bytes()));
    }

    fn usage(&mut self, event: &Value) {
        let starts = !event["message"]["usage"].is_null();
        let output = self.counts[3];
        for usage in [&event["usage"], &event["response"]["usage"], &event["message"]["usage"]] {
            self.keep(0, usage, ["prompt_tokens", "input_tokens"]);
            self.keep(2, usage, ["cache_read_input_tokens", ""]);
            self.keep(3, usage, ["completion_tokens", "output_tokens"]);
        }
        if starts {
            self.counts[3] = output;
        }
        let metadata = &event["usageMetadata"];
        self.keep(0, metadata, ["promptTokenCount", ""]);
        self.keep(3, metadata, ["candidatesTokenCount", ""]);
        self.keep(4, metadata, ["thoughtsTokenCount", ""]);
    }

    fn keep(&mut self, place: usize, usage: &Value, names: [&str; 2]) {
        let count = |name: &str| usage[name].as_u64().filter(|count| *count < u64::from(MAX_TOKENS));
        if let Some(count) = names.into_iter().find_map(count) {
            self.counts[place] = Some(count as u32);
        }
    }
}

/// Tokens of bytes, one by one, as the table in words has them: in 64ths.
pub fn tokens(text: &[u8]) -> u64 {
    let before = [0].iter().chain(text);
    let units: u64 = before.zip(text).map(|(before, byte)| units(*before, *byte)).sum();
    units.div_ceil(64)
}

fn units(before: u8, byte: u8) -> u64 {
    let is_mark = |byte: u8| byte.is_ascii_punctuation() || byte == 0x7f;
    match byte {
        b'\n' if before == b'\n' => 2,
        b'\n' => 56,
        0..=b' ' => 2,
        b'0'..=b'9' => 45,
        b'A'..=b'Z' if before.is_ascii_uppercase() => 17,
        b'A'..=b'Z' if before.is_ascii() => 39,
        b'A'..=b'Z' => 17,
        b'a'..=b'z' if before.is_ascii() && !before.is_ascii_alphabetic() => 39,
        b'a'..=b'z' => 8,
        _ if is_mark(byte) && before == byte => 2,
        _ if is_mark(byte) && is_mark(before) => 12,
        _ if is_mark(byte) => 56,
        0x80..=0xbf => 0,
        0xc0..=0xcd => 77,
        0xce..=0xcf => 40,
        0xd0..=0xd3 => 27,
        0xd4..=0xd7 => 50,
        0xd8..=0xdf => 36,
        0xe0..=0xef => 52,
        _ => 141,
    }
}
