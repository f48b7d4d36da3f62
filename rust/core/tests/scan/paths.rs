//! Paths that an operator writes.

use super::bodies::all;
use super::{MIB, naive};
use ratelimit_guard_core::prompt::dialect::{BUILT_IN, Dialect, MAX_STEPS, Table};
use ratelimit_guard_core::prompt::fields::Fields;
use ratelimit_guard_core::prompt::scan::Scanner;

/// Bodies that are arrays, roles with names of their own, messages in messages: a path means what it says.
#[test]
fn paths_of_ones_own() {
    let own = |paths: &[(&str, &str)]| Dialect {
        name: "own".into(),
        paths: paths.iter().map(|(path, field)| (path.to_string(), field.to_string())).collect(),
    };
    let deepest = ["a"; MAX_STEPS].join(".");
    let dialect = own(&[
        ("[].text", "text"),
        ("role", "role"),
        ("say", "text"),
        ("threads[].kind", "role"),
        ("threads[].title", "text"),
        ("threads[].turns[].author.role", "role"),
        ("threads[].turns[].body", "text"),
        ("threads[].turns[][]", "assistant"),
        ("batch[].model", "model"),
        ("batch[].tools", "tools"),
        ("log.lines[].role", "role"),
        ("log.lines[].by.role", "role"),
        ("log.lines[].line", "text"),
        ("log.note", "text"),
        ("kit", "tools"),
        ("kit.about", "text"),
        ("kit[]", "text"),
        (deepest.as_str(), "tools"),
    ]);
    let nested = format!("{}[1,[2],{{}}]{}", "{\"a\":".repeat(MAX_STEPS), "}".repeat(MAX_STEPS));
    let bodies = [
        nested.as_str(),
        r#"[{"text":"a"},{"text":"b"},3]"#,
        r#"{"say":"a","role":"model"}"#,
        r#"{"threads":[{"turns":[{"body":"a","author":{"role":"tool"}},{"body":"b"}],"title":"c","kind":"system"},{"title":"d"}]}"#,
        r#"{"threads":[{"turns":[{"author":{"role":"tool"},"body":"a","author":null},["b",1,2]],"kind":"bot"}]}"#,
        r#"{"batch":[{"model":"a","tools":[1]},{"model":"b","tools":[1,2],"model":null}]}"#,
        r#"{"batch":[{"model":"a"},{"model":"b"}],"batch":[{"model":"c"},{"model":null}]}"#,
        r#"{"log":{"note":"a","lines":[{"line":"b"}],"note":"c"}}"#,
        r#"{"log":{"lines":[{"role":"system","line":"a","by":{"role":"tool"}},{"by":{"role":"tool"},"role":"bot","line":"b"}]}}"#,
        r#"{"log":{"lines":[{"role":"system","by":{"role":3},"line":"a"},{"role":"system","by":3,"line":"b"}]}}"#,
        r#"{"log":{"lines":[{"role":"system","by":{"role":"tool"},"by":{},"line":"a"}]}}"#,
        r#"{"kit":{"about":"a","x":2}}"#,
        r#"{"kit":[{"about":"a"},2, 3,"b",4]}"#,
    ];
    let dialects = [dialect];
    let scanner = Scanner::new(&dialects, MIB).unwrap();
    for body in bodies {
        let mut fields = Fields::default();
        let result = scanner.scan(body.as_bytes(), &mut fields);
        assert_eq!(result, Ok(()));
        naive::compare(body.as_bytes(), &dialects, result, &fields);
    }
}

/// An error names the dialect, the path and what to write.
#[test]
fn wrong_paths_are_named() {
    let long = "k".repeat(65);
    let deep = ["a"; 17].join(".");
    let cases = [
        ("", "text", "write keys joined"),
        ("a..b", "text", "write keys joined"),
        ("a[b", "text", "write keys joined"),
        ("a.[]", "text", "write keys joined"),
        ("a[]b", "text", "write keys joined"),
        (long.as_str(), "text", "longer than 64 bytes"),
        (deep.as_str(), "text", "more than 16 keys"),
        ("a[][][][][][][][][][][][][][][][]", "text", "more than 16 keys"),
        ("a", "prompt", "no such field: write text, system"),
        ("messages[]", "role", "a role stands under a key"),
    ];
    for (path, field, wanted) in cases {
        let dialect = Dialect { name: "mine".into(), paths: vec![(path.into(), field.into())] };
        let error = Table::compile(&[dialect]).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("\"mine\"") && error.contains(path), "{error}");
    }
    let paths = |count: usize, name: &dyn Fn(usize) -> String| Dialect {
        name: "mine".into(),
        paths: (0..count).map(|number| (name(number), "text".to_string())).collect(),
    };
    let error = Table::compile(&[paths(65, &|number| format!("k{number}"))]).unwrap_err().to_string();
    assert!(error.contains("at most 64 keys"), "{error}");
    assert!(Table::compile(&[paths(256, &|number| format!("k{}.k{}", number / 16, number % 16))]).is_ok());
    let error = Table::compile(&[paths(257, &|number| format!("k{}.k{}", number / 16, number % 16))]).unwrap_err();
    assert!(error.to_string().contains("at most 256 paths"), "{error}");
    let other = Dialect { name: "mine".into(), paths: vec![("system".into(), "user".into())] };
    let error = Table::compile(&[Dialect::built_in("anthropic").unwrap(), other]).unwrap_err().to_string();
    assert!(error.contains("\"mine\"") && error.contains("another field"), "{error}");
    let error = Dialect::built_in("openai").unwrap_err().to_string();
    assert!(error.contains("openai-chat, openai-responses"), "{error}");
    assert!(Table::compile(&[all(), all()].concat()).is_ok());
    BUILT_IN.iter().for_each(|(name, _)| assert!(Scanner::new(&[Dialect::built_in(name).unwrap()], 1).is_ok()));
}
