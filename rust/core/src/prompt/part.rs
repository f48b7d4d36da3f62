//! The text of a role, from its pieces in the body: head and tail where it is too long.

use super::fields::Piece;
use super::json::inside;
use super::normalize::normalize;

/// Bytes behind which a cut may fall: beyond it the text is all backslashes.
const SEARCH: usize = 64;
/// Longest escape that is no pair.
const ESCAPE: usize = 6;
/// Bytes of a text that is read whole whatever it folds to.
const SHORT: usize = 1 << 10;

/// Append the normal form of `pieces` to `out`, a line each: of at most `budget` bytes of the body, three quarters
/// from the start and the rest from the end. Returns how many bytes were left out.
#[inline(always)]
pub fn read(body: &[u8], pieces: impl Iterator<Item = Piece> + Clone, budget: usize, out: &mut Vec<u8>) -> usize {
    let total = length(body, pieces.clone());
    let (head, tail) = if total <= budget { (total, total) } else { (budget - budget / 4, total - budget / 4) };
    // A text may fold to several times its bytes; a short one is then still read to its end.
    let most = out.len() + 2 * budget + 4 * budget.min(SHORT);
    let (mut at, mut done) = (0, 0);
    for piece in pieces {
        let raw = inside(body, piece.span);
        let front = boundary(raw, head.saturating_sub(at));
        let back = boundary(raw, tail.saturating_sub(at)).max(front);
        for part in [&raw[..front], &raw[back..]] {
            if !part.is_empty() {
                done += normalize(part, piece.escaped, most.saturating_sub(out.len()), out);
                out.push(b'\n');
            }
        }
        at += raw.len();
    }
    total - done
}

/// Bytes of `pieces` in the body.
pub fn length(body: &[u8], pieces: impl Iterator<Item = Piece>) -> usize {
    pieces.map(|piece| inside(body, piece.span).len()).sum()
}

/// The first place from `at` on where neither a character nor an escape is cut in two; `at` itself when there is none
/// near.
pub fn boundary(raw: &[u8], at: usize) -> usize {
    if at == 0 || at >= raw.len() {
        return at.min(raw.len());
    }
    let safe = |&place: &usize| {
        let starts_escape = raw[place] == b'\\' && raw[place - 1] != b'\\' && !ends_pair(raw, place);
        let starts_character = raw[place] & 0xc0 != 0x80 && !raw[place.saturating_sub(ESCAPE)..place].contains(&b'\\');
        starts_escape || starts_character
    };
    (at..raw.len().min(at + SEARCH)).find(safe).unwrap_or(at)
}

/// Whether an escape here is the second half of a surrogate pair.
fn ends_pair(raw: &[u8], place: usize) -> bool {
    let is_half = |at: usize, digits: &[u8]| {
        let escape = raw.get(at..at + 4).unwrap_or_default();
        escape.starts_with(b"\\u")
            && escape[2] | 0x20 == b'd'
            && (digits.contains(&escape[3]) || digits.contains(&(escape[3] | 0x20)))
    };
    place >= 6 && is_half(place, b"cdef") && (is_half(place - 6, b"ab") || is_half(place - 6, b"89"))
}
