//! Reads one response while it passes.

use super::answer::{Found, brings_text};
use super::lines::{Lines, Part, Place, data};
use super::text::{Kept, MAX_TEXT};
use super::usage::Usage;
use super::value::Value;

/// Longest JSON document that is kept and read, in bytes.
pub const MAX_ANSWER_BODY: usize = 256 << 10;
/// Bytes at the end of what is not kept in which a usage is looked for, and at its start in which it is seen what it
/// is. APIs write the usage last, behind it only a few short members.
pub const EDGE: usize = 4 << 10;

/// What stands early in documents that are no text: vectors, images.
const NO_TEXT: [&str; 2] = ["\"embedding\"", "\"b64_json\""];
/// What ends streams of OpenAI.
const DONE: &[u8] = b"[DONE]";

/// A response in progress. Memory: a document, or a line, its event and the text; all bounded.
///
/// Cost: 1 µs for an event of 200 bytes.
#[derive(Clone, Debug)]
pub struct Meter {
    body: Body,
    found: Found,
}

#[derive(Clone, Debug)]
enum Body {
    Document(Document),
    Events(Box<Events>),
}

impl Meter {
    /// For a JSON document. `text`: keep its text, too.
    pub fn document(text: bool) -> Self {
        // A document of bounded length has a bounded text.
        let text = text.then(|| Kept::new(MAX_ANSWER_BODY));
        Self { body: Body::Document(Document::default()), found: Found { text, ..Found::default() } }
    }

    /// For server-sent events.
    pub fn events(text: bool) -> Self {
        let text = text.then(|| Kept::new(MAX_TEXT));
        Self { body: Body::Events(Box::default()), found: Found { text, ..Found::default() } }
    }

    /// Take the next bytes; where they were cut does not matter. The output tokens they brought: of a document none
    /// until its end, unless it is too long to be kept.
    pub fn feed(&mut self, chunk: &[u8]) -> u64 {
        let before = self.estimated();
        match &mut self.body {
            Body::Document(document) => document.feed(chunk, &mut self.found),
            Body::Events(events) => events.feed(chunk, &mut self.found),
        }
        self.estimated() - before
    }

    /// The body has ended. The output tokens of what was not read before; none the second time.
    pub fn finish(&mut self) -> u64 {
        let before = self.estimated();
        match &mut self.body {
            Body::Document(document) => document.finish(&mut self.found),
            Body::Events(events) => events.finish(&mut self.found),
        }
        self.estimated() - before
    }

    /// Output tokens so far: of all choices, reasoning and the arguments of calls too.
    pub fn estimated(&self) -> u64 {
        self.found.tally.tokens()
    }

    /// What the upstream said last.
    pub fn usage(&self) -> Usage {
        self.found.usage
    }

    /// The text of the first choice, without reasoning and refusals; of a document when it has ended.
    pub fn text(&self) -> Option<String> {
        self.found.text.as_ref()?.text()
    }

    /// The bytes of a document of bounded length.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Document(document) if !document.end.is_long() => Some(&document.kept),
            _ => None,
        }
    }

    /// Where a stream stands.
    pub fn place(&self) -> Option<&Place> {
        match &self.body {
            Body::Events(events) => Some(events.lines.place()),
            Body::Document(_) => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Document {
    kept: Vec<u8>,
    end: End,
    has_text: bool,
    finished: bool,
}

impl Document {
    fn feed(&mut self, chunk: &[u8], found: &mut Found) {
        if self.end.is_long() {
            self.pass(chunk, found);
        } else if self.kept.len() + chunk.len() <= MAX_ANSWER_BODY {
            self.kept.extend_from_slice(chunk);
        } else {
            let kept = std::mem::take(&mut self.kept);
            let start = &kept[..kept.len().min(EDGE)];
            let starts: Vec<u8> = start.iter().chain(chunk.iter().take(EDGE - start.len())).copied().collect();
            self.has_text = !brings_no_text(&starts);
            self.pass(&kept, found);
            self.pass(chunk, found);
        }
    }

    /// Of a document that is too long, four bytes are a token.
    fn pass(&mut self, bytes: &[u8], found: &mut Found) {
        self.end.add(bytes);
        if self.has_text {
            found.tally.add_unread(bytes.len());
        }
    }

    fn finish(&mut self, found: &mut Found) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if self.end.is_long() {
            found.usage.read_end(&self.end.take());
        } else if let Some(document) = Value::parse(&self.kept) {
            found.document(document);
        } else if !brings_no_text(&self.kept[..self.kept.len().min(EDGE)]) {
            found.tally.add_unread(self.kept.len());
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Events {
    lines: Lines,
    /// Lines of data that are no event by themselves.
    data: Vec<u8>,
    end: End,
    has_text: bool,
}

impl Events {
    fn feed(&mut self, chunk: &[u8], found: &mut Found) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(chunk, |part| self.part(part, found));
        self.lines = lines;
    }

    fn finish(&mut self, found: &mut Found) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(|part| self.part(part, found));
        self.lines = lines;
        self.dispatch(found);
    }

    fn part(&mut self, part: Part<'_>, found: &mut Found) {
        match part {
            Part::Line(b"") => self.dispatch(found),
            Part::Line(line) => data(line).into_iter().for_each(|data| self.line(data, found)),
            Part::Long(bytes) => {
                if !self.end.is_long() {
                    self.has_text = may_bring_text(bytes);
                }
                self.end.add(bytes);
                if self.has_text {
                    found.tally.add(bytes);
                }
            }
            Part::LongEnd => found.usage.read_end(&self.end.take()),
        }
    }

    /// A line of data is mostly an event, and some servers leave the blank lines out.
    fn line(&mut self, data: &[u8], found: &mut Found) {
        if self.data.is_empty() && (data.is_empty() || data == DONE) {
            return;
        }
        if self.data.is_empty()
            && let Some(event) = Value::parse(data)
        {
            found.event(event);
            return;
        }
        if self.data.len() + data.len() >= super::lines::MAX_LINE {
            self.dispatch(found);
        }
        self.data.extend_from_slice(data);
        self.data.push(b'\n');
    }

    /// What is no JSON may be text itself.
    fn dispatch(&mut self, found: &mut Found) {
        let Some((_, data)) = self.data.split_last() else { return };
        match Value::parse(data) {
            Some(event) => found.event(event),
            None => found.tally.add(data),
        }
        self.data.clear();
    }
}

/// Does a document begin like one that holds no text?
fn brings_no_text(start: &[u8]) -> bool {
    NO_TEXT.iter().any(|name| memchr::memmem::find(start, name.as_bytes()).is_some())
}

/// May the line be an event that brings text? `response.completed` of OpenAI is long, and brings what has passed.
fn may_bring_text(line: &[u8]) -> bool {
    let kind = data(line).and_then(Value::first_member).filter(|(key, _)| *key == b"type");
    kind.is_none_or(|(_, kind)| brings_text(kind))
}

/// The end of something that is too long to be kept.
#[derive(Clone, Debug, Default)]
struct End(Vec<u8>);

impl End {
    fn is_long(&self) -> bool {
        !self.0.is_empty()
    }

    /// Moves bytes only now and then, however small the pieces are.
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(EDGE)..]);
        if self.0.len() > 2 * EDGE {
            self.0.drain(..self.0.len() - EDGE);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut end = std::mem::take(&mut self.0);
        end.drain(..end.len().saturating_sub(EDGE));
        end
    }
}
