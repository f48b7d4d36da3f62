//! The start of an answer, put together from its pieces.

use super::value::Text;
use crate::prompt::escape::unit;
use crate::prompt::json::decode;

/// Characters of a stream's text that are kept: hashes and sketches of answers look at the start.
pub const MAX_TEXT: usize = 32 << 10;

/// Text in progress. Halves of a surrogate pair, escaped in two pieces, become one character; lone ones U+FFFD.
#[derive(Clone, Debug)]
pub struct Kept {
    text: String,
    /// Characters that still fit.
    room: usize,
    /// The first half of a pair stood at the end.
    half: Option<u32>,
}

impl Kept {
    /// Keep up to so many characters.
    pub fn new(room: usize) -> Self {
        Self { text: String::new(), room, half: None }
    }

    /// More would be left out.
    pub fn is_full(&self) -> bool {
        self.room == 0
    }

    /// What is kept; `None` for nothing.
    pub fn text(&self) -> Option<String> {
        let mut text = self.text.clone();
        text.extend(self.half.map(|_| char::REPLACEMENT_CHARACTER));
        (!text.is_empty()).then_some(text)
    }

    /// Append what a string means.
    pub fn push(&mut self, Text { raw, escaped }: Text<'_>) {
        if self.is_full() || raw.is_empty() {
            return;
        }
        let raw = self.join(raw);
        let (raw, half) = if escaped { split(raw) } else { (raw, None) };
        let start = self.text.len();
        decode(raw, &mut self.text);
        // A byte is at most one character: most pieces fit without counting.
        if self.text.len() - start <= self.room {
            self.room -= self.text[start..].chars().count();
        } else {
            let end = self.text[start..].char_indices().nth(self.room).map(|(at, _)| start + at);
            let taken = self.text[start..].chars().count().min(self.room);
            self.text.truncate(end.unwrap_or(self.text.len()));
            self.room -= taken;
        }
        self.half = half.filter(|_| !self.is_full());
    }

    /// Append a character.
    pub fn push_char(&mut self, character: char) {
        let mut utf8 = [0; 4];
        self.push(Text { raw: character.encode_utf8(&mut utf8).as_bytes(), escaped: false });
    }

    /// Put the half that waits together with the start of what comes. The rest of it.
    fn join<'r>(&mut self, raw: &'r [u8]) -> &'r [u8] {
        let Some(high) = self.half.take() else { return raw };
        self.room -= 1;
        let low = unit(raw).filter(|low| (0xdc00..0xe000).contains(low));
        let pair = low.and_then(|low| char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
        self.text.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
        if pair.is_some() { &raw[6..] } else { raw }
    }
}

/// Take the first half of a pair off the end.
fn split(raw: &[u8]) -> (&[u8], Option<u32>) {
    let Some(at) = raw.len().checked_sub(6) else { return (raw, None) };
    let high = unit(&raw[at..]).filter(|high| (0xd800..0xdc00).contains(high));
    // Behind an odd number of backslashes it is text that only looks like an escape.
    let before = raw[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
    match high {
        Some(high) if before % 2 == 0 => (&raw[..at], Some(high)),
        _ => (raw, None),
    }
}
