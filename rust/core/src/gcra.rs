//! Token bucket: the generic cell rate algorithm (ITU-T I.371, 1996; Brandur Leach's redis-cell made it known for web
//! limits).
//!
//! The head holds the *theoretical arrival time* `tat`, the instant at which the bucket is full again. A unit costs one
//! `increment`, rounded up; an empty bucket is `tolerance` = burst × increment from full. Instants are ticks modulo
//! 2⁴⁸, compared as serial numbers; a tick is the power of two of nanoseconds (or fractions) for which the tolerance
//! comes close to 2⁴⁵ ticks, so that rounding costs less than one part in 250 even of the largest bursts (in 65,000 up
//! to 2²⁸). The expiry, an upper bound of `tat`, tells a long gap from a short one.

use crate::cell::{Cell, Snapshot};
use crate::quota::Quota;
use crate::rule::{Answer, Step, Trace};
use crate::time::Nanos;
use crate::word::PAYLOAD_BITS;

/// A tolerance is at most this many ticks: an eighth of the circle, so that before and after stay apart.
const MAX_TOLERANCE: u128 = 1 << 45;
/// Finest tick: 2⁻³² ns.
const FINEST: i32 = 32;
const CIRCLE: u64 = 1 << PAYLOAD_BITS;

/// A bucket remembers debts of a sixteenth of its size beyond empty: half of what its cells outlive it by.
const DEBT_PART: u64 = 16;

/// A token bucket made ready for cells.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    burst: u64,
    /// Ticks per unit, rounded up.
    increment: u64,
    /// Ticks from empty to full.
    tolerance: u64,
    /// log₂ of ticks per nanosecond.
    scale: i32,
    /// How much further than needed the expiry is raised, so that most charges need not touch it.
    slack: u64,
}

/// A snapshot understood at one instant.
struct View {
    /// `tat` minus now in ticks; not above zero when the bucket is full.
    fill: i64,
    /// Now in ticks, rounded down, and what is missing to the next tick (0 or 1).
    now: u64,
    round: u64,
}

impl Bucket {
    /// Make a token-bucket quota ready.
    pub fn of(quota: &Quota) -> Self {
        let (limit, window, burst) = (quota.limit(), quota.window().0, quota.capacity());
        let increment = |scale: i32| {
            let ticks = if scale >= 0 { u128::from(window) << scale } else { u128::from(window) };
            let per = if scale >= 0 { u128::from(limit) } else { u128::from(limit) << -scale };
            ticks.div_ceil(per)
        };
        let fits = |scale: &i32| increment(*scale) * u128::from(burst) <= MAX_TOLERANCE;
        let scale = (-FINEST..=FINEST).rev().find(fits).unwrap_or(-FINEST);
        let increment = increment(scale) as u64;
        let bucket = Self { burst, increment, tolerance: increment * burst, scale, slack: 0 };
        Self { slack: bucket.nanos(bucket.tolerance) / 8, ..bucket }
    }

    /// Size of the bucket in units.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// See [`crate::rule::Rule::unlimited`]. Its cells live as long, or it would take another time for the cell's.
    pub fn unlimited(&self) -> Self {
        let burst = self.burst + self.burst / DEBT_PART;
        let tolerance = self.increment * burst;
        let lifetime = self.nanos(self.tolerance + 1) + self.slack;
        Self { burst, tolerance, slack: lifetime.saturating_sub(self.nanos(tolerance + 1)), ..*self }
    }

