//! Streams as upstreams send them, nearly.

use super::bodies::Random;
use std::fmt::Write;

const TEXTS: [&str; 12] = [
    "",
    " world",
    "Hello, how are you?",
    "two\\nlines, a \\\"quote\\\"",
    "Grüße",
    "漢字かな",
    "\\u6f22\\u5b57",
    "😀",
    "\\ud83d\\ude00",
    "getElementById(x1) == 0x3f;",
    "          ",
    "\\u001f\\\\",
];
const COUNTS: [&str; 14] = [
    "0",
    "5",
    "17",
    "2147483647",
    "2147483648",
    "-1",
    "1.0",
    "1e18",
    "1000000000000000000",
    "\"7\"",
    "null",
    "true",
    "[3]",
    "{}",
];
const ENDS: [&str; 4] = ["\n", "\r\n", "\r", "\n"];

fn one<'a>(from: &[&'a str], random: &mut Random) -> &'a str {
    from[random.below(from.len())]
}

fn usage(random: &mut Random) -> String {
    let mut members = Vec::new();
    for name in [
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
    ] {
        for _ in 0..random.below(3) {
            members.push(format!("\"{name}\":{}", one(&COUNTS, random)));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// The JSON of an event of any of the APIs.
pub fn event(random: &mut Random) -> String {
    let (text, more, index) = (one(&TEXTS, random), one(&TEXTS, random), random.below(2));
    match random.below(14) {
        0 | 1 => format!("{{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}],\"usage\":null}}"),
        2 => format!("{{ \"choices\" : [] , \"usage\" : {} }}", usage(random)),
        3 => format!("{{\"choices\":[{{\"delta\":{{\"reasoning\":\"{text}\",\"reasoning_content\":\"{more}\"}}}}]}}"),
        4 => format!(
            "{{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"function\":{{\"arguments\":\"{text}\"}}}}],\"refusal\":\"{more}\"}}}}]}}"
        ),
        5 => format!("{{\"usage\":null,\"choices\":[{{\"text\":\"{text}\"}},{{\"text\":\"{more}\"}}]}}"),
        6 => format!("{{\"type\":\"content_block_delta\",\"delta\":{{\"text\":\"{text}\",\"thinking\":\"{more}\"}}}}"),
        7 => format!("{{\"delta\":\"{text}\",\"type\":\"response.output_text.delta\"}}"),
        8 => format!("{{\"type\":\"response.reasoning.delta\",\"delta\":\"{text}\"}}"),
        9 => format!("{{\"type\":\"response.completed\",\"response\":{{\"usage\":{}}}}}", usage(random)),
        10 => format!("{{\"type\":\"message_start\",\"message\":{{\"usage\":{}}}}}", usage(random)),
        11 => format!("{{\"type\":\"message_delta\",\"delta\":{{}},\"usage\":{}}}", usage(random)),
        12 => format!(
            "{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\",\"thought\":{}}}]}}}}],\"usageMetadata\":{}}}",
            index == 0,
            usage(random)
        ),
        _ => one(&["[DONE]", "", "{", "7", "plain text", "{\"choices\":[{\"index\":", "[]"], random).to_string(),
    }
}

/// A whole stream, some of it nonsense.
pub fn stream(random: &mut Random) -> Vec<u8> {
    let mut stream = String::from(one(&["", "", "\u{feff}"], random));
    for _ in 0..random.below(12) {
        let end = one(&ENDS, random);
        let _ = match random.below(9) {
            0 => write!(stream, ": comment{end}"),
            1 => write!(stream, "event: x{end}id: 3{end}"),
            2 => write!(stream, "data:{end}"),
            3 => write!(stream, "data: {{{end}data: \"type\":\"x\"}}{end}{end}"),
            4 => write!(stream, "data:{}{end}", event(random)),
            _ => write!(stream, "data: {}{end}{end}", event(random)),
        };
    }
    let mut stream = stream.into_bytes();
    if random.below(4) == 0 && !stream.is_empty() {
        let place = random.below(stream.len());
        // Nothing that would leave JSON with half a surrogate pair, which the twin's parser refuses.
        match random.below(3) {
            0 => stream.truncate(place),
            1 => stream[place] = [0xff, b'\n', b'\r'][random.below(3)],
            _ => stream.insert(place, b"\n\r\xe6"[random.below(3)]),
        }
    }
    stream
}
