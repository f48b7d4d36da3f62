//! Lines of server-sent events (WHATWG HTML, 9.2), wherever the stream is cut.
//!
//! A line ends with `\n`, `\r\n` or `\r`, an event with a blank line. Of a line at most [`MAX_LINE`] bytes are kept.

use memchr::memchr2;

/// Longest line that is read, in bytes: far beyond an event that brings text.
pub const MAX_LINE: usize = 64 << 10;

/// The mark that a stream may begin with.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a stream is cut into. Ends of lines are left out, and so is the mark that a stream may begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A whole line; blank where an event ends.
    Line(&'a [u8]),
    /// The next piece of a line beyond [`MAX_LINE`]: the first one is the longest line, the others follow as they come.
    Long(&'a [u8]),
    /// The end of a line that came in pieces.
    LongEnd,
}

/// Where a stream stands.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The last byte was `\r`: a `\n` would belong to it.
    after_return: bool,
    /// The line holds something.
    in_line: bool,
    /// So does the event.
    in_event: bool,
}

impl Place {
    /// Inside an event that has begun.
    pub fn in_event(&self) -> bool {
        self.in_event
    }

    /// How many bytes of what comes next belong to the event that stands open, through its blank line; all when it
    /// does not end there, none when no event is open. Cost: a pass over them.
    pub fn rest_of_event(&self, chunk: &[u8]) -> usize {
        let (mut place, mut at) = (self.clone(), 0);
        while place.in_event && at < chunk.len() {
            at += place.step(&chunk[at..]).1;
        }
        // The blank line may end with two bytes.
        at + usize::from(at > 0 && place.after_return && chunk.get(at) == Some(&b'\n'))
    }

    /// Pass the next bytes up to the end of the line, or all of them: how many of them are of the line, how many are
    /// passed, and whether the line has ended.
    fn step(&mut self, bytes: &[u8]) -> (usize, usize, bool) {
        if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
            return (0, 1, false);
        }
        let end = memchr2(b'\n', b'\r', bytes);
        let line = end.unwrap_or(bytes.len());
        self.in_line |= line > 0;
        let Some(end) = end else {
            self.in_event = true;
            return (line, line, false);
        };
        self.after_return = bytes[end] == b'\r';
        self.in_event = std::mem::take(&mut self.in_line);
        (line, end + 1, true)
    }
}

/// Cuts a stream into lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    place: Place,
    /// The line that has begun.
    begun: Vec<u8>,
    is_long: bool,
    /// Something has passed, so a mark is none.
    began: bool,
}

impl Lines {
    /// Where the stream stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Take the next bytes. Cost: a pass; lines inside of one piece are not copied.
    pub fn feed(&mut self, mut chunk: &[u8], mut tell: impl FnMut(Part<'_>)) {
        while !chunk.is_empty() {
            let (line, passed, ends) = self.place.step(chunk);
            let (more, rest) = (&chunk[..line], &chunk[passed..]);
            if ends && self.begun.is_empty() && !self.is_long && line <= MAX_LINE {
                tell(Part::Line(self.unmarked(more)));
            } else {
                self.take(more, &mut tell);
                if ends {
                    self.end(&mut tell);
                }
            }
            chunk = rest;
        }
    }

    /// The stream has ended: so has its last line.
    pub fn finish(&mut self, mut tell: impl FnMut(Part<'_>)) {
        if !self.begun.is_empty() || self.is_long {
            self.end(&mut tell);
        }
        self.place = Place::default();
    }

    fn take(&mut self, more: &[u8], tell: &mut impl FnMut(Part<'_>)) {
        let kept = more.len().min(if self.is_long { 0 } else { MAX_LINE - self.begun.len() });
        self.begun.extend_from_slice(&more[..kept]);
        if kept == more.len() {
            return;
        }
        if !std::mem::replace(&mut self.is_long, true) {
            let begun = std::mem::take(&mut self.begun);
            tell(Part::Long(self.unmarked(&begun)));
        }
        tell(Part::Long(&more[kept..]));
    }

    fn end(&mut self, tell: &mut impl FnMut(Part<'_>)) {
        if std::mem::take(&mut self.is_long) {
            tell(Part::LongEnd);
            return;
        }
        let mut begun = std::mem::take(&mut self.begun);
        tell(Part::Line(self.unmarked(&begun)));
        begun.clear();
        self.begun = begun;
    }

    fn unmarked<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        let began = std::mem::replace(&mut self.began, true);
        line.strip_prefix(MARK).filter(|_| !began).unwrap_or(line)
    }
}

/// The value of a line of data.
pub fn data(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    if value.is_empty() {
        return Some(value);
    }
    let value = value.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}
