//! Fast and slow give the same.

use super::*;
use naive::words;
use proptest::prelude::*;
use ratelimit_guard_core::prompt::escape::unescape;
use ratelimit_guard_core::prompt::fold::{compute, fold};
use ratelimit_guard_core::prompt::history::answer;
use ratelimit_guard_core::prompt::normalize::normalize;
use ratelimit_guard_core::prompt::shingle::shingles;
use ratelimit_guard_core::prompt::words::{BREAK, SLOT, Words};
use texts::{body, bytes, cases, dense_text, hostile_body, long_text, text};

/// Separators side by side part words no better than one.
fn squeeze(mut text: Vec<u8>) -> Vec<u8> {
    text.dedup_by(|one, other| (*one, *other) == (0x1f, 0x1f));
    text
}

fn normal(raw: &[u8], escaped: bool) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(normalize(raw, escaped, usize::MAX, &mut out), raw.len());
    out
}

fn assert_same_words(raw: &[u8]) {
    let mut text = normal(raw, false);
    let slow = words::words(&text, &words::secrets(SEED));
    let (mut detailed, mut plain) = (Words::default(), Words::default());
    plain.cut::<false>(&mut text.clone(), &secret());
    detailed.cut::<true>(&mut text, &secret());
    assert_eq!(plain.hashes(), slow.iter().map(|word| word.hash).collect::<Vec<_>>());
    assert_eq!(detailed.hashes(), plain.hashes());
    assert_eq!(detailed.masked(), slow.iter().map(|word| word.masked).collect::<Vec<_>>());
    let flags = slow.iter().map(|word| (u8::from(word.slot) * SLOT) | (u8::from(word.breaks) * BREAK));
    assert_eq!(detailed.flags(), flags.collect::<Vec<_>>());
}

fn assert_same_sketch(raw: &[u8], num_perm: usize) {
    let mut fast = MinHash::new(num_perm);
    add_text(&mut fast, raw, &secret(), &mut Scratch::default());
    let words: Vec<u64> =
        words::words(&words::normal(raw), &words::secrets(SEED)).iter().map(|word| word.hash).collect();
    assert_eq!(fast, naive::minhash(&naive::shingles(&words), num_perm));
}

/// Every character of Unicode folds to what its twin says.
#[test]
fn every_character_folds_as_its_twin() {
    for character in char::MIN..=char::MAX {
        let folded = fold(character);
        assert_eq!(folded, compute(character), "{character:?}");
        let bytes = &folded.bytes()[..folded.len()];
        assert_eq!(bytes, words::fold(character), "{character:?}");
        // What a word next to it takes away is a separator.
        let is_word = bytes.len() > 1 && bytes[0] == 0x1f && bytes.ends_with(&[0x1f]);
        assert!(character.is_ascii() || folded.is_word() == is_word, "{character:?}");
    }
}

/// Every character is read from its number; half of a pair is none.
#[test]
fn every_number_is_its_character() {
    for character in char::MIN..=char::MAX {
        let units = character.encode_utf16(&mut [0; 2]).to_vec();
        let escape: String = units.iter().map(|unit| format!("\\u{unit:04X}")).collect();
        assert_eq!(unescape(format!("{escape}\\u0041").as_bytes()), (Some(character), escape.len()), "{escape}");
        if let [high, low] = units[..] {
            assert_eq!(unescape(format!("\\u{high:04x} ").as_bytes()), (None, 6));
            assert_eq!(unescape(format!("\\u{low:04x}\\u{high:04x}").as_bytes()), (None, 6));
        }
    }
}

