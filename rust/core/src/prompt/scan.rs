//! One pass over a body: what stands where, for everything that some dialect names.
//!
//! **How.** The walk keeps a frame for each array or object that may hold something known; the rest is only checked.
//! Finds are appended to two logs, pieces and marks (parameters and roles), so that what a value held is a range of
//! each. When a key comes again, the range of its earlier value is made void: the last one wins, as in every parser
//! that an application may use. Each range is made void at most once, so a body costs the same however often it
//! repeats itself.
//!
//! **Bounds.** The whole body is checked as JSON, at one or a few bytes per nanosecond where nothing but text stands.
//! Memory: [`MAX_PIECES`] pieces and as many marks, kept in [`Fields`] from body to body. No recursion.

mod log;

pub(super) use log::Scratch;

use super::dialect::{Dialect, Field, MAX_STEPS, NOTHING, Node, ROOT, Table};
use super::fields::{Fields, Problem, Role};
use super::json::{Cursor, Kind, closing, inside, named};
use crate::error::Error;
use crate::vector::wide;
use log::{Lengths, What};

/// Pieces of text of one body, void ones too: twice the longest batch that an API takes. Each costs the facts 25 ns
/// however empty it is. Parameters and roles have the same bound.
pub const MAX_PIECES: usize = 4_096;
/// Bodies that spans can point into. No body has more turns than bytes, so a bit of a turn's number is left over.
pub const MAX_BYTES: usize = u32::MAX as usize / 2;

/// Reads bodies. Made once for a table of dialects.
#[derive(Debug)]
pub struct Scanner {
    table: Table,
    max_bytes: usize,
}

impl Scanner {
    /// Compile the dialects; bodies of more than `max_bytes` will not be read.
    pub fn new(dialects: &[Dialect], max_bytes: usize) -> Result<Self, Error> {
        if !(1..=MAX_BYTES).contains(&max_bytes) {
            return Err(Error::config(format!("longest body must be 1 to {MAX_BYTES} bytes, got {max_bytes}")));
        }
        Ok(Self { table: Table::compile(dialects)?, max_bytes })
    }

    /// Find everything in a body. After a problem the fields are empty: half a prompt is none.
    /// Cost: linear in the body; allocates only while `fields` grows to the largest body seen.
    pub fn scan(&self, body: &[u8], fields: &mut Fields) -> Result<(), Problem> {
        wide(
            #[inline(always)]
            || self.scan_here(body, fields),
        )
    }

    /// [`scan`](Self::scan) compiled into its caller.
    #[inline(always)]
    pub fn scan_here(&self, body: &[u8], fields: &mut Fields) -> Result<(), Problem> {
        fields.start(self.table.nodes().len());
        let result = self.find(body, fields);
        if result.is_err() {
            fields.clear();
        }
        result
    }

    #[inline(always)]
    fn find(&self, body: &[u8], fields: &mut Fields) -> Result<(), Problem> {
        if body.len() > self.max_bytes {
            return Err(Problem::TooLarge);
        }
        simdutf8::basic::from_utf8(body).map_err(|_| Problem::NotUtf8)?;
        let (nodes, cursor) = (self.table.nodes(), Cursor::new(body));
        let frames = [Frame::default(); MAX_STEPS + 1];
        let mut walk = Walk { nodes, body, cursor, fields: &mut *fields, frames, open: 0, turn: 0 };
        walk.body()?;
        fields.settle();
        Ok(())
    }
}

/// An array or object that is walked into.
#[derive(Clone, Copy, Default)]
struct Frame {
    node: u16,
    is_object: bool,
    /// First byte.
    start: u32,
    /// How long the logs were at its start.
    before: Lengths,
    /// The numbers of the keys met so far, a bit each.
    seen: u64,
    /// Where the value that is being read leads, and how long the logs were before it.
    child: u16,
    before_child: Lengths,
    /// Values read or being read.
    values: u32,
}

struct Walk<'b, 't, 'f> {
    nodes: &'t [Node],
    body: &'b [u8],
    cursor: Cursor<'b>,
    fields: &'f mut Fields,
    frames: [Frame; MAX_STEPS + 1],
    /// Frames in use.
    open: usize,
    turn: u32,
}

