//! The shared pieces of a request: the hot keys of one line or sentence are one piece, and so are those of several that
//! always came in the same prompts.

use super::cells::{Cell, FIRST};
use crate::hash::mix;
use arrayvec::ArrayVec;

/// Units told apart in one request.
pub const MAX_UNITS: usize = 16;

/// Place of a key that stands in no numbered line or sentence.
pub const NOWHERE: u8 = u8::MAX;

/// A key that others used, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// The key.
    pub key: u64,
    /// What is remembered of it.
    pub cell: Cell,
    /// The line or sentence that it stands in.
    pub place: u8,
    /// It is a run of words, and not the beginning of a turn.
    pub is_run: bool,
}

/// A piece of text that others have used before.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'c> {
    /// The key that names it.
    pub key: &'c Shared,
    /// The place of its first key.
    place: u8,
}

impl Unit<'_> {
    /// A name that every request finds for the same text: the prompts that brought it first.
    pub fn name(&self) -> u64 {
        let [one, two, three, ..] = self.key.cell.prompts.map(u64::from);
        mix(one | two << 16 | three << 32)
    }
}

impl Shared {
    /// Of the keys of a unit the one that was there first names it: where a template runs on into somebody's own words,
    /// its own keys are older than those that hold a word of these. A beginning is shared by many templates, so it comes
    /// last.
    fn rank(&self) -> (bool, std::cmp::Reverse<usize>, u16, u64) {
        (!self.is_run, std::cmp::Reverse(self.cell.count()), self.cell.first_hour(), self.key)
    }
}

/// The units of some keys. `count`: how many prompts are compared. Cost: 20 ns for a key and a unit.
pub fn units<'c>(keys: impl Iterator<Item = &'c Shared>, count: usize) -> ArrayVec<Unit<'c>, MAX_UNITS> {
    let count = count.min(FIRST);
    let mut units = ArrayVec::<Unit<'c>, MAX_UNITS>::new();
    for key in keys {
        let belongs = |unit: &&mut Unit<'_>| {
            unit.place == key.place && key.place != NOWHERE || unit.key.cell.comes_with(&key.cell, count)
        };
        match units.iter_mut().find(belongs) {
            Some(unit) if key.rank() < unit.key.rank() => unit.key = key,
            Some(_) => {}
            None => _ = units.try_push(Unit { key, place: key.place }),
        }
    }
    units
}
