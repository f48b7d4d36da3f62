//! What travels through the ring: answered requests as the facts that judge them, and what operators ask for.

use crate::prompt::capability::Capability;
use crate::prompt::facts::Facts;
use crate::prompt::features::FEATURES;
use crate::prompt::history::Answer;
use crate::prompt::segment::Segment;
use crate::sketch::minhash::MinHash;

/// An answered request.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Unix time in seconds.
    pub time: f64,
    /// Secret hashes of account, tenant and network; of the last 0 when it is not known.
    pub who: [u64; 3],
    /// Names of account, tenant and request.
    pub names: [String; 3],
    /// Hash of the answer and its words; 0 when it is not known.
    pub answer: (u64, u32),
    /// Tokens of the answer, where known.
    pub answer_tokens: Option<u32>,
    /// The operator knows that this account tests the model.
    pub is_declared: bool,
    /// Its prompt. What nobody judges by is empty.
    pub facts: Box<Facts>,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Somebody was answered.
    Observation(Box<Observation>),
    /// The operator says that this account, by its secret hash, is honest.
    ReleaseAccount(u64),
    /// The operator says that this campaign, by its name, is none.
    ReleaseCampaign(u32),
    /// Save the state now.
    Save,
    /// What other hosts told is in the ring up to this place of the stream between them.
    ReadUpTo([u64; 2]),
}

/// Facts of a request on its way into the ring.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Unix time in seconds.
    pub time: f64,
    /// As in [`Observation`].
    pub who: [u64; 3],
    /// Names of account, tenant and request, each as [`cut`](crate::audit::cut).
    pub names: [&'a str; 3],
    /// As in [`Observation`].
    pub answer: (u64, u32),
    /// As in [`Observation`].
    pub answer_tokens: Option<u32>,
    /// As in [`Observation`].
    pub is_declared: bool,
    /// Its prompt.
    pub facts: &'a Facts,
}

const OBSERVATION: u64 = 1;
const RELEASE_ACCOUNT: u64 = 2;
const RELEASE_CAMPAIGN: u64 = 3;
const SAVE: u64 = 4;
const READ_UP_TO: u64 = 5;
const RELAYED: u64 = 6;
const DECLARED: u64 = 1;

impl Outgoing<'_> {
    /// Write it to the end of `words`. Cost: 0.3 µs for 1 KB of prompt.
    pub fn write(&self, words: &mut Vec<u64>) {
        let facts = self.facts;
        let answer_tokens = self.answer_tokens.map_or(0, |tokens| u64::from(tokens.min(u32::MAX - 1)) + 1);
        let counts = [facts.prefixes.len(), facts.segments.len(), facts.keys.len(), facts.answers.len()];
        let flags = [facts.user_place, facts.capability as u8, u8::from(self.is_declared)];
        words.push(OBSERVATION);
        words.push(self.time.to_bits());
        words.extend(self.who);
        words.extend([self.answer.0, u64::from(self.answer.1) << 32 | answer_tokens]);
        words.extend([u64::from(facts.words) << 32 | u64::from(facts.assistant_turns), facts.digest]);
        words.extend([facts.system, facts.suffix]);
        words.push(bytes(counts.map(|count| count as u8).into_iter().chain(flags)));
        words.push(self.names.iter().rev().fold(0, |lengths, name| lengths << 16 | name.len() as u64));
        words.extend(&facts.prefixes);
        facts.segments.iter().for_each(|segment| words.extend([segment.hash, u64::from(segment.words)]));
        words.extend(&facts.keys);
        words.extend(facts.places.chunks(8).map(|places| bytes(places.iter().copied())));
        facts.answers.iter().for_each(|answer| words.extend([answer.hash, u64::from(answer.words)]));
        let letters: Vec<u8> = self.names.iter().flat_map(|name| name.bytes()).collect();
        words.extend(letters.chunks(8).map(|letters| bytes(letters.iter().copied())));
    }
}

impl Record {
    /// Write what is no observation.
    pub fn write(&self, words: &mut Vec<u64>) {
        match self {
            Self::ReleaseAccount(account) => words.extend([RELEASE_ACCOUNT, *account]),
            Self::ReleaseCampaign(name) => words.extend([RELEASE_CAMPAIGN, u64::from(*name)]),
            Self::Save => words.push(SAVE),
            Self::ReadUpTo([time, number]) => words.extend([READ_UP_TO, *time, *number]),
            Self::Observation(seen) => {
                let Observation { time, who, answer, answer_tokens, is_declared, .. } = **seen;
                let names = seen.names.each_ref().map(String::as_str);
                Outgoing { time, who, names, answer, answer_tokens, is_declared, facts: &seen.facts }.write(words);
            }
        }
    }

