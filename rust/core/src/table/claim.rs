//! How cells change hands: newcomers claim them, keys that keep theirs begin a new life in them.

use super::{Memory, RUNS, Table, cells_of, home_of};
use crate::cell::{Cell, Snapshot};
use crate::hash::Digest;
use crate::rule::Rule;
use crate::sync::{SeqCst, fence};
use crate::time::Nanos;
use crate::word::{Expiry, Generation, Head, Key, next};

impl<M: Memory> Table<M> {
    /// Finish a change of life by which a key kept its cell (another quota, a reset): expiry and key follow the head.
    pub fn settle(&self, cell: &Cell<'_>, key: Key, head: Head, now: Nanos) {
        let rule = self.registry().quota(head.quota()).map(|quota| Rule::of(&quota));
        // The key moves last and only after the expiry did, however often the ended life's charges raise that meanwhile.
        loop {
            let seen = cell.expiry();
            let expiry = rule.map_or(seen.nanos(), |rule| {
                // The change came before `seen` ran out. A whole lifetime later nothing of the new life is left, whatever
                // its time, which the head knows only modulo some, looks like from here.
                let is_over = seen.nanos().saturating_add(rule.lifetime()) <= now.0;
                if is_over { now.0 } else { rule.expiry(head.payload(), now) }
            });
            let moved = Expiry::new(head.generation(), expiry);
            if seen.generation() != key.generation() || cell.swap_expiry(seen, moved) {
                break;
            }
        }
        cell.swap_key(key, key.in_generation(head.generation()));
    }

    /// Take a free cell for a newcomer; it is the key's only after [`Table::rivals_gave_way`] and the head's swap.
    /// `Err`: the earliest instant at which a candidate may become free.
    pub fn take(&self, digest: Digest, confirmed: bool, now: Nanos) -> Result<(Cell<'_>, Generation), Nanos> {
        let wanted = Key::new(digest.0[0], 0);
        let mut free_at = Nanos::LAST;
        // First what nobody wants; only then a cell into which somebody seems to be moving, in case he died.
        for eager in [false, true] {
            for run in (0..RUNS).filter(|run| confirmed || self.row_of(digest, *run) < self.half) {
                let number = self.row_of(digest, run);
                for cell in cells_of(number, self.row(number), home_of(digest)) {
                    match self.try_take(&cell, wanted, now, eager) {
                        Ok(generation) => return Ok((cell, generation)),
                        Err(expiry) => free_at = free_at.min(expiry),
                    }
                }
            }
        }
        Err(free_at)
    }

    /// Make sure that a key that is moving into `mine` lives nowhere else. False: it does, or is about to; look again.
    pub fn rivals_gave_way(&self, digest: Digest, mine: &Cell<'_>) -> bool {
        // The key word of `mine` is written before others are read, by both rivals: one of them sees the other.
        fence(SeqCst);
        let wanted = Key::new(digest.0[0], 0);
        let mut mine_is_first = false;
        for other in self.candidates(digest) {
            if other.index == mine.index {
                mine_is_first = true;
                continue;
            }
            let key = other.key();
            if !key.same_tag(wanted) {
                continue;
            }
            let head = other.head();
            let is_key_of = head.generation() == key.generation();
            if head.is_live() && (is_key_of || head.generation() == next(key.generation())) {
                return false;
            }
            if is_key_of && !(mine_is_first && vacate(&other, key, head)) {
                return false;
            }
        }
        true
    }

    fn try_take(&self, cell: &Cell<'_>, wanted: Key, now: Nanos, eager: bool) -> Result<Generation, Nanos> {
        let key = cell.key();
        if key == Key::NEVER_USED {
            return if cell.swap_key(key, wanted) { Ok(0) } else { Err(Nanos::LAST) };
        }
        let Snapshot { head, expiry, .. } = cell.snapshot();
        if head.is_live() {
            if head.generation() == next(key.generation()) {
                self.settle(cell, key, head, now); // its changer died; who comes next finds it whole
                return Err(now);
            }
            if expiry.generation() != head.generation() || expiry.nanos() > now.0 {
                return Err(Nanos(expiry.nanos()));
            }
        } else if !(eager || key.is_given_up() && key.generation() == head.generation()) {
            return Err(now);
        }
        let generation = next(head.generation());
        let taken =
            cell.swap_head(head, Head::free(generation)) && cell.swap_key(key, wanted.in_generation(generation));
        if taken { Ok(generation) } else { Err(now) }
    }
}

/// Give a cell up in which `key` was moving in. False: it has moved on.
pub fn vacate(cell: &Cell<'_>, key: Key, head: Head) -> bool {
    let generation = next(head.generation());
    let vacated = cell.swap_head(head, Head::free(generation));
    if vacated {
        cell.swap_key(key, Key::given_up(generation));
    }
    vacated
}
