//! What an upstream says that a call used.

use ratelimit_guard_core::tokens::MAX_TOKENS;
use ratelimit_guard_core::tokens::meter::Meter;

type Counts = (Option<u32>, Option<u32>);

fn document(json: &str) -> Counts {
    let mut meter = Meter::document(false);
    meter.feed(json.as_bytes());
    meter.finish();
    (meter.usage().input(), meter.usage().output())
}

fn events(events: &[&str]) -> Counts {
    let mut meter = Meter::events(false);
    events.iter().for_each(|event| {
        meter.feed(format!("data: {event}\n\n").as_bytes());
    });
    (meter.usage().input(), meter.usage().output())
}

/// Every API's way to say it.
#[test]
fn usage_of_every_api() {
    let cases = [
        (r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10}}"#, (Some(3), Some(7))),
        (r#"{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#, (Some(8), None)),
        (r#"{"output":[],"usage":{"input_tokens":3,"output_tokens":7}}"#, (Some(3), Some(7))),
        (
            r#"{"content":[],"usage":{"input_tokens":3,"cache_creation_input_tokens":10,"cache_read_input_tokens":200,
               "output_tokens":7}}"#,
            (Some(213), Some(7)),
        ),
        (
            r#"{"candidates":[],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":7,"thoughtsTokenCount":50}}"#,
            (Some(3), Some(57)),
        ),
        (r#"{"usageMetadata":{"thoughtsTokenCount":50}}"#, (None, Some(50))),
        (
            r#"[{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}},{"usageMetadata":{"candidatesTokenCount":9}}]"#,
            (Some(3), Some(9)),
        ),
    ];
    for (json, counts) in cases {
        assert_eq!(document(json), counts, "{json}");
        if !json.starts_with('[') {
            assert_eq!(events(&[&json.replace('\n', "")]), counts, "{json}");
        }
    }
    let anthropic = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":200,"output_tokens":1}}}"#,
        r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":4,"output_tokens":5}}"#,
        r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":15}}"#,
    ];
    assert_eq!(events(&anthropic[..1]), (Some(203), None));
    assert_eq!(events(&anthropic), (Some(204), Some(15)));
    assert_eq!(
        events(&[r#"{"type":"response.incomplete","response":{"usage":{"input_tokens":1,"output_tokens":2}}}"#]),
        (Some(1), Some(2))
    );
}

/// A number that cannot be one says nothing, and leaves what was said before; one that is smaller is believed.
#[test]
fn usage_that_is_none() {
    let most = MAX_TOKENS.to_string();
    let huge = "9".repeat(10_000);
    let wrong = ["-1", "1.0", "1e18", "1000000000000000000", "\"7\"", "null", "true", "[7]", "{}", "NaN", &most, &huge];
    for wrong in wrong {
        let usage = format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{wrong},"completion_tokens":{wrong}}}}}"#);
        assert_eq!(document(&usage), (None, None), "{usage:.200}");
        let good = r#"{"usage":{"prompt_tokens":3,"completion_tokens":7}}"#;
        assert_eq!(events(&[good, &usage]), (Some(3), Some(7)), "{usage:.200}");
    }
    for usage in ["7", "null", "[]", "\"usage\"", r#"{"prompt_tokens":{"prompt_tokens":3}}"#] {
        assert_eq!(document(&format!(r#"{{"usage":{usage}}}"#)), (None, None), "{usage}");
    }
    let pair = |count: u32| format!(r#"{{"usage":{{"input_tokens":{count},"cache_read_input_tokens":{count}}}}}"#);
    assert_eq!(document(&pair(MAX_TOKENS - 1)), (None, None));
    let twice = r#"{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2,"prompt_tokens":3}}"#;
    assert_eq!(document(twice), (Some(3), None));
    let smaller = [r#"{"usage":{"output_tokens":9}}"#, r#"{"usage":{"output_tokens":4}}"#];
    assert_eq!(events(&smaller), (None, Some(4)));
}
