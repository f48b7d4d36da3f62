//! How many tokens a prompt has, before anybody has counted them.
//!
//! What a scan found is the conversation. The rest of a body may hold what is paid for too: arguments of calls,
//! reasoning, tools, what an API takes since last week. So every longer string there counts as text, unless it looks
//! like data; images, sounds and files count by the number.

use super::tally::Tally;
use crate::prompt::fields::{Piece, Span};
use crate::prompt::json::{inside, string_end};

/// What separates messages and names who speaks: three to five in the templates of open models.
pub const MESSAGE: u64 = 4;
/// An image, a sound or a file. Images cost 85 to 1,600, a page of a file about 1,500, a minute of sound 600 to 1,900:
/// what it was is known when the upstream says its usage.
pub const MEDIUM: u64 = 1_000;
/// Shorter strings outside of the conversation are names, numbers and switches.
const LONG: usize = 32;
/// A string of so many bytes of ASCII without spaces or escapes is data, such as base64.
const DATA: usize = 256;
/// No tokenizer in use makes less than a token of what is estimated to be four.
const SURELY: u64 = 4;

/// Values of `type` in parts of OpenAI and Anthropic that are no text.
const MEDIA: [&[u8]; 9] = [
    b"image",
    b"image_url",
    b"input_image",
    b"input_audio",
    b"audio_url",
    b"video_url",
    b"file",
    b"input_file",
    b"document",
];
/// Keys that stand once in each such part of Gemini.
const MIME_TYPES: [&[u8]; 2] = [b"mimeType", b"mime_type"];

/// Tokens of a text.
pub fn text(text: &[u8]) -> u64 {
    let mut tally = Tally::default();
    tally.add(text);
    tally.tokens()
}

/// Tokens of so many bytes that nobody reads.
pub fn unread(bytes: usize) -> u64 {
    let mut tally = Tally::default();
    tally.add_unread(bytes);
    tally.tokens()
}

/// Tokens of a scanned body: estimated, and surely at least. `tools` are the arrays of tools in their order.
///
/// Surely there is a quarter of the text that the dialects name: where tokenizers differ most (Georgian, Hindi), the
/// best one still needs half of the estimate. Token numbers are certain. Where a body is written for several APIs at
/// once, all of them count.
///
/// Cost: 64 KB in 9 µs, 25 µs where each line ends in an escape; no allocation. Worst are strings of no length, 5 ms
/// for each megabyte of them.
pub fn body(body: &[u8], pieces: &[Piece], tools: impl Iterator<Item = Span>) -> (u64, u64) {
    let mut count = Count { body, at: 0, said: Tally::default(), rest: Tally::default(), numbers: 0, is_type: false };
    let mut tools = tools.peekable();
    for piece in pieces {
        while let Some(tool) = tools.next_if(|tool| tool.start < piece.span.start) {
            count.tools(tool);
        }
        count.piece(piece);
    }
    tools.for_each(|tool| count.tools(tool));
    count.rest(body.len());
    let messages = pieces.chunk_by(|one, next| one.turn == next.turn).count() as u64;
    count.rest.add_tokens(MESSAGE * messages + count.numbers);
    (count.said.tokens() + count.rest.tokens(), count.said.tokens() / SURELY + count.numbers)
}

struct Count<'b> {
    body: &'b [u8],
    /// What stands before is counted.
    at: usize,
    /// The conversation.
    said: Tally,
    rest: Tally,
    /// Tokens that were given as numbers.
    numbers: u64,
    /// The last string was the key `type`.
    is_type: bool,
}

impl Count<'_> {
    fn piece(&mut self, piece: &Piece) {
        self.rest(piece.span.start as usize);
        let value = &self.body[piece.span.range()];
        if !value.starts_with(b"\"") {
            self.numbers += 1 + memchr::memchr_iter(b',', value).count() as u64;
        } else if piece.escaped {
            self.said.add_escaped(inside(self.body, piece.span));
        } else {
            self.said.add(inside(self.body, piece.span));
        }
        self.at = self.at.max(piece.span.end as usize);
    }

    /// Models read tools as JSON, or in a form of about that length.
    fn tools(&mut self, tools: Span) {
        self.rest(tools.start as usize);
        self.rest.add(&self.body[tools.range()]);
        self.at = self.at.max(tools.end as usize);
    }

    /// Count the strings up to a place.
    fn rest(&mut self, end: usize) {
        while let Some(quote) = self.body.get(self.at..end).and_then(|rest| memchr::memchr(b'"', rest)) {
            let start = self.at + quote + 1;
            let close = string_end(self.body, start);
            self.string(&self.body[start..close], self.body.get(close + 1) == Some(&b':'));
            self.at = close + 1;
        }
        self.at = self.at.max(end);
    }

    fn string(&mut self, string: &[u8], is_key: bool) {
        let is_medium = if is_key { MIME_TYPES.contains(&string) } else { self.is_type && MEDIA.contains(&string) };
        self.is_type = is_key && string == b"type";
        if is_medium {
            self.rest.add_tokens(MEDIUM);
        } else if string.len() > LONG && !is_data(string) {
            self.rest.add_escaped(string);
        }
    }
}

fn is_data(string: &[u8]) -> bool {
    string.get(..DATA).is_some_and(|start| !start.iter().any(|byte| matches!(byte, b' ' | b'\\' | 0x80..)))
}
