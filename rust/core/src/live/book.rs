//! A table that one process writes and all read: entries of four words, of which the last is a check of the others.
//!
//! Who reads while an entry is written, or after its writer died in the midst, sees that the check does not fit, and
//! takes it for none. There is no lock to be left behind.

use crate::hash::mix;
use crate::sync::{AtomicU64, Relaxed, SeqCst};

/// Words of an entry: two to a cache line.
pub const ENTRY: usize = 4;
/// Entries that a key may stand in: two cache lines.
const WAYS: usize = 4;
const SET: usize = WAYS * ENTRY;

/// What is told of a key. Of the first word the upper four bits are its worth: when a set is full, the entry of least
/// worth makes room.
pub type Told = [u64; 2];

/// Where the worth stands.
pub const WORTH_SHIFT: u32 = 60;

/// The table.
#[derive(Clone, Copy, Debug)]
pub struct Book<'m>(&'m [AtomicU64]);

impl<'m> Book<'m> {
    /// A table in zeroed words, a whole number of sets.
    pub fn new(words: &'m [AtomicU64]) -> Self {
        debug_assert!(!words.is_empty() && words.len().is_multiple_of(SET));
        Self(words)
    }

    /// Entries that there is room for.
    pub fn capacity(&self) -> usize {
        self.0.len() / ENTRY
    }

    /// What is told of a secret hash. Cost: one or two cache lines.
    #[inline]
    pub fn get(&self, key: u64) -> Option<Told> {
        self.set(key)
            .chunks_exact(ENTRY)
            .find_map(|entry| read(entry).filter(|(known, _)| *known == key))
            .map(|it| it.1)
    }

    /// Tell something of a key; nothing is written when it is told already. False when the set is full of what is worth
    /// more. For the one who writes.
    pub fn set_told(&self, key: u64, told: Told) -> bool {
        let set = self.set(key);
        let rank = |entry: &&[AtomicU64]| match read(entry) {
            Some((known, _)) if known == key => 0,
            None => 1,
            Some((_, [first, _])) => 2 + (first >> WORTH_SHIFT),
        };
        let Some(entry) = set.chunks_exact(ENTRY).min_by_key(rank) else { return false };
        match read(entry) {
            Some((known, old)) if known == key && old == told => return true,
            Some((known, [first, _])) if known != key && first >> WORTH_SHIFT > told[0] >> WORTH_SHIFT => return false,
            _ => {}
        }
        // While the words do not fit together the entry is none.
        entry[3].store(!check(key, told), SeqCst);
        entry[0].store(key, Relaxed);
        entry[1].store(told[0], Relaxed);
        entry[2].store(told[1], Relaxed);
        entry[3].store(check(key, told), SeqCst);
        true
    }

    /// Tell nothing of a key any longer.
    pub fn remove(&self, key: u64) {
        for entry in self.set(key).chunks_exact(ENTRY) {
            if read(entry).is_some_and(|(known, _)| known == key) {
                entry[3].store(0, SeqCst);
                entry[0].store(0, SeqCst);
            }
        }
    }

    /// The entry at a place, if there is one.
    pub fn at(&self, place: usize) -> Option<(u64, Told)> {
        read(&self.0[place % self.capacity() * ENTRY..][..ENTRY])
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Told)> {
        self.0.chunks_exact(ENTRY).filter_map(read)
    }

    fn set(&self, key: u64) -> &'m [AtomicU64] {
        let sets = self.0.len() / SET;
        let set = ((u128::from(mix(key)) * sets as u128) >> 64) as usize;
        &self.0[set * SET..(set + 1) * SET]
    }
}

fn read(entry: &[AtomicU64]) -> Option<(u64, Told)> {
    let key = entry[0].load(Relaxed);
    if key == 0 {
        return None;
    }
    let told = [entry[1].load(Relaxed), entry[2].load(Relaxed)];
    (entry[3].load(SeqCst) == check(key, told)).then_some((key, told))
}

#[inline]
fn check(key: u64, told: Told) -> u64 {
    mix(key ^ told[0].rotate_left(21) ^ mix(told[1]))
}
