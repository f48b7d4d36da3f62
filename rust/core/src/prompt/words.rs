//! Normal text into words, and words into keyed hashes.
//!
//! A word is a run of ASCII letters, digits, underscores and bytes beyond ASCII; [`normalize`](super::normalize) has
//! set apart what scripts without spaces would run together. A vector pass makes a bit of each byte's class, so that
//! the edges of words are the edges of runs of bits; the rest costs per word, not per byte.

use super::capability::Lexicon;
use super::fold::SEPARATOR;
use crate::hash::{Seed, mix};
use std::sync::OnceLock;

/// Longest word in bytes. What is longer is no word (base64, code without breaks) and is cut where its own bytes say,
/// about every eight: the same passage gives the same pieces wherever it stands.
pub const MAX_WORD: usize = 32;
const MIN_PIECE: usize = 4;
const CUT_BITS: u32 = 3;

/// Digits in the word, more than [`LONG`] bytes, or inside double quotes: what a template fills in.
pub const SLOT: u8 = 1;
/// A line or sentence ends before the word.
pub const BREAK: u8 = 2;
const LONG: usize = 12;

const BLOCK: usize = 64;
/// Bytes of normal text whose words stand for a whole turn of a conversation.
pub const OPENING: usize = 20 * BLOCK;

/// Secrets of word hashes.
#[derive(Clone, Debug)]
pub struct Keys {
    factors: [u64; 4],
    /// Made at first use: who sketches one text needs none.
    lexicon: OnceLock<Box<Lexicon>>,
}

impl Keys {
    /// Odd numbers from a seed; the multiplications need no better.
    pub fn new(seed: Seed) -> Self {
        let [low, high] = seed.0;
        let factors = [1, 2, 3, 4].map(|number| mix(low ^ mix(high.wrapping_add(number))) | 1);
        Self { factors, lexicon: OnceLock::new() }
    }

    /// Words that tell what is asked.
    pub(super) fn lexicon(&self) -> &Lexicon {
        self.lexicon.get_or_init(|| Box::new(Lexicon::new(self)))
    }
}

/// The words of one or more texts, in order. Reused, so that nothing is allocated once it is warm.
#[derive(Debug, Default)]
pub struct Words {
    count: usize,
    // These only grow; what lies beyond the count is left over.
    hashes: Vec<u64>,
    masked: Vec<u64>,
    flags: Vec<u8>,
    /// Words whose masked hash is another one: few, so the rest is copied.
    with_digits: Vec<(usize, u64)>,
}

impl Words {
    /// 64-bit hash of each word.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes[..self.count]
    }

    /// The same with every digit as `0`; of words that were cut with `DETAIL`.
    pub fn masked(&self) -> &[u64] {
        &self.masked[..self.count]
    }

    /// [`SLOT`] and [`BREAK`] of each word; of words that were cut with `DETAIL`.
    pub fn flags(&self) -> &[u8] {
        &self.flags[..self.count]
    }

    /// Forget all words.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Forget all but the last `most` words; of these only the hashes are kept. Returns how many are forgotten.
    pub fn keep_last(&mut self, most: usize) -> usize {
        let forgotten = self.count.saturating_sub(most);
        self.hashes.copy_within(forgotten..self.count, 0);
        self.count -= forgotten;
        forgotten
    }

    /// Of the words from `start` on keep at most `most`: three quarters from the front and the rest from the back.
    /// Returns how many are forgotten.
    pub fn keep_ends(&mut self, start: usize, most: usize) -> usize {
        let forgotten = (self.count - start).saturating_sub(most);
        if forgotten > 0 {
            let joint = start + most - most / 4;
            self.hashes.copy_within(joint + forgotten..self.count, joint);
            self.masked.copy_within(joint + forgotten..self.count, joint);
            self.flags.copy_within(joint + forgotten..self.count, joint);
            self.flags[joint] |= BREAK;
            self.count -= forgotten;
        }
        forgotten
    }

    /// Append the words of `text`, which is padded. Without `DETAIL` only their hashes. Returns how many of them end
    /// in the first [`OPENING`] bytes.
    #[inline(always)]
    pub fn cut<const DETAIL: bool>(&mut self, text: &mut Vec<u8>, keys: &Keys) -> usize {
        let length = text.len();
        if length == 0 {
            return 0;
        }
        let room = self.count + length / 2 + 1;
        text.resize(length.next_multiple_of(BLOCK) + BLOCK, SEPARATOR);
        grow(&mut self.hashes, room);
        if DETAIL {
            grow(&mut self.masked, room);
            grow(&mut self.flags, room);
            self.with_digits.clear();
        }
        let mut out = Out {
            at: self.count,
            hashes: &mut self.hashes,
            flags: &mut self.flags,
            with_digits: &mut self.with_digits,
            text,
            keys,
        };
        let opening = out.push_all::<DETAIL>();
        let (start, end) = (self.count, out.at);
        if DETAIL {
            self.masked[start..end].copy_from_slice(&self.hashes[start..end]);
            for &(place, masked) in &self.with_digits {
                self.masked[place] = masked;
            }
        }
        self.count = end;
        opening - start
    }
}

