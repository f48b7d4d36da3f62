//! What a body says: text with its roles and turns, and parameters.

#[path = "scan/bodies.rs"]
mod bodies;
#[path = "scan/bounds.rs"]
mod bounds;
#[path = "scan/grammar.rs"]
mod grammar;
#[path = "scan/naive.rs"]
mod naive;
#[path = "scan/paths.rs"]
mod paths;
#[path = "scan/twin.rs"]
mod twin;

use bodies::all;
use ratelimit_guard_core::prompt::dialect::Dialect;
use ratelimit_guard_core::prompt::fields::{Fields, Parameter, Piece, Problem, Role};
use ratelimit_guard_core::prompt::json::text;
use ratelimit_guard_core::prompt::scan::Scanner;

const MIB: usize = 1 << 20;

/// Role, text and turn of each piece; turns counted from 0 without gaps.
type Said<'a> = &'a [(Role, &'a str, usize)];

fn scanner() -> Scanner {
    Scanner::new(&all(), MIB).unwrap()
}

fn scan(body: &[u8]) -> (Result<(), Problem>, Fields) {
    let mut fields = Fields::default();
    let result = scanner().scan(body, &mut fields);
    (result, fields)
}

/// The pieces as [`Said`].
fn said(body: &str, fields: &Fields) -> Vec<(Role, String, usize)> {
    let mut turns: Vec<u32> = fields.pieces.iter().map(|piece| piece.turn).collect();
    turns.dedup();
    let turn = |piece: u32| turns.iter().position(|turn| *turn == piece).unwrap();
    let show = |piece: &Piece| {
        let mut said = String::new();
        text(body.as_bytes(), piece.span, &mut said);
        (piece.role, said, turn(piece.turn))
    };
    fields.pieces.iter().map(show).collect()
}

/// The JSON of a parameter.
fn parameter<'b>(body: &'b str, fields: &Fields, parameter: Parameter) -> Option<&'b str> {
    fields.parameter(parameter).map(|span| &body[span.range()])
}

/// Every dialect's bodies: who says what in which turn, by it alone and by all dialects at once.
#[test]
fn dialects_name_text_and_roles() {
    use Role::*;
    let cases: &[(&str, &str, Said)] = &[
        (
            "openai-chat",
            r#"{"messages":[{"role":"developer","content":"a"},{"content":[{"type":"text","text":"b"},"c"],"role":"user"},
               {"role":"assistant","content":null,"refusal":"d","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},
               {"role":"tool","tool_call_id":"1","content":"e"}]}"#,
            &[(System, "a", 0), (User, "b", 1), (User, "c", 1), (Assistant, "d", 2), (Tool, "e", 3)],
        ),
        ("openai-responses", r#"{"instructions":"a","input":"b"}"#, &[(System, "a", 0), (User, "b", 1)]),
        (
            "openai-responses",
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call","arguments":"b"},
               {"type":"function_call_output","output":"c"},{"type":"message","role":"assistant","content":"d"}]}"#,
            &[(User, "a", 0), (Tool, "c", 1), (Assistant, "d", 2)],
        ),
        ("openai-completions", r#"{"prompt":"a","suffix":"b"}"#, &[(User, "a", 0), (User, "b", 1)]),
        ("openai-completions", r#"{"prompt":["a","b"]}"#, &[(User, "a", 0), (User, "b", 0)]),
        (
            "openai-completions",
            r#"{"prompt":[[1, 2,-3],[4],[], 5 , 6,"a",7,null,8]}"#,
            &[(User, "1, 2,-3", 0), (User, "4", 0), (User, "5 , 6", 0), (User, "a", 0), (User, "7", 0), (User, "8", 0)],
        ),
        ("openai-embeddings", r#"{"input":"a"}"#, &[(User, "a", 0)]),
        ("openai-embeddings", r#"{"input":[1,2,3]}"#, &[(User, "1,2,3", 0)]),
        (
            "anthropic",
            r#"{"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":"b"},
               {"role":"assistant","content":[{"type":"thinking","thinking":"c"},{"type":"text","text":"d"}]},
               {"role":"user","content":[{"type":"tool_result","content":"e"},
               {"type":"tool_result","content":[{"type":"text","text":"f"}]},{"type":"text","text":"g"}]}]}"#,
            &[(System, "a", 0), (User, "b", 1), (Assistant, "d", 2), (Tool, "e", 3), (Tool, "f", 3), (User, "g", 3)],
        ),
        ("anthropic", r#"{"system":"a"}"#, &[(System, "a", 0)]),
        (
            "gemini",
            r#"{"contents":[{"parts":[{"text":"a"}],"role":"user"},{"role":"model","parts":[{"text":"b"},{"text":"c"}]},
               {"role":"function","parts":[{"functionResponse":{"response":{"result":"d"}}}]}],
               "systemInstruction":{"role":"user","parts":[{"text":"e"}]}}"#,
            &[(User, "a", 0), (Assistant, "b", 1), (Assistant, "c", 1), (Tool, "d", 2), (System, "e", 3)],
        ),
        (
            "gemini",
            r#"{"contents":{"parts":{"text":"a"},"role":"model"},"system_instruction":{"parts":{"text":"b"}}}"#,
            &[(Assistant, "a", 0), (System, "b", 1)],
        ),
    ];
    let union = scanner();
    for (dialect, body, wanted) in cases {
        let alone = Scanner::new(&[Dialect::built_in(dialect).unwrap()], MIB).unwrap();
        for scanner in [&alone, &union] {
            let mut fields = Fields::default();
            scanner.scan(body.as_bytes(), &mut fields).unwrap();
            let said = said(body, &fields);
            let said: Vec<_> = said.iter().map(|(role, text, turn)| (*role, text.as_str(), *turn)).collect();
            assert_eq!(said, *wanted, "{dialect}: {body}");
        }
    }
}

