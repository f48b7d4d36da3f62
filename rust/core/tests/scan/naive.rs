//! The slow twin of the scanner: a tree of the whole body, and each path looked up in it by itself. Obviously right.
#![allow(dead_code)]

use ratelimit_guard_core::prompt::dialect::Dialect;
use ratelimit_guard_core::prompt::fields::{Fields, Parameter, Problem, Role, Span};
use ratelimit_guard_core::prompt::json::{MAX_DEPTH, text};
use std::collections::BTreeSet;
use std::ops::Range;

pub struct Tree {
    pub span: Range<usize>,
    pub value: Value,
}

pub enum Value {
    Null,
    /// `true`, `false`, `NaN`, infinities.
    Word,
    Number,
    String(String),
    Array(Vec<Tree>),
    /// As it stands; the last member of a name counts.
    Object(Vec<(String, Tree)>),
}

/// Read a body as `json.loads` does.
pub fn parse(body: &[u8]) -> Result<Tree, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::NotUtf8)?;
    let mut reader = Reader { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    let tree = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(tree) } else { Err(Problem::NotJson) }
}

struct Reader<'b> {
    text: &'b str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn need(&mut self, word: &str) -> Result<(), Problem> {
        self.space();
        if self.eat(word) { Ok(()) } else { Err(Problem::NotJson) }
    }

    fn value(&mut self, depth: usize) -> Result<Tree, Problem> {
        self.space();
        let start = self.at;
        let value = match self.rest().chars().next() {
            Some('"') => Value::String(self.string()?),
            Some('[' | '{') if depth == MAX_DEPTH => return Err(Problem::TooDeep),
            Some('[') => Value::Array(self.items("[", "]", |reader| reader.value(depth + 1))?),
            Some('{') => Value::Object(self.items("{", "}", |reader| {
                reader.space();
                let key = reader.string()?;
                reader.need(":")?;
                Ok((key, reader.value(depth + 1)?))
            })?),
            Some('-' | '0'..='9') if !self.rest().starts_with("-I") => self.number()?,
            _ if self.eat("null") => Value::Null,
            _ if ["true", "false", "NaN", "Infinity", "-Infinity"].iter().any(|word| self.eat(word)) => Value::Word,
            _ => return Err(Problem::NotJson),
        };
        Ok(Tree { span: start..self.at, value })
    }

    fn items<T>(
        &mut self,
        open: &str,
        close: &str,
        item: impl Fn(&mut Self) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        self.need(open)?;
        self.space();
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            self.space();
            if self.eat(close) {
                return Ok(items);
            }
            self.need(",")?;
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        if !self.eat("\"") {
            return Err(Problem::NotJson);
        }
        let mut units: Vec<u16> = Vec::new();
        loop {
            let next = self.rest().chars().next().ok_or(Problem::NotJson)?;
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(String::from_utf16_lossy(&units)),
                '\\' => units.push(self.escape()?),
                '\0'..' ' => return Err(Problem::NotJson),
                _ => units.extend(next.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, Problem> {
        let name = self.rest().chars().next().ok_or(Problem::NotJson)?;
        self.at += name.len_utf8();
        let simple = match name {
            '"' | '\\' | '/' => name,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits =
                    self.rest().get(..4).filter(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()));
                let unit = u16::from_str_radix(digits.ok_or(Problem::NotJson)?, 16);
                self.at += 4;
                return unit.map_err(|_| Problem::NotJson);
            }
            _ => return Err(Problem::NotJson),
        };
        Ok(simple as u16)
    }

    fn number(&mut self) -> Result<Value, Problem> {
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        Ok(Value::Number)
    }

    fn digits(&mut self) -> Result<(), Problem> {
        let rest = self.rest().trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let none = rest == self.rest().len();
        self.at = self.text.len() - rest;
        if none { Err(Problem::NotJson) } else { Ok(()) }
    }
}

/// A value that a path leads to, and all values on the way, the body first.
#[derive(Clone)]
struct Match<'t> {
    way: Vec<&'t Tree>,
    /// Its number in its array.
    index: Option<usize>,
}

impl<'t> Match<'t> {
    fn tree(&self) -> &'t Tree {
        self.way[self.way.len() - 1]
    }

    fn start(&self) -> usize {
        self.tree().span.start
    }

    fn to(&self, tree: &'t Tree, index: Option<usize>) -> Self {
        let mut way = self.way.clone();
        way.push(tree);
        Self { way, index }
    }
}