impl Walk<'_, '_, '_> {
    #[inline(always)]
    fn body(&mut self) -> Result<(), Problem> {
        let mut into = self.value(ROOT)?;
        loop {
            into = match into {
                Some(node) => self.value(node)?,
                None if self.open == 0 => return self.cursor.finish(),
                None => self.next()?,
            };
        }
    }

    /// Read a value, or its start up to the first value within, whose node is then returned.
    #[inline(always)]
    fn value(&mut self, number: u16) -> Result<Option<u16>, Problem> {
        let nodes = self.nodes;
        let node = &nodes[number as usize];
        let first = self.cursor.space();
        let start = self.cursor.at();
        match first {
            b'{' if node.has_keys() => return self.enter(number, node, true),
            b'[' if node.element.is_some() => return self.enter(number, node, false),
            b'{' | b'[' => {
                self.cursor.container(self.open)?;
                self.record(node, start, Kind::Container, 0)?;
            }
            _ => {
                let kind = self.cursor.scalar()?;
                self.record(node, start, kind, 0)?;
            }
        }
        Ok(None)
    }

    #[inline(always)]
    fn enter(&mut self, number: u16, node: &Node, is_object: bool) -> Result<Option<u16>, Problem> {
        let before = self.fields.lengths();
        self.frames[self.open] = Frame { node: number, is_object, start: self.cursor.at(), before, ..Frame::default() };
        self.open += 1;
        self.turn += u32::from(node.is_message && is_object);
        self.cursor.step();
        if self.cursor.pass(closing(is_object)) {
            return self.leave().map(|()| None);
        }
        self.child().map(Some)
    }

    /// A value within the innermost frame has ended: read up to the next one, whose node is returned, or to the end.
    #[inline(always)]
    fn next(&mut self) -> Result<Option<u16>, Problem> {
        let frame = &self.frames[self.open - 1];
        self.fields.remember(frame.child, frame.before_child);
        if self.cursor.pass(b',') {
            return self.child().map(Some);
        }
        if !self.cursor.pass(closing(frame.is_object)) {
            return Err(Problem::NotJson);
        }
        self.leave().map(|()| None)
    }

    /// Read up to the value of the next member or element. Its node.
    #[inline(always)]
    fn child(&mut self) -> Result<u16, Problem> {
        let frame = &mut self.frames[self.open - 1];
        let node = &self.nodes[frame.node as usize];
        frame.child = NOTHING;
        frame.values += 1;
        if !frame.is_object {
            frame.child = node.element.unwrap_or(NOTHING);
        } else if let Some((number, child)) = named(self.cursor.key()?, |key| node.child(key)) {
            if frame.seen >> number & 1 == 1 {
                self.fields.void(child);
            }
            frame.seen |= 1 << number;
            frame.child = child;
            self.turn += u32::from(frame.node == ROOT && !node.is_message);
        }
        frame.before_child = self.fields.lengths();
        Ok(frame.child)
    }

    #[inline(always)]
    fn leave(&mut self) -> Result<(), Problem> {
        self.open -= 1;
        let Frame { node, is_object, start, before, values, .. } = self.frames[self.open];
        let node = &self.nodes[node as usize];
        if node.is_message {
            self.fields.settle_message(before);
            self.turn += u32::from(is_object);
        }
        self.record(node, start, Kind::Container, if is_object { 0 } else { values })
    }

    /// Write down a value that has just been read.
    #[inline(always)]
    fn record(&mut self, node: &Node, start: u32, kind: Kind, elements: u32) -> Result<(), Problem> {
        let Some(field) = node.field else { return Ok(()) };
        match (field, kind) {
            (Field::Said, Kind::String(escaped)) => self.piece(start, escaped, None),
            (Field::SaidBy(role), Kind::String(escaped)) => self.piece(start, escaped, Some(role)),
            (Field::Said, Kind::Number) => self.tokens(start, None),
            (Field::SaidBy(role), Kind::Number) => self.tokens(start, Some(role)),
            (Field::Said | Field::SaidBy(_), _) => Ok(()),
            (Field::Parameter(parameter), Kind::Null) => {
                self.fields.add_mark(What::Null(parameter), self.cursor.since(start), 0)
            }
            (Field::Parameter(parameter), _) => {
                self.fields.add_mark(What::Parameter(parameter), self.cursor.since(start), elements)
            }
            (Field::Role, Kind::String(escaped)) => {
                let span = self.cursor.since(start);
                let name = (inside(self.body, span), escaped);
                let role = named(name, |name| Some(Role::named(name))).unwrap_or(Role::User);
                self.fields.add_mark(What::Role(role), span, 0)
            }
            (Field::Role, _) => self.fields.add_mark(What::Role(Role::User), self.cursor.since(start), 0),
        }
    }

    /// A run of numbers in one array is one piece.
    #[inline(always)]
    fn tokens(&mut self, start: u32, role: Option<Role>) -> Result<(), Problem> {
        if self.open > 0 && !self.frames[self.open - 1].is_object {
            self.frames[self.open - 1].values += self.cursor.numbers()?;
        }
        self.piece(start, false, role)
    }

    #[inline(always)]
    fn piece(&mut self, start: u32, escaped: bool, role: Option<Role>) -> Result<(), Problem> {
        self.fields.add_piece(self.cursor.since(start), role, self.turn, escaped)
    }
}
