//! Dialects: what stands where in the bodies of an API.
//!
//! ```text
//! path  = step *( "." key *"[]" )
//! step  = key *"[]" | 1*"[]"       a key as it reads after its escapes, "[]" for each element of an array
//! field = the name of a parameter, "text", "system", "user", "assistant", "tool" or "role"
//! ```
//!
//! `text` is said by whoever the role of its message names, by the user where there is no message; the names of roles
//! are text that only they can have said. What `role` stands in is a message: the nearest element of an array around
//! it, else the nearest object.
//!
//! The dialects of a deployment are compiled into one trie. They need not be told apart: a body is read by all of
//! them at once, and no key means two things.

mod built_in;

pub use built_in::{ANSWERS, BUILT_IN};

use super::fields::{Parameter, Role};
use crate::error::Error;

/// Keys and `[]` of one path. The longest built-in one has 9.
pub const MAX_STEPS: usize = 16;
/// Paths of one table; the built-in dialects have half as many.
pub const MAX_PATHS: usize = 256;
/// Bytes of one key.
pub const MAX_KEY: usize = 64;
/// Keys of one object. A scan remembers in one word which of them it has met.
pub const MAX_CHILDREN: usize = 64;

/// The node of values that nobody asked for.
pub(super) const NOTHING: u16 = 0;
/// The node of the body.
pub(super) const ROOT: u16 = 1;

/// Paths of one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its name, in errors.
    pub name: String,
    /// Each path with its field.
    pub paths: Vec<(String, String)>,
}

impl Dialect {
    /// One of [`BUILT_IN`].
    pub fn built_in(name: &str) -> Result<Self, Error> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (name, paths) = found.ok_or_else(|| {
            let known: Vec<_> = BUILT_IN.iter().map(|(known, _)| *known).collect();
            Error::config(format!("no dialect is called {name:?}: write {}", known.join(", ")))
        })?;
        let owned = |(path, field): &(&str, &str)| (path.to_string(), field.to_string());
        Ok(Self { name: name.to_string(), paths: paths.iter().map(owned).collect() })
    }
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Text of the message around it.
    Said,
    /// Text that one role has said.
    SaidBy(Role),
    Parameter(Parameter),
    /// Who says what the message around it holds.
    Role,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Said,
            "system" => Self::SaidBy(Role::System),
            "user" => Self::SaidBy(Role::User),
            "assistant" => Self::SaidBy(Role::Assistant),
            "tool" => Self::SaidBy(Role::Tool),
            "role" => Self::Role,
            _ => Self::Parameter(*Parameter::ALL.iter().find(|parameter| parameter.name() == name)?),
        })
    }
}

/// A place in bodies.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub field: Option<Field>,
    /// A role stands in it.
    pub is_message: bool,
    /// Where its elements are when it is an array that matters.
    pub element: Option<u16>,
    keys: Vec<(Box<[u8]>, u16)>,
    /// A bit for each length of a key, so that most other keys need no comparing.
    lengths: u64,
}

impl Node {
    /// Is there anything to find when it is an object?
    #[inline(always)]
    pub fn has_keys(&self) -> bool {
        self.lengths != 0
    }

    /// The number of a key among its keys, and the node it leads to.
    #[inline(always)]
    pub fn child(&self, key: &[u8]) -> Option<(usize, u16)> {
        let length = key.len().wrapping_sub(1);
        if length >= MAX_KEY || self.lengths >> length & 1 == 0 {
            return None;
        }
        let number = self.keys.iter().position(|(known, _)| **known == *key)?;
        Some((number, self.keys[number].1))
    }
}

/// Dialects, compiled.
#[derive(Debug)]
pub struct Table {
    nodes: Vec<Node>,
}

impl Table {
    /// Compile the union of dialects. An error names dialect and path and says what to write.
    pub fn compile(dialects: &[Dialect]) -> Result<Self, Error> {
        let mut table = Self { nodes: vec![Node::default(), Node::default()] };
        let mut trails = Vec::new();
        for dialect in dialects {
            for (path, field) in &dialect.paths {
                let trail = table.insert(path, field, trails.len()).map_err(|why| {
                    Error::config(format!("dialect {:?}: path {path:?}, field {field:?}: {why}", dialect.name))
                })?;
                trails.extend(trail);
            }
        }
        for trail in &trails {
            table.settle(trail);
        }
        Ok(table)
    }

