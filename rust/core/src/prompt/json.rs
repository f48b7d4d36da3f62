//! JSON as CPython's `json.loads` reads bytes: strict, but `NaN`, `Infinity`, `-Infinity`, lone surrogates and a byte
//! order mark are taken.
//!
//! A body that the application's parser takes and this one refuses would hide its prompt, so the two must agree. Two
//! differences are left: integers of more than 4300 digits, which Python refuses, and bodies in UTF-16 or UTF-32, which
//! it takes. Nothing here recurses, and nothing allocates but [`decode()`] and [`text`].

mod decode;

pub(crate) use decode::named;
pub use decode::{decode, inside, text};

use super::fields::{Problem, Span};

/// Arrays and objects open at once. `json.loads` of CPython 3.11 gives up at about a thousand. Where a parser goes on,
/// a deeper body is still a [`Problem`] to this one and never a body without a prompt.
pub const MAX_DEPTH: usize = 1024;

/// Bytes that are looked at together while a string holds nothing but text. Compilers make vector code of it.
const BLOCK: usize = 32;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What stood where a value was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` says that it holds backslashes.
    String(bool),
    /// Digits, with or without a sign.
    Number,
    /// `true`, `false`, `NaN` and the infinities.
    Word,
    Null,
    /// An array or object.
    Container,
}

/// A place in a body that is UTF-8. Reading moves it on; an error leaves it anywhere.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    #[inline(always)]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: if bytes.starts_with(MARK) { MARK.len() } else { 0 } }
    }

    /// Bytes behind it.
    #[inline(always)]
    pub fn at(&self) -> u32 {
        self.at as u32
    }

    /// From an earlier place to this one.
    #[inline(always)]
    pub fn since(&self, start: u32) -> Span {
        Span { start, end: self.at() }
    }

    /// The next byte; 0 at the end, which is nothing that JSON may hold there.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Pass white space. The byte behind it.
    #[inline(always)]
    pub fn space(&mut self) -> u8 {
        loop {
            let byte = self.peek();
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Pass white space and this byte, if it is next.
    #[inline(always)]
    pub fn pass(&mut self, byte: u8) -> bool {
        if self.space() != byte {
            return false;
        }
        self.at += 1;
        true
    }

    /// Pass a byte that was looked at.
    #[inline(always)]
    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Nothing but white space may follow.
    #[inline(always)]
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(Problem::NotJson) }
    }

    /// Pass a key and its colon. The key, and whether it holds backslashes.
    #[inline(always)]
    pub fn key(&mut self) -> Result<(&'b [u8], bool), Problem> {
        if self.space() != b'"' {
            return Err(Problem::NotJson);
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let key = &self.bytes[start..self.at - 1];
        if self.pass(b':') { Ok((key, escaped)) } else { Err(Problem::NotJson) }
    }

    /// Pass anything but an array or object.
    #[inline(always)]
    pub fn scalar(&mut self) -> Result<Kind, Problem> {
        match self.peek() {
            b'"' => self.string().map(Kind::String),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Kind::Word),
            b'f' => self.word(b"false", Kind::Word),
            b'n' => self.word(b"null", Kind::Null),
            b'N' => self.word(b"NaN", Kind::Word),
            b'I' => self.word(b"Infinity", Kind::Word),
            _ => Err(Problem::NotJson),
        }
    }

    /// Pass a run of numbers that are elements of one array, after the first of them. How many; the comma before
    /// anything else is left.
    #[inline(always)]
    pub fn numbers(&mut self) -> Result<u32, Problem> {
        let mut count = 0;
        loop {
            let end = self.at;
            let more = self.pass(b',') && matches!(self.space(), b'-' | b'0'..=b'9');
            if !more || self.number()? != Kind::Number {
                self.at = end;
                return Ok(count);
            }
            count += 1;
        }
    }

    /// Pass an array or object with all that is in it; `depth` containers are open around it.
    #[inline(always)]
    pub fn container(&mut self, depth: usize) -> Result<(), Problem> {
        let mut open = Open { objects: [0; MAX_DEPTH / 64], depth };
        loop {
            let first = self.space();
            if matches!(first, b'{' | b'[') {
                let is_object = first == b'{';
                open.push(is_object)?;
                self.at += 1;
                if !self.pass(closing(is_object)) {
                    if is_object {
                        self.key()?;
                    }
                    continue;
                }
                open.depth -= 1;
            } else {
                self.scalar()?;
            }
            while open.depth > depth && self.pass(closing(open.is_object())) {
                open.depth -= 1;
            }
            if open.depth == depth {
                return Ok(());
            }
            if !self.pass(b',') {
                return Err(Problem::NotJson);
            }
            if open.is_object() {
                self.key()?;
            }
        }
    }

    /// Pass a string, from its opening quote on. Whether it holds backslashes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Problem> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at = text_end(self.bytes, self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => escaped = true,
                _ => return Err(Problem::NotJson),
            }
            // Text in other scripts is often nothing but escapes.
            while self.peek() == b'\\' {
                self.escape()?;
            }
        }
    }

    #[inline(always)]
    fn escape(&mut self) -> Result<(), Problem> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') if hex(&self.bytes[self.at + 2..]).is_some() => self.at += 6,
            _ => return Err(Problem::NotJson),
        }
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Kind, Problem> {
        if self.peek() == b'-' {
            self.at += 1;
            if self.peek() == b'I' {
                return self.word(b"Infinity", Kind::Word);
            }
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// Pass at least one digit.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Problem::NotJson) }
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Problem> {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += word.len();
        if found { Ok(kind) } else { Err(Problem::NotJson) }
    }
}

/// What closes an object or array.
#[inline(always)]
pub(crate) fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Containers around a place: a bit each, set for objects.
struct Open {
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Open {
    #[inline(always)]
    fn push(&mut self, is_object: bool) -> Result<(), Problem> {
        let word = self.objects.get_mut(self.depth / 64).ok_or(Problem::TooDeep)?;
        let bit = self.depth % 64;
        *word = *word & !(1 << bit) | u64::from(is_object) << bit;
        self.depth += 1;
        Ok(())
    }

    #[inline(always)]
    fn is_object(&self) -> bool {
        let innermost = self.depth - 1;
        self.objects[innermost / 64] >> (innermost % 64) & 1 == 1
    }
}

/// Where the string that begins at `at`, behind its quote, ends in a checked body: at its closing quote.
pub(crate) fn string_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = text_end(bytes, at.min(bytes.len()));
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return at,
        }
    }
}

/// The first quote, backslash or control character from here on; the length when there is none.
#[inline(always)]
fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes[at..].first_chunk::<BLOCK>() {
        if block.iter().fold(0, |any, byte| any | u8::from(is_special(*byte))) != 0 {
            break;
        }
        at += BLOCK;
    }
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| is_special(*byte)).map_or(bytes.len(), |more| at + more)
}

#[inline(always)]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < b' ')
}

/// The high bit of the first special byte of eight, counted from the low end; bits above it may be wrong, since a
/// subtraction borrows from the byte above.
#[inline(always)]
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (equal(b'"') | equal(b'\\') | below(word, b' ')) & (ONES << 7)
}

/// The four digits of `\u`.
#[inline(always)]
pub(crate) fn hex(bytes: &[u8]) -> Option<u32> {
    let [a, b, c, d] = bytes.first_chunk::<4>()?.map(|digit| u32::from(DIGITS[digit as usize]));
    (a | b | c | d < 16).then_some(a << 12 | b << 8 | c << 4 | d)
}

/// The value of each hexadecimal digit; 16 for all other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
