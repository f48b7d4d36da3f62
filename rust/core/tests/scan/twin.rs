//! The scanner beside its slow twin, on bodies made at random.

use super::bodies::{self, Random, all};
use super::{MIB, naive, parameter, said, scan};
use proptest::prelude::*;
use ratelimit_guard_core::prompt::fields::{Fields, Parameter};
use ratelimit_guard_core::prompt::scan::Scanner;

fn spaced(tokens: &[String], random: &mut Random) -> Vec<u8> {
    let mut body = String::new();
    for token in tokens {
        body += ["", "", " ", "\n", "\t\r\n  "][random.below(5)];
        body += token;
    }
    body.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The scanner finds what its slow twin finds.
    #[test]
    fn scanner_equals_its_twin(seed in 1u64.., dialect in prop::option::of(0usize..6)) {
        let mut random = Random(seed);
        let dialects = dialect.map_or_else(all, |one| vec![all().swap_remove(one)]);
        let body = spaced(&bodies::tokens(&mut random, &dialects), &mut random);
        let mut fields = Fields::default();
        let result = Scanner::new(&dialects, MIB).unwrap().scan(&body, &mut fields);
        naive::compare(&body, &dialects, result, &fields);
    }

    /// So it does when some bytes are wrong.
    #[test]
    fn scanner_refuses_what_its_twin_refuses(seed in 1u64.., wrong in 1usize..4) {
        let mut random = Random(seed);
        let mut body = bodies::body(&mut random, &all());
        for _ in 0..wrong {
            let place = random.below(body.len());
            body[place] = b"\"\\{}[],:0-.eE nu\x01\xc3a"[random.below(19)];
        }
        let (result, fields) = scan(&body);
        naive::compare(&body, &all(), result, &fields);
    }

    /// Where a general parser takes a body, it takes the same.
    #[test]
    fn twin_equals_serde(seed in 1u64..) {
        let body = bodies::body(&mut Random(seed), &all());
        if let Ok(known) = serde_json::from_slice::<serde_json::Value>(&body) {
            prop_assert!(same(&naive::parse(&body).unwrap(), &known), "{}", String::from_utf8_lossy(&body));
        }
    }

    /// White space between tokens moves what is found and changes nothing else.
    #[test]
    fn space_changes_nothing(seed in 1u64..) {
        let mut random = Random(seed);
        let tokens = bodies::tokens(&mut random, &all());
        let (plain, wide) = (tokens.concat(), String::from_utf8(spaced(&tokens, &mut random)).unwrap());
        let ((first, a), (second, b)) = (scan(plain.as_bytes()), scan(wide.as_bytes()));
        prop_assert_eq!(first, second);
        let runs = |text: String| if text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            text.replace([' ', '\n', '\r', '\t'], "")
        } else {
            text
        };
        let bare = |body: &str, fields: &Fields| -> Vec<_> {
            said(body, fields).into_iter().map(|(role, text, turn)| (role, runs(text), turn)).collect()
        };
        prop_assert_eq!(bare(&plain, &a), bare(&wide, &b));
        prop_assert_eq!(a.tools, b.tools);
        for known in Parameter::ALL {
            let (a, b) = (parameter(&plain, &a, known), parameter(&wide, &b, known));
            prop_assert_eq!(a.is_some(), b.is_some());
            if let (Some(a), Some(b)) = (a, b) && !a.contains(['"', '{', '[']) {
                prop_assert_eq!(a, b);
            }
        }
    }
}

fn same(tree: &naive::Tree, known: &serde_json::Value) -> bool {
    use naive::Value as Ours;
    use serde_json::Value as Theirs;
    match (&tree.value, known) {
        (Ours::Null, Theirs::Null) | (Ours::Word, Theirs::Bool(_)) | (Ours::Number, Theirs::Number(_)) => true,
        (Ours::String(ours), Theirs::String(theirs)) => ours == theirs,
        (Ours::Array(ours), Theirs::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Ours::Object(ours), Theirs::Object(theirs)) => {
            let last = |key: &String| ours.iter().rfind(|(known, _)| known == key);
            ours.iter().all(|(key, _)| theirs.contains_key(key))
                && theirs.iter().all(|(key, value)| last(key).is_some_and(|(_, tree)| same(tree, value)))
        }
        _ => false,
    }
}
