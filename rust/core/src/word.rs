//! The words of a cell and what their bits mean.
//!
//! ```text
//! key     [ tag 60 | generation 4 ]                 which key's cell this is; 0: never used
//! head    [ generation 4 | quota 12 | payload 48 ]  the one word whose swap decides; quota 0: the cell is free
//! expiry  [ generation 4 | nanoseconds 60 ]         from then on the cell says nothing; raised before the head moves
//! past    [ generation 3 | epoch 5 | slots 56 ]     (two words) what was charged in the epochs before the head's
//! ```
//!
//! A generation is one life of a cell. A thread that slept through the end of a life finds its swap refused, because
//! every word that it could change carries the number of the life it read.

use crate::time::Nanos;

/// One life of a cell, modulo 16: a sleeper, or a permit, is deceived only after exactly 16 lives.
pub type Generation = u8;

/// The life after this one.
pub fn next(generation: Generation) -> Generation {
    (generation + 1) & 15
}

/// Bits of the part of the head that belongs to the algorithm.
pub const PAYLOAD_BITS: u32 = 48;
const PAYLOAD: u64 = (1 << PAYLOAD_BITS) - 1;
const NANOS: u64 = Nanos::LAST.0;

/// Which key's cell this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub u64);

impl Key {
    /// No key was ever here: searches may stop.
    pub const NEVER_USED: Self = Self(0);
    /// Tag of a cell that was given up; no digest is mapped to it.
    const GIVEN_UP: u64 = 1;

    /// The key word of `hash` in the given life.
    pub fn new(hash: u64, generation: Generation) -> Self {
        Self((hash >> 4).max(2) << 4 | u64::from(generation))
    }
    /// A cell that nobody owns any more.
    pub fn given_up(generation: Generation) -> Self {
        Self(Self::GIVEN_UP << 4 | u64::from(generation))
    }
    /// Same key, whatever the life?
    pub fn same_tag(self, other: Self) -> bool {
        self.0 >> 4 == other.0 >> 4
    }
    /// Was it given up?
    pub fn is_given_up(self) -> bool {
        self.0 >> 4 == Self::GIVEN_UP
    }
    /// The life in which the key moved in.
    pub fn generation(self) -> Generation {
        (self.0 & 15) as u8
    }
    /// The same key in another life of the cell.
    pub fn in_generation(self, generation: Generation) -> Self {
        Self(self.0 & !15 | u64::from(generation))
    }
}

/// The word whose swap decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head(pub u64);

impl Head {
    /// A cell in use under the quota numbered `quota` (1..=4095).
    pub fn live(generation: Generation, quota: u16, payload: u64) -> Self {
        debug_assert!(quota != 0 && payload <= PAYLOAD);
        Self(u64::from(generation) << 60 | u64::from(quota) << PAYLOAD_BITS | payload & PAYLOAD)
    }
    /// A cell without an occupant, or whose occupant is moving in.
    pub fn free(generation: Generation) -> Self {
        Self(u64::from(generation) << 60)
    }
    /// The life this word belongs to.
    pub fn generation(self) -> Generation {
        (self.0 >> 60) as u8
    }
    /// Number of the quota in the table's registry; 0 when free.
    pub fn quota(self) -> u16 {
        (self.0 >> PAYLOAD_BITS & 0xfff) as u16
    }
    /// Has it an occupant?
    pub fn is_live(self) -> bool {
        self.quota() != 0
    }
    /// What the algorithm wrote.
    pub fn payload(self) -> u64 {
        self.0 & PAYLOAD
    }
    /// The same life and payload under another quota.
    pub fn with_quota(self, quota: u16) -> Self {
        Self::live(self.generation(), quota, self.payload())
    }
    /// The same life and quota with another payload.
    pub fn with_payload(self, payload: u64) -> Self {
        debug_assert!(payload <= PAYLOAD);
        Self(self.0 & !PAYLOAD | payload & PAYLOAD)
    }
}

/// From when on the cell says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(pub u64);

impl Expiry {
    /// An expiry of the given life; later instants than 36 years after the clock's origin count as that.
    pub fn new(generation: Generation, nanos: u64) -> Self {
        Self(u64::from(generation) << 60 | nanos.min(NANOS))
    }
    /// The life this word belongs to.
    pub fn generation(self) -> Generation {
        (self.0 >> 60) as u8
    }
    /// Nanoseconds since the clock's origin.
    pub fn nanos(self) -> u64 {
        self.0 & NANOS
    }
}

/// What was charged in the epochs before the head's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past(pub u64);

impl Past {
    /// Bits for slots.
    pub const SLOT_BITS: u32 = 56;
    const SLOTS: u64 = (1 << Self::SLOT_BITS) - 1;

    /// Slots as they are seen from `epoch`.
    pub fn new(generation: Generation, epoch: u64, slots: u64) -> Self {
        Self(u64::from(generation & 7) << 61 | (epoch & 31) << Self::SLOT_BITS | slots & Self::SLOTS)
    }
    /// Does it belong to this life? A word never written belongs to none.
    pub fn belongs_to(self, generation: Generation) -> bool {
        self.0 != 0 && (self.0 >> 61) as u8 == generation & 7
    }
    /// How many epochs after `epoch` it was written for, modulo 32.
    pub fn ahead_of(self, epoch: u64) -> u64 {
        (self.0 >> Self::SLOT_BITS).wrapping_sub(epoch) & 31
    }
    /// All slots.
    pub fn slots(self) -> u64 {
        self.0 & Self::SLOTS
    }
}
