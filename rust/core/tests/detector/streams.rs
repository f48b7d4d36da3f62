//! Streams of prompts from few pieces, so that everything that can happen between them does.

use super::bodies::Random;
use super::naive::{ends, set};
use ratelimit_guard_core::detector::profile::Observation;
use ratelimit_guard_core::detector::recall::SETS;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::capability::Capability;
use ratelimit_guard_core::prompt::facts::Facts;
use ratelimit_guard_core::prompt::features::FEATURES;
use ratelimit_guard_core::prompt::segment::{MAX_SEGMENTS, Segment};
use ratelimit_guard_core::sketch::minhash::MinHash;
use std::collections::HashSet;
use std::ops::Range;

const WORDS: [u32; 8] = [3, 3, 4, 9, 10, 12, 25, 45];

/// What a detector looks at.
#[derive(Clone, Debug)]
pub struct Prompt {
    facts: Box<Facts>,
    answer_tokens: Option<u32>,
    is_declared: bool,
}

impl Prompt {
    pub fn at(&self, time: u64) -> Observation<'_> {
        Observation { facts: &self.facts, answer_tokens: self.answer_tokens, time, is_declared: self.is_declared }
    }

    /// A prompt with a digest and nothing else; a task of some words when `is_task`.
    pub fn bare(digest: u64, is_task: bool) -> Self {
        let mut facts = no_facts();
        facts.digest = digest;
        facts.words = if is_task { 20 } else { 0 };
        facts.prefixes.push(mix(digest));
        Self { facts, answer_tokens: None, is_declared: false }
    }

    pub fn declared(mut self) -> Self {
        self.is_declared = true;
        self
    }
}

fn no_facts() -> Box<Facts> {
    Box::new(Facts {
        words: 0,
        left_out: 0,
        digest: 0,
        system: 0,
        template: 0,
        conversation: 0,
        user_turns: 1,
        assistant_turns: 0,
        sketch: MinHash::new(1),
        keys: vec![],
        places: vec![],
        user_place: 0,
        prefixes: Default::default(),
        suffix: 0,
        segments: Default::default(),
        answers: Default::default(),
        features: [0; FEATURES],
        capability: Capability::Other,
    })
}

/// Different hashes, in all the bits that anything keeps of them.
struct Hashes {
    used: HashSet<(usize, u64)>,
    count: u64,
    /// Segments fall into this many sets: the fewer, the more of them go.
    sets: usize,
}

impl Hashes {
    /// The highest sixteen bits count, the others are random.
    fn any(&mut self, random: &mut Random) -> u64 {
        self.count += 1;
        (self.count + 1) << 48 | mix(random.below(usize::MAX >> 11) as u64) >> 16
    }

    /// One whose segment has a place of its own in the profile's memory. `as_row` says what becomes its hash there.
    fn segment(&mut self, random: &mut Random, as_row: impl Fn(u64) -> u64) -> u64 {
        let high = self.any(random) & !0 << 48;
        loop {
            let hash = high | mix(random.below(usize::MAX >> 11) as u64) >> 16;
            let row = as_row(hash);
            if set(row) < self.sets && self.used.insert((set(row), mix(row) % (1 << 14))) {
                return hash;
            }
        }
    }
}

pub struct Stream<'r> {
    random: &'r mut Random,
    hashes: Hashes,
    /// Kinds of prompts, each as often as it is in the list.
    kinds: Vec<usize>,
    constants: Vec<Segment>,
    pool: Vec<Segment>,
    frames: Vec<[Vec<Segment>; 2]>,
    prefixes: Vec<u64>,
    suffixes: Vec<u64>,
    systems: usize,
    flicker: usize,
    is_framed: bool,
    past: Vec<Prompt>,
}

