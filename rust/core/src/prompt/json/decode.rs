//! What strings mean.

use super::text_end;
use crate::prompt::dialect::MAX_KEY;
use crate::prompt::escape::unescape;
use crate::prompt::fields::Span;

/// Append what the inside of a string means. Lone surrogates become U+FFFD, and so does what is no JSON.
/// Cost: a copy; allocates when `out` has no room.
pub fn decode(mut raw: &[u8], out: &mut String) {
    while let Some(at) = backslash(raw) {
        copy(&raw[..at], out);
        let (character, length) = unescape(&raw[at..]);
        out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        raw = &raw[at + length..];
    }
    copy(raw, out);
}

fn backslash(raw: &[u8]) -> Option<usize> {
    let mut at = text_end(raw, 0);
    while *raw.get(at)? != b'\\' {
        at = text_end(raw, at + 1);
    }
    Some(at)
}

fn copy(raw: &[u8], out: &mut String) {
    match simdutf8::basic::from_utf8(raw) {
        Ok(text) => out.push_str(text),
        Err(_) => out.push_str(&String::from_utf8_lossy(raw)),
    }
}

/// Ask for a name, escaped or not, as it reads after its escapes.
#[inline(always)]
pub(crate) fn named<T>((raw, escaped): (&[u8], bool), ask: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    if !escaped {
        return ask(raw);
    }
    // A character of four bytes may begin within the bound.
    let mut room = [0; MAX_KEY + 4];
    ask(decode_short(raw, &mut room)?)
}

/// What the inside of a short string means, as bytes; `None` when it does not fit or has a lone surrogate, which then
/// equals no name of ours.
fn decode_short<'r>(mut raw: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let mut used = 0;
    while let Some(first) = raw.first() {
        if *first == b'\\' {
            let (character, length) = unescape(raw);
            used += character?.encode_utf8(room.get_mut(used..used + 4)?).len();
            raw = &raw[length..];
        } else {
            *room.get_mut(used)? = *first;
            used += 1;
            raw = &raw[1..];
        }
    }
    room.get(..used)
}

/// The bytes of a value: of a string those between its quotes, with their escapes.
pub fn inside(body: &[u8], span: Span) -> &[u8] {
    let value = body.get(span.range()).unwrap_or_default();
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// Write the text of a value over `out`: of a string what it means, of anything else its JSON.
pub fn text(body: &[u8], span: Span, out: &mut String) {
    out.clear();
    let value = body.get(span.range()).unwrap_or_default();
    if value.starts_with(b"\"") { decode(inside(body, span), out) } else { copy(value, out) }
}
