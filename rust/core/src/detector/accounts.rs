//! Profiles of many accounts in bounded memory.
//!
//! **Eviction.** Of the accounts that are drawn when a full table needs room ([`crate::bounded`]), the one unseen for
//! longest among newcomers (fewer than [`ESTABLISHED`] requests) goes, else among established accounts, and only when
//! all drawn are convicted, among those. A flood of accounts with one request each thus forgets itself first.

use super::profile::Profile;
use super::signal::CONVICTING;
use crate::bounded::Bounded;
use borsh::{BorshDeserialize, BorshSerialize};

/// Requests that make an account established.
pub const ESTABLISHED: u32 = 8;

/// How many profiles were forgotten to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Forgotten {
    /// Accounts with fewer than [`ESTABLISHED`] requests.
    pub newcomers: u64,
    /// Others.
    pub established: u64,
    /// Convicted ones.
    pub convicted: u64,
}

/// The table. Grows with the accounts up to its capacity: 1.6 KiB for each.
#[derive(Debug, BorshSerialize, BorshDeserialize)]
pub struct Accounts {
    slots: Bounded<Slot>,
    /// Profiles that had to go.
    pub forgotten: Forgotten,
}

/// What is remembered of an account.
#[derive(Debug, BorshSerialize, BorshDeserialize)]
pub struct Slot {
    /// What it asked.
    pub profile: Profile,
    /// The highest evidence so far of the signals that restrict: what others are calibrated with.
    pub highest: [f32; CONVICTING],
}

impl Default for Slot {
    fn default() -> Self {
        Self { profile: Profile::default(), highest: [f32::NEG_INFINITY; CONVICTING] }
    }
}

impl Slot {
    fn is_established(&self) -> bool {
        self.profile.requests() >= ESTABLISHED
    }
}

impl Accounts {
    /// A table for at most `capacity` accounts, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { slots: Bounded::new(capacity), forgotten: Forgotten::default() }
    }

    /// How many profiles there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The profile of an account, without making one.
    pub fn get(&self, key: u64) -> Option<&Profile> {
        self.slots.get(key).map(|slot| &slot.profile)
    }

    /// What is remembered of every account.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// What is remembered of an account, made if there is nothing.
    pub fn get_or_insert(&mut self, key: u64) -> &mut Slot {
        let worth = |slot: &Slot| (slot.profile.is_convicted, slot.is_established());
        let (slot, gone) = self.slots.entry(key, Slot::default, worth);
        if let Some(gone) = gone {
            let forgotten = &mut self.forgotten;
            match (gone.profile.is_convicted, gone.is_established()) {
                (true, _) => forgotten.convicted += 1,
                (false, true) => forgotten.established += 1,
                (false, false) => forgotten.newcomers += 1,
            }
        }
        slot
    }

    /// Forget an account.
    pub fn remove(&mut self, key: u64) -> bool {
        self.slots.remove(key)
    }
}