impl<'r> Stream<'r> {
    pub fn new(random: &'r mut Random) -> Self {
        let hashes = Hashes { used: HashSet::new(), count: 0, sets: [2, 5, SETS][random.below(3)] };
        let kinds = (0..1 + random.below(4)).map(|_| random.below(9)).collect();
        let mut stream = Self {
            kinds,
            hashes,
            constants: vec![],
            pool: vec![],
            frames: vec![],
            prefixes: vec![],
            suffixes: vec![],
            systems: random.below(2),
            flicker: random.below(4),
            is_framed: random.below(2) == 0,
            past: vec![],
            random,
        };
        let sizes = [stream.below(3), 3 + stream.below(60), 1 + stream.below(25), 1 + stream.below(20)];
        stream.constants = stream.fresh(sizes[0]);
        stream.pool = stream.fresh(sizes[1]);
        for _ in 0..sizes[2] {
            let lengths = [stream.below(4), stream.below(3)];
            let frame = lengths.map(|length| stream.fresh(length));
            stream.frames.push(frame);
        }
        for _ in 0..sizes[3] {
            let prefix = stream.hashes.segment(stream.random, |hash| ends(hash, 0)[0]);
            let suffix = stream.hashes.segment(stream.random, |hash| ends(0, hash)[1]);
            stream.prefixes.push(prefix);
            stream.suffixes.push(suffix);
        }
        stream
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn fresh(&mut self, count: usize) -> Vec<Segment> {
        let mut one = || Segment {
            hash: self.hashes.segment(self.random, |hash| hash),
            words: WORDS[self.random.below(WORDS.len())],
        };
        (0..count).map(|_| one()).collect()
    }

    /// Some of the pool, none twice.
    fn drawn(&mut self, most: usize) -> Vec<Segment> {
        self.drawn_of(0..self.pool.len(), most)
    }

    fn drawn_of(&mut self, part: Range<usize>, most: usize) -> Vec<Segment> {
        let mut part = self.pool[part].to_vec();
        let count = 1 + self.below(most.min(part.len()));
        for place in 0..count {
            let other = place + self.below(part.len() - place);
            part.swap(place, other);
        }
        part.truncate(count);
        part
    }

    fn segments(&mut self, kind: usize) -> Vec<Segment> {
        let new = 1 + self.below(2);
        match kind {
            0 => {
                let (constants, flicker) = (self.constants.clone(), self.flicker);
                let mut here: Vec<_> =
                    constants.into_iter().filter(|_| flicker == 0 || self.below(flicker + 1) > 0).collect();
                let middle = self.drawn(4);
                let at = self.below(here.len() + 1);
                here.splice(at..at, middle);
                here
            }
            1 => self.drawn(8),
            2 => {
                let frame = self.below(self.frames.len());
                let [head, tail] = self.frames[frame].clone();
                [head, self.fresh(new), tail].concat()
            }
            3 => self.fresh(1),
            4 => {
                let (half, whole) = (self.pool.len() / 2, self.pool.len());
                let front = if self.is_framed { self.constants.clone() } else { vec![] };
                let (head, tail) = (self.drawn_of(0..half, 2), self.drawn_of(half..whole, 2));
                [front, head, self.fresh(new), tail].concat()
            }
            5 => self.drawn(MAX_SEGMENTS),
            6 => self.fresh(new),
            _ => vec![],
        }
    }

    /// The next prompt: a new one, or one of the last ones again.
    pub fn prompt(&mut self) -> Prompt {
        let kind = self.kinds[self.random.below(self.kinds.len())];
        if kind == 8 && !self.past.is_empty() {
            let back = 1 + self.below(self.past.len().min(40));
            return self.past[self.past.len() - back].clone();
        }
        let segments = self.segments(kind);
        let mut facts = no_facts();
        facts.words = segments.iter().map(|segment| segment.words).sum();
        facts.segments = segments.into_iter().take(MAX_SEGMENTS).collect();
        facts.digest = self.hashes.any(self.random);
        let (prefix, suffix) = (self.below(self.prefixes.len()), self.below(self.suffixes.len()));
        facts.prefixes.push(self.prefixes[prefix]);
        if self.below(2) == 0 {
            facts.prefixes.push(self.hashes.any(self.random));
        }
        facts.suffix = self.suffixes[suffix];
        facts.system = if self.systems > 0 && self.below(3) == 0 { 7 } else { 0 };
        facts.assistant_turns = u32::from(self.below(8) == 0);
        let answer_tokens = [None, Some(64), Some(500), Some(63)][self.below(8) / 2];
        let prompt = Prompt { facts, answer_tokens, is_declared: self.below(30) == 0 };
        self.past.push(prompt.clone());
        prompt
    }
}
