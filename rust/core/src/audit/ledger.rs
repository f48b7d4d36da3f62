//! What an audit keeps of each account: sums, the highest evidence, and when it was flagged.

use super::judge::Judged;
use super::timeline::{Point, Timeline};
use crate::campaign::Found;
use crate::detector::signal::{SIGNALS, Signal};
use crate::detector::{Level, rounded_down, rounded_up};
use crate::hash::ByHash;
use crate::saved::ensure;
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Accounts with a line of their own, twice as many if those are watched; requests of others are only counted. About
/// half a kilobyte for each.
pub const MAX_ACCOUNTS: usize = 1 << 20;
/// Requests kept as examples of each signal that restricts: the first ones.
pub const MAX_EXAMPLES: usize = 6;

/// The most that a member scores whose account is not restricted.
const MEMBER_SCORE: f64 = 0.999;

/// A record as far as the ledger is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'l> {
    /// Name of the account.
    pub account: &'l str,
    /// Name of the tenant.
    pub tenant: &'l str,
    /// Name of the request.
    pub id: &'l str,
    /// Seconds since the epoch.
    pub time: f64,
    /// Tokens of the answer.
    pub answer_tokens: u32,
    /// The model answered.
    pub is_answered: bool,
}

/// The request that an account was flagged at.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Flag {
    /// Seconds since the epoch.
    pub time: f64,
    /// Name of the request.
    pub id: Box<str>,
    /// Requests of the account before it.
    pub after: u32,
}

/// An account.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Tally {
    /// Its name.
    pub account: Box<str>,
    /// Its tenant's.
    pub tenant: Box<str>,
    /// Records.
    pub requests: u32,
    /// Records with an answer.
    pub answered: u32,
    /// Records that were judged.
    pub counted: u32,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// Time of the first record.
    pub first: f64,
    /// Of the last.
    pub last: f64,
    /// The highest level.
    pub level: Level,
    /// The highest score.
    pub score: f64,
    /// When it was first restricted.
    pub flag: Option<Box<Flag>>,
    /// Events of each signal, and requests that counted for it.
    pub events: [(u32, u32); SIGNALS],
    /// The highest evidence of each signal.
    pub evidence: [f32; SIGNALS],
    /// The campaign that it shows itself.
    pub campaign: u32,
    /// Requests with pieces that strangers share, of its campaign or none.
    pub matched: u32,
    /// Of these, combinations new to it.
    pub rotations: u32,
    /// Requests that pay from a campaign's budget.
    pub restricted: u32,
    /// How the score went.
    #[borsh(deserialize_with = "Timeline::read")]
    pub timeline: Timeline,
    /// Requests that showed a convicting signal: time, name, signal.
    pub examples: Vec<(f64, Box<str>, Signal)>,
}

/// All accounts.
#[derive(Debug, Default)]
pub struct Ledger {
    tallies: Vec<Tally>,
    index: ByHash<usize>,
    /// Requests of accounts for which there was no line.
    pub unlisted: u64,
}

impl Ledger {
    /// Accounts in the order of their first records.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// Count a record; `judged` says what the detector made of it.
    pub fn add(&mut self, key: u64, entry: &Entry<'_>, judged: Option<&Judged>) {
        let is_watched = |judged: &Judged| judged.assessment.level != Level::None || judged.found.is_member;
        if let Some(tally) = self.line(key, entry, judged.is_some_and(is_watched)) {
            tally.add(entry, judged);
        }
    }

    /// The line of an account, made when there is room. One that is watched gets a line as long as there are not twice
    /// as many as there may be.
    pub fn line(&mut self, key: u64, entry: &Entry<'_>, is_watched: bool) -> Option<&mut Tally> {
        let place = match self.index.get(&key) {
            Some(&place) => place,
            None if self.tallies.len() < MAX_ACCOUNTS << u32::from(is_watched) => {
                let evidence = [f32::NEG_INFINITY; SIGNALS];
                let (account, tenant) = (entry.account.into(), entry.tenant.into());
                self.tallies.push(Tally { account, tenant, first: entry.time, evidence, ..Tally::default() });
                self.index.insert(key, self.tallies.len() - 1);
                self.tallies.len() - 1
            }
            None => {
                self.unlisted += 1;
                return None;
            }
        };
        Some(&mut self.tallies[place])
    }

