//! A log in, verdicts out: the detector over recorded traffic, line by line in the order of the log, so that a verdict
//! uses nothing that comes later.
//!
//! **The way of a line.** [`record`] finds its columns, [`value`] reads them, the prompt scanner and the detector are
//! the ones of live traffic, and [`judge`] and [`ledger`] say and keep what came of it. Lines that cannot be used are counted with
//! their reason and passed over.

pub mod groups;
pub mod judge;
pub mod ledger;
pub mod lines;
pub mod record;
pub mod timeline;
pub mod totals;
pub mod value;

use crate::campaign::Correlator;
use crate::detector::Detector;
use crate::error::Error;
use crate::hash::{Seed, mix};
use crate::prompt::dialect::Dialect;
use crate::prompt::facts::judged;
use crate::prompt::fields::{Fields, Span};
use crate::prompt::history::answer;
use crate::prompt::json;
use crate::prompt::scan::Scanner;
use crate::prompt::text::Scratch;
use crate::prompt::words::Keys;
use judge::{Case, Judge};
use ledger::Entry;
use lines::Lines;
use record::{Column, Columns, RecordReader};
use totals::{Place, Skip, Totals};

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
    pub judge: Judge,
    /// Requests that pay from a campaign's budget, until somebody takes them.
    pub restricted: Vec<Restricted>,
    /// What came of the lines.
    pub totals: Totals,
    repeats: Box<[[u64; 4]]>,
    now: f64,
    lines: Lines,
    room: Room,
}

/// A request that pays from a campaign's budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Restricted {
    /// Its name.
    pub id: Box<str>,
    /// Its account's.
    pub account: Box<str>,
    /// Seconds since the epoch.
    pub time: f64,
    /// Name of the campaign then, which may since have become part of an older one.
    pub campaign: u32,
}

/// Buffers, reused from line to line.
#[derive(Debug, Default)]
struct Room {
    fields: Fields,
    scratch: Scratch,
    body: String,
    reply: String,
    names: [String; 3],
}

impl Auditor {
    /// One with nothing read.
    pub fn new(format: Format, detector: Detector, correlator: Correlator) -> Self {
        Self {
            format,
            judge: Judge::new(detector, correlator),
            restricted: Vec::new(),
            totals: Totals::default(),
            repeats: vec![[0; 4]; REMEMBERED_SETS].into(),
            now: f64::NEG_INFINITY,
            lines: Lines::default(),
            room: Room::default(),
        }
    }

    /// The operator knows that this account tests the model.
    pub fn declare(&mut self, account: &str) {
        self.judge.declared.insert(self.key(cut(account)), ());
    }

    /// The history of this account shows so much already that an operator has to decide about it: until then it is
    /// observed at most.
    pub fn suspect(&mut self, account: &str) {
        self.judge.suspects.insert(self.key(cut(account)), ());
    }

    /// This account is paid for by `payer`: all that he pays for are one tenant to campaigns.
    pub fn relate(&mut self, account: &str, payer: &str) {
        self.judge.payers.insert(self.key(cut(account)), self.key(cut(payer)));
    }

    /// Read the next bytes of the log. Cost: about 12 µs for a record of 1 KB.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(chunk, |line| self.line_or_skip(line));
        self.lines = lines;
    }

    /// The file has ended: so has its last line.
    pub fn end_file(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.end_file(|line| self.line_or_skip(line));
        self.lines = lines;
        self.totals.place = Place { file: self.totals.place.file + 1, line: 0 };
    }

    fn line_or_skip(&mut self, line: Option<&[u8]>) {
        self.totals.place.line += 1;
        match line {
            Some(line) => self.line(line),
            None => {
                self.totals.lines += 1;
                self.skip(Skip::TooLong);
            }
        }
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
        if !is_judged {
            self.totals.not_judged += 1;
            self.judge.ledger.add(key, entry, None);
        } else if !self.judge(line, columns, key, entry, tokens) {
            self.totals.no_prompt += 1;
            self.judge.ledger.add(key, entry, None);
        }
    }

    /// Was there a prompt to judge?
    fn judge(
        &mut self,
        line: &[u8],
        columns: &Columns,
        key: u64,
        entry: &Entry<'_>,
        answer_tokens: Option<u32>,
    ) -> bool {
        let Room { fields, scratch, body, reply, .. } = &mut self.room;
        let span = columns[Column::Request as usize];
        let bytes = unquoted(line, span, body);
        if self.format.prompts.scan(bytes, fields).is_err() || fields.pieces.is_empty() {
            return false;
        }
        let keys = &self.format.keys;
        let facts = judged(bytes, fields, keys, scratch);
        let answer =
            columns[Column::Reply as usize].map(|span| answer(unquoted(line, Some(span), reply), keys, scratch));
        let network = columns[Column::Address as usize].map_or(0, |span| self.key(value::network(text(line, span))));
        let case = Case {
            entry: *entry,
            account: key,
            tenant: self.key(entry.tenant),
            network,
            facts: &facts,
            answer_tokens,
            answer: answer.map_or((0, 0), |answer| (answer.hash, answer.words)),
            is_declared: false,
        };
        let judged = self.judge.add(&case);
        if judged.found.pays {
            let campaign = self.judge.correlator.campaigns.name(judged.found.campaign);
            let (id, account) = (entry.id.into(), entry.account.into());
            self.restricted.push(Restricted { id, account, time: entry.time, campaign });
        }
        true
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

/// A body, or a text, as it reads after its escapes when it is a JSON string.
fn unquoted<'l>(line: &'l [u8], span: Option<Span>, text: &'l mut String) -> &'l [u8] {
    match span {
        Some(span) if line[span.start as usize] == b'"' => {
            json::text(line, span, text);
            text.as_bytes()
        }
        span => span.map_or(b"", |span| &line[span.range()]),
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