/// Keys, and `None` for `[]`.
fn steps(path: &str) -> Vec<Option<&str>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let key = part.trim_end_matches("[]");
        steps.extend((!key.is_empty()).then_some(Some(key)));
        steps.extend(vec![None; (part.len() - key.len()) / 2]);
    }
    steps
}

fn select<'t>(body: &'t Tree, steps: &[Option<&str>]) -> Vec<Match<'t>> {
    let mut matches = vec![Match { way: vec![body], index: None }];
    for step in steps {
        let mut next = Vec::new();
        for found in matches {
            match (step, &found.tree().value) {
                (Some(key), Value::Object(members)) => {
                    next.extend(members.iter().rfind(|(name, _)| name == key).map(|(_, tree)| found.to(tree, None)));
                }
                (None, Value::Array(items)) => {
                    next.extend(items.iter().enumerate().map(|(index, item)| found.to(item, Some(index))));
                }
                _ => {}
            }
        }
        matches = next;
    }
    matches
}

/// How many steps lead to what a role describes: the last element of an array on its way, else the object it is in.
fn message_of<'s, 'p>(role: &'s [Option<&'p str>]) -> &'s [Option<&'p str>] {
    let each = role.iter().rposition(|step| step.is_none());
    &role[..each.map_or(role.len() - 1, |position| position + 1)]
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub span: Span,
    pub role: Role,
    /// Equal for pieces of one message.
    pub scope: (usize, usize),
    /// Of a string.
    pub text: Option<String>,
}

/// What the scanner must find.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub said: Vec<Said>,
    pub parameters: [Option<Span>; Parameter::ALL.len()],
    pub tools: u32,
}

fn span(range: &Range<usize>) -> Span {
    Span { start: range.start as u32, end: range.end as u32 }
}

/// Look up every path.
pub fn find(body: &[u8], dialects: &[Dialect]) -> Result<Found, Problem> {
    let tree = parse(body)?;
    let paths: Vec<_> = dialects.iter().flat_map(|dialect| &dialect.paths).collect();
    let roles: Vec<_> = paths.iter().filter(|(_, field)| field == "role").map(|(path, _)| steps(path)).collect();
    let mut found = Found::default();
    let mut pieces = Vec::new();
    let mut counted = BTreeSet::new();
    for (path, field) in paths {
        for hit in select(&tree, &steps(path)) {
            if let Some(parameter) = Parameter::ALL.iter().find(|parameter| parameter.name() == field) {
                let slot = &mut found.parameters[*parameter as usize];
                let is_later = slot.is_none_or(|known| known.start < hit.start() as u32);
                if is_later && !matches!(hit.tree().value, Value::Null) {
                    *slot = Some(span(&hit.tree().span));
                }
                if let (Parameter::Tools, Value::Array(items)) = (parameter, &hit.tree().value)
                    && counted.insert(hit.start())
                {
                    found.tools += items.len() as u32;
                }
            } else if field != "role" {
                let (text, place) = match (&hit.tree().value, hit.index) {
                    (Value::String(text), _) => (Some(text.clone()), None),
                    (Value::Number, Some(index)) => (None, Some((hit.way[hit.way.len() - 2].span.start, index))),
                    (Value::Number, None) => (None, None),
                    _ => continue,
                };
                let (role, scope) = (role_of(&tree, field, path, &hit, &roles), scope_of(&tree, path, &hit, &roles));
                pieces.push((Said { span: span(&hit.tree().span), role, scope, text }, place));
            }
        }
    }
    pieces.sort_by_key(|(said, _)| said.span.start);
    pieces.dedup_by_key(|(said, _)| said.span.start);
    found.said = join_runs(pieces);
    Ok(found)
}