    /// Read one. `None` for what [`Record::write`] did not write.
    pub fn read(words: &[u64]) -> Option<Self> {
        let mut reader = Reader(words.strip_prefix(&[RELAYED]).unwrap_or(words));
        Some(match reader.next()? {
            OBSERVATION => Self::Observation(Box::new(observation(&mut reader)?)),
            RELEASE_ACCOUNT => Self::ReleaseAccount(reader.next()?),
            RELEASE_CAMPAIGN => Self::ReleaseCampaign(reader.next()? as u32),
            SAVE => Self::Save,
            READ_UP_TO => Self::ReadUpTo([reader.next()?, reader.next()?]),
            _ => return None,
        })
    }
}

/// A record of another host, as it stands in this one's ring.
pub fn relayed(words: &[u64]) -> Vec<u64> {
    [&[RELAYED], words].concat()
}

/// Did a worker of this host write it? What came from others is not handed on again.
pub fn is_own(words: &[u64]) -> bool {
    !matches!(words.first(), Some(&(RELAYED | READ_UP_TO)))
}

fn observation(reader: &mut Reader<'_>) -> Option<Observation> {
    // A moment that is none would never end in a timeline.
    let time = Some(f64::from_bits(reader.next()?)).filter(|time| time.is_finite())?;
    let who = [reader.next()?, reader.next()?, reader.next()?];
    let (answer, tokens) = (reader.next()?, reader.next()?);
    let (counts, digest, system, suffix) = (reader.next()?, reader.next()?, reader.next()?, reader.next()?);
    let [prefixes, segments, keys, answers, user_place, capability, flags, _] = reader.next()?.to_le_bytes();
    let lengths = reader.next()?;
    let mut facts = Box::new(Facts {
        words: (counts >> 32) as u32,
        assistant_turns: counts as u32,
        digest,
        system,
        suffix,
        user_place,
        capability: *Capability::ALL.get(usize::from(capability))?,
        left_out: 0,
        template: 0,
        conversation: 0,
        user_turns: 0,
        sketch: MinHash::new(1),
        keys: Vec::new(),
        places: Vec::new(),
        prefixes: Default::default(),
        segments: Default::default(),
        answers: Default::default(),
        features: [0; FEATURES],
    });
    for &prefix in reader.take(usize::from(prefixes))? {
        facts.prefixes.try_push(prefix).ok()?;
    }
    for pair in reader.take(2 * usize::from(segments))?.chunks_exact(2) {
        facts.segments.try_push(Segment { hash: pair[0], words: pair[1] as u32 }).ok()?;
    }
    facts.keys.extend(reader.take(usize::from(keys))?);
    facts.places = reader.bytes(usize::from(keys))?;
    for pair in reader.take(2 * usize::from(answers))?.chunks_exact(2) {
        facts.answers.try_push(Answer { hash: pair[0], link: 0, words: pair[1] as u32 }).ok()?;
    }
    let sizes = [0, 16, 32].map(|shift| usize::from((lengths >> shift) as u16));
    let letters = reader.bytes(sizes.iter().sum())?;
    let (account, rest) = letters.split_at(sizes[0]);
    let (tenant, id) = rest.split_at(sizes[1]);
    Some(Observation {
        time,
        who,
        names: [account, tenant, id].map(|name| String::from_utf8_lossy(name).into_owned()),
        answer: (answer, (tokens >> 32) as u32),
        answer_tokens: (tokens as u32).checked_sub(1),
        is_declared: u64::from(flags) & DECLARED != 0,
        facts,
    })
}

struct Reader<'w>(&'w [u64]);

impl<'w> Reader<'w> {
    fn next(&mut self) -> Option<u64> {
        self.take(1).map(|words| words[0])
    }
    fn take(&mut self, count: usize) -> Option<&'w [u64]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let words = self.take(count.div_ceil(8))?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(count);
        Some(bytes)
    }
}

fn bytes(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.enumerate().fold(0, |word, (place, byte)| word | u64::from(byte) << (8 * place))
}
