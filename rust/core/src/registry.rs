//! The quotas that a table has met, by number, so that a cell can say under which one it was written.
//!
//! Append-only. An entry is claimed by swapping its fingerprint in and is then filled and marked ready by everybody who wants the
//! same quota: a process that dies half-way is finished by the next.

use crate::error::Error;
use crate::layout::{REGISTRY_ENTRIES, REGISTRY_ENTRY, REGISTRY_START};
use crate::quota::{Algorithm, Quota, Unit};
use crate::sync::{AcqRel, Acquire, AtomicU64};
use crate::time::Nanos;

/// Numbers of quotas in the table's words.
pub struct Registry<'t> {
    words: &'t [AtomicU64],
}

const BURST_BITS: u32 = 40;

impl<'t> Registry<'t> {
    /// The registry of a table.
    pub fn new(words: &'t [AtomicU64]) -> Self {
        Self { words: &words[REGISTRY_START..REGISTRY_START + REGISTRY_ENTRY * REGISTRY_ENTRIES] }
    }

    /// The quota's number (1..=4095), given now if need be. `StoreError` when there are no more.
    pub fn number(&self, quota: &Quota) -> Result<u16, Error> {
        let wanted = numbers(quota);
        for (number, entry) in self.words.chunks_exact(REGISTRY_ENTRY).enumerate().skip(1) {
            // Three words that only ever go from 0 to one value: who comes second finds the first one's or the same.
            let mine = entry.iter().zip(wanted).all(|(word, value)| {
                let seen = word.compare_exchange(0, value, AcqRel, Acquire);
                seen.map_or_else(|there| there == value, |_| true)
            });
            if mine {
                return Ok(number as u16);
            }
        }
        let most = REGISTRY_ENTRIES - 1;
        Err(Error::store(format!("table has met {most} different quotas and can learn no more: make a new table")))
    }

    /// The quota with this number, if it is complete.
    pub fn quota(&self, number: u16) -> Option<Quota> {
        let entry = self.words.chunks_exact(REGISTRY_ENTRY).nth(usize::from(number))?;
        let [limit, window, rest] = [0, 1, 2].map(|word| entry[word].load(Acquire));
        let algorithm = match rest >> BURST_BITS {
            1 => Algorithm::Strict,
            2 => Algorithm::SlidingWindow,
            3 => Algorithm::TokenBucket,
            _ => return None,
        };
        let burst = (algorithm == Algorithm::TokenBucket).then_some(rest & ((1 << BURST_BITS) - 1));
        Quota::new(limit, Nanos(window), burst, Some(algorithm), Unit::Requests).ok()
    }
}

/// What makes two quotas count alike; the unit does not.
fn numbers(quota: &Quota) -> [u64; 3] {
    let algorithm = quota.algorithm() as u64 + 1;
    [quota.limit(), quota.window().0, algorithm << BURST_BITS | quota.capacity()]
}
