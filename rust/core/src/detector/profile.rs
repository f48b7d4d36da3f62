//! What is remembered of one account: 1.5 KiB, no text.

use super::events::{is_mosaic, is_recombination, is_rotation};
use super::evidence::Test;
use super::recall::{NUMBERS, Recall};
use super::recent::{First, Prompts, Recent};
use super::rows::Rows;
use super::signal::{SIGNALS, Signal};
use crate::prompt::facts::Facts;
use crate::saved::ensure;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// Requests before anything old can stand in a new arrangement.
const WARM_UP: u32 = 6;
/// Shorter answers (labels, yes or no) train nobody's model.
const MIN_ANSWER_TOKENS: u32 = 64;
/// Words of a task.
const MIN_TASK_WORDS: u32 = 3;
/// Requests of an epoch: a quarter of what an account's memory numbers, twice that for signals of whole streams,
/// which need two hundred requests.
const EPOCH: u16 = 256;
const STREAM_EPOCH: u16 = 512;

/// Sets of four: about the first 32 prompts are never forgotten, so that a stream that is played again is found out.
const FIRST: usize = 8;
/// Sets of four: openings of about the last 32 prompts, so that a template is known by how it begins.
const OPENINGS: usize = 8;

/// What counts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Its prompt.
    pub facts: &'a Facts,
    /// Tokens of its answer, where known.
    pub answer_tokens: Option<u32>,
    /// Seconds since any fixed moment.
    pub time: u64,
    /// The operator knows that this account tests the model: evaluations walk through corpora.
    pub is_declared: bool,
}

/// Whether a request showed each signal; `None` where it does not count.
pub type Events = [Option<bool>; SIGNALS];
/// Evidence of each signal, in nats.
pub type Evidence = [f64; SIGNALS];

/// Events and requests of the running epochs.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Counts {
    events: [u16; SIGNALS],
    requests: u16,
    stream_requests: u16,
    epoch: u16,
    stream_epoch: u16,
}

/// A profile.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Profile {
    recall: Recall,
    prompts: Prompts,
    first: First<FIRST>,
    openings: Recent<OPENINGS>,
    number: u32,
    #[borsh(deserialize_with = "Counts::read")]
    counts: Counts,
    /// Seconds, of the last request.
    pub(super) last: u32,
    /// The highest score so far.
    pub(super) score: f32,
    /// Evidence has once stood above its threshold.
    pub(super) is_convicted: bool,
}

impl Default for Profile {
    fn default() -> Self {
        let counts = Counts { epoch: 1, stream_epoch: 1, ..Counts::default() };
        Self {
            recall: Recall::default(),
            prompts: Prompts::default(),
            first: First::default(),
            openings: Recent::default(),
            number: 0,
            counts,
            last: 0,
            score: 0.0,
            is_convicted: false,
        }
    }
}

impl Profile {
    /// Requests counted so far.
    pub fn requests(&self) -> u32 {
        self.number
    }

    /// Add a request. What it showed, and the evidence after it. Cost: 0.5 µs.
    pub fn add(&mut self, seen: &Observation<'_>, tests: &[Test; SIGNALS]) -> (Events, Evidence) {
        // Behind the last number comes one that is the same to the table, and long warm.
        self.number = self.number.checked_add(1).unwrap_or(NUMBERS);
        let rows = Rows::of(seen.facts, &self.recall);
        let events = self.events(seen, &rows);
        rows.remember(&mut self.recall, self.number);
        self.counts.add(&events);
        (events, self.counts.evidence(tests))
    }

    fn events(&mut self, seen: &Observation<'_>, rows: &Rows) -> Events {
        let (facts, number) = (seen.facts, self.number);
        // A prompt that comes again has some row that stood last where all of it stood.
        let mut ages = rows.known().map(|entry| entry.age(number));
        let is_again = ages.any(|age| self.prompts.had(number, age, facts.digest));
        let was_first = self.first.insert(facts.digest);
        self.prompts.set(number, facts.digest);
        let is_repeat = was_first || is_again;
        let is_fresh = self.is_fresh(facts, rows) && !was_first;
        let answered = seen.answer_tokens.is_none_or(|tokens| tokens >= MIN_ANSWER_TOKENS);
        let shows = |event: bool| (number > WARM_UP).then_some(event && answered && !is_repeat);
        let is_walk = is_fresh && facts.system == 0 && !seen.is_declared;
        Signal::ALL.map(|signal| match signal {
            Signal::Recombination => shows(is_recombination(rows, number)),
            Signal::TemplateRotation => shows(is_rotation(rows, number)),
            Signal::Mosaic => shows(is_mosaic(rows)),
            Signal::CorpusWalk => Some(is_walk),
            Signal::Novelty => Some(is_fresh),
        })
    }

    /// A task that this account never came near before.
    fn is_fresh(&mut self, facts: &Facts, rows: &Rows) -> bool {
        let opening = facts.prefixes.get(1).or(facts.prefixes.first()).copied().unwrap_or_default();
        let begins_known = self.openings.replace(opening);
        let is_new = facts.assistant_turns == 0 && facts.words >= MIN_TASK_WORDS && !rows.is_known;
        is_new && !begins_known
    }
}

impl Counts {
    fn add(&mut self, events: &Events) {
        let Self { epoch, stream_epoch, requests, stream_requests, .. } = self;
        let new_epoch = step(stream_requests, stream_epoch, STREAM_EPOCH, true);
        let counted = events[Signal::Recombination as usize].is_some();
        let new_own = step(requests, epoch, EPOCH, counted);
        for signal in Signal::ALL {
            let count = &mut self.events[signal as usize];
            let is_new = if signal.is_of_stream() { new_epoch } else { new_own };
            if is_new {
                *count = 0;
            }
            *count += u16::from(events[signal as usize] == Some(true));
        }
    }

    fn evidence(&self, tests: &[Test; SIGNALS]) -> Evidence {
        Signal::ALL.map(|signal| {
            let (requests, epoch) = match signal.is_of_stream() {
                true => (self.stream_requests, self.stream_epoch),
                false => (self.requests, self.epoch),
            };
            let events = u32::from(self.events[signal as usize]);
            tests[signal as usize].evidence(events, u32::from(requests), u32::from(epoch))
        })
    }
}

impl Counts {
    /// Epochs begin at 1, and within one there are no more events than requests.
    fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        let counts = Self::deserialize_reader(reader)?;
        let Self { requests, stream_requests, epoch, stream_epoch, .. } = counts;
        let most = |signal: Signal| if signal.is_of_stream() { stream_requests } else { requests };
        let is_within = Signal::ALL.iter().all(|&signal| counts.events[signal as usize] <= most(signal));
        let is_epoch = requests <= EPOCH && stream_requests <= STREAM_EPOCH && epoch > 0 && stream_epoch > 0;
        ensure(is_within && is_epoch, "counts of an account")?;
        Ok(counts)
    }
}

/// Count a request. Whether it begins a new epoch.
fn step(requests: &mut u16, epoch: &mut u16, most: u16, counted: bool) -> bool {
    let is_over = counted && *requests == most;
    if is_over {
        *requests = 0;
        *epoch = epoch.saturating_add(1);
    }
    *requests += u16::from(counted);
    is_over
}