/// Make room without ever giving it back.
#[inline(always)]
fn grow<T: Clone + Default>(room: &mut Vec<T>, most: usize) {
    if room.len() < most {
        room.resize(most, T::default());
    }
}

/// Where words are written, and what they are made of.
struct Out<'a> {
    at: usize,
    hashes: &'a mut [u64],
    flags: &'a mut [u8],
    with_digits: &'a mut Vec<(usize, u64)>,
    text: &'a [u8],
    keys: &'a Keys,
}

/// A word's first byte, and what stands before it.
#[derive(Clone, Copy, Default)]
struct Start {
    at: usize,
    quoted: bool,
    broken: bool,
}

impl Out<'_> {
    #[inline(always)]
    fn push_all<const DETAIL: bool>(&mut self) -> usize {
        let mut opening = None;
        let mut open = None;
        let (mut quoted, mut digit, mut soft) = (0, 0, 0);
        let (mut ended, mut with_digit) = (false, false);
        for (number, block) in self.text.as_chunks::<BLOCK>().0.iter().enumerate() {
            let bits = if DETAIL { classify(block) } else { [is_letter(block), 0, 0, 0, 0, 0, 0, 0] };
            let [letters, digits, quotes, hard, soft_ends, spaces, ..] = bits;
            let (mut digits_end, mut inside, mut broken) = (0, 0, 0);
            if DETAIL {
                inside = parity(quotes) ^ quoted;
                quoted = (inside as i64 >> 63) as u64;
                // "1. item" and "3.5 percent" end nothing.
                let softs = soft_ends & !(digits << 1 | digit);
                let ends = hard | spaces & (softs << 1 | soft);
                (digit, soft) = (digits >> 63, softs >> 63);
                (digits_end, with_digit) = carry(letters, digits, with_digit);
                (broken, ended) = carry(!letters, ends, ended);
            }
            let before = letters << 1 | u64::from(open.is_some());
            let (mut starts, mut ends) = (letters & !before, !letters & before);
            let base = number * BLOCK;
            if base == OPENING {
                opening = Some(self.at);
            }
            let take = |starts: &mut u64| {
                let bit = *starts & starts.wrapping_neg();
                let at = base + starts.trailing_zeros() as usize;
                *starts ^= bit;
                Start { at, quoted: inside & bit != 0, broken: broken & bit != 0 }
            };
            while ends != 0 {
                let start = open.take().unwrap_or_else(|| take(&mut starts));
                let digits = digits_end & ends & ends.wrapping_neg() != 0;
                self.push_run::<DETAIL>(start, base + ends.trailing_zeros() as usize, digits);
                ends &= ends - 1;
            }
            if starts != 0 {
                open = Some(take(&mut starts));
            }
        }
        opening.unwrap_or(self.at)
    }

    #[inline(always)]
    fn push_run<const DETAIL: bool>(&mut self, start: Start, end: usize, digits: bool) {
        if end - start.at <= MAX_WORD {
            self.push::<DETAIL>(start, end, digits);
        } else {
            self.push_pieces::<DETAIL>(start, end);
        }
    }

    #[inline(always)]
    fn push<const DETAIL: bool>(&mut self, start: Start, end: usize, digits: bool) {
        let length = end - start.at;
        let first = load(self.text, start.at, length.min(16));
        let mut word = hash(first, self.keys);
        if length > 16 {
            word = hash_more(word, load(self.text, start.at + 16, length - 16), self.keys);
        }
        self.hashes[self.at] = word;
        if DETAIL {
            let slot = digits || start.quoted || length > LONG;
            self.flags[self.at] = (u8::from(slot) * SLOT) | (u8::from(start.broken) * BREAK);
            if digits {
                let mut masked = hash((mask(first.0), mask(first.1)), self.keys);
                if length > 16 {
                    let (low, high) = load(self.text, start.at + 16, length - 16);
                    masked = hash_more(masked, (mask(low), mask(high)), self.keys);
                }
                self.with_digits.push((self.at, masked));
            }
        }
        self.at += 1;
    }

    /// Cut a run that is no word where a hash of four of its bytes has three zero bits (content-defined chunking;
    /// Muthitacharoen, Chen and Mazières, 2001).
    #[inline(never)]
    fn push_pieces<const DETAIL: bool>(&mut self, start: Start, end: usize) {
        let mut piece = start;
        let text = self.text;
        // The first place where a piece may end is the last byte of the first four.
        for (four, at) in text[start.at..end].windows(MIN_PIECE).zip(start.at + MIN_PIECE - 1..) {
            let length = at + 1 - piece.at;
            let four = four.first_chunk().copied().unwrap_or_default();
            let hash = u32::from_le_bytes(four).wrapping_mul(self.keys.factors[3] as u32);
            let cut = hash >> (32 - CUT_BITS) == 0 && length >= MIN_PIECE;
            if cut || length == MAX_WORD || at + 1 == end {
                // Quoted or not, it is a slot; and no digits are masked where nobody wrote a number.
                self.push::<DETAIL>(Start { quoted: true, ..piece }, at + 1, false);
                piece = Start { at: at + 1, ..Start::default() };
            }
        }
    }
}

