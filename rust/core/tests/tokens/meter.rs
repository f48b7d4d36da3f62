//! The meter: the same as its twin, wherever a stream is cut, and bounded.

use super::{cases, naive, pieces, streams};
use ratelimit_guard_core::tokens::lines::MAX_LINE;
use ratelimit_guard_core::tokens::meter::{EDGE, MAX_ANSWER_BODY, Meter};
use ratelimit_guard_core::tokens::text::MAX_TEXT;

type Read = (u64, Option<u32>, Option<u32>, Option<String>);

fn read(mut meter: Meter, pieces: Vec<&[u8]>) -> Read {
    let fed: u64 = pieces.into_iter().map(|piece| meter.feed(piece)).sum::<u64>() + meter.finish();
    assert_eq!(meter.finish(), 0);
    assert_eq!(fed, meter.estimated());
    (fed, meter.usage().input(), meter.usage().output(), meter.text())
}

/// Any stream, in any pieces, reads as its twin reads the whole of it.
#[test]
fn a_stream_reads_as_its_twin_wherever_it_is_cut() {
    for mut random in cases() {
        let stream = streams::stream(&mut random);
        let whole = read(Meter::events(true), vec![&stream]);
        let naive::Answer { tokens, input, output, text, .. } = naive::answer(&stream);
        let shown = String::from_utf8_lossy(&stream);
        assert_eq!(whole, (tokens, input, output, (!text.is_empty()).then_some(text)), "{shown}");
        assert_eq!(read(Meter::events(true), pieces(&stream, &mut random)), whole, "{shown}");
        assert_eq!(read(Meter::events(false), pieces(&stream, &mut random)).0, whole.0, "{shown}");
    }
}

/// Any bytes, as a document or a stream: no panic, and nothing depends on cuts.
#[test]
fn any_bytes_can_be_read() {
    for mut random in cases() {
        let bytes: Vec<u8> =
            (0..random.below(80)).map(|_| b"data: {}[]\"choies\\,:\n\r1\xe6"[random.below(24)]).collect();
        for meter in [Meter::document(true), Meter::events(true)] {
            let whole = read(meter.clone(), vec![&bytes]);
            assert_eq!(read(meter, pieces(&bytes, &mut random)), whole, "{bytes:?}");
        }
    }
}

/// What is paid for beside the text: the same words in every place count the same.
#[test]
fn reasoning_and_arguments_are_paid_for() {
    let words = "What the model said, word by word.";
    for event in [
        r#"{"choices":[{"delta":{"content":"W"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":[{"type":"text","text":"W"}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"W"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"W","reasoning_content":"W"}}]}"#,
        r#"{"choices":[{"delta":{"refusal":"W"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"W"}}]}}]}"#,
        r#"{"choices":[{"delta":{"function_call":{"arguments":"W"}}}]}"#,
        r#"{"choices":[{"text":"W"}]}"#,
        r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"W"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"W"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"W"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"W"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"W","thought":true}]}}]}"#,
        r#"{"candidates":[{},{"content":{"parts":[{"text":"W"}]}}]}"#,
    ] {
        let stream = format!("data: {}\n\n", event.replace('W', words));
        let (tokens, ..) = read(Meter::events(false), vec![stream.as_bytes()]);
        assert_eq!(tokens, naive::tokens(words.as_bytes()), "{event}");
    }
    for document in [
        r#"{"choices":[{"message":{"content":"W"}}]}"#,
        r#"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"arguments":"W"}}]}}]}"#,
        r#"{"output":[{"type":"reasoning","summary":[{"text":"W"}]}]}"#,
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"W"}]}]}"#,
        r#"{"output":[{"type":"function_call","arguments":"W"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":"W"}]}"#,
        r#"[{"candidates":[{"content":{"parts":[{"text":"W"}]}}]}]"#,
    ] {
        let mut meter = Meter::document(false);
        assert_eq!(meter.feed(document.replace('W', words).as_bytes()), 0);
        assert_eq!(meter.finish(), naive::tokens(words.as_bytes()), "{document}");
    }
    for said in [r#"{"functionCall":{"name":"f","args":{"a":1}}}"#, r#"{"type":"tool_use","input":{"a":"some words"}}"#]
    {
        let document = format!(r#"{{"content":[{said}]}}"#);
        assert!(read(Meter::document(false), vec![document.as_bytes()]).0 > 3, "{said}");
    }
}

/// What brings nothing: events without text, sound, vectors, echoes.
#[test]
fn what_is_no_output_costs_nothing() {
    for event in [
        "[DONE]",
        r#"{"type":"ping"}"#,
        r#"{"type":"response.audio.delta","delta":"UklGRiQAAABXQVZF"}"#,
        r#"{"type":"response.output_audio.delta","delta":"UklGRiQAAABXQVZF"}"#,
        r#"{"type":"response.output_text.done","text":"What has passed."}"#,
        r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"What has passed."}]}]}}"#,
        r#"{"data":[{"embedding":[0.25,-0.5]}],"usage":{"prompt_tokens":1}}"#,
    ] {
        let stream = format!(": comment\nevent: x\ndata: {event}\n\n");
        assert_eq!(read(Meter::events(false), vec![stream.as_bytes()]).0, 0, "{event}");
    }
}