fn role_of(tree: &Tree, field: &str, path: &str, hit: &Match<'_>, roles: &[Vec<Option<&str>>]) -> Role {
    let fixed = match field {
        "system" => Some(Role::System),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "tool" => Some(Role::Tool),
        _ => None,
    };
    let steps = steps(path);
    let around = |message: &[Option<&str>]| message.len() < steps.len() && steps.starts_with(message);
    let innermost = roles.iter().map(|role| message_of(role)).filter(|message| around(message)).max_by_key(|m| m.len());
    let Some(message) = innermost.filter(|_| fixed.is_none()) else { return fixed.unwrap_or(Role::User) };
    let start = hit.way[message.len()].span.start;
    let named = roles.iter().filter(|role| message_of(role) == message).flat_map(|role| select(tree, role));
    let last = named.filter(|role| role.way[message.len()].span.start == start).max_by_key(Match::start);
    match last.as_ref().map(|role| &role.tree().value) {
        Some(Value::String(name)) => match name.as_str() {
            "system" | "developer" => Role::System,
            "assistant" | "model" | "ai" | "bot" => Role::Assistant,
            "tool" | "function" | "ipython" => Role::Tool,
            _ => Role::User,
        },
        _ => Role::User,
    }
}

/// Which turn a piece belongs to: the innermost message, which is an object, or else the value of a key of the body
/// together with how many messages stand before the piece: each of them parts what is said before from what is said
/// after.
fn scope_of(tree: &Tree, path: &str, hit: &Match<'_>, roles: &[Vec<Option<&str>>]) -> (usize, usize) {
    let steps = steps(path);
    let is_object = |tree: &Tree| matches!(tree.value, Value::Object(_));
    let around = roles.iter().map(|role| message_of(role)).filter(|message| steps.starts_with(message));
    let message = around.map(<[_]>::len).filter(|depth| *depth < hit.way.len() && is_object(hit.way[*depth])).max();
    if let Some(depth) = message {
        return (hit.way[depth].span.start, usize::MAX);
    }
    let messages: BTreeSet<usize> = roles
        .iter()
        .flat_map(|role| select(tree, message_of(role)))
        .filter(|message| is_object(message.tree()) && message.start() < hit.start())
        .map(|message| message.start())
        .collect();
    let key = usize::from(is_object(tree)).min(hit.way.len() - 1);
    (hit.way[key].span.start, messages.len())
}

/// Numbers that follow each other in one array (where it starts, and their number in it) are one piece.
fn join_runs(pieces: Vec<(Said, Option<(usize, usize)>)>) -> Vec<Said> {
    let mut joined: Vec<Said> = Vec::new();
    let mut last = None;
    for (said, place) in pieces {
        let follows = matches!((last, place), (Some((a, i)), Some((b, j))) if a == b && i + 1 == j);
        match joined.last_mut() {
            Some(run) if follows => run.span.end = said.span.end,
            _ => joined.push(said),
        }
        last = place;
    }
    joined
}

/// Does the scanner say what this twin says? Panics with the difference.
pub fn compare(body: &[u8], dialects: &[Dialect], result: Result<(), Problem>, fields: &Fields) {
    let shown = || String::from_utf8_lossy(body);
    match find(body, dialects) {
        Err(problem) => {
            assert_eq!(result, Err(problem), "{}", shown());
            assert!(fields.pieces.is_empty() && fields.parameters.iter().all(Option::is_none) && fields.tools == 0);
        }
        Ok(found) => {
            assert_eq!(result, Ok(()), "{}", shown());
            let spans: Vec<_> = fields.pieces.iter().map(|piece| (piece.span, piece.role)).collect();
            let wanted: Vec<_> = found.said.iter().map(|said| (said.span, said.role)).collect();
            assert_eq!(spans, wanted, "{}", shown());
            assert_eq!(fields.parameters, found.parameters, "{}", shown());
            assert_eq!(fields.tools, found.tools, "{}", shown());
            for (pieces, said) in fields.pieces.windows(2).zip(found.said.windows(2)) {
                assert!(pieces[0].turn <= pieces[1].turn, "{}", shown());
                assert_eq!(pieces[0].turn == pieces[1].turn, said[0].scope == said[1].scope, "{}", shown());
            }
            for (piece, said) in fields.pieces.iter().zip(&found.said) {
                let raw = &body[piece.span.range()];
                assert_eq!(piece.escaped, raw.contains(&b'\\'), "{}", shown());
                let mut meant = String::new();
                text(body, piece.span, &mut meant);
                assert_eq!(meant.as_bytes(), said.text.as_ref().map_or(raw, String::as_bytes), "{}", shown());
            }
        }
    }
}