proptest! {
    #![proptest_config(cases(600))]

    /// The normal form is that of the twin, whatever the bytes.
    #[test]
    fn normal_form_equals_its_twin(text in text(), bytes in bytes(), most in 0usize..600) {
        for raw in [text.as_bytes(), &bytes] {
            for escaped in [false, true] {
                prop_assert_eq!(squeeze(normal(raw, escaped)), squeeze(words::normalize(raw, escaped, usize::MAX).0));
                let mut out = b"before ".to_vec();
                let read = normalize(raw, escaped, most, &mut out);
                prop_assert_eq!((&out[7..], read), (&words::normalize(raw, escaped, most).0[..], read));
                prop_assert_eq!(read, words::normalize(raw, escaped, most).1);
            }
        }
    }

    /// Words, their masked hashes and their flags are those of the twin.
    #[test]
    fn words_equal_their_twin(text in text(), bytes in bytes()) {
        assert_same_words(text.as_bytes());
        assert_same_words(&bytes);
    }

    /// Edges, quotes and ends fall anywhere in a block of 64 bytes and on its borders.
    #[test]
    fn words_of_dense_marks_equal_their_twin(text in "[a\"0 .\n;!é_]{0,400}") {
        assert_same_words(text.as_bytes());
    }

    /// Shingles are those of the twin.
    #[test]
    fn shingles_equal_their_twin(words in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..4], 0..40)) {
        let mut fast = vec![7];
        shingles(&words, &mut fast);
        prop_assert_eq!(&fast[1..], naive::shingles(&words));
    }

    /// The sketch of a text is that of the twin, for any number of permutations.
    #[test]
    fn sketches_equal_their_twin(text in text(), bytes in bytes(), num_perm in 1usize..200) {
        assert_same_sketch(text.as_bytes(), num_perm);
        assert_same_sketch(&bytes, num_perm);
    }

    /// All facts are those of the twin, with buffers new and used.
    #[test]
    fn facts_equal_their_twin(bodies in prop::collection::vec(body(text()), 1..4)) {
        let mut scratch = Scratch::default();
        for body in bodies {
            let slow = naive::facts(&body.bytes, &body.pieces, SEED);
            let fast = facts(&body.bytes, &body.fields(), &secret(), &mut scratch);
            prop_assert_eq!(difference(&fast, &slow), NONE);
            prop_assert_eq!(difference(&facts_of(&body.bytes, &body.pieces), &slow), NONE);
        }
    }

    /// Also for spans that no scan finds.
    #[test]
    fn facts_of_any_spans_equal_their_twin(body in hostile_body()) {
        let slow = naive::facts(&body.bytes, &body.pieces, SEED);
        prop_assert_eq!(difference(&facts_of(&body.bytes, &body.pieces), &slow), NONE);
    }

    /// An answer hashes as its twin says, and as what it will be when it comes back.
    #[test]
    fn answers_equal_their_twin(text in text(), style in texts::style()) {
        let fast = answer(text.as_bytes(), &secret(), &mut Scratch::default());
        prop_assert_eq!(fast, naive::answer(text.as_bytes(), SEED));
        let mut body = Body::default();
        body.push(Role::Assistant, 0, &text, style);
        let back = facts_of(&body.bytes, &body.pieces).answers[0];
        prop_assert_eq!((fast.hash, fast.words), (back.hash, back.words));
    }
}

proptest! {
    #![proptest_config(cases(40))]

    /// Long texts reach the caps, the cut of head and tail and the sampling; the twin says what happens there.
    #[test]
    fn facts_of_long_texts_equal_their_twin(body in body(prop_oneof![text(), long_text()])) {
        let mut scratch = Scratch::default();
        let fast = facts(&body.bytes, &body.fields(), &secret(), &mut scratch);
        prop_assert_eq!(difference(&fast, &naive::facts(&body.bytes, &body.pieces, SEED)), NONE);
    }

    /// Of more words than are read the first and the last count, in system text and last turn.
    #[test]
    fn facts_of_many_words_equal_their_twin(system in prop_oneof![text(), dense_text()], user in dense_text()) {
        let mut body = Body::default();
        body.push(Role::System, 0, &system, Style::Raw);
        body.push(Role::User, 1, &user, Style::Raw);
        let slow = naive::facts(&body.bytes, &body.pieces, SEED);
        prop_assert_eq!(difference(&facts_of(&body.bytes, &body.pieces), &slow), NONE);
    }

    /// The whole of a long text is read for its sketch.
    #[test]
    fn sketches_of_long_texts_equal_their_twin(text in long_text()) {
        assert_same_words(text.as_bytes());
        assert_same_sketch(text.as_bytes(), 128);
    }
}
