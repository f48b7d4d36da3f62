//! A log in, verdicts out: the detector over recorded traffic, line by line in the order of the log, so that a verdict
//! uses nothing that comes later.
//!
//! **The way of a line.** [`record`] finds its columns, [`value`] reads them, the prompt scanner and the detector are
//! the ones of live traffic, and the [`ledger`] keeps what came of it. Lines that cannot be used are counted with
//! their reason and passed over.

pub mod ledger;
pub mod record;
pub mod timeline;
pub mod value;

use crate::detector::profile::Observation;
use crate::detector::{Assessment, Detector, Level};
use crate::error::Error;
use crate::hash::{ByHash, Seed, mix};
use crate::prompt::dialect::Dialect;
use crate::prompt::facts::facts;
use crate::prompt::fields::{Fields, Problem, Span};
use crate::prompt::json;
use crate::prompt::scan::Scanner;
use crate::prompt::text::Scratch;
use crate::prompt::words::Keys;
use ledger::{Entry, Ledger};
use record::{Column, Columns, RecordReader};

/// Longest line. What is longer is passed over without being kept.
pub const MAX_LINE: usize = 64 << 20;
/// Longest name of an account, a tenant or a request; the rest is cut off.
pub const MAX_NAME: usize = 256;
/// Lines that are remembered to know repeated ones: by their request's name, account, time and end.
const REMEMBERED_SETS: usize = 1 << 14;
/// Bytes at the end of a request that tell it from others.
const COMPARED: usize = 512;
/// Seconds between two lines in order from which on a clock must have jumped.
const JUMP: f64 = 24.0 * 3600.0;

/// Why a line could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Skip {
    /// No JSON object.
    NotJson,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Nested too deep.
    TooDeep,
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// Nobody sent it.
    NoAccount,
    /// No time, or none that is understood.
    NoTime,
}

