//! Texts of every script, as prompts hold them and as nobody writes them; and bodies made of such texts.
#![allow(dead_code)]

use proptest::prelude::*;
use ratelimit_guard_core::prompt::fields::{Fields, Piece, Role, Span};
use std::fmt;

/// How many cases a property gets; twenty times as many when `RLG_SOAK` is set.
pub fn cases(usual: u32) -> ProptestConfig {
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 20 * usual } else { usual };
    ProptestConfig { cases, max_global_rejects: 10 * cases, failure_persistence: None, ..ProptestConfig::default() }
}

const WORDS: [&str; 24] = [
    "the",
    "a",
    "Write",
    "me",
    "of",
    "short",
    "summary",
    "SHALL",
    "x_1",
    "user",
    "__init__",
    "Please",
    "lighthouse",
    "twelve_bytes",
    "thirteenbytes",
    "fifteen_letters",
    "sixteen_letters_",
    "seventeen_letters",
    "answer",
    "and",
    "thirty_one_letters_in_this_word",
    "thirty_two_letters_are_in_a_word",
    "thirty_three_letters_in_this_word",
    "I",
];
const NUMBERS: [&str; 8] = ["0", "7", "42", "3.5", "1984-06-08", "1.", "item17", "0x9f"];
const ENDS: [&str; 16] =
    [". ", "! ", "? ", "; ", ": ", ".", "?", ":", "; ", ".\t", "...", " . ", "\n", "\n\n", "\r\n", ".\r"];
const MARKS: [&str; 14] = [",", "-", " - ", "(", ")", "'", "\"", "\"", "“", "”", "«", "\\", "/", "@"];
const HANGUL: [&str; 6] = ["안녕", "하세요", "글", "을", "써", "주세요"];
const THAI: [&str; 6] = ["เขียน", "เรื่อง", "สั้น", "ๆ", "ให้", "ฉัน"];
const ARABIC: [&str; 6] = ["اكتب", "قِصّة", "قصيرة", "لي", "٣", "؟"];
const INDIC: [&str; 8] = ["मुझे", "एक", "कहानी", "லிखு", "கதை", "ಕಥೆ", "কবিতা", "ตำ"];
const MARKED: [&str; 8] = ["é", "e\u{301}", "ñ", "Å", "n\u{303}\u{330}\u{334}", "a\u{301}\u{302}\u{303}", "ờ", "ï"];
const EMOJI: [&str; 8] = ["😀", "👩‍💻", "👍🏽", "🇫🇷", "❤\u{fe0f}", "1\u{fe0f}\u{20e3}", "🏴‍☠️", "→"];
const COMPATIBLE: [&str; 16] = ["ﬁ", "ﬃ", "ﷺ", "㎏", "½", "№", "㍿", "⑩", "ĳ", "ǆ", "㈠", "™", "ﬅ", "ﾊﾟ", "㏾", "ﷲ"];
const FULL: [&str; 8] = ["Ｗｒｉｔｅ", "ｍｅ", "１２", "！", "？", "．　", "＂", "ｶﾞ"];
const CASED: [&str; 8] = ["ΣΟΦΟΣ", "Москва", "straße", "İstanbul", "ნაწილი", "Ꭰꭰ", "ΐ", "ŉ"];
const CONTROLS: [&str; 10] =
    ["\0", "\u{1f}", "\u{7f}", "\u{b}", "\u{1b}[0m", "\u{85}", "\u{200b}", "\u{feff}", "\u{ad}", "\u{2028}"];
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__";