/// Bits of each class of 64 bytes, the first byte's lowest: letters, digits, quotes, hard and soft ends, spaces.
#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> [u64; 8] {
    let mut class = [0; BLOCK]; // plain loops: the methods of arrays do not become vector instructions
    for (class, &byte) in class.iter_mut().zip(block) {
        let digit = byte.is_ascii_digit();
        let hard = byte == b'\n' || byte == b'!' || byte == b'?';
        let soft = byte == b'.' || byte == b';' || byte == b':';
        let space = byte == b' ' || byte == b'\t' || byte == b'\r';
        *class = u8::from(letter(byte))
            | u8::from(digit) << 1
            | u8::from(byte == b'"') << 2
            | u8::from(hard) << 3
            | u8::from(soft) << 4
            | u8::from(space) << 5;
    }
    let mut rows = [0; 8];
    for (row, eight) in rows.iter_mut().zip(class.as_chunks::<8>().0) {
        *row = transpose(u64::from_le_bytes(*eight));
    }
    // Rows of eight bytes become columns: blocks of four by four change places, then of two by two, then single bytes.
    for (distance, keep) in [(4, 0x0000_0000_ffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff)] {
        for place in 0..8 {
            if place & distance == 0 {
                let (upper, lower) = (rows[place], rows[place + distance]);
                rows[place] = upper & keep | (lower & keep) << (8 * distance);
                rows[place + distance] = (upper >> (8 * distance)) & keep | lower & !keep;
            }
        }
    }
    rows
}

/// The bits of letters alone.
#[inline(always)]
fn is_letter(block: &[u8; BLOCK]) -> u64 {
    let mut tops = [0; BLOCK];
    for (top, &byte) in tops.iter_mut().zip(block) {
        *top = u8::from(letter(byte)) << 7;
    }
    let mut bits = 0;
    for eight in tops.as_chunks::<8>().0 {
        // The product's high half begins with the eight top bits side by side.
        let product = u128::from(u64::from_le_bytes(*eight)) * 0x0204_0810_2040_8100;
        bits = bits >> 8 | ((product >> 64) as u64) << 56;
    }
    bits
}

#[inline(always)]
fn letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte >= 0x80 || byte == b'_'
}

/// Rows and columns of eight by eight bits exchanged (Warren, Hacker's Delight, section 7-3).
#[inline(always)]
fn transpose(mut bits: u64) -> u64 {
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let swap = (bits ^ (bits >> shift)) & mask;
        bits ^= swap ^ (swap << shift);
    }
    bits
}

/// Each bit becomes the parity of itself and all lower ones: what stands between an odd and an even quote.
#[inline(always)]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// From each mark in a run of ones a carry ripples to the first zero behind the run: the bits where one arrives.
/// `carried` says that one came out of the last 64 bits, and the answer's second half that one goes on.
#[inline(always)]
fn carry(runs: u64, marks: u64, carried: bool) -> (u64, bool) {
    let (sum, over) = runs.overflowing_add(marks & runs);
    let (sum, over_too) = sum.overflowing_add(u64::from(carried));
    (sum & !runs, over | over_too)
}

/// Sixteen bytes in two halves, zero from `length` on. No word holds a zero byte, so lengths need no hashing.
#[inline(always)]
fn load(text: &[u8], at: usize, length: usize) -> (u64, u64) {
    const KEEP: [u64; 17] = {
        let mut keep = [u64::MAX; 17];
        let mut length = 0;
        while length < 8 {
            keep[length] = (1 << (8 * length)) - 1;
            length += 1;
        }
        keep
    };
    let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) else { return (0, 0) };
    let both = u128::from_le_bytes(*bytes);
    (both as u64 & KEEP[length], (both >> 64) as u64 & KEEP[length.saturating_sub(8)])
}

/// Every digit of eight bytes becomes `0`.
#[inline(always)]
fn mask(half: u64) -> u64 {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let values = half ^ ZEROS;
    // A byte's top bit stays clear when its value is below ten.
    let above = ((values & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | values;
    let digits = ((!above & 0x8080_8080_8080_8080) >> 7) * 0xff;
    half & !digits | ZEROS & digits
}

/// The high and the low half of a product, as in wyhash (Wang Yi, 2019): with secret factors nobody outside can aim at
/// a value.
#[inline(always)]
fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn hash((low, high): (u64, u64), keys: &Keys) -> u64 {
    multiply(low ^ keys.factors[0], high ^ keys.factors[1])
}

#[inline(always)]
fn hash_more(head: u64, (low, high): (u64, u64), keys: &Keys) -> u64 {
    multiply(head ^ low, high ^ keys.factors[2])
}