impl Skip {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NotJson, Self::NotUtf8, Self::TooDeep, Self::TooLong, Self::NoAccount, Self::NoTime];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NotUtf8 => "not-utf-8",
            Self::TooDeep => "too-deep",
            Self::TooLong => "too-long",
            Self::NoAccount => "no-account",
            Self::NoTime => "no-time",
        }
    }

    fn of(problem: Problem) -> Self {
        match problem {
            Problem::NotUtf8 => Self::NotUtf8,
            Problem::TooDeep => Self::TooDeep,
            _ => Self::NotJson,
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Files before its own.
    pub file: u64,
    /// Its number in the file, from 1, blank lines too.
    pub line: u64,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Lines, blank ones left out.
    pub lines: u64,
    /// Lines that were used.
    pub records: u64,
    /// Of each reason how many lines were passed over, and the first of them.
    pub skipped: [(u64, Place); Skip::ALL.len()],
    /// Where the last line stood.
    pub place: Place,
    /// Lines that repeat a recent one: passed over.
    pub repeated: u64,
    /// Records older than the one before.
    pub out_of_order: u64,
    /// Records a day and more away from the one before.
    pub jumps: u64,
    /// Answered records whose request holds no prompt that can be read.
    pub no_prompt: u64,
    /// Records that ask for no text, or got no answer.
    pub not_judged: u64,
    /// Earliest and latest time.
    pub span: Option<(f64, f64)>,
}

/// Where things stand in a log, and how prompts are hashed.
#[derive(Debug)]
pub struct Format {
    /// Of the records.
    pub records: RecordReader,
    /// Of the bodies.
    pub prompts: Scanner,
    /// Secret of the word hashes.
    pub keys: Keys,
    /// Secret of the accounts' hashes.
    pub seed: Seed,
}

impl Format {
    /// For records by `paths`, and bodies by `dialects`.
    pub fn new(paths: &[(Column, String)], dialects: &[Dialect], seed: Seed) -> Result<Self, Error> {
        let records = RecordReader::new(paths)?;
        Ok(Self { records, prompts: Scanner::new(dialects, MAX_LINE)?, keys: Keys::new(seed), seed })
    }
}

/// Reads a log in chunks.
#[derive(Debug)]
pub struct Auditor {
    format: Format,
    /// Judges the accounts.
    pub detector: Detector,
    /// What came of them.
    pub ledger: Ledger,
    /// What came of the lines.
    pub totals: Totals,
    declared: ByHash<()>,
    suspects: ByHash<()>,
    repeats: Box<[[u64; 4]]>,
    now: f64,
    /// The line that the last chunk began.
    rest: Vec<u8>,
    is_too_long: bool,
    room: Room,
}

/// Buffers, reused from line to line.
#[derive(Debug, Default)]
struct Room {
    fields: Fields,
    scratch: Scratch,
    body: String,
    names: [String; 3],
}

impl Auditor {
    /// One with nothing read.
    pub fn new(format: Format, detector: Detector) -> Self {
        Self {
            format,
            detector,
            ledger: Ledger::default(),
            totals: Totals::default(),
            declared: ByHash::default(),
            suspects: ByHash::default(),
            repeats: vec![[0; 4]; REMEMBERED_SETS].into(),
            now: f64::NEG_INFINITY,
            rest: Vec::new(),
            is_too_long: false,
            room: Room::default(),
        }
    }

    /// The operator knows that this account tests the model.
    pub fn declare(&mut self, account: &str) {
        self.declared.insert(self.key(cut(account)), ());
    }

    /// The history of this account shows so much already that an operator has to decide about it: until then it is
    /// observed at most.
    pub fn suspect(&mut self, account: &str) {
        self.suspects.insert(self.key(cut(account)), ());
    }

    /// Read the next bytes of the log. Cost: about 10 µs for a record of 1 KB.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.end_line(&rest[..end]);
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The file has ended: so has its last line.
    pub fn end_file(&mut self) {
        if !self.rest.is_empty() || self.is_too_long {
            self.end_line(b"");
        }
        self.totals.place = Place { file: self.totals.place.file + 1, line: 0 };
    }

    fn keep(&mut self, part: &[u8]) {
        self.is_too_long |= self.rest.len() + part.len() > MAX_LINE;
        if self.is_too_long {
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, end: &[u8]) {
        self.totals.place.line += 1;
        if self.rest.is_empty() && !self.is_too_long && end.len() <= MAX_LINE {
            return self.line(end);
        }
        self.keep(end);
        if std::mem::take(&mut self.is_too_long) {
            self.totals.lines += 1;
            return self.skip(Skip::TooLong);
        }
        let line = std::mem::take(&mut self.rest);
        self.line(&line);
        self.rest = line;
        self.rest.clear();
    }

    fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        self.totals.lines += 1;
        if let Err(why) = self.record(line) {
            self.skip(why);
        }
    }

    fn skip(&mut self, why: Skip) {
        let (count, first) = &mut self.totals.skipped[why as usize];
        if *count == 0 {
            *first = self.totals.place;
        }
        *count += 1;
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Skip> {
        let columns = self.format.records.read(line).map_err(Skip::of)?;
        let text = |column: Column| columns[column as usize].map(|span| text(line, span));
        let time = text(Column::Time).and_then(value::time).ok_or(Skip::NoTime)?;
        let mut names = std::mem::take(&mut self.room.names);
        for (name, column) in names.iter_mut().zip([Column::Account, Column::Tenant, Column::Id]) {
            read_name(line, columns[column as usize], name);
        }
        let [account, tenant, id] = &names;
        let is_answered = text(Column::Status).is_none_or(value::is_answered);
        // Gateways write 0 where they do not know.
        let answer_tokens = text(Column::AnswerTokens).and_then(value::count).filter(|&tokens| tokens > 0);
        let tenant = if tenant.is_empty() { account } else { tenant };
        let entry = Entry { account, tenant, id, time, answer_tokens: answer_tokens.unwrap_or(0), is_answered };
        let generates = text(Column::Path).is_none_or(value::generates);
        let used = if account.is_empty() {
            Err(Skip::NoAccount)
        } else {
            self.take(line, &columns, &entry, answer_tokens, is_answered && generates);
            Ok(())
        };
        self.room.names = names;
        used
    }

    fn take(&mut self, line: &[u8], columns: &Columns, entry: &Entry<'_>, tokens: Option<u32>, is_judged: bool) {
        let key = self.key(entry.account);
        let request = columns[Column::Request as usize].map(|span| &line[span.range()]).unwrap_or_default();
        if self.is_repeated(key, entry, request) {
            self.totals.repeated += 1;
            return;
        }
        self.totals.records += 1;
        self.keep_time(entry.time);
        let judged = match is_judged {
            true => self.judge(line, columns[Column::Request as usize], key, entry.time, tokens),
            false => {
                self.totals.not_judged += 1;
                None
            }
        };
        let is_watched = judged.is_some_and(|assessment| assessment.level != Default::default());
        if let Some(tally) = self.ledger.line(key, entry, is_watched) {
            tally.add(entry, judged.as_ref());
        }
    }

    fn judge(
        &mut self,
        line: &[u8],
        request: Option<Span>,
        key: u64,
        time: f64,
        answer_tokens: Option<u32>,
    ) -> Option<Assessment> {
        let Room { fields, scratch, body, .. } = &mut self.room;
        let bytes = request.map_or(&b""[..], |span| &line[span.range()]);
        let bytes = if bytes.starts_with(b"\"") {
            json::text(line, request?, body);
            body.as_bytes()
        } else {
            bytes
        };
        if self.format.prompts.scan(bytes, fields).is_err() || fields.pieces.is_empty() {
            self.totals.no_prompt += 1;
            return None;
        }
        let facts = facts(bytes, fields, &self.format.keys, scratch);
        let is_declared = self.declared.contains_key(&key);
        let seen = Observation { facts: &facts, answer_tokens, time: time as u64, is_declared };
        let assessment = self.detector.observe(key, &seen);
        let most = if self.suspects.contains_key(&key) { Level::Observe } else { Level::Throttle };
        Some(Assessment { level: assessment.level.min(most), ..assessment })
    }

    /// Sets of four: a line is forgotten when four others fall into its set.
    fn is_repeated(&mut self, key: u64, entry: &Entry<'_>, request: &[u8]) -> bool {
        if entry.id.is_empty() {
            return false;
        }
        // Names of requests may be the caller's, and times whole seconds: so its end counts too.
        let end = &request[request.len().saturating_sub(COMPARED)..];
        let what = self.format.seed.digest(end).0[0] ^ request.len() as u64;
        let hash = mix(key ^ mix(self.key(entry.id) ^ mix(entry.time.to_bits() ^ mix(what)))).max(1);
        let set = &mut self.repeats[hash as usize % REMEMBERED_SETS];
        let way = set.iter().position(|known| *known == hash);
        set[..=way.unwrap_or(3)].rotate_right(1);
        set[0] = hash;
        way.is_some()
    }

    fn keep_time(&mut self, time: f64) {
        self.totals.out_of_order += u64::from(time < self.now);
        self.totals.jumps += u64::from(self.now.is_finite() && (time - self.now).abs() >= JUMP);
        self.now = time;
        let (first, last) = self.totals.span.unwrap_or((time, time));
        self.totals.span = Some((first.min(time), last.max(time)));
    }

    fn key(&self, name: &str) -> u64 {
        self.format.seed.digest(name.as_bytes()).0[0]
    }
}

/// As much of a name as is kept.
pub fn cut(name: &str) -> &str {
    let end = (0..=name.len().min(MAX_NAME)).rfind(|&at| name.is_char_boundary(at));
    &name[..end.unwrap_or_default()]
}

fn text(line: &[u8], span: Span) -> &str {
    str::from_utf8(&line[span.range()]).unwrap_or_default()
}

/// A name: a string as it reads after its escapes, a number as it stands; nothing else names anything.
fn read_name(line: &[u8], span: Option<Span>, name: &mut String) {
    name.clear();
    let names = |span: &Span| matches!(line[span.start as usize], b'"' | b'-' | b'0'..=b'9');
    let Some(span) = span.filter(names) else { return };
    json::text(line, span, name);
    name.truncate(cut(name).len());
}