/// One word, sign or run; `pick` chooses it.
pub fn fragment(kind: u8, pick: u32) -> String {
    let of = |choices: &[&str]| choices[pick as usize % choices.len()].to_string();
    match kind % 24 {
        0..=4 => of(&WORDS),
        5 => of(&NUMBERS),
        6 | 7 => of(&ENDS),
        8 => of(&MARKS),
        9 => char::from_u32(0x4e00 + pick % 0x5000).unwrap().to_string(),
        10 => ["漢字", "。", "、", "ひらがな", "カタカナー", "人々", "〇", "𠀀"][pick as usize % 8].into(),
        11 => of(&HANGUL),
        12 => of(&THAI),
        13 => of(&ARABIC),
        14 => of(&INDIC),
        15 => of(&MARKED),
        16 => of(&EMOJI),
        17 => of(&COMPATIBLE),
        18 => of(&FULL),
        19 => of(&CASED),
        20 => of(&CONTROLS),
        21 => run(pick),
        22 => pick.to_string(),
        _ => char::from_u32(pick % 0x11_0000).unwrap_or(' ').to_string(),
    }
}

/// Base64 without a space, up to 200 bytes.
fn run(pick: u32) -> String {
    let mut state = u64::from(pick) | 1 << 40;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..next() % 200).map(|_| char::from(BASE64[next() % 64])).collect()
}

/// What a text is made of: kinds and picks, and whether a space follows.
pub type Fragments = Vec<(u8, u32, bool)>;

pub fn fragments(most: usize) -> impl Strategy<Value = Fragments> {
    prop::collection::vec((any::<u8>(), any::<u32>(), any::<bool>()), 0..most)
}

pub fn join(fragments: &Fragments) -> String {
    let text = |&(kind, pick, space)| fragment(kind, pick) + if space { " " } else { "" };
    fragments.iter().map(text).collect()
}

/// Up to about 3 KB.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![fragments(8), fragments(60), fragments(400)].prop_map(|fragments| join(&fragments))
}

/// 20 to 60 KB: the same kinds of fragments again and again, with other picks.
pub fn long_text() -> impl Strategy<Value = String> {
    (prop::collection::vec((any::<u8>(), any::<u32>(), any::<bool>()), 1..40), 20_000usize..60_000).prop_map(
        |(some, length)| {
            let mut text = String::new();
            for round in 0u32.. {
                for (kind, pick, space) in &some {
                    text += &fragment(*kind, pick.wrapping_add(round.wrapping_mul(0x9e37_79b9)));
                    text += if *space || kind % 24 < 5 { " " } else { "" };
                }
                text += " ";
                if text.len() >= length {
                    break;
                }
            }
            text
        },
    )
}

/// 15 to 40 KB of words of few bytes each, more than are read.
pub fn dense_text() -> impl Strategy<Value = String> {
    let choices = vec!["a ", "I ", "of ", "7 ", "42 ", "漢", "字", "ท", ". ", "\n", "x\ty ", "\"", "é ", "→"];
    let some = prop::collection::vec(prop::sample::select(choices), 1..12);
    (prop::collection::vec((some, 1usize..60), 1..20), 15_000usize..40_000).prop_map(|(parts, length)| {
        let text: String = parts.iter().map(|(some, times)| some.concat().repeat(*times)).collect();
        (0u32..)
            .map(|round| format!("{text}w{round} "))
            .scan(0, |sum, text| {
                *sum += text.len();
                (*sum < length + text.len()).then_some(text)
            })
            .collect()
    })
}

/// Text with bytes in it that no UTF-8 holds. None of the forms that only a strict reader refuses: they have a test of
/// their own.
pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let wild = prop::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| {
        let tame = |byte| if matches!(byte, 0xe0 | 0xed | 0xf0 | 0xf4) { byte ^ 0x02 } else { byte };
        bytes.into_iter().map(tame).collect::<Vec<u8>>()
    });
    prop::collection::vec((fragments(20), wild), 0..12).prop_map(|parts| {
        parts.iter().flat_map(|(some, wild)| [join(some).into_bytes(), wild.clone()].concat()).collect()
    })
}

