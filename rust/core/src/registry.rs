//! The quotas that the policies of a table have had, by number, so that a cell can say under which one it was written.
//!
//! A policy whose quota changes gets a higher number: the latest to be bound is the one that counts, also for workers
//! that still have an earlier one. Append-only; every word of an entry goes from 0 to one value by compare-and-swap, so
//! that an entry half written by a process that died is finished by the next that wants the same, and passed over by
//! all others.

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

    /// The number (1..=4095) of this quota of the policy with this (nonzero) identity: its latest if that is the same
    /// quota, a new one otherwise. `StoreError` when there are no more.
    pub fn number(&self, policy: u64, quota: &Quota) -> Result<u16, Error> {
        let wanted = numbers(quota);
        let mut latest = None;
        for (number, entry) in self.words.chunks_exact(REGISTRY_ENTRY).enumerate().skip(1) {
            let owner = entry[0].load(Acquire);
            if owner == 0 && latest.is_some() {
                break;
            }
            let is_ours = if owner == 0 { settles_on(&entry[0], policy) } else { owner == policy };
            if is_ours {
                let same = entry[1..].iter().zip(wanted).all(|(word, value)| settles_on(word, value));
                latest = same.then_some(number as u16);
            }
        }
        latest.ok_or_else(|| {
            let most = REGISTRY_ENTRIES - 1;
            Error::store(format!(
                "table has met {most} different policies and quotas and can learn no more: make a new table"
            ))
        })
    }

    /// The quota with this number, if it is complete.
    pub fn quota(&self, number: u16) -> Option<Quota> {
        let entry = self.words.chunks_exact(REGISTRY_ENTRY).nth(usize::from(number))?;
        let [limit, window, rest] = [1, 2, 3].map(|word| entry[word].load(Acquire));
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

/// Give an unset word its value; true when it has that value now, whoever set it.
fn settles_on(word: &AtomicU64, value: u64) -> bool {
    word.compare_exchange(0, value, AcqRel, Acquire).map_or_else(|there| there == value, |_| true)
}

/// What makes two quotas count alike; the unit does not.
fn numbers(quota: &Quota) -> [u64; 3] {
    let algorithm = quota.algorithm() as u64 + 1;
    [quota.limit(), quota.window().0, algorithm << BURST_BITS | quota.capacity()]
}
