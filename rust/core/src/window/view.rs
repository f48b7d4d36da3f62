//! A cell of a window understood at one instant: what is used, how long to wait, how to begin the next epoch.

use super::{SLOT_BITS, SLOT_MAX, SLOTS_PER_WORD, Window, pack};
use crate::cell::{Cell, Snapshot};
use crate::time::Nanos;
use crate::word::{Generation, Past};

/// A snapshot understood at one instant.
pub(super) struct View<'s> {
    pub(super) window: Window,
    pub(super) snapshot: &'s Snapshot,
    /// The epoch in which a charge would count.
    pub(super) now: u64,
    /// The head's epoch, at most `now`.
    pub(super) head: u64,
    /// The head's count; zero when it is too old to matter.
    pub(super) count: u64,
    /// The expiry has passed: whatever the words say, nothing is in use.
    pub(super) rested: bool,
}

impl View<'_> {
    /// Units charged in `epoch` that still count; `epoch` is at most `past` before `now`.
    pub(super) fn units(&self, epoch: u64) -> u64 {
        if epoch >= self.head {
            return if epoch == self.head { self.count } else { 0 };
        }
        let (word, shift) = self.window.slot_at(epoch);
        let past = self.snapshot.past[word];
        if !past.belongs_to(self.snapshot.head.generation()) {
            return 0;
        }
        (past.slots() >> shift & self.window.slot_mask()) * self.window.quantum
    }

    fn epochs(&self) -> std::ops::RangeInclusive<u64> {
        self.now.saturating_sub(self.window.past)..=self.now
    }

    pub(super) fn used(&self, now: Nanos) -> u64 {
        if self.window.fades() {
            return self.fading(self.units(self.now.saturating_sub(1)), now) + self.units(self.now);
        }
        if self.snapshot.past == [Past(0); 2] {
            return self.count;
        }
        if self.head == self.now {
            return self.ring_total() + self.count;
        }
        self.epochs().map(|epoch| self.units(epoch)).sum()
    }

    /// All slots of a strict window's ring: when the head stands at `now`, every one of them counts.
    fn ring_total(&self) -> u64 {
        let generation = self.snapshot.head.generation();
        let known = self.snapshot.past.iter().filter(|past| past.belongs_to(generation));
        let sum =
            |slots: u64| (0..SLOTS_PER_WORD as u32).map(|slot| slots >> (SLOT_BITS * slot) & SLOT_MAX).sum::<u64>();
        known.map(|past| sum(past.slots())).sum::<u64>() * self.window.quantum
    }

    /// What a sliding window still counts of the previous one, rounded up.
    fn fading(&self, previous: u64, now: Nanos) -> u64 {
        if self.now == 0 {
            return 0;
        }
        let left = self.window.end_of(self.now) - self.window.sub - now.0.max(self.now * self.window.sub);
        (u128::from(previous) * u128::from(left)).div_ceil(u128::from(self.window.sub)) as u64
    }

    /// What the head's count leaves in its slot; a count inherited from a larger limit may not fit.
    pub(super) fn slot(&self) -> u64 {
        (self.count / self.window.quantum).min(self.window.slot_mask())
    }

    /// What does not go into the slot and counts in the new epoch instead.
    pub(super) fn carry(&self) -> u64 {
        self.count - self.slot() * self.window.quantum
    }

    /// Empty a rested cell while its expiry still tells that it rested, then raise that. The other way round, a head
    /// from long ago could come round again in between.
    pub(super) fn wake(&self, cell: &Cell<'_>) {
        let head = self.snapshot.head;
        let empty = head.with_payload(pack(self.now, 0));
        if cell.clear_past(self.snapshot, head.generation()) && (head == empty || cell.swap_head(head, empty)) {
            cell.raise_expiry(head.generation(), self.window.end_of(self.now));
        }
    }

    /// Make expiry and past ready for the epoch `now`. False: somebody else moved the cell on.
    pub(super) fn rotate(&self, cell: &Cell<'_>) -> bool {
        let generation = self.snapshot.head.generation();
        if !cell.raise_expiry(generation, self.window.end_of(self.now)) {
            return false;
        }
        let words = if self.window.fades() { 1 } else { 2 };
        (0..words).all(|word| {
            let past = self.snapshot.past[word];
            cell.swap_past(word, past, self.prepared(word, past, generation))
        })
    }

    /// A word of the past as it must be when the head stands at `now`. Prepared slots are never lowered here.
    fn prepared(&self, word: usize, past: Past, generation: Generation) -> Past {
        let (window, target) = (self.window, self.now);
        let known = past.belongs_to(generation);
        let mut slots = if known { past.slots() } else { 0 };
        if target - self.head > window.past {
            slots = 0;
        } else {
            let ahead = past.ahead_of(self.head);
            let from = if known && ahead <= window.past { self.head + ahead } else { self.head };
            for (_, shift) in (from..target).map(|epoch| window.slot_at(epoch)).filter(|(w, _)| *w == word) {
                slots &= !(window.slot_mask() << shift);
            }
            let (w, shift) = window.slot_at(self.head);
            if w == word {
                let value = (slots >> shift & window.slot_mask()).max(self.slot());
                slots = slots & !(window.slot_mask() << shift) | value << shift;
            }
        }
        if slots == 0 && !known { past } else { Past::new(generation, target, slots) }
    }

    pub(super) fn reset_after(&self, now: Nanos) -> Nanos {
        let newest = self.epochs().rev().find(|epoch| self.units(*epoch) > 0);
        newest.map_or(Nanos(0), |epoch| Nanos(self.window.end_of(epoch)) - now)
    }

    pub(super) fn retry_after(&self, cost: u64, now: Nanos) -> Nanos {
        let limit = self.window.limit;
        if cost > limit {
            return Nanos::NEVER;
        }
        if self.window.fades() {
            return self.retry_fading(cost, now);
        }
        let mut used = self.used(now);
        let enough = self.epochs().find(|epoch| {
            used -= self.units(*epoch);
            used + cost <= limit
        });
        Nanos(self.window.end_of(enough.unwrap_or(self.now))) - now
    }

    /// When a fading window has room: while the current window lasts, or later, when it is the one that fades.
    fn retry_fading(&self, cost: u64, now: Nanos) -> Nanos {
        let (sub, room) = (self.window.sub, self.window.limit - cost);
        let (previous, current) = (self.units(self.now.saturating_sub(1)), self.units(self.now));
        let end = self.window.end_of(self.now) - sub;
        // The most nanoseconds that may be left of a window for `units` of its predecessor to count at most `room`.
        let left = |units: u64, room: u64| (u128::from(room) * u128::from(sub) / u128::from(units)) as u64;
        let at = match room.checked_sub(current) {
            Some(room) if previous > 0 => end - left(previous, room).min(sub),
            _ => end + sub - left(current.max(1), room).min(sub),
        };
        Nanos(at) - now
    }
}
