//! However a prompt is written and cut into pieces, its facts are the same.

use super::*;
use naive::words;
use proptest::prelude::*;
use ratelimit_guard_core::prompt::dialect::{BUILT_IN, Dialect};
use ratelimit_guard_core::prompt::fields::Fields;
use ratelimit_guard_core::prompt::fold::{MAX_FOLD, fold};
use ratelimit_guard_core::prompt::history::answer;
use ratelimit_guard_core::prompt::scan::Scanner;
use ratelimit_guard_core::prompt::words::OPENING;
use texts::{Fragments, cases, escape, fragment, fragments, join, role, style};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// Short enough to stay below all caps, however it is written.
fn short_text() -> impl Strategy<Value = String> {
    fragments(60).prop_map(|fragments| join(&fragments))
}

/// Without characters drawn by their number: those that break a rule are named below.
fn named_text() -> impl Strategy<Value = String> {
    fragments(60).prop_map(|mut fragments: Fragments| {
        fragments.iter_mut().for_each(|(kind, ..)| *kind -= u8::from(*kind % 24 == 23));
        join(&fragments)
    })
}

fn facts_in_roles(texts: &[(Role, String)], style: Style) -> Facts {
    let mut body = Body::default();
    for (turn, (role, text)) in texts.iter().enumerate() {
        body.push(*role, turn as u32, text, style);
    }
    facts_of(&body.bytes, &body.pieces)
}

fn scanned(body: &str) -> Facts {
    let dialects: Vec<_> = BUILT_IN.iter().map(|(name, _)| Dialect::built_in(name).unwrap()).collect();
    let mut fields = Fields::default();
    Scanner::new(&dialects, 1 << 20).unwrap().scan(body.as_bytes(), &mut fields).unwrap();
    let facts = facts(body.as_bytes(), &fields, &secret(), &mut Scratch::default());
    assert_eq!(difference(&facts, &naive::facts_with_tools(body.as_bytes(), &fields.pieces, fields.tools, SEED)), NONE);
    *facts
}

