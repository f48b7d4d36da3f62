//! What no body can do.

use super::bodies::all;
use super::{MIB, naive, scan, scanner};
use ratelimit_guard_core::prompt::fields::{Fields, Problem};
use ratelimit_guard_core::prompt::json::MAX_DEPTH;
use ratelimit_guard_core::prompt::scan::{MAX_PIECES, Scanner};

/// A body as long as the cap is read, one byte more is not; a scanner without room is refused.
#[test]
fn bodies_have_a_cap() {
    let scanner = Scanner::new(&all(), 16).unwrap();
    let mut fields = Fields::default();
    assert_eq!(scanner.scan(br#"{"prompt": "ab"}"#, &mut fields), Ok(()));
    assert_eq!(scanner.scan(br#"{"prompt": "abc"}"#, &mut fields), Err(Problem::TooLarge));
    assert!(fields.pieces.is_empty());
    for max_bytes in [0, u32::MAX as usize / 2 + 1, usize::MAX] {
        let error = Scanner::new(&all(), max_bytes).unwrap_err();
        assert!(error.to_string().contains("longest body must be 1 to"), "{error}");
    }
}

/// Nesting is taken up to the cap and no deeper, in values that matter and in others, and without recursion.
#[test]
fn nesting_has_a_cap() {
    let nested = |open: &str, middle: &str, close: &str, levels: usize| {
        format!("{}{middle}{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"messages\":", "}"), ("{\"content\":[", "]}")] {
        let per = open.matches(['[', '{']).count();
        let levels = MAX_DEPTH / per;
        for around in
            [("", ""), ("{\"messages\":[", "]}"), ("{\"n\":0,\"x\":", "}"), ("{\"messages\":[{\"content\":[", "]}]}")]
        {
            let used = around.0.matches(['[', '{']).count().div_ceil(per);
            let body = |levels| format!("{}{}{}", around.0, nested(open, "1", close, levels), around.1);
            assert_eq!(scan(body(levels - used).as_bytes()).0, Ok(()), "{open} in {around:?}");
            assert_eq!(scan(body(levels - used + 1).as_bytes()).0, Err(Problem::TooDeep), "{open} in {around:?}");
        }
    }
    assert_eq!(scan("[".repeat(MIB).as_bytes()).0, Err(Problem::TooDeep));
    assert_eq!(scan(nested("[", "", "]", MAX_DEPTH).as_bytes()).0, Ok(()));
}

/// Pieces are taken up to the cap and no further; numbers that follow each other are one.
#[test]
fn pieces_have_a_cap() {
    let body = |count: usize| format!("{{\"prompt\":[{}\"\"]}}", "\"\",".repeat(count - 1));
    let (result, fields) = scan(body(MAX_PIECES).as_bytes());
    assert_eq!((result, fields.pieces.len()), (Ok(()), MAX_PIECES));
    assert_eq!(scan(body(MAX_PIECES + 1).as_bytes()).0, Err(Problem::TooMany));
    let (result, fields) = scan(format!("{{\"prompt\":[{}7]}}", "7,".repeat(2 * MAX_PIECES)).as_bytes());
    assert_eq!((result, fields.pieces.len()), (Ok(()), 1));
    let many = format!("{{\"messages\":[{}{{}}]}}", "{\"role\":\"user\"},".repeat(2 * MAX_PIECES));
    assert_eq!(scan(many.as_bytes()).0, Ok(()));
    assert_eq!(scan(format!("{{{}\"n\":1}}", "\"n\":1,".repeat(MAX_PIECES)).as_bytes()).0, Err(Problem::TooMany));
}

/// Many repeats of one key beside many pieces: each find is made void once, and the bound holds.
#[test]
fn repeated_keys_cost_no_rescans() {
    let pieces = format!("\"prompt\":[{}\"\"]", "\"\",".repeat(MAX_PIECES - 1));
    let body = format!("{{{pieces},{}\"n\":null}}", "\"suffix\":null,".repeat(60_000));
    let (result, fields) = scan(body.as_bytes());
    assert_eq!((result, fields.pieces.len()), (Ok(()), MAX_PIECES));
    let body = format!("{{{pieces},{}\"n\":null}}", "\"prompt\":null,".repeat(60_000));
    let (result, fields) = scan(body.as_bytes());
    assert_eq!((result, fields.pieces.len()), (Ok(()), 0));
}

/// Fields are reused: nothing of one body is left in the next, whatever became of it.
#[test]
fn nothing_is_left_of_the_last_body() {
    let (scanner, mut fields) = (scanner(), Fields::default());
    let full = br#"{"messages":[{"role":"system","content":"a"}],"n":1,"n":2,"tools":[1],"prompt":"x","prompt":"y"}"#;
    for next in [&b"{}"[..], b"[", b"{\"prompt\":\"a\"", b"\xff", br#"{"messages":[{"content":"b"}]}"#] {
        scanner.scan(full, &mut fields).unwrap();
        let result = scanner.scan(next, &mut fields);
        naive::compare(next, &all(), result, &fields);
    }
}
