//! Strict windows and the sliding-window counter.
//!
//! Time is cut into epochs (sub-windows) of `sub` nanoseconds. The head holds the current epoch and its count; a ring
//! of slots holds the `past` epochs before it. A strict window of length W has sub = ⌈W/8⌉ and counts an epoch's
//! charges until eight more have begun *and ended*: charges less than W apart are at most eight epochs apart, so they
//! are always counted together, and none is counted longer than 9/8 W. A sliding window has sub = W and one past slot
//! that fades linearly (Figma, Cloudflare 2017): cheaper to explain, not strict.
//!
//! **Rotation**, when the first charge of a new epoch t comes: raise the expiry, rewrite the past as seen from t, then
//! swap the head, which charges at the same time. A thread that dies on the way leaves a past that is right for whoever
//! comes next: prepared slots are only ever raised, and the head's swap proves that the count put into them was the
//! last. The expiry is also the cell's own clock: no thread decides for an earlier epoch than another one has prepared.
//!
//! Slots hold 14 bits, in units of `quantum` = ⌈limit/16383⌉; what does not divide is carried into the new epoch, so
//! totals stay exact and less than one quantum of them is released later.

mod view;

use crate::cell::{Cell, Snapshot};
use crate::quota::{Algorithm, MAX_LIMIT, MAX_PERMITS, Quota};
use crate::rule::{Answer, Step, Trace};
use crate::time::Nanos;
use crate::word::Past;
use view::View;

/// Parts of a strict window: refuses at most 1/8 of a window early.
const STRICT_PARTS: u64 = 8;
/// Slots in one word of the past.
const SLOTS_PER_WORD: u64 = 4;
/// Bits of a strict window's slot.
const SLOT_BITS: u32 = Past::SLOT_BITS / SLOTS_PER_WORD as u32;
/// Largest value of one.
const SLOT_MAX: u64 = (1 << SLOT_BITS) - 1;
/// Bits of the count in a head's payload; above them the epoch modulo 4096.
const COUNT_BITS: u32 = 36;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const EPOCHS: u64 = 1 << 12;
const _: () = assert!(MAX_LIMIT == COUNT && MAX_PERMITS < SLOT_MAX, "limits fit a count, permits a slot");

/// A window made ready for cells.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    limit: u64,
    sub: u64,
    past: u64,
    quantum: u64,
}

impl Window {
    /// Make a strict or sliding quota ready.
    pub fn of(quota: &Quota) -> Self {
        let (limit, window) = (quota.limit(), quota.window().0);
        if quota.algorithm() == Algorithm::SlidingWindow {
            return Self { limit, sub: window, past: 1, quantum: 1 };
        }
        Self { limit, sub: window.div_ceil(STRICT_PARTS), past: STRICT_PARTS, quantum: limit.div_ceil(SLOT_MAX) }
    }

    /// Units per window.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The same window without a limit: for debts, and because renewing a permit moves a unit and adds none.
    pub fn unlimited(&self) -> Self {
        Self { limit: COUNT, ..*self }
    }

    /// Is it a sliding window, whose one past epoch counts less and less?
    fn fades(&self) -> bool {
        self.past == 1
    }

    /// Do its cells mean the same as those of `other`? Then only the limit differs.
    pub fn same_shape(&self, other: &Self) -> bool {
        (self.sub, self.past, self.quantum) == (other.sub, other.past, other.quantum)
    }

    /// What a cell of `other` says under this window: a payload, and the instant it holds at. All used units are kept,
    /// also beyond the limit, and count from then on.
    pub fn inherit(&self, other: &Self, snapshot: &Snapshot, now: Nanos) -> (u64, Nanos) {
        let view = other.view(snapshot, now);
        let seen = now.max(Nanos(view.now * other.sub));
        (pack(seen.0 / self.sub, view.used(seen)), seen)
    }

