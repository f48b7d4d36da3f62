//! The count of a text.

use super::{cases, naive, pieces};
use ratelimit_guard_core::prompt::json::decode;
use ratelimit_guard_core::tokens::tally::Tally;

const ALPHABET: [&str; 24] = [
    "a", "b", "Z", "Q", " ", " ", "\n", "\t", "0", "7", "=", "=", ")", "\"", "ü", "λ", "ж", "ש", "م", "ไ", "漢", "。",
    "😀", "\u{7f}",
];

/// Whatever the text, and wherever it is cut: what the twin counts byte by byte.
#[test]
fn a_tally_counts_as_its_twin_wherever_it_is_cut() {
    for mut random in cases() {
        let text: String = (0..random.below(300)).map(|_| ALPHABET[random.below(ALPHABET.len())]).collect();
        let (mut whole, mut cut) = (Tally::default(), Tally::default());
        whole.add(text.as_bytes());
        pieces(text.as_bytes(), &mut random).into_iter().for_each(|piece| cut.add(piece));
        assert_eq!(whole.tokens(), naive::tokens(text.as_bytes()), "{text:?}");
        assert_eq!(cut.tokens(), whole.tokens(), "{text:?}");
    }
}

/// Bytes that are no text are counted like any others.
#[test]
fn a_tally_takes_any_bytes() {
    for mut random in cases() {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        let mut tally = Tally::default();
        tally.add(&bytes);
        assert_eq!(tally.tokens(), naive::tokens(&bytes), "{bytes:?}");
    }
}

/// Escapes count as what they stand for.
#[test]
fn escapes_count_as_what_they_stand_for() {
    const ESCAPES: [&str; 10] =
        ["\\n", "\\\"", "\\\\", "\\/", "\\u4e2d", "\\ud83d\\ude00", "\\ud83d", "\\u0041", "plain words ", "漢"];
    for mut random in cases() {
        let raw: String = (0..random.below(120)).map(|_| ESCAPES[random.below(ESCAPES.len())]).collect();
        let (mut escaped, mut plain, mut text) = (Tally::default(), Tally::default(), String::new());
        escaped.add_escaped(raw.as_bytes());
        decode(raw.as_bytes(), &mut text);
        plain.add(text.as_bytes());
        assert_eq!(escaped.tokens(), plain.tokens(), "{raw}");
    }
}

/// Texts with the tokens that they have in `o200k_base`: the count is within a quarter of them, and surely is less.
#[test]
fn counts_are_near_those_of_a_tokenizer() {
    let cases = include_str!("counted.txt").split("\n---\n").map(|case| case.split_once('\n').unwrap());
    for (tokens, text) in cases {
        let tokens: f64 = tokens.parse().unwrap();
        let mut tally = Tally::default();
        tally.add(text.as_bytes());
        let ratio = tally.tokens() as f64 / tokens;
        assert!((0.75..1.5).contains(&ratio), "{ratio}: {text}");
    }
}
