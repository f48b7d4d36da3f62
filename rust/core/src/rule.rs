//! `Rule`: a quota made ready for cells, and what every algorithm can answer about one.

use crate::cell::{Cell, Snapshot};
use crate::gcra::Bucket;
use crate::quota::{Algorithm, Quota};
use crate::time::Nanos;
use crate::window::Window;

/// The answer of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Was, or would be, the cost taken?
    pub allowed: bool,
    /// The most that can be used at once.
    pub limit: u64,
    /// Units that could still be taken at this instant.
    pub remaining: u64,
    /// Until the whole limit is free again.
    pub reset_after: Nanos,
    /// Until the same cost fits: zero when allowed, [`Nanos::NEVER`] when it exceeds the limit.
    pub retry_after: Nanos,
}

/// What a charge left behind and a refund needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Units taken.
    pub cost: u64,
    /// The instant of the charge.
    pub at: Nanos,
    /// Windows: the epoch charged. Buckets: the payload before.
    pub before: u64,
    /// Buckets: the payload after.
    pub after: u64,
}

impl Trace {
    /// In the place of the payload after: of a part of a charge nobody knows which payload it left.
    pub const PART: u64 = u64::MAX;
    /// Bits of a [`Trace::mark`].
    pub const MARK_BITS: u32 = 12;

    /// Take up to `cost` units out of this trace, to be given back.
    pub fn split(&mut self, cost: u64) -> Self {
        if cost >= self.cost {
            return Self { cost: std::mem::take(&mut self.cost), ..*self };
        }
        (self.cost, self.after) = (self.cost - cost, Self::PART);
        Self { cost, ..*self }
    }

    /// What a shared word can remember of it, for [`Rule::trace`].
    pub fn mark(&self) -> u64 {
        self.before & ((1 << Self::MARK_BITS) - 1)
    }
}

/// One attempt to change a cell.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Charged, and the trace of it.
    Charged(Answer, Trace),
    /// Refused or nothing to do; nothing was written.
    Answered(Answer),
    /// Somebody else changed the cell: read it again.
    Again,
}

/// A quota made ready for cells.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Strict and sliding windows, permits.
    Window(Window),
    /// Token bucket.
    Bucket(Bucket),
}

impl Rule {
    /// Make a quota ready.
    pub fn of(quota: &Quota) -> Self {
        match quota.algorithm() {
            Algorithm::TokenBucket => Self::Bucket(Bucket::of(quota)),
            _ => Self::Window(Window::of(quota)),
        }
    }

    /// The most that can be used at once.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Window(window) => window.limit(),
            Self::Bucket(bucket) => bucket.burst(),
        }
    }

    /// The same rule for charges that must be taken, debts: a window counts beyond its limit, a bucket a sixteenth beyond
    /// empty.
    pub fn unlimited(&self) -> Self {
        match self {
            Self::Window(window) => Self::Window(window.unlimited()),
            Self::Bucket(bucket) => Self::Bucket(bucket.unlimited()),
        }
    }

    /// Would [`Rule::charge`] take the cost in this state? Pure, and cheaper than the whole answer.
    #[inline]
    pub fn allows(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> bool {
        match self {
            Self::Window(window) => window.allows(snapshot, cost, now),
            Self::Bucket(bucket) => bucket.allows(snapshot, cost, now),
        }
    }

    /// What [`Rule::charge`] would answer for this state. Pure.
    pub fn assess(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> Answer {
        match self {
            Self::Window(window) => window.assess(snapshot, cost, now),
            Self::Bucket(bucket) => bucket.assess(snapshot, cost, now),
        }
    }

    /// Take `cost` units if they fit. Costs one swap, in the first charge of an epoch up to four more.
    #[inline]
    pub fn charge(&self, cell: &Cell<'_>, snapshot: &Snapshot, cost: u64, now: Nanos) -> Step {
        match self {
            Self::Window(window) => window.charge(cell, snapshot, cost, now),
            Self::Bucket(bucket) => bucket.charge(cell, snapshot, cost, now),
        }
    }

    /// Give back what `trace` took, never more. False: the cell changed, read it again.
    pub fn refund(&self, cell: &Cell<'_>, snapshot: &Snapshot, trace: &Trace, now: Nanos) -> bool {
        match self {
            Self::Window(window) => window.refund(cell, snapshot, trace),
            Self::Bucket(bucket) => bucket.refund(cell, snapshot, trace, now),
        }
    }

    /// Do cells mean the same under both rules, so that only the limit differs?
    pub fn same_shape(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Window(window), Self::Window(other)) if window.same_shape(other))
    }

    /// What a cell written under `other` says under this rule: a payload, and the instant it holds at.
    pub fn inherit(&self, other: &Self, snapshot: &Snapshot, now: Nanos) -> (u64, Nanos) {
        match (self, other) {
            (Self::Window(window), Self::Window(other)) => window.inherit(other, snapshot, now),
            (Self::Bucket(bucket), Self::Bucket(other)) => bucket.inherit(other, snapshot, now),
            // The algorithm is part of a counter's identity, so this cell was scribbled over: all is used.
            _ => (self.holding(self.capacity(), now, 0), now),
        }
    }

    /// The payload of a cell in which `used` units were taken at `now`, or at the later time that its expiry has seen.
    pub fn holding(&self, used: u64, now: Nanos, expiry_nanos: u64) -> u64 {
        match self {
            Self::Window(window) => window.holding(used, now, expiry_nanos),
            Self::Bucket(bucket) => bucket.holding(used, now, expiry_nanos),
        }
    }

    /// From when on a cell with this payload, read at `now`, says nothing.
    pub fn expiry(&self, payload: u64, now: Nanos) -> u64 {
        match self {
            Self::Window(window) => window.expiry(payload, now),
            Self::Bucket(bucket) => bucket.expiry(payload, now),
        }
    }

    /// The longest that a cell lives on without a charge.
    pub fn lifetime(&self) -> u64 {
        match self {
            Self::Window(window) => window.lifetime(),
            Self::Bucket(bucket) => bucket.lifetime(),
        }
    }

    /// What a fresh key gets: nothing used so far.
    pub fn unused(&self, cost: u64) -> Answer {
        let capacity = self.capacity();
        let allowed = cost <= capacity;
        let retry_after = if allowed { Nanos(0) } else { Nanos::NEVER };
        Answer { allowed, limit: capacity, remaining: capacity, reset_after: Nanos(0), retry_after }
    }

    /// The trace of a charge at about `at` of which only this mark is known (see [`Trace::mark`]).
    pub fn trace(&self, mark: u64, cost: u64, at: Nanos) -> Trace {
        match self {
            Self::Window(window) => window.trace(mark, cost, at),
            Self::Bucket(_) => Trace { cost, at, before: 0, after: Trace::PART },
        }
    }

    /// The trace of the charge with which a fresh cell began.
    pub fn first_trace(&self, payload: u64, cost: u64, now: Nanos) -> Trace {
        match self {
            Self::Window(window) => window.first_trace(payload, cost, now),
            Self::Bucket(bucket) => bucket.first_trace(payload, cost, now),
        }
    }
}
