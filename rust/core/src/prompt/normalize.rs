//! Raw text, or the inside of a JSON string, into one spelling: lower case, folded, escapes decoded.
//!
//! ASCII goes through in blocks; every other character by its [`fold`](super::fold). Bytes that are no UTF-8 part
//! words, so that nothing here can fail.

use super::escape::unescape;
use super::fold::{SEPARATOR, fold};

const BLOCK: usize = 32;

/// Append the normal form of `raw` to `out`, at most about `most` bytes. With `escaped`, backslashes are those of JSON.
/// Returns how many bytes of `raw` were read. Cost: about 0.05 ns per byte of ASCII, 3 ns per other character.
#[inline(always)]
pub fn normalize(raw: &[u8], escaped: bool, most: usize, out: &mut Vec<u8>) -> usize {
    let stop = out.len().saturating_add(most);
    let mut at = 0;
    while at < raw.len() && out.len() < stop {
        at += plain(&raw[at..], escaped, stop - out.len(), out);
        let (mut easy, mut after_word) = (0, false);
        while easy < BLOCK / 2 && out.len() < stop {
            let Some(&byte) = raw.get(at) else { break };
            let (character, length) = match byte {
                b'\\' if escaped => {
                    let (character, length) = unescape(&raw[at..]);
                    (character.unwrap_or(char::REPLACEMENT_CHARACTER), length)
                }
                0x80.. => decode(&raw[at..]),
                _ => {
                    out.push(byte.to_ascii_lowercase());
                    at += 1;
                    easy += 1;
                    after_word = false;
                    continue;
                }
            };
            push(character, &mut after_word, out);
            at += length;
            easy = 0;
        }
    }
    at
}

/// Copy the ASCII at the start of `raw` in lower case, up to a character that needs a closer look or `most` bytes.
/// Returns its length.
#[inline(always)]
fn plain(raw: &[u8], escaped: bool, most: usize, out: &mut Vec<u8>) -> usize {
    let mark = if escaped { b'\\' } else { 0x80 };
    let special = |byte: u8| byte >= 0x80 || byte == mark;
    let raw = &raw[..raw.len().min(most)];
    let mut length = 0;
    for block in raw.as_chunks::<BLOCK>().0 {
        let mut any = false;
        for &byte in block {
            any |= special(byte);
        }
        if any {
            break;
        }
        length += BLOCK;
    }
    while length < raw.len() && !special(raw[length]) {
        length += 1;
    }
    let start = out.len();
    out.extend_from_slice(&raw[..length]);
    out[start..].make_ascii_lowercase();
    length
}

/// Between two words of one character one separator is enough.
#[inline(always)]
fn push(character: char, after_word: &mut bool, out: &mut Vec<u8>) {
    if character.is_ascii() {
        out.push(character.to_ascii_lowercase() as u8);
        *after_word = false;
        return;
    }
    let folded = fold(character);
    let start = out.len() - usize::from(*after_word && folded.is_word());
    out.truncate(start);
    out.extend_from_slice(folded.bytes());
    out.truncate(start + folded.len());
    *after_word = folded.is_word() || (*after_word && folded.is_empty());
}

/// The first character of `raw` and its length in bytes; a byte that begins none is a separator.
#[inline(always)]
fn decode(raw: &[u8]) -> (char, usize) {
    const NONE: (char, usize) = (SEPARATOR as char, 1);
    let more = |byte: u8| byte & 0xc0 == 0x80;
    let bits = |byte: u8| u32::from(byte & 0x3f);
    match *raw {
        [a @ 0xc2..=0xdf, b, ..] if more(b) => {
            (char::from_u32(u32::from(a & 0x1f) << 6 | bits(b)).unwrap_or(NONE.0), 2)
        }
        [a @ 0xe0..=0xef, b, c, ..] if more(b) && more(c) => {
            let code = u32::from(a & 0x0f) << 12 | bits(b) << 6 | bits(c);
            (char::from_u32(code).filter(|&c| c > '\u{7ff}').unwrap_or(NONE.0), 3)
        }
        [a @ 0xf0..=0xf4, b, c, d, ..] if more(b) && more(c) && more(d) => {
            let code = u32::from(a & 0x07) << 18 | bits(b) << 12 | bits(c) << 6 | bits(d);
            (char::from_u32(code).filter(|&c| c > '\u{ffff}').unwrap_or(NONE.0), 4)
        }
        _ => NONE,
    }
}