/// How the characters of a JSON string are written.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As they are, where JSON lets them.
    Raw,
    /// Everything beyond ASCII by number, as many clients do.
    Ascii,
    /// Every character by number or name.
    All,
    /// Sometimes so, sometimes so.
    Mixed,
}

pub fn style() -> impl Strategy<Value = Style> {
    prop_oneof![Just(Style::Raw), Just(Style::Ascii), Just(Style::All), Just(Style::Mixed)]
}

/// The inside of a JSON string.
pub fn escape(text: &str, style: Style) -> String {
    let by_number =
        |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    let named = |c: char| {
        "\"\"\\\\//\u{8}b\u{c}f\nn\rr\tt".chars().collect::<Vec<_>>().chunks(2).find(|n| n[0] == c).map(|n| n[1])
    };
    let write = |(place, c): (usize, char)| {
        let must = c < ' ' || c == '"' || c == '\\';
        let wants = match style {
            Style::Raw => must,
            Style::Ascii => must || !c.is_ascii(),
            Style::All => true,
            Style::Mixed => must || place % 3 == 0,
        };
        match named(c) {
            Some(name) if wants && place % 2 == 0 => format!("\\{name}"),
            _ if wants => by_number(c),
            _ => c.to_string(),
        }
    };
    text.chars().enumerate().map(write).collect()
}

/// Strings of a body and where they stand.
#[derive(Clone, Default)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub pieces: Vec<Piece>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = |piece: &Piece| (piece.role, piece.turn, piece.escaped, piece.span.start, piece.span.end);
        let pieces: Vec<_> = self.pieces.iter().map(piece).collect();
        write!(f, "{:?} with {pieces:?}", String::from_utf8_lossy(&self.bytes))
    }
}

impl Body {
    pub fn push(&mut self, role: Role, turn: u32, text: &str, style: Style) {
        let inside = escape(text, style);
        let start = self.bytes.len() as u32;
        self.bytes.extend(format!("\"{inside}\"").bytes());
        let span = Span { start, end: self.bytes.len() as u32 };
        self.pieces.push(Piece { span, role, turn, escaped: inside.contains('\\') });
        self.bytes.push(b',');
    }

    pub fn fields(&self) -> Fields {
        fields(&self.pieces)
    }
}

pub fn fields(pieces: &[Piece]) -> Fields {
    let mut fields = Fields::default();
    fields.pieces.extend(pieces);
    fields
}

pub fn role() -> impl Strategy<Value = Role> {
    prop_oneof![2 => Just(Role::System), 4 => Just(Role::User), 3 => Just(Role::Assistant), 1 => Just(Role::Tool)]
}

/// A conversation of up to a dozen pieces, each the same turn as the one before or a new one.
pub fn body(text: impl Strategy<Value = String>) -> impl Strategy<Value = Body> {
    prop::collection::vec((role(), any::<bool>(), text, style()), 0..12).prop_map(|pieces| {
        let mut body = Body::default();
        let mut turn = 0;
        for (role, new, text, style) in pieces {
            turn += u32::from(new);
            body.push(role, turn, &text, style);
        }
        body
    })
}

/// Any spans of any bytes.
pub fn hostile_body() -> impl Strategy<Value = Body> {
    let piece = (any::<u16>(), any::<u16>(), role(), 0u32..4, any::<bool>());
    (bytes(), prop::collection::vec(piece, 0..40)).prop_map(|(bytes, pieces)| {
        let within = |place: u16| {
            if place & 15 == 0 { u32::from(place) << 16 } else { u32::from(place) % (bytes.len() as u32 + 2) }
        };
        let piece = |&(one, other, role, turn, escaped): &(u16, u16, Role, u32, bool)| {
            let (one, other) = (within(one), within(other));
            let (start, end) = if turn == 3 { (one, other) } else { (one.min(other), one.max(other)) };
            Piece { span: Span { start, end }, role, turn, escaped }
        };
        let pieces = pieces.iter().map(piece).collect();
        Body { bytes, pieces }
    })
}