/// A line without end is not kept, and not free; an event that echoes all that passed is, and its usage is found.
#[test]
fn long_lines_are_passed_over() {
    let long = "x ".repeat(MAX_LINE);
    for piece in [1000, 10 * MAX_LINE] {
        let read = |stream: &str| read(Meter::events(true), stream.as_bytes().chunks(piece).collect());
        let usage = r#""usage":{"input_tokens":1,"output_tokens":2},"user":null}}"#;
        let stream =
            format!("data: {{\"type\":\"response.completed\",\"response\":{{\"text\":\"{long}\",{usage}\n\ndata: x");
        assert_eq!(read(&stream), (1, Some(1), Some(2), None));
        let stream = format!("data: {{\"delta\":{{\"text\":\"{long}\"}},\"type\":\"content_block_delta\"}}\n\n");
        let tokens = read(&stream).0;
        assert!(tokens >= naive::tokens(long.as_bytes()), "{tokens}");
        assert!(read(&long).0 >= naive::tokens(long.as_bytes()));
    }
}

/// Memory stays within a line, whatever an upstream sends.
#[test]
fn events_of_many_lines_are_bounded() {
    let mut meter = Meter::events(true);
    for _ in 0..200 {
        meter.feed(&[&b"data: "[..], &vec![b'y'; 1000], b"\n"].concat());
    }
    // All but the lines that wait for their event are counted.
    assert!(meter.estimated() >= naive::tokens(&vec![b'y'; 200_000 - MAX_LINE]));
}

/// Documents up to the bound are kept; of longer ones four bytes are a token and the usage stands at the end.
#[test]
fn long_documents_are_counted_by_their_bytes() {
    let end = r#""}}],"usage":{"prompt_tokens":1,"completion_tokens":2},"id":"x"}"#;
    for piece in [1000, 10 * MAX_ANSWER_BODY] {
        let document = |start: &str, length: usize| {
            let text = "x".repeat(length - start.len() - end.len());
            [start, &text, end].concat()
        };
        let read = |document: &str| read(Meter::document(true), document.as_bytes().chunks(piece).collect());
        let start = r#"{"choices":[{"message":{"content":""#;
        let kept = read(&document(start, MAX_ANSWER_BODY));
        assert_eq!(kept.3.map(|text| text.len()), Some(MAX_ANSWER_BODY - start.len() - end.len()));
        let long = document(start, MAX_ANSWER_BODY + 1);
        assert_eq!(read(&long), ((MAX_ANSWER_BODY as u64 + 1).div_ceil(4), Some(1), Some(2), None));
        let vectors = document(r#"{"object":"list","data":[{"embedding":[{"x":{"x":""#, 2 * MAX_ANSWER_BODY);
        assert_eq!(read(&vectors), (0, Some(1), Some(2), None));
        let far = [&long, &" ".repeat(EDGE)[..]].concat();
        assert_eq!(read(&far).1, None);
    }
}

/// Halves of a character in two events become one; a half alone is none; the text ends at its bound.
#[test]
fn texts_are_put_together() {
    let text = |pieces: &[&str]| {
        let stream: String =
            pieces.iter().map(|text| format!("data: {{\"choices\":[{{\"text\":\"{text}\"}}]}}\n\n")).collect();
        read(Meter::events(true), vec![stream.as_bytes()]).3.unwrap_or_default()
    };
    assert_eq!(text(&["a\\ud83d", "\\ude00b"]), "a😀b");
    assert_eq!(text(&["a\\ud83d", "", "\\ude00"]), "a😀");
    assert_eq!(text(&["a\\ud83d", "b"]), "a\u{fffd}b");
    assert_eq!(text(&["\\ud83d", "\\ud83d", "\\ude00", "\\ude00"]), "\u{fffd}😀\u{fffd}");
    assert_eq!(text(&["\\\\ud83d", "\\ude00"]), "\\ud83d\u{fffd}");
    assert_eq!(text(&["a\\ud83d"]), "a\u{fffd}");
    let half = "ü".repeat(MAX_TEXT / 2 + 10);
    assert_eq!(text(&[&half, &half, &half]), "ü".repeat(MAX_TEXT));
    assert_eq!(text(&[&"x".repeat(MAX_TEXT - 1), "\\ud83d", "\\ude00y"]).chars().count(), MAX_TEXT);
}