    /// Its nodes; [`NOTHING`] and [`ROOT`] are the first.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Add a path. The nodes that it leads through, if it is new.
    fn insert(&mut self, path: &str, field: &str, paths: usize) -> Result<Option<Vec<u16>>, String> {
        let meaning = Field::named(field).ok_or_else(unknown_field)?;
        let steps = parse(path)?;
        let mut trail = vec![ROOT];
        let mut message = ROOT;
        for step in &steps {
            let last = *trail.last().unwrap_or(&ROOT);
            let next = self.step(last, *step)?;
            message = match step {
                Step::Each => next,
                Step::Key(_) if steps.contains(&Step::Each) => message,
                Step::Key(_) => last,
            };
            trail.push(next);
        }
        let leaf = *trail.last().unwrap_or(&ROOT);
        match self.nodes[leaf as usize].field {
            Some(known) if known == meaning => return Ok(None),
            Some(_) => return Err("another dialect gives this path another field: write the same".into()),
            None if paths == MAX_PATHS => return Err(format!("at most {MAX_PATHS} paths: leave some out")),
            None => self.nodes[leaf as usize].field = Some(meaning),
        }
        if meaning == Field::Role {
            if steps.last() == Some(&Step::Each) {
                return Err("a role stands under a key: write for example \"messages[].role\"".into());
            }
            self.nodes[message as usize].is_message = true;
        }
        if meaning == Field::Parameter(Parameter::Tools) {
            self.nodes[leaf as usize].element.get_or_insert(NOTHING);
        }
        Ok(Some(trail))
    }

    /// The node that a step leads to, made when it is new.
    fn step(&mut self, from: u16, step: Step<'_>) -> Result<u16, String> {
        let new = self.nodes.len() as u16;
        let node = &mut self.nodes[from as usize];
        let next = match step {
            Step::Each => match node.element {
                None | Some(NOTHING) => *node.element.insert(new),
                Some(known) => known,
            },
            Step::Key(key) => match node.child(key.as_bytes()) {
                Some((_, known)) => known,
                None if node.keys.len() == MAX_CHILDREN => {
                    return Err(format!("at most {MAX_CHILDREN} keys of one object: leave some out"));
                }
                None => {
                    node.keys.push((key.as_bytes().into(), new));
                    node.lengths |= 1 << (key.len() - 1);
                    new
                }
            },
        };
        if next == new {
            self.nodes.push(Node::default());
        }
        Ok(next)
    }

    /// Text outside of messages is the user's. Known only when all paths are in.
    fn settle(&mut self, trail: &[u16]) {
        let Some((leaf, around)) = trail.split_last() else { return };
        let in_message = around.iter().any(|node| self.nodes[*node as usize].is_message);
        let field = &mut self.nodes[*leaf as usize].field;
        if *field == Some(Field::Said) && !in_message {
            *field = Some(Field::SaidBy(Role::User));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step<'p> {
    Key(&'p str),
    Each,
}

fn parse(path: &str) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let key = part.trim_end_matches("[]");
        let each = (part.len() - key.len()) / 2;
        if key.contains(['[', ']']) || key.is_empty() && !(steps.is_empty() && each > 0) {
            return Err("write keys joined with \".\", and \"[]\" for each element: \"messages[].content\"".into());
        }
        if key.len() > MAX_KEY {
            return Err(format!("key {key:?} is longer than {MAX_KEY} bytes: no such key is looked for"));
        }
        steps.extend((!key.is_empty()).then_some(Step::Key(key)));
        steps.extend(std::iter::repeat_n(Step::Each, each.min(MAX_STEPS + 1)));
        if steps.len() > MAX_STEPS {
            return Err(format!("more than {MAX_STEPS} keys and \"[]\": write a shorter path"));
        }
    }
    Ok(steps)
}

fn unknown_field() -> String {
    let parameters: Vec<_> = Parameter::ALL.iter().map(|parameter| parameter.name()).collect();
    format!("no such field: write text, system, user, assistant, tool, role, {}", parameters.join(", "))
}
