//! Whatever the bytes: no panic, and nothing larger than said.

use super::*;
use proptest::prelude::*;
use ratelimit_guard_core::prompt::facts::{MAX_TEXT, MAX_WORDS};
use ratelimit_guard_core::prompt::features::features;
use ratelimit_guard_core::prompt::fold::MAX_FOLD;
use ratelimit_guard_core::prompt::history::{MAX_ANSWERS, TURN_WORDS, answer};
use ratelimit_guard_core::prompt::keys::{MAX_KEYS, PREFIXES};
use ratelimit_guard_core::prompt::normalize::normalize;
use ratelimit_guard_core::prompt::part::{length, read};
use ratelimit_guard_core::prompt::segment::{MAX_SEGMENTS, MIN_WORDS};
use texts::{body, bytes, cases, hostile_body, long_text, text};

fn assert_bounded(facts: &Facts, body: &Body) {
    assert!(facts.words as usize <= MAX_WORDS);
    assert!(facts.keys.len() <= MAX_KEYS && facts.keys.is_sorted_by(|one, next| one < next));
    assert!(facts.prefixes.len() <= PREFIXES.len());
    assert!(facts.segments.len() <= MAX_SEGMENTS && facts.answers.len() <= MAX_ANSWERS);
    for (place, segment) in facts.segments.iter().enumerate() {
        assert!(segment.words >= MIN_WORDS && segment.words <= facts.words);
        assert!(!facts.segments[..place].contains(segment));
    }
    for answer in &facts.answers {
        assert!(answer.words as usize <= TURN_WORDS && (answer.words == 0) == (answer.hash == 0));
    }
    assert!(facts.answers.len() <= facts.assistant_turns as usize);
    assert!((facts.user_turns + facts.assistant_turns) as usize <= body.pieces.len());
    if facts.words == 0 {
        let nothing = (facts.digest, facts.system, facts.template, facts.keys.len(), facts.segments.len());
        assert_eq!(nothing, (0, 0, 0, 0, 0));
        assert!(facts.sketch.is_empty() && facts.features == [0; 128]);
    }
    assert_eq!(facts.sketch.values().len(), 128);
    assert!(!facts.features.contains(&i8::MIN));
}

proptest! {
    #![proptest_config(cases(400))]

    /// Any spans of any bytes, inside of the body or not.
    #[test]
    fn hostile_spans_are_harmless(body in hostile_body()) {
        let facts = facts_of(&body.bytes, &body.pieces);
        assert_bounded(&facts, &body);
        prop_assert!(facts.left_out as usize <= naive::length(&body.bytes, &body.pieces));
    }

    /// Of two bytes of text come at most those of one fold, and one fold more than was asked for.
    #[test]
    fn normal_forms_are_bounded(text in text(), bytes in bytes(), most in 0usize..3_000, escaped in any::<bool>()) {
        for raw in [text.as_bytes(), &bytes] {
            let mut out = b"before".to_vec();
            let read = normalize(raw, escaped, most, &mut out);
            prop_assert!(read <= raw.len() && out.starts_with(b"before"));
            prop_assert!(2 * (out.len() - 6) <= MAX_FOLD * read && out.len() - 6 <= most + MAX_FOLD);
            prop_assert!(read == raw.len() || out.len() - 6 >= most);
        }
    }

    /// Buffers keep nothing of one text for the next.
    #[test]
    fn used_buffers_are_as_new_ones(bodies in prop::collection::vec((body(text()), hostile_body(), bytes()), 1..4)) {
        let mut scratch = Scratch::default();
        for (body, hostile, bytes) in bodies {
            for body in [&body, &hostile] {
                let warm = facts(&body.bytes, &body.fields(), &secret(), &mut scratch);
                prop_assert_eq!(difference(&warm, &facts_of(&body.bytes, &body.pieces)), NONE);
                prop_assert_eq!(answer(&bytes, &secret(), &mut scratch), naive::answer(&bytes, SEED));
            }
            let mut warm = MinHash::new(128);
            add_text(&mut warm, &bytes, &secret(), &mut scratch);
            prop_assert_eq!(warm, sketch(&bytes));
        }
    }
}

