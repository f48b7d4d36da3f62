//! What counts as JSON, and what strings mean.

use super::bodies::all;
use super::{naive, scan};
use ratelimit_guard_core::prompt::fields::{Problem, Span};
use ratelimit_guard_core::prompt::json::{decode, inside};

/// Exactly what Python's `json.loads` takes. The lists were run through it.
#[test]
fn json_is_read_as_python_reads_it() {
    let taken = [
        "1",
        "-0",
        "0.0",
        "-1.5e+10",
        "1E5",
        "\"\"",
        "[]",
        "{}",
        " \t\r\n[ ] ",
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        "[NaN,-Infinity]",
        "\"\\ud800\"",
        "\"\\uDFFF\\ud800\"",
        "\"\u{7f}\"",
        "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
        "\u{feff}{}",
        "\u{feff} 1",
        "{\"\":1,\"\":2}",
        "[[[]],{\"a\":{}}]",
        "123456789012345678901234567890",
        "1e999",
    ];
    let refused = [
        "",
        " ",
        "\u{feff}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "-NaN",
        "+Infinity",
        "nan",
        "Nan",
        "infinity",
        "nul",
        "nulll",
        "True",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1]]",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\U0041\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "1 1",
        "{} {}",
        "\u{a0}1",
        "\u{c}1",
        "\0",
        "[1\0]",
        "//\n1",
        "[1/**/]",
        "{}\u{feff}",
        " \u{feff}{}",
    ];
    let around = |json: &str| [json.to_string(), format!("[{json}]"), format!("{{\"messages\":[{json}],\"z\":0}}")];
    for json in taken {
        assert_eq!(scan(json.as_bytes()).0, Ok(()), "{json:?}");
        let inner = json.trim_start_matches('\u{feff}');
        around(inner).iter().for_each(|json| assert_eq!(scan(json.as_bytes()).0, Ok(()), "{json:?}"));
    }
    for json in refused {
        assert_eq!(scan(json.as_bytes()).0, Err(Problem::NotJson), "{json:?}");
        let open = json.trim().is_empty() || json == "[,1]";
        around(json).iter().filter(|_| !open).for_each(|json| {
            assert_eq!(scan(json.as_bytes()).0, naive::parse(json.as_bytes()).map(|_| ()), "{json:?}");
        });
    }
}

/// Bytes that are no UTF-8 are refused wherever they stand.
#[test]
fn text_must_be_utf8() {
    for bytes in [&b"\"\xff\""[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\"", b"{}\x80", b"\xff\xfe{\0}\0"] {
        assert_eq!(scan(bytes).0, Err(Problem::NotUtf8), "{bytes:?}");
    }
}

/// Half a body is no body, wherever it is cut.
#[test]
fn cut_bodies_are_refused() {
    let bodies = [
        r#"{"model":"m","messages":[{"role":"us\u0065r","content":"h\ud83d\ude00i"},{"content":[{"text":"a"}]}],"n":-1.5e3}"#,
        r#"{"prompt":[[1,2],[-Infinity,NaN]],"x":[{"y":{"z":[true,false,null,{}]}}],"tools":[{},[]],"stream":true}"#,
        "\u{feff} [ \"a long text that fills a block and then some, to be sure\" , { } ] ",
    ];
    for body in bodies {
        assert_eq!(scan(body.as_bytes()).0, Ok(()));
        for end in 0..body.trim_end().len() {
            let problem = scan(&body.as_bytes()[..end]).0.unwrap_err();
            assert!(matches!(problem, Problem::NotJson | Problem::NotUtf8), "{problem:?} at {end} of {body}");
        }
    }
}

/// A quote, escape or control character is seen at every distance from the start of a string.
#[test]
fn strings_end_where_they_end() {
    for length in 0..150 {
        let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
        for (end, wanted) in
            [("\"", Ok(())), ("\\n\"", Ok(())), ("\u{1f}\"", Err(Problem::NotJson)), ("", Err(Problem::NotJson))]
        {
            for tail in ["", &"y".repeat(70)] {
                let tail = if end.is_empty() { "" } else { tail };
                let body = format!("{{\"prompt\":\"{text}{end},\"z\":\"{tail}\"}}");
                let body = if end.is_empty() { format!("{{\"prompt\":\"{text}") } else { body };
                let (result, fields) = scan(body.as_bytes());
                assert_eq!(result, wanted, "{body}");
                naive::compare(body.as_bytes(), &all(), result, &fields);
            }
        }
    }
}

/// Broken escapes do no harm to what is decoded outside of a scan.
#[test]
fn decoding_takes_anything() {
    let cases: [(&[u8], &str); 9] = [
        (b"\\", "\u{fffd}"),
        (b"a\\u12", "a\u{fffd}u12"),
        (b"\\x41", "\u{fffd}x41"),
        (b"\\ud83d\\ud83d\\ude00", "\u{fffd}😀"),
        (b"\\ud83d\\u0041", "\u{fffd}A"),
        (b"\"quoted\"", "\"quoted\""),
        (b"\xff\\n", "\u{fffd}\n"),
        (b"", ""),
        (b"\\u0000", "\0"),
    ];
    for (raw, wanted) in cases {
        let mut out = String::new();
        decode(raw, &mut out);
        assert_eq!(out, wanted, "{raw:?}");
    }
    let span = Span { start: 9, end: 12 };
    assert_eq!(inside(b"short", span), b"");
}
