//! The slow twin of spelling and cutting: character by character, byte by byte. Obviously right.
#![allow(dead_code)]

use ratelimit_guard_core::prompt::fold::MAX_FOLD;
use std::ops::RangeInclusive;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

const SEPARATOR: u8 = 0x1f;

/// A character of raw text, or a byte that is none.
pub struct Unit {
    pub character: Option<char>,
    pub length: usize,
}

/// The characters of raw text. What is no UTF-8 is read byte by byte.
pub fn units(raw: &[u8], escaped: bool) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        let rest = &raw[at..];
        let (character, length) = if escaped && rest[0] == b'\\' { unescape(rest) } else { decode(rest) };
        units.push(Unit { character, length });
        at += length;
    }
    units
}

fn decode(raw: &[u8]) -> (Option<char>, usize) {
    let valid = (1..=raw.len().min(4)).find_map(|length| std::str::from_utf8(&raw[..length]).ok());
    (valid.and_then(|text| text.chars().next()), valid.map_or(1, str::len))
}

/// RFC 8259, section 7; half a pair is U+FFFD, and so is a backslash that begins no escape.
fn unescape(raw: &[u8]) -> (Option<char>, usize) {
    const SIMPLE: [(u8, char); 8] = [
        (b'"', '"'),
        (b'\\', '\\'),
        (b'/', '/'),
        (b'b', '\u{8}'),
        (b'f', '\u{c}'),
        (b'n', '\n'),
        (b'r', '\r'),
        (b't', '\t'),
    ];
    if let Some((_, meant)) = SIMPLE.iter().find(|(name, _)| raw.get(1) == Some(name)) {
        return (Some(*meant), 2);
    }
    let unit = |at: usize| {
        let escape = raw.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
        let digits = std::str::from_utf8(&escape[2..]).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(high), Some(low)) if String::from_utf16(&[high, low]).is_ok_and(|pair| pair.chars().count() == 1) => {
            (String::from_utf16(&[high, low]).unwrap().chars().next(), 12)
        }
        (Some(unit), _) => (Some(String::from_utf16_lossy(&[unit]).chars().next().unwrap()), 6),
        _ => (Some('\u{fffd}'), 1),
    }
}

/// The normal form of raw text, up to `most` bytes, and how much of the text it took. Two words of one character, side
/// by side where the text is no plain ASCII, share a separator.
pub fn normalize(raw: &[u8], escaped: bool, most: usize) -> (Vec<u8>, usize) {
    let (mut out, mut read, mut after_word) = (Vec::new(), 0, false);
    for unit in units(raw, escaped) {
        if out.len() >= most {
            break;
        }
        let folded = unit.character.map_or(vec![SEPARATOR], fold);
        let is_word = folded.len() > 1 && folded[0] == SEPARATOR;
        if is_word && after_word {
            out.pop();
        }
        after_word = is_word || after_word && folded.is_empty();
        out.extend(folded);
        read += unit.length;
    }
    (out, read)
}

/// Whole normal form, as a text comes to [`add_text`](ratelimit_guard_core::prompt::text::add_text).
pub fn normal(raw: &[u8]) -> Vec<u8> {
    normalize(raw, false, usize::MAX).0
}

/// What one character becomes; what no longer fits is left out.
pub fn fold(character: char) -> Vec<u8> {
    if character.is_ascii() {
        return character.to_lowercase().to_string().into_bytes();
    }
    let is_starter = |c: &char| canonical_combining_class(*c) == 0;
    let hangul = ('가'..='힣').contains(&character);
    let decomposed: Vec<char> = [character].into_iter().nfkd().filter(is_starter).collect();
    let cased = decomposed.into_iter().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let cased = cased.flat_map(char::to_lowercase).filter(is_starter);
    let mut out = Vec::new();
    for part in if hangul { character.to_string() } else { cased.flat_map(meaning).collect() }.chars() {
        if out.len() + part.len_utf8() <= MAX_FOLD {
            out.extend(part.to_string().bytes());
        }
    }
    out
}