proptest! {
    #![proptest_config(cases(30))]

    /// Long texts end at the caps and say so.
    #[test]
    fn long_bodies_are_bounded(body in body(prop_oneof![text(), long_text()])) {
        let facts = facts_of(&body.bytes, &body.pieces);
        assert_bounded(&facts, &body);
        let last = body.pieces.iter().rfind(|piece| piece.role == Role::User).map(|piece| piece.turn);
        let is_last = |piece: &Piece| piece.role == Role::User && Some(piece.turn) == last;
        let is_read = |piece: &&Piece| piece.role == Role::System || is_last(piece);
        let all = naive::length(&body.bytes, &body.pieces.iter().filter(is_read).copied().collect::<Vec<_>>());
        // A cut may be up to 64 bytes later than wanted, in each of both roles.
        prop_assert!(facts.left_out as usize + MAX_TEXT + 256 >= all);
        prop_assert!(all <= MAX_TEXT || facts.left_out > 0);
    }

    /// Of a text that is too long three quarters of the budget are from the start and the rest from the end; no
    /// character and no escape is cut in two.
    #[test]
    fn head_and_tail_are_read(text in long_text(), style in texts::style(), budget in 1_000usize..16_000) {
        // Of one and of two bytes; neither folds to more.
        let letter = |c: char| if c.is_ascii() { c } else { 'ж' };
        let text: String = text.chars().map(letter).filter(|c| c.is_alphabetic()).collect();
        let mut body = Body::default();
        body.push(Role::User, 0, &text, style);
        prop_assume!(length(&body.bytes, body.pieces.iter().copied()) > 2 * budget);
        let mut out = Vec::new();
        let left_out = read(&body.bytes, body.pieces.iter().copied(), budget, &mut out);
        let parts: Vec<&[u8]> = out.split(|byte| *byte == b'\n').filter(|part| !part.is_empty()).collect();
        prop_assert_eq!(parts.len(), 2);
        let whole = naive::words::normal(text.as_bytes());
        prop_assert!(whole.starts_with(parts[0]), "the head is cut in a character");
        prop_assert!(whole.ends_with(parts[1]), "the tail is cut in a character");
        let total = length(&body.bytes, body.pieces.iter().copied());
        let read = total - left_out;
        prop_assert!(budget - 76 <= read && read <= budget + 76, "{read} of {budget}");
    }
}

/// The end of a long text counts whatever its script: a question behind a document is read.
#[test]
fn the_tail_is_read_in_every_script() {
    let fillers = ["wording ", "word ", "слово ", "漢字", "ภาษาไทย", "😀", "안녕 ", "\u{ad}é×", "a "];
    let is_read = |filler: &&str| {
        let document = filler.repeat(60_000 / filler.len());
        let asked = |question: &str| facts_of_text(&format!("{document} {question}")).digest;
        asked("What is the third sentence about?") != asked("Who is the fourth sentence about?")
    };
    let unread: Vec<_> = fillers.into_iter().filter(|filler| !is_read(filler)).collect();
    assert_eq!(unread, NONE);
}

/// The last word of a long text is read to its end.
#[test]
fn the_last_word_is_read() {
    let document = "wording ".repeat(8_000);
    let ending = |last: &str| facts_of_text(&format!("{document}{last}")).digest;
    assert!(ending("chapter 1") != ending("chapter 2"));
}

/// A pair of escapes is one character: no cut falls between its halves.
#[test]
fn pairs_of_escapes_are_not_cut() {
    for shift in 0..13 {
        for escape in ["\\ud83d\\ude00", "\\uD83D\\uDE00", "\\ud8f9\\udc00", "\\uDbaF\\uDfFf"] {
            let bytes = ("x".repeat(shift) + &escape.repeat(8_000)).into_bytes();
            let mut wanted = naive::words::normalize(escape.as_bytes(), true, usize::MAX).0;
            wanted.extend(b"x\n");
            let piece = Piece { span: all(&bytes), role: Role::User, turn: 0, escaped: true };
            let mut out = Vec::new();
            read(&bytes, [piece].into_iter(), MAX_TEXT, &mut out);
            out.retain(|byte| !wanted.contains(byte));
            assert!(out.is_empty(), "{escape} behind {shift}: {out:?}");
        }
    }
}

/// Characters that fold to more than twice their bytes are read as far as there is room, and so says the twin.
#[test]
fn long_folds_are_bounded() {
    for count in [300, 1_400, 3_000, 6_800, 9_000, 20_000] {
        for filler in ["ﷺ", "ﷺ ", "㎯", "ﷺ㋿"] {
            let mut body = Body::default();
            body.push(Role::System, 0, &filler.repeat(count / 4), Style::Raw);
            body.push(Role::User, 1, &filler.repeat(count), Style::Raw);
            let facts = facts_of(&body.bytes, &body.pieces);
            assert_bounded(&facts, &body);
            assert_eq!(difference(&facts, &naive::facts(&body.bytes, &body.pieces, SEED)), NONE);
        }
    }
}

