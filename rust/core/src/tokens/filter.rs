//! Takes from a stream of OpenAI's chat or completions what only came because usage was asked for on a caller's behalf.

use super::lines::{MARK, MAX_LINE, data};
use super::value::Value;
use std::ops::Range;

/// Removes the event of the usage (`"choices": []`) and `"usage": null` from the others; all else passes byte for byte.
///
/// Holds back the line that has begun; of one longer than [`MAX_LINE`] nothing. An event whose JSON spreads over
/// several lines of data passes as it is: no such server is known.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    line: Vec<u8>,
    /// The line is longer than what is held.
    passes: bool,
    /// Something of this event has passed.
    in_event: bool,
    /// The last byte was `\r`; and was it removed?
    after_return: Option<bool>,
    /// The event's data were removed, and so will be its blank line.
    removed: bool,
}

impl UsageFilter {
    /// What may pass now.
    pub fn feed(&mut self, mut chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.line.len() + chunk.len());
        while let Some(&first) = chunk.first() {
            if let Some(removed) = self.after_return.take()
                && first == b'\n'
            {
                out.extend((!removed).then_some(first));
                chunk = &chunk[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', chunk);
            self.take(&chunk[..end.unwrap_or(chunk.len())], &mut out);
            let Some(end) = end else { break };
            let kept = self.end(&mut out);
            out.extend(kept.then_some(chunk[end]));
            self.after_return = (chunk[end] == b'\r').then_some(!kept);
            chunk = &chunk[end + 1..];
        }
        out
    }

    /// What is held when the stream has ended.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.end(&mut out);
        out
    }

    fn take(&mut self, more: &[u8], out: &mut Vec<u8>) {
        if self.line.len() + more.len() > MAX_LINE {
            out.append(&mut self.line);
            self.passes = true;
        }
        let held = if self.passes { out } else { &mut self.line };
        held.extend_from_slice(more);
    }

    /// The line has ended. Does its end pass?
    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if std::mem::take(&mut self.passes) {
            self.in_event = true;
            return true;
        }
        let removed = std::mem::take(&mut self.removed);
        let found = look(&self.line);
        let kept = match &found {
            Found::Usage => false,
            Found::Null(member) => {
                out.extend_from_slice(&self.line[..member.start]);
                out.extend_from_slice(&self.line[member.end..]);
                true
            }
            Found::Nothing => {
                out.extend_from_slice(&self.line);
                !(self.line.is_empty() && removed)
            }
        };
        self.removed = found == Found::Usage && !self.in_event;
        self.in_event = (self.in_event || kept) && !self.line.is_empty();
        self.line.clear();
        kept
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The event of the usage.
    Usage,
    /// A member with its comma.
    Null(Range<usize>),
}

fn look(line: &[u8]) -> Found {
    let line_of_data = data(line.strip_prefix(MARK).unwrap_or(line));
    let Some(data) = line_of_data.filter(|data| memchr::memmem::find(data, b"usage").is_some()) else {
        return Found::Nothing;
    };
    let Some(event) = Value::parse(data) else { return Found::Nothing };
    match event.members(["choices", "usage"]) {
        [Some(choices), Some(usage)] if usage.is_object() && choices.is_empty_array() => Found::Usage,
        [Some(_), Some(usage)] if usage.is_null() => null_member(line, data, event).map_or(Found::Nothing, Found::Null),
        _ => Found::Nothing,
    }
}

/// The only member `usage`, from the comma before it, or to the one behind it.
fn null_member(line: &[u8], data: &[u8], event: Value<'_>) -> Option<Range<usize>> {
    let members: Vec<_> = event.each_member().map(|member| (member.is("usage"), member.range)).collect();
    let place = members.iter().position(|(is_usage, _)| *is_usage)?;
    let twice = members.iter().filter(|(is_usage, _)| *is_usage).count() > 1;
    let space = data.iter().position(|byte| *byte == b'{')?;
    let before = line.len() - data.len() + space;
    let member = &members[place].1;
    let range = match place.checked_sub(1) {
        Some(last) => members[last].1.end..member.end,
        None => member.start..members.get(1).map_or(member.end, |next| next.1.start),
    };
    (!twice).then_some(before + range.start..before + range.end)
}
