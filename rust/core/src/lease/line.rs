//! The words of the ledger and what their bits mean.
//!
//! ```text
//! owner  [ tag 14 | pid 22 | pid namespace 16 | start 12 ]  whose entry this is; pid 0: nobody's
//! place  [ tag 14 | permit 1 | generation 4 | cell 32 ]     where a line's units were charged
//! hold   [ tag 14 | mark 12 | amount 36 ]                   what may be given back there
//! ```
//!
//! A tag is one use of an entry. Who was taken for dead and was not finds another tag in every word that it would swap.

use crate::rule::Trace;
use crate::word::Generation;

const TAG_SHIFT: u32 = 50;
const TAGS: u64 = (1 << 14) - 1;
const PID_SHIFT: u32 = 28;
/// Linux has no more (PID_MAX_LIMIT).
const PIDS: u64 = (1 << 22) - 1;
const NAMESPACE_SHIFT: u32 = 12;
const STARTS: u64 = (1 << NAMESPACE_SHIFT) - 1;
const AMOUNT_BITS: u32 = 36;
const AMOUNTS: u64 = (1 << AMOUNT_BITS) - 1;
const GENERATION_SHIFT: u32 = 32;
const PERMIT_SHIFT: u32 = 36;
const _: () = assert!(crate::quota::MAX_LIMIT == AMOUNTS && AMOUNT_BITS + Trace::MARK_BITS <= TAG_SHIFT);

/// A process in one use of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub u64);

impl Owner {
    /// A process: its number, the low bits of its pid namespace's inode (the kernel counts them up; 0: unknown) and of
    /// the clock tick at which it began, which tells it from a later one of the same number.
    pub fn new(pid: u32, namespace: u64, start: u64) -> Self {
        Self((u64::from(pid) & PIDS) << PID_SHIFT | (namespace & 0xffff) << NAMESPACE_SHIFT | start & STARTS)
    }
    /// The process's number; 0: nobody.
    pub fn pid(self) -> u32 {
        (self.0 >> PID_SHIFT & PIDS) as u32
    }
    /// Low bits of its pid namespace's inode.
    pub fn namespace(self) -> u64 {
        self.0 >> NAMESPACE_SHIFT & 0xffff
    }
    /// Low bits of the clock tick at which it began.
    pub fn start(self) -> u64 {
        self.0 & STARTS
    }
    /// The use of the entry.
    pub fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }
    /// This process in the use of the entry after `other`'s.
    pub fn after(self, other: Self) -> Self {
        Self(self.0 & ((1 << TAG_SHIFT) - 1) | ((other.tag() + 1) & TAGS) << TAG_SHIFT)
    }
    /// Nobody, in the same use.
    pub fn gone(self) -> Self {
        Self(self.0 & TAGS << TAG_SHIFT)
    }
}

/// Where a line's units were charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u64);

impl Place {
    /// A cell in one of its lives, charged for a permit or for output.
    pub fn new(owner: Owner, (cell, generation): (usize, Generation), is_permit: bool) -> Self {
        let permit = u64::from(is_permit) << PERMIT_SHIFT;
        Self(owner.tag() << TAG_SHIFT | permit | u64::from(generation) << GENERATION_SHIFT | cell as u64)
    }
    /// Cell and life.
    pub fn cell(self) -> (usize, Generation) {
        (self.0 as u32 as usize, (self.0 >> GENERATION_SHIFT & 15) as u8)
    }
    /// Is it a slot in flight?
    pub fn is_permit(self) -> bool {
        self.0 >> PERMIT_SHIFT & 1 == 1
    }
}

/// What may be given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold(pub u64);

impl Hold {
    /// So many units of the charge with this mark.
    pub fn new(owner: Owner, mark: u64, amount: u64) -> Self {
        Self(owner.tag() << TAG_SHIFT | mark << AMOUNT_BITS | amount.min(AMOUNTS))
    }
    /// See [`Trace::mark`].
    pub fn mark(self) -> u64 {
        self.0 >> AMOUNT_BITS & ((1 << Trace::MARK_BITS) - 1)
    }
    /// Units.
    pub fn amount(self) -> u64 {
        self.0 & AMOUNTS
    }
    /// The same charge with another amount.
    pub fn of(self, amount: u64) -> Self {
        Self(self.0 & !AMOUNTS | amount.min(AMOUNTS))
    }
}