    /// See [`crate::rule::Rule::allows`].
    #[inline]
    pub fn allows(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> bool {
        cost == 0 || self.fits(self.view(snapshot, now).used(now), cost)
    }

    fn fits(&self, used: u64, cost: u64) -> bool {
        cost <= self.limit && used + cost <= self.limit
    }

    /// See [`crate::rule::Rule::assess`].
    pub fn assess(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> Answer {
        let view = self.view(snapshot, now);
        let used = view.used(now);
        let allowed = cost == 0 || self.fits(used, cost);
        Answer {
            allowed,
            limit: self.limit,
            remaining: self.limit.saturating_sub(used),
            reset_after: view.reset_after(now),
            retry_after: if allowed { Nanos(0) } else { view.retry_after(cost, now) },
        }
    }

    /// See [`crate::rule::Rule::charge`].
    #[inline]
    pub fn charge(&self, cell: &Cell<'_>, snapshot: &Snapshot, cost: u64, now: Nanos) -> Step {
        let view = self.view(snapshot, now);
        let used = view.used(now);
        if cost == 0 || !self.fits(used, cost) {
            let unchanged = cell.head() == snapshot.head;
            return if unchanged { Step::Answered(self.assess(snapshot, cost, now)) } else { Step::Again };
        }
        if view.rested {
            view.wake(cell);
            return Step::Again;
        }
        let end = self.end_of(view.now);
        let head = if view.head == view.now {
            // Between another thread's wake and its raise the head is later than the expiry: a second wake would wipe us.
            if snapshot.expiry.nanos() < end && !cell.raise_expiry(snapshot.head.generation(), end) {
                return Step::Again;
            }
            snapshot.head.with_payload(snapshot.head.payload() + cost)
        } else {
            if !view.rotate(cell) {
                return Step::Again;
            }
            snapshot.head.with_payload(pack(view.now, view.carry() + cost))
        };
        if !cell.swap_head(snapshot.head, head) {
            return Step::Again;
        }
        let reset_after = Nanos(end) - now;
        let remaining = self.limit - used - cost;
        let answer = Answer { allowed: true, limit: self.limit, remaining, reset_after, retry_after: Nanos(0) };
        Step::Charged(answer, Trace { cost, at: now, before: view.now, after: 0 })
    }

    /// See [`crate::rule::Rule::refund`]. What left the window has already been given back.
    pub fn refund(&self, cell: &Cell<'_>, snapshot: &Snapshot, trace: &Trace) -> bool {
        let (epoch, head) = (trace.before, snapshot.head);
        // As the cell itself sees the time: what it still holds can be given back, whatever this thread's clock says.
        let view = self.view(snapshot, Nanos(0));
        let count = head.payload() & COUNT;
        if view.head == epoch {
            return cell.swap_head(head, head.with_payload(head.payload() - trace.cost.min(count)));
        }
        let (word, shift) = self.slot_at(epoch);
        let past = snapshot.past[word];
        let prepared_for = view.head + past.ahead_of(view.head);
        if epoch > view.head || epoch + self.past < prepared_for || !past.belongs_to(head.generation()) {
            return true;
        }
        let slots = past.slots();
        let value = slots >> shift & self.slot_mask();
        let whole = value.min(trace.cost / self.quantum);
        let lowered = |by: u64| Past::new(head.generation(), prepared_for, slots - (by << shift));
        if !cell.swap_past(word, past, lowered(whole)) {
            return false;
        }
        // What does not divide: a quantum more, whose rest is charged to the head's epoch before, as a rotation does.
        let rest = (self.quantum - trace.cost % self.quantum) % self.quantum;
        if rest > 0
            && whole < value
            && count + rest <= COUNT
            && cell.swap_head(head, head.with_payload(head.payload() + rest))
        {
            cell.swap_past(word, lowered(whole), lowered(whole + 1));
        }
        true
    }

    /// See [`crate::rule::Rule::trace`]. The mark is the epoch modulo 4,096, which is known to be one close to `at`.
    pub fn trace(&self, mark: u64, cost: u64, at: Nanos) -> Trace {
        let about = at.0 / self.sub;
        let ahead = mark.wrapping_sub(about) & (EPOCHS - 1);
        let epoch = if ahead < EPOCHS / 2 { about + ahead } else { (about + ahead).saturating_sub(EPOCHS) };
        Trace { cost, at, before: epoch, after: Trace::PART }
    }

    /// Is a charge of `epoch` still counted, as far as the cell has seen the time?
    pub fn still_counts(&self, snapshot: &Snapshot, epoch: u64, now: Nanos) -> bool {
        epoch + self.past >= self.view(snapshot, now).now
    }

    /// See [`crate::rule::Rule::holding`].
    pub fn holding(&self, used: u64, now: Nanos, expiry_nanos: u64) -> u64 {
        pack(self.epoch_at(now, expiry_nanos), used)
    }

    /// See [`crate::rule::Rule::expiry`].
    pub fn expiry(&self, payload: u64, now: Nanos) -> u64 {
        let epoch = now.0 / self.sub;
        // The payload was written for the current epoch by somebody whose clock may run a little ahead or behind.
        let ahead = (payload >> COUNT_BITS).wrapping_sub(epoch) & (EPOCHS - 1);
        self.end_of(if ahead < EPOCHS / 2 { epoch + ahead } else { epoch })
    }

    /// See [`crate::rule::Rule::first_trace`].
    pub fn first_trace(&self, payload: u64, cost: u64, now: Nanos) -> Trace {
        let epoch = self.expiry(payload, now) / self.sub - self.past - 1;
        Trace { cost, at: now, before: epoch, after: 0 }
    }

    /// The longest that a cell lives on without a charge.
    pub fn lifetime(&self) -> u64 {
        self.end_of(0)
    }

    /// When the charges of an epoch stop to count.
    fn end_of(&self, epoch: u64) -> u64 {
        (epoch + self.past + 1).saturating_mul(self.sub)
    }

    fn epoch_at(&self, now: Nanos, expiry_nanos: u64) -> u64 {
        (now.0 / self.sub).max((expiry_nanos / self.sub).saturating_sub(self.past + 1))
    }

    #[inline]
    fn view<'s>(&self, snapshot: &'s Snapshot, now: Nanos) -> View<'s> {
        let expiry = snapshot.expiry_nanos().unwrap_or(0);
        let rested = expiry <= now.0;
        let now = self.epoch_at(now, expiry);
        let payload = snapshot.head.payload();
        // The head knows its epoch modulo 4096 only; that the cell did not rest for longer, the expiry knows.
        let age = now.wrapping_sub(payload >> COUNT_BITS) & (EPOCHS - 1);
        let (now, age) = match age {
            _ if rested => (now, self.past + 1),
            age if age < EPOCHS / 2 => (now, age),
            ahead => (now + EPOCHS - ahead, 0), // another thread's clock is later than ours: so is the cell's
        };
        let count = if age <= self.past { payload & COUNT } else { 0 };
        View { window: *self, snapshot, now, head: now.saturating_sub(age), count, rested }
    }

    /// Word and shift of an epoch's slot.
    fn slot_at(&self, epoch: u64) -> (usize, u32) {
        let slot = epoch & (self.past - 1);
        ((slot / SLOTS_PER_WORD) as usize, (slot % SLOTS_PER_WORD) as u32 * SLOT_BITS)
    }

    fn slot_mask(&self) -> u64 {
        if self.fades() { (1 << Past::SLOT_BITS) - 1 } else { SLOT_MAX }
    }
}

fn pack(epoch: u64, count: u64) -> u64 {
    (epoch & (EPOCHS - 1)) << COUNT_BITS | count.min(COUNT)
}