fn meaning(c: char) -> Vec<char> {
    let sign = INDIC_SIGNS.iter().any(|block| block.contains(&(c as u32)));
    if NO_INK.iter().any(|block| block.contains(&(c as u32))) {
        vec![]
    } else if c.is_ascii() {
        vec![c]
    } else if SPACELESS.iter().any(|block| block.contains(&(c as u32))) && (sign || c.is_alphanumeric()) {
        vec![SEPARATOR as char, c, SEPARATOR as char]
    } else if sign || c.is_alphanumeric() {
        vec![c]
    } else if "。｡\u{2028}\u{2029}\u{85}".contains(c) {
        vec!['\n']
    } else if "“”„‟«»".contains(c) {
        vec!['"']
    } else if c.is_whitespace() || c.is_control() || PUNCTUATION.iter().any(|block| block.contains(&(c as u32))) {
        vec![' ']
    } else {
        vec![SEPARATOR as char, c, SEPARATOR as char]
    }
}

const NO_INK: [RangeInclusive<u32>; 18] = [
    0xad..=0xad,       // soft hyphen
    0x34f..=0x34f,     // grapheme joiner
    0x61c..=0x61c,     // Arabic letter mark
    0x115f..=0x1160,   // Hangul fillers
    0x17b4..=0x17b5,   // Khmer inherent vowels
    0x180b..=0x180f,   // Mongolian selectors
    0x200b..=0x200f,   // zero width
    0x202a..=0x202e,   // direction
    0x2060..=0x206f,   // joiners, isolates
    0x3164..=0x3164,   // Hangul filler
    0xfe00..=0xfe0f,   // variation selectors
    0xfeff..=0xfeff,   // byte order mark
    0xffa0..=0xffa0,   // halfwidth filler
    0xfff0..=0xfff8,   // unassigned
    0x1bca0..=0x1bca3, // shorthand
    0x1d173..=0x1d17a, // music
    0xe0000..=0xe007f, // tags
    0xe0080..=0xe0fff, // more selectors
];

const SPACELESS: [RangeInclusive<u32>; 17] = [
    0x0e00..=0x0e7f,   // Thai
    0x0e80..=0x0eff,   // Lao
    0x1000..=0x109f,   // Myanmar
    0x1780..=0x17ff,   // Khmer
    0x3040..=0x309f,   // hiragana
    0x30a0..=0x30ff,   // katakana
    0x3100..=0x312f,   // Bopomofo
    0x31a0..=0x31bf,   // Bopomofo extended
    0x31f0..=0x31ff,   // katakana extended
    0x3400..=0x4dbf,   // Han extension A
    0x4e00..=0x9fff,   // Han
    0xa000..=0xa48f,   // Yi
    0xf900..=0xfaff,   // Han compatibility
    0x1b000..=0x1b12f, // kana supplement
    0x1b130..=0x1b16f, // small kana
    0x20000..=0x2ffff, // Han, plane 2
    0x30000..=0x3ffff, // Han, plane 3
];

const INDIC_SIGNS: [RangeInclusive<u32>; 5] = [
    0x0900..=0x0dff, // Devanagari to Sinhala
    0x0e31..=0x0e4e, // Thai
    0x0eb1..=0x0ecd, // Lao
    0x102b..=0x103e, // Myanmar
    0x17b4..=0x17d3, // Khmer
];

const PUNCTUATION: [RangeInclusive<u32>; 13] = [
    0x00a0..=0x00bf,     // Latin-1
    0x02b0..=0x02ff,     // modifiers
    0x2000..=0x206f,     // general
    0x2190..=0x21ff,     // arrows
    0x2500..=0x257f,     // boxes
    0x2e00..=0x2e7f,     // supplemental
    0x3000..=0x303f,     // CJK
    0x30fb..=0x30fb,     // middle dot of katakana
    0xe000..=0xf8ff,     // private use
    0xfe10..=0xfe6f,     // vertical, small
    0xff00..=0xff65,     // fullwidth
    0xfff0..=0xffff,     // specials
    0xf0000..=0x10_ffff, // private use
];