    /// Forget half of the lines: those of accounts that showed nothing, and of them that were not seen for longest.
    /// Cost: 0.2 µs a line.
    pub fn halve(&mut self) {
        let worth = |tally: &Tally| {
            let is_watched = tally.level != Level::None || tally.campaign != 0;
            (is_watched, tally.last)
        };
        let mut keys = vec![0u64; self.tallies.len()];
        self.index.iter().for_each(|(&key, &place)| keys[place] = key);
        let mut order: Vec<usize> = (0..self.tallies.len()).collect();
        let by_worth = |&one: &usize, &other: &usize| {
            let ((one, seen), (other, later)) = (worth(&self.tallies[one]), worth(&self.tallies[other]));
            other.cmp(&one).then(later.total_cmp(&seen))
        };
        order.sort_unstable_by(by_worth);
        order.truncate(self.tallies.len() / 2);
        order.sort_unstable();
        self.tallies = order.iter().map(|&place| std::mem::take(&mut self.tallies[place])).collect();
        self.index = order.iter().map(|&place| keys[place]).zip(0..).collect();
    }
}

/// The index follows from the key of each line.
impl BorshSerialize for Ledger {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let mut keys = vec![0u64; self.tallies.len()];
        self.index.iter().for_each(|(&key, &place)| keys[place] = key);
        (keys, &self.tallies, self.unlisted).serialize(writer)
    }
}

impl BorshDeserialize for Ledger {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let (keys, tallies, unlisted) = <(Vec<u64>, Vec<Tally>, u64)>::deserialize_reader(reader)?;
        let index: ByHash<usize> = keys.iter().copied().zip(0..).collect();
        ensure(keys.len() == tallies.len() && index.len() == keys.len(), "ledger")?;
        Ok(Self { tallies, index, unlisted })
    }
}

impl Tally {
    /// Add a record; `judged` says what the detector made of it.
    pub fn add(&mut self, entry: &Entry<'_>, judged: Option<&Judged>) {
        if let Some(judged) = judged {
            self.judge(entry, judged);
        }
        self.requests += 1;
        self.answered += u32::from(entry.is_answered);
        self.output_tokens += u64::from(entry.answer_tokens);
        self.first = self.first.min(entry.time);
        self.last = self.last.max(entry.time);
    }

    fn judge(&mut self, entry: &Entry<'_>, judged: &Judged) {
        let Judged { assessment, found } = judged;
        self.counted += 1;
        self.matched += u32::from(found.matches);
        self.rotations += u32::from(found.event == Some(true));
        self.restricted += u32::from(found.pays);
        if found.campaign != 0 && found.is_member {
            self.campaign = found.campaign;
        }
        let member = if found.is_member { Level::Observe } else { Level::None };
        let level = assessment.level.max(if found.is_whole { Level::Throttle } else { member });
        self.level = self.level.max(level);
        self.score = self.score.max(assessment.score).max(campaign_score(found));
        let point = Point { time: entry.time, requests: self.requests + 1, score: rounded_down(self.score) };
        self.timeline.add(point);
        if level == Level::Throttle && self.flag.is_none() {
            let flag = Flag { time: entry.time, id: entry.id.into(), after: self.requests };
            self.flag = Some(Box::new(flag));
            self.timeline.mark(point);
        }
        for signal in Signal::ALL {
            let number = signal as usize;
            let Some(shown) = assessment.events[number] else { continue };
            self.events[number].0 += u32::from(shown);
            self.events[number].1 += 1;
            self.evidence[number] = self.evidence[number].max(rounded_up(assessment.evidence[number]));
            let examples = || self.examples.iter().filter(|(.., of)| *of == signal).count();
            if shown && signal.convicts() && examples() < MAX_EXAMPLES {
                self.examples.push((entry.time, entry.id.into(), signal));
            }
        }
    }
}

/// Only what restricts an account as a whole scores more than 1.
fn campaign_score(found: &Found) -> f64 {
    let shown = if found.is_member { found.score } else { 0.0 };
    if found.is_whole { shown.max(1.0).next_up() } else { shown.min(MEMBER_SCORE) }
}
