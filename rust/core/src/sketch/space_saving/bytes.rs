//! A sketch as bytes, all numbers with the lowest byte first: format 1, capacity (2 bytes), total (8), and 24 for each
//! counter from the top: item, count, error.

use super::{Counter, SpaceSaving};
use crate::error::Error;

const FORMAT: u8 = 1;

impl SpaceSaving {
    /// Everything that decides what the sketch will answer: equal bytes, equal answers. 11 bytes and 24 per counter.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend((self.capacity as u16).to_le_bytes());
        bytes.extend(self.total.to_le_bytes());
        for Counter { item, count, error } in self.top(self.capacity) {
            bytes.extend([item, count, error].map(u64::to_le_bytes).as_flattened());
        }
        bytes
    }

    /// Sketch from [`to_bytes`](Self::to_bytes). Refuses what no stream leads to, so that its promises can be kept.
    pub fn from_bytes(bytes: &[u8], seed: u64) -> Result<Self, Error> {
        let broken = |what: &str| Err(Error::usage(format!("not the bytes of a SpaceSaving: {what}")));
        let Some(([FORMAT, low, high], numbers)) = bytes.split_first_chunk() else { return broken("another format") };
        let Some((total, counters)) = numbers.split_first_chunk() else { return broken("cut short") };
        let (counters, []) = counters.as_chunks::<24>() else { return broken("cut short") };
        let mut sketch = match Self::new(u16::from_le_bytes([*low, *high]).into(), seed) {
            Ok(sketch) if counters.len() <= sketch.capacity => sketch,
            Ok(_) => return broken("more counters than its capacity"),
            Err(error) => return broken(&error.to_string()),
        };
        sketch.total = u64::from_le_bytes(*total);
        for counter in counters.iter().map(counter_of) {
            match sketch.heap.find(counter.item) {
                Ok(_) => return broken("two counters of one item"),
                Err(cell) => sketch.heap.push(counter, cell),
            }
        }
        if sketch.is_possible() { Ok(sketch) } else { broken("counts that no stream leads to") }
    }

    /// Every stream leads to counts of at least 1 that do not add up to more than `total`, and to no error beyond the
    /// smallest count.
    fn is_possible(&self) -> bool {
        let sum: u128 = self.heap.counters().map(|counter| u128::from(counter.count)).sum();
        let fits = sum <= self.total.into() || self.total == u64::MAX;
        fits && self.heap.counters().all(|counter| counter.count > 0 && counter.error <= self.floor())
    }
}

fn counter_of(bytes: &[u8; 24]) -> Counter {
    let number = |index| u64::from_le_bytes(bytes.as_chunks().0[index]);
    Counter { item: number(0), count: number(1), error: number(2) }
}