    /// See [`crate::rule::Rule::allows`].
    #[inline]
    pub fn allows(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> bool {
        self.fill_after(&self.view(snapshot, now), cost).is_some()
    }

    /// See [`crate::rule::Rule::assess`].
    pub fn assess(&self, snapshot: &Snapshot, cost: u64, now: Nanos) -> Answer {
        let view = self.view(snapshot, now);
        // A clock that stepped back has first to come back to where it was.
        let behind = Nanos(self.seen(snapshot, now)) - now;
        let retry_after = match self.fill_after(&view, cost) {
            Some(_) => Nanos(0),
            None if cost > self.burst => Nanos::NEVER,
            None => {
                let short = view.fill as u64 + cost * self.increment - self.tolerance;
                behind + self.wait(short, now + behind)
            }
        };
        let answer = self.answer(view.fill, retry_after);
        Answer { reset_after: if view.fill > 0 { behind + answer.reset_after } else { Nanos(0) }, ..answer }
    }

    /// See [`crate::rule::Rule::charge`].
    #[inline]
    pub fn charge(&self, cell: &Cell<'_>, snapshot: &Snapshot, cost: u64, now: Nanos) -> Step {
        let view = self.view(snapshot, now);
        let fill = match self.fill_after(&view, cost) {
            Some(fill) if cost > 0 && snapshot.is_expired(now.0) => {
                self.wake(cell, snapshot, &view, now.0 + self.nanos(fill as u64) + self.slack);
                return Step::Again;
            }
            Some(fill) if cost > 0 => fill,
            _ if cell.head() == snapshot.head => return Step::Answered(self.assess(snapshot, cost, now)),
            _ => return Step::Again,
        };
        let end = self.seen(snapshot, now) + self.nanos(fill as u64);
        if end > snapshot.expiry.nanos() && !cell.raise_expiry(snapshot.head.generation(), end + self.slack) {
            return Step::Again;
        }
        let after = view.now.wrapping_add(fill as u64) & (CIRCLE - 1);
        if !cell.swap_head(snapshot.head, snapshot.head.with_payload(after)) {
            return Step::Again;
        }
        let before = if view.fill > 0 { snapshot.head.payload() } else { view.now & (CIRCLE - 1) };
        let answer = self.answer(fill, Nanos(0));
        let answer = Answer { reset_after: Nanos(end) - now, ..answer };
        Step::Charged(answer, Trace { cost, at: now, before, after })
    }

    /// Fill a rested cell while its expiry still tells that it rested, then raise that. The other way round, a `tat`
    /// from long ago could come round again in between.
    #[cold]
    fn wake(&self, cell: &Cell<'_>, snapshot: &Snapshot, view: &View, expiry: u64) {
        let full = snapshot.head.with_payload(view.now & (CIRCLE - 1));
        if snapshot.head == full || cell.swap_head(snapshot.head, full) {
            cell.raise_expiry(full.generation(), expiry);
        }
    }

    /// See [`crate::rule::Rule::refund`]. What has flowed back since the charge is not given back twice.
    pub fn refund(&self, cell: &Cell<'_>, snapshot: &Snapshot, trace: &Trace, now: Nanos) -> bool {
        let head = snapshot.head;
        if head.payload() == trace.after {
            return cell.swap_head(head, head.with_payload(trace.before));
        }
        let view = self.view(snapshot, now);
        let (elapsed, round) = self.ticks(self.seen(snapshot, now) - trace.at.0.min(now.0));
        let credit = (trace.cost * self.increment).saturating_sub(elapsed + round).min(view.fill.max(0) as u64);
        credit == 0 || cell.swap_head(head, head.with_payload(head.payload().wrapping_sub(credit) & (CIRCLE - 1)))
    }

    /// See [`crate::rule::Rule::holding`].
    pub fn holding(&self, used: u64, now: Nanos, expiry_nanos: u64) -> u64 {
        let (ticks, round) = self.ticks(now.0.max(expiry_nanos.saturating_sub(self.lifetime())));
        let fill = if used == 0 { 0 } else { round + used.min(self.burst) * self.increment };
        ticks.wrapping_add(fill) & (CIRCLE - 1)
    }

    /// What a cell of `other` says under this bucket: a payload, and the instant it holds at. Used units are kept to
    /// the fraction, as far as they fit into this bucket.
    pub fn inherit(&self, other: &Self, snapshot: &Snapshot, now: Nanos) -> (u64, Nanos) {
        let seen = Nanos(other.seen(snapshot, now));
        let fill = other.view(snapshot, now).fill.max(0) as u128;
        let fill = (fill * u128::from(self.increment)).div_ceil(u128::from(other.increment));
        let (ticks, round) = self.ticks(seen.0);
        let fill = if fill == 0 { 0 } else { round + fill.min(u128::from(self.tolerance)) as u64 };
        (ticks.wrapping_add(fill) & (CIRCLE - 1), seen)
    }

    /// See [`crate::rule::Rule::expiry`].
    pub fn expiry(&self, payload: u64, now: Nanos) -> u64 {
        let ahead = signed(payload.wrapping_sub(self.ticks(now.0).0));
        now.0 + self.nanos(ahead.max(0) as u64) + self.slack
    }

    /// See [`crate::rule::Rule::first_trace`].
    pub fn first_trace(&self, payload: u64, cost: u64, now: Nanos) -> Trace {
        let before = payload.wrapping_sub(cost * self.increment) & (CIRCLE - 1);
        Trace { cost, at: now, before, after: payload }
    }

    /// The longest that an expiry lies ahead of the clock of whoever raised it.
    pub fn lifetime(&self) -> u64 {
        self.nanos(self.tolerance + 1) + self.slack + 1
    }

    /// The latest time that this cell is known to have seen: a clock that steps back gains nothing.
    fn seen(&self, snapshot: &Snapshot, now: Nanos) -> u64 {
        now.0.max(snapshot.expiry_nanos().unwrap_or(0).saturating_sub(self.lifetime()))
    }

    #[inline]
    fn view(&self, snapshot: &Snapshot, now: Nanos) -> View {
        let (ticks, round) = self.ticks(self.seen(snapshot, now));
        let fill = signed(snapshot.head.payload().wrapping_sub(ticks));
        // Later than any charge can have put it: a `tat` from so long ago that it has come round.
        let stale = fill > self.ticks(self.lifetime()).0 as i64;
        let fill = if stale || snapshot.is_expired(now.0) { 0 } else { fill };
        View { fill, now: ticks, round }
    }

    /// The fill after taking `cost`, if it fits. A full bucket always has room for the burst, however the tick rounds.
    fn fill_after(&self, view: &View, cost: u64) -> Option<i64> {
        if cost == 0 {
            return Some(view.fill);
        }
        if cost > self.burst {
            return None;
        }
        let taken = (cost * self.increment) as i64;
        if view.fill <= 0 {
            return Some(view.round as i64 + taken);
        }
        (view.fill + taken <= self.tolerance as i64).then_some(view.fill + taken)
    }

    fn answer(&self, fill: i64, retry_after: Nanos) -> Answer {
        let fill = fill.max(0) as u64;
        Answer {
            allowed: retry_after == Nanos(0),
            limit: self.burst,
            remaining: self.tolerance.saturating_sub(fill) / self.increment,
            reset_after: Nanos(self.nanos(fill)),
            retry_after,
        }
    }

    /// Nanoseconds after `now` in which the clock surely advances by `short` ticks.
    fn wait(&self, short: u64, now: Nanos) -> Nanos {
        if self.scale >= 0 {
            return Nanos(self.nanos(short));
        }
        Nanos((short << -self.scale) - now.0 % (1 << -self.scale))
    }

    /// An instant in ticks modulo 2⁶⁴, rounded down, and 1 if that was not exact.
    fn ticks(&self, nanos: u64) -> (u64, u64) {
        if self.scale >= 0 {
            return (nanos << self.scale, 0);
        }
        (nanos >> -self.scale, u64::from(nanos & ((1 << -self.scale) - 1) != 0))
    }

    /// A span of ticks in nanoseconds, rounded up.
    fn nanos(&self, ticks: u64) -> u64 {
        if self.scale >= 0 { ticks.div_ceil(1 << self.scale) } else { ticks << -self.scale }
    }
}

/// A difference of 48-bit serial numbers (RFC 1982).
fn signed(difference: u64) -> i64 {
    ((difference << (64 - PAYLOAD_BITS)) as i64) >> (64 - PAYLOAD_BITS)
}
