//! One spelling for a character: what case, width, accents and invisible marks cannot change.
//!
//! A character folds by itself, whatever stands beside it, so a text folds in one pass and cannot grow without bound:
//! compatibility decomposition (Unicode Standard Annex 15, NFKD) without its combining marks, then lower, upper and
//! lower case. So é, e + U+0301 and ｅ́ fold to `e`, and marks heaped on a letter fold to nothing. Hangul syllables
//! stay whole: their parts are no accents. Letters of scripts without spaces, and symbols, become words of one
//! character.

use std::sync::OnceLock;
use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

/// Parts the words that no space parts. Nothing else is made of it.
pub const SEPARATOR: u8 = 0x1f;

/// Bytes that one character can fold to: seven hold two letters of any script, and with their number they are one
/// machine word. What is longer (a few hundred ligatures of whole words, a dozen letters of three parts) is cut,
/// always at the same place.
pub const MAX_FOLD: usize = 7;

/// The bytes that stand for a character; the last one says how many there are, so that one store copies all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fold([u8; MAX_FOLD + 1]);

const PAGE: usize = 256;
/// The planes that hold nearly all letters; beyond them are rare ideographs and what nobody has assigned.
const PLANES: usize = 2 << 16;

/// Each page is computed when its first character appears: about 12 µs and 2 KiB; all 512 take 6 ms and 1 MiB.
static TABLE: [OnceLock<Box<[Fold; PAGE]>>; PLANES / PAGE] = [const { OnceLock::new() }; PLANES / PAGE];

/// The fold of a character. Cost: two loads, once its page is there.
#[inline(always)]
pub fn fold(character: char) -> Fold {
    let code = character as usize;
    let Some(page) = TABLE.get(code / PAGE) else { return beyond(character) };
    let page = match page.get() {
        Some(page) => page,
        None => first_use(code / PAGE),
    };
    page[code % PAGE]
}

/// Variants of ideographs are looked up one by one, the rest are words by themselves.
#[inline(never)]
fn beyond(character: char) -> Fold {
    match character as u32 {
        0x2_f800..=0x2_fa1f | 0xe_0000.. => compute(character),
        _ => {
            let mut fold = Fold::default();
            fold.push_word(character);
            fold
        }
    }
}

#[cold]
#[inline(never)]
fn first_use(number: usize) -> &'static [Fold; PAGE] {
    TABLE[number].get_or_init(|| compute_page(number))
}

fn compute_page(number: usize) -> Box<[Fold; PAGE]> {
    let mut page = Box::new([Fold::default(); PAGE]);
    for (place, fold) in page.iter_mut().enumerate() {
        if let Some(character) = char::from_u32((number * PAGE + place) as u32) {
            *fold = compute(character);
        }
    }
    page
}

/// The rule itself.
pub fn compute(character: char) -> Fold {
    let mut fold = Fold::default();
    if is_hangul(character) {
        fold.push(character);
        return fold;
    }
    decompose_compatible(character, |part| {
        if canonical_combining_class(part) != 0 {
            return;
        }
        for lower in part.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase) {
            fold.append(lower);
        }
    });
    fold
}

impl Fold {
    /// The bytes, and behind them nothing of meaning.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8; MAX_FOLD + 1] {
        &self.0
    }

    /// How many there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        usize::from(self.0[MAX_FOLD])
    }

    /// Whether the character leaves no trace.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is a word by itself: then a separator stands before and behind it.
    #[inline(always)]
    pub fn is_word(&self) -> bool {
        self.0[0] == SEPARATOR
    }

    fn append(&mut self, character: char) {
        match character {
            c if is_ignorable(c) => {}
            c if c.is_ascii() => self.push(c),
            c if is_spaceless(c) => self.push_word(c),
            c if c.is_alphanumeric() || is_vowel_sign(c) => self.push(c),
            '。' | '｡' | '…' | '\u{2028}' | '\u{2029}' | '\u{85}' => self.push('\n'),
            '“' | '”' | '„' | '‟' | '«' | '»' => self.push('"'),
            c if is_punctuation(c) => self.push(' '),
            c => self.push_word(c),
        }
    }

    fn push(&mut self, character: char) {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes).as_bytes();
        let (start, end) = (self.len(), self.len() + text.len());
        if end <= MAX_FOLD {
            self.0[start..end].copy_from_slice(text);
            self.0[MAX_FOLD] = end as u8;
        }
    }

    fn push_word(&mut self, character: char) {
        self.push(SEPARATOR as char);
        self.push(character);
        self.push(SEPARATOR as char);
    }
}

fn is_hangul(c: char) -> bool {
    ('\u{ac00}'..='\u{d7a3}').contains(&c)
}

/// Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, kana, Bopomofo, Yi, Han.
fn is_spaceless(c: char) -> bool {
    let script = matches!(c as u32,
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3100..=0x312f | 0x31a0..=0x31bf
        | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa000..=0xa48f | 0xf900..=0xfaff
        | 0x1_b000..=0x1_b16f | 0x2_0000..=0x3_ffff);
    script && (c.is_alphanumeric() || is_vowel_sign(c))
}

/// Marks of Indic scripts that carry a vowel; a few of them are not alphabetic to Unicode.
fn is_vowel_sign(c: char) -> bool {
    matches!(c as u32, 0x0900..=0x0dff | 0x0e31..=0x0e4e | 0x0eb1..=0x0ecd | 0x102b..=0x103e | 0x17b4..=0x17d3)
}

/// Blocks of punctuation and spaces; beyond them, what is neither letter nor number counts as a symbol.
fn is_punctuation(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c as u32,
            0x00a0..=0x00bf | 0x02b0..=0x02ff | 0x2000..=0x206f | 0x2190..=0x21ff | 0x2500..=0x257f | 0x2e00..=0x2e7f
            | 0x3000..=0x303f | 0x30fb | 0xe000..=0xf8ff | 0xfe10..=0xfe6f | 0xff00..=0xff65 | 0xfff0..=0xffff
            | 0xf_0000..)
}

/// Characters without ink (Default_Ignorable_Code_Point of Unicode 16).
fn is_ignorable(c: char) -> bool {
    matches!(c as u32,
        0x00ad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfff8
        | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff)
}
