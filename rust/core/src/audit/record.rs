//! One line of a log: where its columns stand. Which of them are where is told by a map, since every gateway writes its
//! own.
//!
//! ```text
//! path = key *( "." key )      a key as it reads after its escapes; "" is the whole record
//! ```
//!
//! A column may have several paths; the first that is there, and not `null`, counts. When a key comes twice, the last
//! one counts, as in every parser.

use crate::error::Error;
use crate::prompt::dialect::MAX_KEY;
use crate::prompt::fields::{Problem, Span};
use crate::prompt::json::{Cursor, Kind, closing, named};

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// When the request came.
    Time,
    /// Which credential sent it.
    Account,
    /// Who pays.
    Tenant,
    /// Name of the request.
    Id,
    /// HTTP status, or a word.
    Status,
    /// HTTP path, or the kind of call.
    Path,
    /// Tokens of the answer.
    AnswerTokens,
    /// The body that was sent: an object, or JSON in a string.
    Request,
    /// Text of the answer.
    Reply,
    /// Network address of the caller.
    Address,
}

impl Column {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; COLUMNS] = [
        Self::Time,
        Self::Account,
        Self::Tenant,
        Self::Id,
        Self::Status,
        Self::Path,
        Self::AnswerTokens,
        Self::Request,
        Self::Reply,
        Self::Address,
    ];

    /// The name in maps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Account => "account",
            Self::Tenant => "tenant",
            Self::Id => "id",
            Self::Status => "status",
            Self::Path => "path",
            Self::AnswerTokens => "answer_tokens",
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Address => "address",
        }
    }
}

/// How many columns there are.
pub const COLUMNS: usize = 10;
/// Paths of a map.
pub const MAX_PATHS: usize = 64;
/// Keys of a path: the walk over a record is that deep.
pub const MAX_STEPS: usize = 8;

/// Where each column stands in a line; `None` when it is absent or `null`.
pub type Columns = [Option<Span>; COLUMNS];

/// Reads lines by one map.
#[derive(Debug)]
pub struct RecordReader {
    nodes: Vec<Node>,
    /// Column of each path, in the order of preference within a column.
    columns: Vec<Column>,
}

#[derive(Debug, Default)]
struct Node {
    keys: Vec<(Box<[u8]>, usize)>,
    /// The path that ends here.
    path: Option<usize>,
}

struct Walk<'l, 'r> {
    reader: &'r RecordReader,
    cursor: Cursor<'l>,
    found: [Option<Span>; MAX_PATHS],
}

impl RecordReader {
    /// `paths` of columns. An error names the path and says what to write.
    pub fn new(paths: &[(Column, String)]) -> Result<Self, Error> {
        if paths.len() > MAX_PATHS {
            return Err(Error::config(format!("a map has at most {MAX_PATHS} paths: leave some out")));
        }
        let mut reader = Self { nodes: vec![Node::default()], columns: Vec::new() };
        for (column, path) in paths {
            reader
                .insert(*column, path)
                .map_err(|why| Error::config(format!("column {:?}: path {path:?}: {why}", column.name())))?;
        }
        Ok(reader)
    }

    fn insert(&mut self, column: Column, path: &str) -> Result<(), String> {
        let keys: Vec<_> = path.split('.').filter(|_| !path.is_empty()).collect();
        if keys.len() > MAX_STEPS {
            return Err(format!("more than {MAX_STEPS} keys: write a shorter one"));
        }
        let mut at = 0;
        for key in keys {
            if key.is_empty() || key.len() > MAX_KEY {
                return Err(format!("write keys of 1 to {MAX_KEY} bytes joined with \".\""));
            }
            at = self.step(at, key);
        }
        if self.nodes[at].path.replace(self.columns.len()).is_some() {
            return Err("another column has it: give each its own".into());
        }
        self.columns.push(column);
        Ok(())
    }

    fn step(&mut self, from: usize, key: &str) -> usize {
        if let Some((_, known)) = self.nodes[from].keys.iter().find(|(known, _)| **known == *key.as_bytes()) {
            return *known;
        }
        let new = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[from].keys.push((key.as_bytes().into(), new));
        new
    }

    /// Find the columns of a line, which must be one JSON object. Cost: linear in the line, at a few bytes per
    /// nanosecond; allocates nothing.
    pub fn read(&self, line: &[u8]) -> Result<Columns, Problem> {
        simdutf8::basic::from_utf8(line).map_err(|_| Problem::NotUtf8)?;
        let mut walk = Walk { reader: self, cursor: Cursor::new(line), found: [None; MAX_PATHS] };
        if walk.cursor.space() != b'{' {
            return Err(Problem::NotJson);
        }
        walk.value(0, 0)?;
        walk.cursor.finish()?;
        let mut columns = Columns::default();
        for (path, column) in self.columns.iter().enumerate() {
            let place = &mut columns[*column as usize];
            *place = place.or(walk.found[path]);
        }
        Ok(columns)
    }
}

impl Walk<'_, '_> {
    /// Recurses as deep as paths are long.
    fn value(&mut self, number: usize, depth: usize) -> Result<(), Problem> {
        let node = &self.reader.nodes[number];
        let first = self.cursor.space();
        let start = self.cursor.at();
        let is_null = match first {
            b'{' if !node.keys.is_empty() => self.object(node, depth).map(|()| false)?,
            b'{' | b'[' => self.cursor.container(depth).map(|()| false)?,
            _ => self.cursor.scalar()? == Kind::Null,
        };
        if let Some(path) = node.path.filter(|_| !is_null) {
            self.found[path] = Some(self.cursor.since(start));
        }
        Ok(())
    }

    fn object(&mut self, node: &Node, depth: usize) -> Result<(), Problem> {
        self.cursor.step();
        if self.cursor.pass(closing(true)) {
            return Ok(());
        }
        loop {
            let key = self.cursor.key()?;
            let child = named(key, |key| node.keys.iter().find(|(known, _)| **known == *key).map(|(_, child)| *child));
            match child {
                Some(child) => {
                    self.void(child);
                    self.value(child, depth + 1)?;
                }
                None if matches!(self.cursor.space(), b'{' | b'[') => self.cursor.container(depth + 1)?,
                None => self.cursor.scalar().map(|_| ())?,
            }
            if !self.cursor.pass(b',') {
                return if self.cursor.pass(closing(true)) { Ok(()) } else { Err(Problem::NotJson) };
            }
        }
    }

    /// Forget what an earlier value of the same key held. Maps are small, so this walks their branch.
    fn void(&mut self, number: usize) {
        let node = &self.reader.nodes[number];
        if let Some(path) = node.path {
            self.found[path] = None;
        }
        for (_, child) in &node.keys {
            self.void(*child);
        }
    }
}