/// The secrets of word hashes.
pub fn secrets(seed: [u64; 2]) -> [u64; 4] {
    [1, 2, 3, 4].map(|number: u64| mix(seed[0] ^ mix(low(u128::from(seed[1]) + u128::from(number)))) | 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub hash: u64,
    pub masked: u64,
    pub slot: bool,
    pub breaks: bool,
    /// Behind the last byte of the run that it is or is of.
    pub end: usize,
}

/// The words of a normal text.
pub fn words(text: &[u8], secrets: &[u64; 4]) -> Vec<Word> {
    let mut words = Vec::new();
    for (start, end) in runs(text) {
        let pieces = if end - start <= 32 { vec![(start, end)] } else { pieces(text, start, end, secrets) };
        for &(from, to) in &pieces {
            let word = &text[from..to];
            // A run that is cut is no number.
            let digits = pieces.len() == 1 && word.iter().any(u8::is_ascii_digit);
            let masked: Vec<u8> = word.iter().map(|b| if digits && b.is_ascii_digit() { b'0' } else { *b }).collect();
            words.push(Word {
                hash: word_hash(word, secrets),
                masked: word_hash(&masked, secrets),
                slot: digits || is_quoted(text, from) || word.len() > 12 || pieces.len() > 1,
                breaks: from == start && breaks(text, start),
                end,
            });
        }
    }
    words
}

/// Where letters begin and end.
fn runs(text: &[u8]) -> Vec<(usize, usize)> {
    let at = |place: usize| text.get(place).is_some_and(|byte| is_letter(*byte));
    let starts = (0..text.len()).filter(|place| at(*place) && (*place == 0 || !at(place - 1)));
    starts.map(|start| (start, (start..).find(|end| !at(*end)).unwrap())).collect()
}

fn is_letter(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | 0x80..)
}

fn is_quoted(text: &[u8], at: usize) -> bool {
    text[..at].iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

/// Does a line or sentence end between the word before and the one that starts here?
fn breaks(text: &[u8], start: usize) -> bool {
    let gap = text[..start].iter().rev().take_while(|byte| !is_letter(**byte)).count();
    (start - gap..start).any(|at| {
        let before = |back: usize| at.checked_sub(back).map(|at| text[at]);
        let after_end =
            before(1).is_some_and(|b| b".;:".contains(&b)) && !before(2).is_some_and(|b| b.is_ascii_digit());
        b"\n!?".contains(&text[at]) || b" \t\r".contains(&text[at]) && after_end
    })
}

/// Cut behind four bytes whose hash begins with three zero bits, at least four and at most 32 bytes each.
fn pieces(text: &[u8], start: usize, end: usize, secrets: &[u64; 4]) -> Vec<(usize, usize)> {
    let mut cuts = vec![start];
    for to in start + 1..=end {
        let length = to - cuts.last().unwrap();
        let wants_cut = length >= 4 && {
            let four = u128::from(u32::from_le_bytes([text[to - 4], text[to - 3], text[to - 2], text[to - 1]]));
            four * u128::from(secrets[3]) % (1 << 32) < 1 << 29
        };
        if wants_cut || length == 32 || to == end {
            cuts.push(to);
        }
    }
    cuts.windows(2).map(|cut| (cut[0], cut[1])).collect()
}

/// wyhash's product of sixteen bytes and two secrets, and once more for the next sixteen.
pub fn word_hash(word: &[u8], secrets: &[u64; 4]) -> u64 {
    let eight =
        |place: usize| (0..8).map(|i| u64::from(*word.get(8 * place + i).unwrap_or(&0)) << (8 * i)).sum::<u64>();
    let fold = |a: u64, b: u64| low(u128::from(a) * u128::from(b)) ^ low((u128::from(a) * u128::from(b)) >> 64);
    let head = fold(eight(0) ^ secrets[0], eight(1) ^ secrets[1]);
    if word.len() > 16 { fold(head ^ eight(2), eight(3) ^ secrets[2]) } else { head }
}

pub fn low(value: u128) -> u64 {
    (value % (1 << 64)) as u64
}

/// The finaliser of SplitMix64.
pub fn mix(value: u64) -> u64 {
    let once = low(u128::from(value ^ value >> 30) * 0xbf58_476d_1ce4_e5b9);
    let twice = low(u128::from(once ^ once >> 27) * 0x94d0_49bb_1331_11eb);
    twice ^ twice >> 31
}
