//! The estimate of a prompt.

use super::{cases, naive};
use crate::bodies::{all, body};
use ratelimit_guard_core::prompt::fields::{Fields, Parameter};
use ratelimit_guard_core::prompt::scan::Scanner;
use ratelimit_guard_core::tokens::estimate::{self, MEDIUM, MESSAGE};

fn estimate(body: &str) -> (u64, u64) {
    let mut fields = Fields::default();
    Scanner::new(&all(), 1 << 20).unwrap().scan(body.as_bytes(), &mut fields).unwrap();
    let tools = fields.places.iter().filter(|(parameter, _)| *parameter == Parameter::Tools).map(|(_, span)| *span);
    estimate::body(body.as_bytes(), &fields.pieces, tools)
}

fn tokens(text: &str) -> u64 {
    naive::tokens(text.as_bytes())
}

const WORDS: &str = "Why is the sky blue, and what would it take for it to be green?";

/// Text counts wherever it is said, each message costs a little, and surely there is a quarter of the text.
#[test]
fn text_counts_wherever_it_is_said() {
    let said = tokens(WORDS);
    for body in [
        r#"{"messages":[{"role":"user","content":"W"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"W"}]}]}"#,
        r#"{"input":"W","model":"gpt-5"}"#,
        r#"{"prompt":["W"],"max_tokens":5}"#,
        r#"{"contents":[{"parts":[{"text":"W"}]}]}"#,
    ] {
        assert_eq!(estimate(&body.replace('W', WORDS)), (said + MESSAGE, said / 4), "{body}");
    }
    let two =
        r#"{"system":"W","messages":[{"role":"user","content":"W"},{"role":"user","content":[{"content":"W"}]}]}"#;
    assert_eq!(estimate(&two.replace('W', WORDS)).0, tokens(&WORDS.repeat(3)) + 3 * MESSAGE);
    assert_eq!(estimate(r#"{"messages":[]}"#), (0, 0));
}

/// Beyond the text: arguments of calls, reasoning, tools; keys, names and numbers are free.
#[test]
fn longer_strings_elsewhere_count() {
    let rest = tokens(WORDS);
    for body in [
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"call_1","function":{"name":"f","arguments":"W"}}]}]}"#,
        r#"{"messages":[{"role":"assistant","reasoning_content":"W","x":[1,2,true]}]}"#,
        r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"a":{"b":["W"]}}}]}]}"#,
        r#"{"what_nobody_knows_yet":"W"}"#,
        r#"{"what_nobody_knows_yet" : "W" , "type" : "image"}"#,
    ] {
        assert_eq!(estimate(&body.replace('W', WORDS)), (rest, 0), "{body}");
    }
    let tools = r#"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#;
    assert_eq!(estimate(&format!(r#"{{"tools":{tools}}}"#)), (tokens(tools), 0));
    let (tools, said) = (format!(r#"[{{"description":"{WORDS}"}}]"#), r#"[{"content":"a"}]"#);
    let expected = (tokens(&tools) + tokens("a") + MESSAGE, 0);
    assert_eq!(estimate(&format!(r#"{{"tools":{tools},"messages":{said}}}"#)), expected);
    assert_eq!(estimate(&format!(r#"{{"messages":{said},"tools":{tools}}}"#)), expected);
}

/// Media count by the number, whatever their data; data count nothing, a text without spaces does.
#[test]
fn media_count_by_the_number() {
    let data = "iVBORw0KGgo".repeat(1000);
    for part in [
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,D"}}"#,
        r#"{"type":"image_url","image_url":{"url":"https://x.test/a.png"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"D","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_data":"D"}}"#,
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"D"}}"#,
    ] {
        let body = |parts: &str| format!(r#"{{"messages":[{{"role":"user","content":[{parts}]}}]}}"#);
        let part = part.replace('D', &data);
        assert_eq!(estimate(&body(&part)), (MEDIUM, 0), "{part:.100}");
        assert_eq!(estimate(&body(&[&part[..], &part].join(","))), (2 * MEDIUM, 0), "{part:.100}");
    }
    let gemini = r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"D"}}]}]}"#;
    assert_eq!(estimate(&gemini.replace('D', &data)), (MEDIUM, 0));
    assert!(estimate(&format!(r#"{{"prompt":"{data}"}}"#)).1 > 100);
    let han = "漢".repeat(100);
    assert_eq!(estimate(&format!(r#"{{"reasoning":"{han}","signature":"{data}"}}"#)), (tokens(&han), 0));
}

/// Tokens that are given as numbers are certain.
#[test]
fn numbers_are_tokens() {
    assert_eq!(estimate(r#"{"prompt":[1, 2,-3]}"#), (3 + MESSAGE, 3));
    assert_eq!(estimate(r#"{"input":[[1,2],[3],[]]}"#), (3 + MESSAGE, 3));
}

/// Any body: no panic, and surely is no more than the estimate.
#[test]
fn any_body_has_an_estimate() {
    let (scanner, dialects, mut fields) = (Scanner::new(&all(), 1 << 20).unwrap(), all(), Fields::default());
    for mut random in cases() {
        let body = body(&mut random, &dialects);
        let _ = scanner.scan(&body, &mut fields);
        let (estimated, surely) = estimate::body(&body, &fields.pieces, std::iter::empty());
        assert!(surely <= estimated, "{:?}", String::from_utf8_lossy(&body));
    }
}
