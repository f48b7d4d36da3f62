//! Records from many workers to one reader, in a ring of words.
//!
//! A writer claims room by moving the head, writes its record and last of all the header, which names the place. One
//! that dies in between leaves a gap: the reader waits a little, then goes on at the next header that fits. A writer
//! that slept through that may still write over what others have claimed since, which the checksum shows. So records
//! may be lost, and are counted, but none is ever read wrong, and nobody waits for anybody.

use crate::hash::mix;
use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed};
use std::sync::atomic::Ordering::Release;

/// Words before a record: header and checksum.
const FRAME: usize = 2;
/// Longest record, in words: 4 KiB, which is more than a prompt's facts and three names can be.
pub const MAX_WORDS: usize = 512;
/// Times that a writer tries to claim room while others do.
const ATTEMPTS: usize = 16;
/// Of a header, the length; the other bits say where it stands.
const LENGTH: u64 = 0xffff;

/// Words before the ring's own: claimed up to, read up to, records that found no room, records that were torn.
pub const HEAD_WORDS: usize = 32;
const CLAIMED: usize = 0;
const READ: usize = 8;
const DROPPED: usize = 16;
const TORN: usize = 24;

/// The ring. Positions count words from its making on and never begin anew.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'m> {
    head: &'m [AtomicU64],
    words: &'m [AtomicU64],
}

/// What the reader finds at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing was claimed.
    Nothing,
    /// Somebody has claimed it and not finished.
    Unfinished,
    /// A record, which ends at this position.
    Record(u64),
}

impl<'m> Ring<'m> {
    /// A ring in [`HEAD_WORDS`] and a power of two of words, zeroed once.
    pub fn new(words: &'m [AtomicU64]) -> Self {
        let (head, words) = words.split_at(HEAD_WORDS);
        debug_assert!(words.len().is_power_of_two());
        Self { head, words }
    }

    /// Append a record. False when it is too long or there is no room, which is counted. Cost: 1 ns a word.
    pub fn push(&self, record: &[u64]) -> bool {
        self.append(record).is_some()
    }

    /// The same, and where the record ends.
    pub fn append(&self, record: &[u64]) -> Option<u64> {
        let length = record.len() + FRAME;
        let claimed = if record.len() <= MAX_WORDS { self.claim(length as u64) } else { None };
        let Some(start) = claimed else {
            self.head[DROPPED].fetch_add(1, Relaxed);
            return None;
        };
        for (place, &word) in record.iter().enumerate() {
            self.word(start + (FRAME + place) as u64).store(word, Relaxed);
        }
        self.word(start + 1).store(checksum(start, record), Relaxed);
        self.word(start).store(header(start, record.len()), Release);
        Some(start + length as u64)
    }

    fn claim(&self, length: u64) -> Option<u64> {
        for _ in 0..ATTEMPTS {
            let start = self.head[CLAIMED].load(Acquire);
            if start + length - self.read_up_to().min(start) > self.words.len() as u64 {
                return None;
            }
            if self.head[CLAIMED].compare_exchange(start, start + length, AcqRel, Acquire).is_ok() {
                return Some(start);
            }
        }
        None
    }

    /// Look for a record at a position, without taking it.
    pub fn look(&self, position: u64, record: &mut Vec<u64>) -> Next {
        let claimed = self.head[CLAIMED].load(Acquire);
        if position >= claimed {
            return Next::Nothing;
        }
        match self.record(position, claimed, record) {
            true => Next::Record(position + (FRAME + record.len()) as u64),
            false => Next::Unfinished,
        }
    }

    /// Give up waiting at a position: the next one where there is a record, or the end of what is claimed. Cost: 1 ns
    /// a word.
    pub fn skip(&self, position: u64, record: &mut Vec<u64>) -> u64 {
        self.head[TORN].fetch_add(1, Relaxed);
        let claimed = self.head[CLAIMED].load(Acquire);
        (position + 1..claimed).find(|&next| self.record(next, claimed, record)).unwrap_or(claimed)
    }

    fn record(&self, position: u64, claimed: u64, record: &mut Vec<u64>) -> bool {
        let found = self.word(position).load(Acquire);
        let length = (found & LENGTH) as usize;
        let end = position + (FRAME + length) as u64;
        if found != header(position, length) || length > MAX_WORDS || end > claimed {
            return false;
        }
        record.clear();
        record.extend((position + FRAME as u64..end).map(|place| self.word(place).load(Relaxed)));
        self.word(position + 1).load(Relaxed) == checksum(position, record)
    }

    /// Where the reader is: what stands before may be written over.
    pub fn read_up_to(&self) -> u64 {
        self.head[READ].load(Acquire)
    }

    /// The reader has kept what stands before.
    pub fn advance(&self, position: u64) {
        self.head[READ].store(position, Release);
    }

    /// Records that found no room.
    pub fn dropped(&self) -> u64 {
        self.head[DROPPED].load(Relaxed)
    }

    /// Gaps left by writers that died.
    pub fn torn(&self) -> u64 {
        self.head[TORN].load(Relaxed)
    }

    /// Words that wait.
    pub fn waiting(&self) -> u64 {
        self.head[CLAIMED].load(Acquire).saturating_sub(self.read_up_to())
    }

    fn word(&self, position: u64) -> &'m AtomicU64 {
        &self.words[position as usize & (self.words.len() - 1)]
    }
}

fn header(position: u64, length: usize) -> u64 {
    mix(!position) & !LENGTH | length as u64 & LENGTH
}

fn checksum(position: u64, record: &[u64]) -> u64 {
    record.iter().fold(mix(position ^ record.len() as u64), |sum, &word| {
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}
