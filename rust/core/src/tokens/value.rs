//! Views of JSON values: looked at where they stand, without a tree.
//!
//! A value is checked when it is first seen; a look at its members passes over it once more. What is asked for is a few
//! levels deep, so a document costs a few passes, however it is made.

use crate::prompt::fields::Problem;
use crate::prompt::json::{Cursor, closing, named};
use std::ops::Range;

/// A checked value: the bytes of its JSON.
#[derive(Clone, Copy, Debug)]
pub struct Value<'b>(&'b [u8]);

/// The inside of a string.
#[derive(Clone, Copy, Debug)]
pub struct Text<'b> {
    /// Between the quotes.
    pub raw: &'b [u8],
    /// There are backslashes.
    pub escaped: bool,
}

/// A member of an object.
pub(super) struct Member<'b> {
    /// From its key to the end of its value.
    pub range: Range<usize>,
    key: (&'b [u8], bool),
    value: Value<'b>,
}

impl Member<'_> {
    /// Is this its name?
    pub fn is(&self, name: &str) -> bool {
        is(self.key, name)
    }
}

/// Does a string, escaped or not, read so?
fn is(string: (&[u8], bool), text: &str) -> bool {
    named(string, |found| (found == text.as_bytes()).then_some(())).is_some()
}

impl<'b> Value<'b> {
    /// A document. `None` when it is no JSON, no UTF-8, or nested too deeply.
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        simdutf8::basic::from_utf8(bytes).ok()?;
        let mut cursor = Cursor::new(bytes);
        let value = Self::next(bytes, &mut cursor).ok()?;
        cursor.finish().ok()?;
        Some(value)
    }

    /// The value that `bytes` begin with, behind a colon: of a document that may be cut off behind it.
    pub fn behind_colon(bytes: &'b [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        cursor.pass(b':').then(|| Self::next(bytes, &mut cursor).ok())?.filter(|value| str::from_utf8(value.0).is_ok())
    }

    /// Key and value of the first member of an object that may be cut off behind it.
    pub fn first_member(bytes: &'b [u8]) -> Option<(&'b [u8], Self)> {
        let mut cursor = Cursor::new(bytes);
        let (key, _) = cursor.pass(b'{').then(|| cursor.key().ok())??;
        Some((key, Self::next(bytes, &mut cursor).ok()?))
    }

    fn next(bytes: &'b [u8], cursor: &mut Cursor<'b>) -> Result<Self, Problem> {
        let first = cursor.space();
        let start = cursor.at();
        if matches!(first, b'{' | b'[') {
            cursor.container(0)?;
        } else {
            cursor.scalar()?;
        }
        Ok(Self(&bytes[cursor.since(start).range()]))
    }

    /// Its JSON.
    pub fn json(self) -> &'b [u8] {
        self.0
    }

    /// The members of an object with these names, in the order of the names; the last one of each. All `None` for
    /// anything else. Cost: a pass.
    pub fn members<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let mut found = [None; N];
        for member in self.each_member() {
            let place = named(member.key, |key| names.iter().position(|name| name.as_bytes() == key));
            if let Some(place) = place {
                found[place] = Some(member.value);
            }
        }
        found
    }

    /// One member.
    pub fn member(self, name: &str) -> Option<Self> {
        self.members([name])[0]
    }

    /// All members of an object, nothing for anything else.
    pub(super) fn each_member(self) -> impl Iterator<Item = Member<'b>> {
        let mut inside = self.enter(true);
        std::iter::from_fn(move || {
            let cursor = inside.as_mut()?;
            cursor.space();
            let start = cursor.at();
            let key = cursor.key().ok()?;
            let value = Self::next(self.0, cursor).ok()?;
            let range = cursor.since(start).range();
            if !cursor.pass(b',') {
                inside = None;
            }
            Some(Member { range, key, value })
        })
    }

    /// The elements of an array, nothing for anything else.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let mut inside = self.enter(false);
        std::iter::from_fn(move || {
            let cursor = inside.as_mut()?;
            let value = Self::next(self.0, cursor).ok()?;
            if !cursor.pass(b',') {
                inside = None;
            }
            Some(value)
        })
    }

    /// Behind the opening bracket, when it is one that holds something.
    fn enter(self, is_object: bool) -> Option<Cursor<'b>> {
        let mut cursor = Cursor::new(self.0);
        let opening = if is_object { b'{' } else { b'[' };
        (cursor.pass(opening) && cursor.space() != closing(is_object)).then_some(cursor)
    }

    /// Its inside, when it is a string.
    pub fn text(self) -> Option<Text<'b>> {
        let raw = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Text { raw, escaped: memchr::memchr(b'\\', raw).is_some() })
    }

    /// A string that reads so after its escapes.
    pub fn is(self, text: &str) -> bool {
        self.text().is_some_and(|found| is((found.raw, found.escaped), text))
    }

    /// A whole number from 0 to below [`MAX_TOKENS`](super::MAX_TOKENS); `None` for all else.
    pub fn count(self) -> Option<u32> {
        str::from_utf8(self.0).ok()?.parse().ok().filter(|count| *count < super::MAX_TOKENS)
    }

    /// `true`, and nothing else.
    pub fn is_true(self) -> bool {
        self.0 == b"true"
    }

    /// `null`.
    pub fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// An array without elements.
    pub fn is_empty_array(self) -> bool {
        self.0.starts_with(b"[") && self.elements().next().is_none()
    }

    /// An object.
    pub fn is_object(self) -> bool {
        self.0.starts_with(b"{")
    }
}