/// The features are a vector of length 127, but for the rounding of its parts, whatever the length of the text.
#[test]
fn features_have_one_length() {
    for count in 1..200u64 {
        let words: Vec<u64> = (0..count).map(|number| naive::words::mix(number + 1)).collect();
        let squares: f64 = features(&words).iter().map(|feature| f64::from(*feature).powi(2)).sum();
        assert!((squares.sqrt() - 127.0).abs() < 6.0, "{count} words: length {}", squares.sqrt());
    }
}

/// Of a conversation without ink no more is read than its share, in one piece or in many.
#[test]
fn invisible_turns_are_bounded() {
    for (length, pieces) in [(10, 700), (400, 20), (3_000, 3), (70_000, 1)] {
        for turns in [1, 2, 9, 19] {
            let mut body = Body::default();
            for turn in 0..turns {
                for piece in 0..pieces {
                    let text = format!("{}word {piece}", "\u{200b}".repeat(length / 3));
                    body.push([Role::User, Role::Assistant][turn % 2], turn as u32, &text, Style::Raw);
                }
            }
            let facts = facts_of(&body.bytes, &body.pieces);
            assert_bounded(&facts, &body);
            assert_eq!(difference(&facts, &naive::facts(&body.bytes, &body.pieces, SEED)), NONE);
        }
    }
}

/// Thousands of pieces cost no more room than their bytes.
#[test]
fn many_pieces_are_bounded() {
    let mut many = Body::default();
    for number in 0..16_384 {
        many.push(Role::User, 0, if number % 2 == 0 { "ab" } else { "" }, Style::Raw);
    }
    let facts = facts_of(&many.bytes, &many.pieces);
    assert_bounded(&facts, &many);
    assert_eq!(difference(&facts, &naive::facts(&many.bytes, &many.pieces, SEED)), NONE);
    let all =
        Body { pieces: many.pieces.iter().map(|piece| Piece { span: all(&many.bytes), ..*piece }).collect(), ..many };
    assert_bounded(&facts_of(&all.bytes, &all.pieces), &all);
}

fn all(bytes: &[u8]) -> ratelimit_guard_core::prompt::fields::Span {
    ratelimit_guard_core::prompt::fields::Span { start: 0, end: bytes.len() as u32 }
}

/// Of many turns the last eight answers count; of many sentences the first 16 and the last 16.
#[test]
fn the_last_answers_and_outer_sentences_are_kept() {
    let mut body = Body::default();
    for turn in 0..40 {
        body.push(
            if turn % 2 == 0 { Role::User } else { Role::Assistant },
            turn,
            &format!("turn number {turn}"),
            Style::Raw,
        );
    }
    let sentence = |number: u32| format!("this is sentence number {number} x");
    let sentences: Vec<String> = (0..100).map(sentence).collect();
    body.push(Role::User, 40, &sentences.join(".\n"), Style::Raw);
    let facts = facts_of(&body.bytes, &body.pieces);
    assert_eq!((facts.user_turns, facts.assistant_turns, facts.answers.len()), (21, 20, 8));
    let sent = |text: &str| answer(text.as_bytes(), &secret(), &mut Scratch::default()).hash;
    let back: Vec<u64> = facts.answers.iter().map(|answer| answer.hash).collect();
    assert_eq!(
        back,
        (24..40).filter(|turn| turn % 2 == 1).map(|turn| sent(&format!("turn number {turn}"))).collect::<Vec<_>>()
    );
    let outer = (0..16).chain(84..100).map(sentence).map(|text| facts_of_text(&text).segments[0]);
    assert_eq!(facts.segments.to_vec(), outer.collect::<Vec<_>>());
}

/// The parts of a cut text that are longest: backslashes without end, and bytes that begin no character.
#[test]
fn cuts_without_a_place_are_bounded() {
    let mut texts: Vec<Vec<u8>> = [&b"\\\\"[..], b"\\", b"\x80", b"\\u0041\\\\", b"\xe4\xb8\xad\\n"]
        .map(|filler| filler.repeat(200_000 / filler.len()))
        .into();
    // Such a stretch where the head ends, and where the tail begins.
    let (head, tail) = (MAX_TEXT - MAX_TEXT / 4, 50_000 - MAX_TEXT / 4);
    for stretch in [head - 200..head + 200, tail - 200..tail + 200, head - 200..tail + 200] {
        let mut text = b"wording ".repeat(6_250);
        text[stretch].fill(b'\\');
        texts.push(text);
    }
    for bytes in texts {
        let piece = Piece { span: all(&bytes), role: Role::User, turn: 0, escaped: true };
        for count in [1, 3] {
            let body = Body { bytes: bytes.clone(), pieces: vec![piece; count] };
            let facts = facts_of(&body.bytes, &body.pieces);
            assert_bounded(&facts, &body);
            assert_eq!(difference(&facts, &naive::facts(&body.bytes, &body.pieces, SEED)), NONE);
        }
    }
}
