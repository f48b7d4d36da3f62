//! Profiles of many accounts in bounded memory.
//!
//! **Eviction.** A new account in a full table takes the place of one of [`DRAWN`] that are drawn at random: the one
//! unseen for longest among newcomers (fewer than [`ESTABLISHED`] requests), else among established accounts, and only
//! when all drawn are convicted, among those. A flood of accounts with one request each thus forgets itself first.

use super::profile::Profile;
use super::signal::CONVICTING;
use crate::hash::{ByHash, mix};

/// Accounts compared when one has to go; of a thousand newcomers and as many others one in 65,536 draws has no
/// newcomer.
pub const DRAWN: usize = 16;
/// Requests that make an account established.
pub const ESTABLISHED: u32 = 8;

/// How many profiles were forgotten to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Accounts with fewer than [`ESTABLISHED`] requests.
    pub newcomers: u64,
    /// Others.
    pub established: u64,
    /// Convicted ones.
    pub convicted: u64,
}

/// The table. Grows with the accounts up to its capacity: 1.6 KiB for each.
#[derive(Debug)]
pub struct Accounts {
    capacity: usize,
    slots: Vec<Slot>,
    /// Keys are secret hashes, so nobody can aim at one bucket.
    index: ByHash<u32>,
    uses: u64,
    /// Profiles that had to go.
    pub forgotten: Forgotten,
}

/// An account's place.
#[derive(Debug)]
pub struct Slot {
    key: u64,
    used: u64,
    /// What is remembered of the account.
    pub profile: Profile,
    /// The highest evidence so far of the signals that restrict: what others are calibrated with.
    pub highest: [f32; CONVICTING],
}

impl Slot {
    fn new(key: u64) -> Self {
        Self { key, used: 0, profile: Profile::default(), highest: [f32::NEG_INFINITY; CONVICTING] }
    }
}

impl Accounts {
    /// A table for at most `capacity` accounts, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            slots: Vec::new(),
            index: ByHash::default(),
            uses: 0,
            forgotten: Forgotten::default(),
        }
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
        self.index.get(&key).map(|&place| &self.slots[place as usize].profile)
    }

    /// Every account's place.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The place of an account, with a new profile if it has none.
    pub fn get_or_insert(&mut self, key: u64) -> &mut Slot {
        self.uses += 1;
        let place = match self.index.get(&key) {
            Some(&place) => place as usize,
            None => self.insert(key),
        };
        let slot = &mut self.slots[place];
        slot.used = self.uses;
        slot
    }

    /// Forget an account.
    pub fn remove(&mut self, key: u64) -> bool {
        let Some(place) = self.index.remove(&key) else { return false };
        self.slots.swap_remove(place as usize);
        if let Some(moved) = self.slots.get(place as usize) {
            self.index.insert(moved.key, place);
        }
        true
    }

    fn insert(&mut self, key: u64) -> usize {
        if self.slots.len() < self.capacity {
            self.index.insert(key, self.slots.len() as u32);
            self.slots.push(Slot::new(key));
            return self.slots.len() - 1;
        }
        let place = self.victim(key);
        let slot = &mut self.slots[place];
        let profile = &slot.profile;
        let is_established = profile.requests() >= ESTABLISHED;
        self.forgotten.convicted += u64::from(profile.is_convicted);
        self.forgotten.established += u64::from(is_established && !profile.is_convicted);
        self.forgotten.newcomers += u64::from(!is_established && !profile.is_convicted);
        self.index.remove(&slot.key);
        self.index.insert(key, place as u32);
        *slot = Slot::new(key);
        place
    }

    fn victim(&self, key: u64) -> usize {
        let draw = |number: u64| {
            let random = mix(key ^ mix(self.uses * DRAWN as u64 + number));
            ((u128::from(random) * self.slots.len() as u128) >> 64) as usize
        };
        let worth = |&place: &usize| {
            let slot = &self.slots[place];
            (slot.profile.is_convicted, slot.profile.requests() >= ESTABLISHED, slot.used)
        };
        (0..DRAWN as u64).map(draw).min_by_key(worth).unwrap_or_default()
    }
}