/// One name for each parameter, whatever the dialect calls it; spans are exactly the JSON values.
#[test]
fn dialects_name_parameters() {
    use Parameter::*;
    let cases: &[(&str, &[(Parameter, &str)])] = &[
        (
            r#"{"model": "gpt-4o" ,"max_completion_tokens":5,"n":2,"logprobs":true,"top_logprobs":20,"stream":false,
               "safety_identifier":"u","temperature":0.7,"top_p":1e0,"tools":[{"type":"function"},{"type":"function"}]}"#,
            &[
                (Model, "\"gpt-4o\""),
                (MaxTokens, "5"),
                (N, "2"),
                (Logprobs, "true"),
                (TopLogprobs, "20"),
                (Stream, "false"),
                (User, "\"u\""),
                (Tools, r#"[{"type":"function"},{"type":"function"}]"#),
                (Temperature, "0.7"),
                (TopP, "1e0"),
            ],
        ),
        (r#"{"max_output_tokens":"many"}"#, &[(MaxTokens, "\"many\"")]),
        (
            r#"{"metadata":{"user_id":"u"},"max_tokens_to_sample": -Infinity}"#,
            &[(User, "\"u\""), (MaxTokens, "-Infinity")],
        ),
        (
            r#"{"generationConfig":{"candidateCount":3,"responseLogprobs":true,"logprobs":5,"max_output_tokens":9}}"#,
            &[(N, "3"), (Logprobs, "true"), (TopLogprobs, "5"), (MaxTokens, "9")],
        ),
        (r#"{"logprobs":5,"model":null,"n":[1,{}]}"#, &[(Logprobs, "5"), (N, "[1,{}]")]),
    ];
    for (body, wanted) in cases {
        let (result, fields) = scan(body.as_bytes());
        assert_eq!(result, Ok(()), "{body}");
        for known in Parameter::ALL {
            let wanted = wanted.iter().find(|(parameter, _)| *parameter == known).map(|(_, json)| *json);
            assert_eq!(parameter(body, &fields, known), wanted, "{known:?} in {body}");
        }
        assert_eq!(fields.tools, if body.contains("\"tools\"") { 2 } else { 0 });
    }
}

/// Of several names of one parameter the last in the body counts, unless it is null.
#[test]
fn the_last_name_of_a_parameter_counts() {
    let cases = [
        (r#"{"max_tokens":1,"max_completion_tokens":2}"#, Some("2")),
        (r#"{"max_completion_tokens":2,"max_tokens":1}"#, Some("1")),
        (r#"{"max_tokens":1,"max_completion_tokens":null}"#, Some("1")),
        (r#"{"max_tokens":1,"max_completion_tokens":2,"max_completion_tokens":null}"#, Some("1")),
        (r#"{"max_tokens":1,"max_completion_tokens":2,"max_tokens":null}"#, Some("2")),
        (r#"{"max_tokens":1,"max_completion_tokens":2,"max_tokens":3}"#, Some("3")),
        (r#"{"max_tokens":1,"max_tokens":null}"#, None),
        (r#"{"generationConfig":{"maxOutputTokens":7},"generationConfig":{}}"#, None),
        (r#"{"max_tokens":1,"generationConfig":{"maxOutputTokens":7},"generationConfig":3}"#, Some("1")),
    ];
    for (body, wanted) in cases {
        let (result, fields) = scan(body.as_bytes());
        assert_eq!(result, Ok(()));
        assert_eq!(parameter(body, &fields, Parameter::MaxTokens), wanted, "{body}");
    }
}

/// A key that comes again replaces all that its earlier value held, whatever it is now and however it is spelt.
#[test]
fn the_last_of_equal_keys_counts() {
    use Role::*;
    let cases: &[(&str, &[(Role, &str)])] = &[
        (r#"{"prompt":"a","prompt":"b"}"#, &[(User, "b")]),
        (r#"{"prompt":"a","prompt":null}"#, &[]),
        (r#"{"prompt":["a","b"],"suffix":"c","prompt":{"x":1}}"#, &[(User, "c")]),
        (
            r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"system","content":"b"}]}"#,
            &[(System, "b")],
        ),
        (r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#, &[(User, "b")]),
        (r#"{"messages":[{"role":"user","content":"a","role":"system"}]}"#, &[(System, "a")]),
        (r#"{"messages":[{"role":"system","content":"a","role":null}]}"#, &[(User, "a")]),
        (r#"{"messages":[{"role":"system","content":"a","role":{"x":[]}}]}"#, &[(User, "a")]),
        (r#"{"messages":[{"content":[{"text":"a"}],"content":[{"text":"b","text":"c"}]}]}"#, &[(User, "c")]),
        (
            r#"{"mess\u0061ges":[{"r\u006fle":"\u0073ystem","content":"a"}],"suffix":"b"}"#,
            &[(System, "a"), (User, "b")],
        ),
        (r#"{"prompt":"a","pr\u006fmpt":"b","prom\u0070\u0074":"c"}"#, &[(User, "c")]),
        (r#"{"prompt":"a","PROMPT":"b","prompt ":"c","prompt\ud800":"d"}"#, &[(User, "a")]),
    ];
    for (body, wanted) in cases {
        let (result, fields) = scan(body.as_bytes());
        assert_eq!(result, Ok(()), "{body}");
        let said: Vec<_> = said(body, &fields).into_iter().map(|(role, text, _)| (role, text)).collect();
        let wanted: Vec<_> = wanted.iter().map(|(role, text)| (*role, text.to_string())).collect();
        assert_eq!(said, wanted, "{body}");
        naive::compare(body.as_bytes(), &all(), result, &fields);
    }
    let (_, fields) = scan(br#"{"tools":[1,2,3],"tools":[4]}"#);
    assert_eq!(fields.tools, 1);
    let (_, fields) = scan(br#"{"tools":[1,2,3],"tools":null}"#);
    assert_eq!((fields.tools, fields.parameter(Parameter::Tools)), (0, None));
}
