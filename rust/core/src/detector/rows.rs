//! The rows of a request: its segments but for the account's constant text, each with what is known about it.

use super::recall::{Entry, Place, Recall, Slot};
use crate::hash::mix;
use crate::prompt::facts::Facts;
use crate::prompt::keys::SUFFIX;
use crate::prompt::segment::{MAX_SEGMENTS, Segment};
use arrayvec::ArrayVec;

/// A prompt of one segment with fewer words has no ends of its own.
const MIN_WORDS: u32 = 10;
/// Words of an end: what prefix and suffix are made of.
const END_WORDS: u32 = SUFFIX as u32;
/// Inner rows that stand for all: those with the smallest hashes, so that the same passage picks the same ones
/// wherever it stands (as MinHash does).
const WITNESSES: usize = 2;
const MAX_ROWS: usize = MAX_SEGMENTS;
/// Keep an end's hash apart from that of a segment of the same four words.
const HEAD: u64 = 0x68;
const TAIL: u64 = 0x74;

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How many words.
    pub words: u32,
    /// What is known about it; `None` when it is new.
    pub known: Option<Entry>,
    slot: Slot,
    hash: u64,
}

/// The rows of a request in order, and its constants.
#[derive(Debug, Default)]
pub struct Rows {
    /// What is not constant.
    pub rows: ArrayVec<Row, MAX_ROWS>,
    /// Some constant flickers, so that its neighbours seem to move.
    pub is_soft: bool,
    /// Some real segment, constant or not, is known.
    pub is_known: bool,
    /// Places of the inner rows that stand for all.
    pub witnesses: ArrayVec<usize, WITNESSES>,
    constants: ArrayVec<Slot, MAX_ROWS>,
}

impl Rows {
    /// Look the segments up. A prompt of a single long one gets its first and last words as rows of their own, else
    /// frames within one line would not be seen.
    pub fn of(facts: &Facts, recall: &Recall) -> Self {
        let mut made = Self::default();
        let lone = facts.segments.len() == 1 && facts.segments[0].words >= MIN_WORDS;
        let ends = [facts.prefixes.first().map_or(0, |hash| hash ^ HEAD), facts.suffix ^ TAIL];
        let [head, tail] = ends.map(|hash| Segment { hash, words: END_WORDS });
        if lone {
            made.add(head, recall, false);
        }
        for segment in &facts.segments {
            made.add(*segment, recall, true);
        }
        if lone {
            made.add(tail, recall, false);
        }
        made.choose_witnesses();
        made
    }

    fn add(&mut self, segment: Segment, recall: &Recall, is_real: bool) {
        let hash = mix(segment.hash);
        let slot = Slot::of(hash);
        let known = recall.find(slot);
        self.is_known |= is_real && known.is_some();
        match known {
            Some(entry) if entry.is_constant() => {
                self.is_soft |= entry.flickers();
                self.constants.push(slot);
            }
            _ => self.rows.push(Row { words: segment.words, known, slot, hash }),
        }
    }

    fn choose_witnesses(&mut self) {
        let inner = 1..self.rows.len().saturating_sub(1).max(1);
        for _ in 0..WITNESSES {
            let free = inner.clone().filter(|place| !self.witnesses.contains(place));
            self.witnesses.extend(free.min_by_key(|&place| self.rows[place].hash));
        }
    }

    /// Is there text that nearly every request has?
    pub fn has_constants(&self) -> bool {
        !self.constants.is_empty()
    }

    /// What is known about rows that are.
    pub fn known(&self) -> impl Iterator<Item = Entry> {
        self.rows.iter().filter_map(|row| row.known)
    }

    /// Different earlier requests that known rows stood in last.
    pub fn sources(&self) -> usize {
        let numbers: ArrayVec<u32, MAX_ROWS> = self.known().map(Entry::number).collect();
        (0..numbers.len()).filter(|&place| !numbers[..place].contains(&numbers[place])).count()
    }

    /// Write the request into the table.
    pub fn remember(&self, recall: &mut Recall, number: u32) {
        for &slot in &self.constants {
            recall.touch_constant(slot, number);
        }
        let last = self.rows.len().wrapping_sub(1);
        for (at, row) in self.rows.iter().enumerate() {
            let place = match at {
                0 => Place::First,
                _ if at == last => Place::Last,
                _ => Place::Inner,
            };
            let keep = place != Place::Inner || self.witnesses.contains(&at);
            recall.touch(row.slot, number, place, keep);
        }
    }
}
