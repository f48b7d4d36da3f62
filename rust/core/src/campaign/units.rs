//! The shared pieces of a request: keys that always came in the same prompts are one text.

use super::cells::Cell;
use crate::hash::mix;
use arrayvec::ArrayVec;

/// Units told apart in one request.
pub const MAX_UNITS: usize = 16;

/// A piece of text that others have used before.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'c> {
    /// The first key of it in the request.
    pub key: u64,
    cell: &'c Cell,
    /// How many keys of it the request holds.
    pub keys: u32,
}

impl Unit<'_> {
    /// A name that every request finds for the same text: the prompts that brought it first.
    pub fn name(&self) -> u64 {
        let [one, two, three, ..] = self.cell.prompts.map(u64::from);
        mix(one | two << 16 | three << 32)
    }
}

/// The units of some keys. `count`: how many prompts are compared. Cost: 20 ns for a key and a unit.
pub fn units<'c>(keys: impl Iterator<Item = &'c (u64, Cell)>, count: usize) -> ArrayVec<Unit<'c>, MAX_UNITS> {
    let mut units = ArrayVec::<Unit<'c>, MAX_UNITS>::new();
    for (key, cell) in keys {
        let known = units.iter_mut().find(|unit| unit.cell.comes_with(cell, count));
        match known {
            Some(unit) => unit.keys += 1,
            None => drop(units.try_push(Unit { key: *key, cell, keys: 1 })),
        }
    }
    units
}
