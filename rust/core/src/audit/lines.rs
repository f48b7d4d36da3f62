//! Chunks into lines: chunks may end anywhere, lines may be longer than anything is kept.

use super::MAX_LINE;

/// The line that the last chunk began.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// Pass on each line that a chunk ends; `None` for one that is too long.
    pub fn feed(&mut self, chunk: &[u8], mut line: impl FnMut(Option<&[u8]>)) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.end(&rest[..end], &mut line);
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The file has ended: so has its last line.
    pub fn end_file(&mut self, mut line: impl FnMut(Option<&[u8]>)) {
        if !self.rest.is_empty() || self.is_too_long {
            self.end(b"", &mut line);
        }
    }

    fn end(&mut self, end: &[u8], line: &mut impl FnMut(Option<&[u8]>)) {
        if self.rest.is_empty() && !self.is_too_long && end.len() <= MAX_LINE {
            return line(Some(end));
        }
        self.keep(end);
        match std::mem::take(&mut self.is_too_long) {
            true => line(None),
            false => line(Some(&self.rest)),
        }
        self.rest.clear();
    }

    fn keep(&mut self, part: &[u8]) {
        self.is_too_long |= self.rest.len() + part.len() > MAX_LINE;
        if self.is_too_long {
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(part);
        }
    }
}