/// The words of a text, as the text that they are found in.
fn words_of(text: &str) -> Vec<Vec<u8>> {
    let normal = words::normal(text.as_bytes());
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    normal.split(|byte| !letter(byte)).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

proptest! {
    #![proptest_config(cases(600))]

    /// Raw or by number, all or some: an escape changes nothing.
    #[test]
    fn escapes_change_nothing(
        texts in prop::collection::vec((role(), short_text()), 0..6),
        one in style(),
        other in style(),
    ) {
        let (one, other) = (facts_in_roles(&texts, one), facts_in_roles(&texts, other));
        prop_assume!(one.left_out == 0 && other.left_out == 0);
        prop_assert_eq!(difference(&one, &other), NONE);
    }

    /// The pieces of a turn are its lines.
    #[test]
    fn pieces_are_lines(role in role(), texts in prop::collection::vec(short_text(), 1..6), style in style()) {
        let (mut many, mut one) = (Body::default(), Body::default());
        for text in &texts {
            many.push(role, 3, text, style);
        }
        one.push(role, 3, &texts.join("\n"), style);
        let (many, one) = (facts_of(&many.bytes, &many.pieces), facts_of(&one.bytes, &one.pieces));
        prop_assume!(many.left_out == 0 && one.left_out == 0);
        prop_assert_eq!(difference(&many, &one), NONE);
    }

    /// From a body as clients send it: content as one string or as parts, escaped or not.
    #[test]
    fn bodies_say_the_same(
        system in short_text(),
        user in prop::collection::vec(short_text(), 1..4),
        one in style(),
        other in style(),
    ) {
        let message = |role: &str, content: &str| format!(r#"{{"role":"{role}","content":{content}}}"#);
        let part = |text: &String| format!(r#"{{"type":"text","text":"{}"}}"#, escape(text, other));
        let parts = format!("[{}]", user.iter().map(part).collect::<Vec<_>>().join(","));
        let body = |system: String, user: String| {
            format!(r#"{{"messages":[{},{}]}}"#, message("system", &system), message("user", &user))
        };
        let strings = body(format!("\"{}\"", escape(&system, one)), format!("\"{}\"", escape(&user.join("\n"), one)));
        let in_parts = body(format!("\"{}\"", escape(&system, other)), parts);
        let (strings, in_parts) = (scanned(&strings), scanned(&in_parts));
        prop_assume!(strings.left_out == 0 && in_parts.left_out == 0);
        prop_assert_eq!(difference(&strings, &in_parts), NONE);
    }

    /// Composed or decomposed. Hangul syllables stay whole, as documented.
    #[test]
    fn normal_forms_of_unicode_are_one(text in named_text()) {
        let text: String = text.chars().filter(|c| !('가'..='힣').contains(c)).collect();
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(difference(&facts_of_text(&composed), &facts_of_text(&decomposed)), NONE);
        prop_assert_eq!(sketch(composed.as_bytes()), sketch(decomposed.as_bytes()));
    }

    /// Upper or lower case, narrow or full width.
    #[test]
    fn case_and_width_change_nothing(fragments in prop::collection::vec((0u8..9, any::<u32>(), any::<bool>()), 0..60)) {
        let text = join(&fragments);
        let wide = |c: char| match c {
            ' ' => '\u{3000}',
            '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap(),
            c => c,
        };
        let facts = facts_of_text(&text);
        prop_assert_eq!(difference(&facts, &facts_of_text(&text.to_uppercase())), NONE);
        prop_assert_eq!(difference(&facts, &facts_of_text(&text.to_lowercase())), NONE);
        prop_assert!(same_but_length(&facts, &facts_of_text(&text.chars().map(wide).collect::<String>())));
    }

    /// What has no ink, and marks on letters, leave no trace.
    #[test]
    fn invisible_characters_change_nothing(text in short_text(), which in prop::collection::vec(0usize..12, 1..20)) {
        const NOTHING: [&str; 12] = [
            "", "", "\u{200b}", "\u{200d}", "\u{ad}", "\u{fe0f}", "\u{feff}", "\u{2060}", "\u{202e}",
            "\u{301}", "\u{334}\u{301}\u{302}", "\u{e0041}",
        ];
        let fill = |(c, nothing): (char, &usize)| format!("{c}{}", NOTHING[*nothing]);
        let filled: String = text.chars().zip(which.iter().cycle()).map(fill).collect();
        prop_assume!(filled.len() < 16_000);
        prop_assert_eq!(difference(&facts_of_text(&text), &facts_of_text(&filled)), NONE);
    }

    /// Half of a surrogate pair parts words and hides nothing; neither does a backslash that begins no escape.
    #[test]
    fn halves_of_pairs_part_words(fragments in fragments(8), half in 0xd800u32..0xe000) {
        let text = join(&fragments);
        let inside = format!("{0}\\u{half:04x}{0}", escape(&text, Style::Ascii));
        let mut body = Body { bytes: format!("\"{inside}\"").into_bytes(), ..Body::default() };
        let span = ratelimit_guard_core::prompt::fields::Span { start: 0, end: body.bytes.len() as u32 };
        body.pieces.push(Piece { span, role: Role::User, turn: 0, escaped: true });
        let is_pair = |c: Option<char>| c.is_some_and(|c| c > '\u{ffff}');
        prop_assume!(!is_pair(text.chars().next()) && !is_pair(text.chars().last()));
        let wanted = facts_of_text(&[&text, "\u{fffd}", &text].concat());
        prop_assert_eq!(difference(&facts_of(&body.bytes, &body.pieces), &wanted), NONE);
    }

    /// An answer is recognised however it is written when it comes back, also where its opening ends inside of a word.
    #[test]
    fn answers_are_recognised(
        kind in any::<u8>(),
        pick in any::<u32>(),
        start in OPENING - 22..OPENING + 8,
        style in style(),
    ) {
        let filler: String = "ab \n".chars().cycle().take(start).collect();
        let long = "ம".repeat(start / 60).to_string() + " ";
        for text in [filler + &fragment(kind, pick) + "\n後 é", long.repeat(20) + &fragment(kind, pick)] {
            let sent = answer(text.as_bytes(), &secret(), &mut Scratch::default());
            let mut body = Body::default();
            body.push(Role::Assistant, 0, &text, style);
            let back = facts_of(&body.bytes, &body.pieces).answers[0];
            prop_assert_eq!((sent.hash, sent.words), (back.hash, back.words));
        }
    }

    /// A conversation has the same number with its first turn alone and when it goes on.
    #[test]
    fn conversations_are_recognised(text in short_text(), more in short_text(), style in style()) {
        let alone = facts_in_roles(&[(Role::User, text.clone())], style);
        let later = [(Role::User, text.clone()), (Role::Assistant, more.clone()), (Role::User, more)];
        let later = facts_in_roles(&later, Style::Mixed);
        prop_assert_eq!(alone.conversation, later.conversation);
        prop_assert_eq!(later.answers.len(), 1);
        let link = later.answers[0].link;
        prop_assert_eq!(link == 0, link == 0 && later.answers[0].words == 0);
    }
}

/// A long conversation keeps its eight answers when the client writes every letter beyond ASCII by its number.
#[test]
fn escapes_cost_no_answers() {
    let words = ["маяк ", "корабль ", "сторожа ", "считала ", "письмо "];
    let text = |turn: usize| (0..120).map(|place| words[(turn + place * (turn + 1)) % 5]).collect::<String>();
    let role = |turn: usize| [Role::User, Role::Assistant][turn % 2];
    let turns: Vec<_> = (0..17).map(|turn| (role(turn), text(turn))).collect();
    let (raw, escaped) = (facts_in_roles(&turns, Style::Raw), facts_in_roles(&turns, Style::Ascii));
    assert_eq!((raw.answers.len(), escaped.answers.len()), (8, 8));
    assert_eq!(difference(&raw, &escaped), NONE);
}

/// Whether the parts of a character have no room in its fold, and the last ones are cut, as documented.
fn is_cut(character: char) -> bool {
    character.nfkd().map(|part| fold(part).len()).sum::<usize>() > MAX_FOLD
}

/// Canonically equivalent characters have the same words (Unicode Standard Annex 15, NFD); Hangul stays whole, and what
/// has no room is cut, as documented.
#[test]
fn canonical_equivalents_are_one() {
    let differs = |c: &char| words_of(&c.to_string()) != words_of(&c.nfd().collect::<String>());
    let wrong: Vec<char> =
        (char::MIN..=char::MAX).filter(|c| !('가'..='힣').contains(c) && !is_cut(*c)).filter(differs).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A character that stands for two letters keeps both: there is room for two of any script with spaces.
#[test]
fn two_letters_have_room() {
    let is_starter = |c: &char| canonical_combining_class(*c) == 0;
    let letters = |c: char| c.nfkd().filter(is_starter).collect::<Vec<_>>();
    let is_pair = |c: &char| letters(*c).len() == 2 && letters(*c).iter().all(|c| c.is_alphanumeric());
    let differs = |c: &char| words_of(&c.to_string()) != words_of(&letters(*c).into_iter().collect::<String>());
    let candidates = (char::MIN..=char::MAX).filter(|c| !('가'..='힣').contains(c) && !is_cut(*c));
    let wrong: Vec<char> = candidates.filter(is_pair).filter(differs).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Upper and lower case of every character have the same words; an iota below a letter is a mark, and vanishes in lower
/// case only.
#[test]
fn cases_are_one() {
    let differs = |c: &char| {
        let lower = words_of(&c.to_lowercase().collect::<String>());
        lower != words_of(&c.to_string()) || lower != words_of(&c.to_uppercase().collect::<String>())
    };
    let candidates = (char::MIN..=char::MAX).filter(|c| !c.nfd().any(|part| part == '\u{345}'));
    let wrong: Vec<char> = candidates.filter(differs).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Bytes that no UTF-8 holds part words: longer forms than needed (Unicode Standard, table 3-7), halves of pairs, what
/// lies beyond the last character, and what is cut off.
#[test]
fn bytes_that_are_no_characters_part_words() {
    let forms: [&[u8]; 12] = [
        b"\xc0\xaf",
        b"\xc1\xa1",
        b"\xe0\x81\xa1",
        b"\xe0\x9f\xbf",
        b"\xf0\x80\x81\xa1",
        b"\xf0\x8f\xbf\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xe4\xb8",
        b"\xff",
    ];
    for form in forms {
        let text = |middle: &[u8]| [b"one two", middle, b"three four"].concat();
        assert_eq!(sketch(&text(form)), sketch(&text(b" ")), "{form:x?}");
    }
}

/// The rules of the spelling, character by character.
#[test]
fn spellings_are_these() {
    let cases: &[(&str, &[&str])] = &[
        ("Écrire un RÉSUMÉ", &["ecrire", "un", "resume"]),
        ("ｅ\u{301}ｘ", &["ex"]),
        ("Z\u{336}\u{334}a\u{301}\u{302}lgo", &["zalgo"]),
        ("ﬁne ﬃ ㎏ ½", &["fine", "ffi", "kg", "1", "2"]),
        ("漢字かな", &["漢", "字", "か", "な"]),
        ("ภาษา", &["ภ", "า", "ษ", "า"]),
        ("안녕 하세요", &["안녕", "하세요"]),
        ("the漢字test", &["the", "漢", "字", "test"]),
        ("hi👩‍💻there", &["hi", "👩", "💻", "there"]),
        ("zero\u{200b}width so\u{ad}ft", &["zerowidth", "soft"]),
        ("ПРИВЕТ, Мир", &["привет", "мир"]),
        ("snake_case-word don't", &["snake_case", "word", "don", "t"]),
        ("मुझे कहानी", &["मुझे", "कहानी"]),
        ("a→b", &["a", "b"]),
        ("", &[]),
    ];
    for (text, wanted) in cases {
        assert_eq!(words_of(text), wanted.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), "{text}");
    }
}
