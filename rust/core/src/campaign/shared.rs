//! The content keys of a prompt, and which of them others have used.

use super::EARLY;
use super::cells::Cells;
use super::units::{NOWHERE, Shared};
use crate::prompt::facts::Facts;
use crate::prompt::keys::{MAX_KEYS, PREFIXES};
use crate::prompt::segment::MAX_SEGMENTS;
use arrayvec::ArrayVec;

/// Words of a line or sentence that is a key as a whole; shorter ones everybody writes.
const MIN_WORDS: u32 = 5;
/// Keys that a request can have.
const KEYS: usize = MAX_KEYS + MAX_SEGMENTS + PREFIXES.len();

/// The content keys of a prompt, with the place of each: runs of words, whole lines and sentences, and how the turn
/// begins, which many templates have in common.
pub fn keys(facts: &Facts) -> impl Iterator<Item = (u64, u8, bool)> {
    let runs = facts.keys.iter().zip(&facts.places).map(|(&key, &place)| (key, place, true));
    let segments =
        facts.segments.iter().filter(|segment| segment.words >= MIN_WORDS).map(|segment| (segment.hash, NOWHERE, true));
    let beginnings = facts.prefixes.iter().map(|&key| (key, facts.user_place, false));
    runs.chain(segments).chain(beginnings)
}

/// The shared keys of a request: hot ones, those that fewer strangers used, and those that its tenant used first.
#[derive(Debug, Default)]
pub struct SharedKeys {
    /// Enough strangers used them.
    pub hot: ArrayVec<Shared, KEYS>,
    /// Fewer did.
    pub early: ArrayVec<Shared, KEYS>,
    /// The tenant was among the first.
    pub own: ArrayVec<Shared, KEYS>,
}

impl SharedKeys {
    /// Look the keys of a prompt up. Cost: a cache miss for each.
    pub fn find(facts: &Facts, cells: &Cells, tenant: u32, hour: u16, hot: usize) -> Self {
        let mut shared = Self::default();
        for (key, place, is_run) in keys(facts) {
            if let Some(&cell) = cells.get(key, hour).filter(|cell| !cell.is_known()) {
                shared.add(Shared { key, cell, place, is_run }, hot, tenant);
            }
        }
        shared
    }

    fn add(&mut self, key: Shared, hot: usize, tenant: u32) {
        match key.cell.count() {
            count if count >= EARLY && key.cell.is_own_of(tenant) => self.own.push(key),
            count if count >= hot => self.hot.push(key),
            count if count >= EARLY => self.early.push(key),
            _ => {}
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hot.len() + self.early.len() + self.own.len()
    }

    /// Those that the tenant did not bring up.
    pub fn all(&self) -> impl Iterator<Item = &Shared> {
        self.hot.iter().chain(&self.early)
    }
}
