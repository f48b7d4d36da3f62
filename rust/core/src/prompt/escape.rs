//! Escapes of JSON strings (RFC 8259, section 7).

use super::json::hex;

/// The character that the escape at the start of `raw` stands for, and the bytes it takes (at least one). No
/// character: half of a surrogate pair alone, or no escape, which a scanned body does not hold.
#[inline]
pub fn unescape(raw: &[u8]) -> (Option<char>, usize) {
    let simple = match raw.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte as char,
        Some(b'u') => return unescape_unit(raw),
        _ => return (None, 1),
    };
    (Some(simple), 2)
}

fn unescape_unit(raw: &[u8]) -> (Option<char>, usize) {
    let Some(high) = unit(raw) else { return (None, 1) };
    let low = raw.get(6..).and_then(unit);
    if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (high, low) {
        return (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12);
    }
    (char::from_u32(high), 6)
}

/// The sixteen bits of a `\uXXXX` at the start of `raw`.
pub(crate) fn unit(raw: &[u8]) -> Option<u32> {
    raw.strip_prefix(b"\\u").and_then(hex)
}
