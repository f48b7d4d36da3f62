//! `Counter`: one policy's counters in a table. Find the key's cell or claim one, then charge it.

use crate::cell::{Cell, Snapshot};
use crate::hash::Digest;
use crate::quota::{Quota, Unit};
use crate::rule::{Answer, Rule, Step, Trace};
use crate::table::{Found, Memory, Table, vacate};
use crate::time::Nanos;
use crate::word::{Expiry, Generation, Head, Key, Past, next};

/// Lost races after which a decision counts as "no room". A thread that loses sees another one win; nobody has been seen to lose
/// ten in a row outside of tests. It bounds the work on a table that somebody scribbles over.
const MAX_ATTEMPTS: u32 = 10_000;

/// One policy, ready to count in one table.
#[derive(Clone, Debug)]
pub struct Counter {
    /// The policy's name.
    pub name: String,
    /// Its quota.
    pub quota: Quota,
    pub(crate) rule: Rule,
    /// The quota's number in the table's registry.
    pub(crate) number: u16,
    /// What tells its keys from those of other policies.
    pub(crate) salt: Digest,
}

/// Proof of a charge, with which it can be given back once.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    cell: usize,
    generation: Generation,
    number: u16,
    trace: Trace,
}

/// What became of a charge.
pub enum Charge {
    /// The answer, and the receipt if something was taken.
    Done(Answer, Option<Receipt>),
    /// No cell for a new key; when to try again.
    Full(Nanos),
}

impl Counter {
    /// Does it count slots in flight?
    pub fn counts_permits(&self) -> bool {
        self.quota.unit() == Unit::ConcurrentRequests
    }

    /// What [`Counter::charge`] would answer. Writes nothing but to finish what another thread began.
    #[inline]
    pub fn assess<M: Memory>(&self, table: &Table<M>, key: Digest, cost: u64, now: Nanos) -> Answer {
        match table.find(key.under(self.salt), now) {
            Some(Found { cell, generation, is_live: true }) => {
                let snapshot = cell.snapshot();
                if snapshot.head.generation() != generation {
                    return self.rule.unused(cost);
                }
                self.assess_snapshot(table, &snapshot, cost, now)
            }
            _ => self.rule.unused(cost),
        }
    }

    fn assess_snapshot<M: Memory>(&self, table: &Table<M>, snapshot: &Snapshot, cost: u64, now: Nanos) -> Answer {
        if snapshot.head.quota() == self.number {
            return self.rule.assess(snapshot, cost, now);
        }
        let head = self.converted(table, snapshot, now);
        let expiry = self.rule.expiry(head.payload(), now);
        self.rule.assess(&Snapshot::fresh(head, expiry), cost, now)
    }

    /// Take `cost` units of the key's quota if they fit.
    #[inline]
    pub fn charge<M: Memory>(&self, table: &Table<M>, key: Digest, cost: u64, confirmed: bool, now: Nanos) -> Charge {
        let digest = key.under(self.salt);
        for _ in 0..MAX_ATTEMPTS {
            match table.find(digest, now) {
                Some(Found { cell, generation, is_live: true }) => {
                    if let Some((answer, receipt)) = self.charge_cell(table, &cell, generation, cost, now) {
                        return Charge::Done(answer, receipt);
                    }
                }
                // Nothing can be taken, so nothing is written and no cell is spent on it.
                _ if cost == 0 || cost > self.rule.capacity() => return Charge::Done(self.rule.unused(cost), None),
                found => match self.move_in(table, digest, found, cost, confirmed, now) {
                    Ok(Some((answer, receipt))) => return Charge::Done(answer, Some(receipt)),
                    Ok(None) => {}
                    Err(free_at) => return Charge::Full(free_at),
                },
            }
        }
        Charge::Full(now)
    }

    /// Charge a cell of this key. None: it is not the key's any more, or changed too often meanwhile.
    #[inline]
    fn charge_cell<M: Memory>(
        &self,
        table: &Table<M>,
        cell: &Cell<'_>,
        generation: Generation,
        cost: u64,
        now: Nanos,
    ) -> Option<(Answer, Option<Receipt>)> {
        loop {
            let snapshot = cell.snapshot();
            let head = snapshot.head;
            if head.generation() != generation || !head.is_live() {
                return None;
            }
            if head.quota() != self.number {
                self.replace(table, cell, head, self.converted(table, &snapshot, now), now);
                return None;
            }
            match self.rule.charge(cell, &snapshot, cost, now) {
                Step::Charged(answer, trace) => {
                    let number = self.number;
                    return Some((answer, Some(Receipt { cell: cell.index, generation, number, trace })));
                }
                Step::Answered(answer) => return Some((answer, None)),
                Step::Again => {}
            }
        }
    }

    /// Give a newcomer a cell, its first charge included. `Ok(None)`: look again. `Err`: no room until then.
    #[cold]
    fn move_in<M: Memory>(
        &self,
        table: &Table<M>,
        digest: Digest,
        found: Option<Found<'_>>,
        cost: u64,
        confirmed: bool,
        now: Nanos,
    ) -> Result<Option<(Answer, Receipt)>, Nanos> {
        let (cell, generation) = match found {
            Some(Found { cell, generation, .. }) => (table.cell(cell.index), generation),
            None => table.take(digest, confirmed, now)?,
        };
        let Some(payload) = self.prepare(&cell, generation, cost, now) else { return Ok(None) };
        if !table.rivals_gave_way(digest, &cell) {
            if found.is_none() {
                vacate(&cell, Key::new(digest.0[0], generation), Head::free(generation));
            }
            return Ok(None);
        }
        let head = Head::live(generation, self.number, payload);
        if !cell.swap_head(Head::free(generation), head) {
            return Ok(None);
        }
        let answer = self.rule.assess(&Snapshot::fresh(head, cell.expiry().nanos()), 0, now);
        let trace = self.rule.first_trace(payload, cost, now);
        Ok(Some((answer, Receipt { cell: cell.index, generation, number: self.number, trace })))
    }

    /// Set the expiry of a cell that is being moved into, clear its past, and say which payload it begins with.
    fn prepare(&self, cell: &Cell<'_>, generation: Generation, cost: u64, now: Nanos) -> Option<u64> {
        for _ in 0..MAX_ATTEMPTS {
            let seen = cell.expiry();
            let past = cell.snapshot().past;
            if cell.head() != Head::free(generation) {
                return None;
            }
            let known = if seen.generation() == generation { seen.nanos() } else { 0 };
            let payload = self.rule.holding(cost, now, known);
            let expiry = self.rule.expiry(payload, now);
            let cleared =
                (0..2).all(|word| !past[word].belongs_to(generation) || cell.swap_past(word, past[word], Past(0)));
            if cleared && known >= expiry {
                return Some(payload);
            }
            cell.swap_expiry(seen, Expiry::new(generation, expiry.max(known)));
        }
        None
    }

    /// The head that says under this quota what the snapshot says under another one.
    fn converted<M: Memory>(&self, table: &Table<M>, snapshot: &Snapshot, now: Nanos) -> Head {
        let before = table.registry().quota(snapshot.head.quota()).map(|quota| Rule::of(&quota));
        let used = before.map_or(self.rule.capacity(), |rule| rule.used(snapshot, now).min(self.rule.capacity()));
        Head::live(next(snapshot.head.generation()), self.number, self.rule.holding(used, now, 0))
    }

    fn replace<M: Memory>(&self, table: &Table<M>, cell: &Cell<'_>, old: Head, new: Head, now: Nanos) -> bool {
        let key = cell.key();
        let replaced = cell.swap_head(old, new);
        if replaced {
            table.settle(cell, key, new, now);
        }
        replaced
    }

    /// Forget what the key used. True when there was something.
    pub fn reset<M: Memory>(&self, table: &Table<M>, key: Digest, now: Nanos) -> bool {
        let mut had_used = false;
        for _ in 0..MAX_ATTEMPTS {
            let Some(Found { cell, generation, is_live: true }) = table.find(key.under(self.salt), now) else { break };
            let snapshot = cell.snapshot();
            if snapshot.head.generation() != generation {
                continue;
            }
            had_used |= self.assess_snapshot(table, &snapshot, 0, now).remaining < self.rule.capacity();
            let empty = Head::live(next(generation), self.number, self.rule.holding(0, now, 0));
            if !had_used || self.replace(table, &cell, snapshot.head, empty, now) {
                break;
            }
        }
        had_used
    }

    /// Give a charge back. What has expired, was reset or converted is gone already. `now` is called after each reading.
    pub fn refund<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: impl Fn() -> Nanos) {
        let cell = table.cell(receipt.cell);
        for _ in 0..MAX_ATTEMPTS {
            let snapshot = cell.snapshot();
            if !receipt.holds(&snapshot) || self.rule.refund(&cell, &snapshot, &receipt.trace, now()) {
                break;
            }
        }
    }

    /// Free a permit. True when it was still held.
    pub fn release<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: Nanos) -> bool {
        let held = self.holds(&table.cell(receipt.cell).snapshot(), receipt, now);
        self.refund(table, receipt, || now);
        held
    }

    /// Start a permit's lease anew. None: it has ended.
    pub fn renew<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: Nanos) -> Option<Receipt> {
        let cell = table.cell(receipt.cell);
        for _ in 0..MAX_ATTEMPTS {
            let snapshot = cell.snapshot();
            if !self.holds(&snapshot, receipt, now) {
                return None;
            }
            if let Step::Charged(_, trace) = self.rule.with_one_more().charge(&cell, &snapshot, 1, now) {
                self.refund(table, receipt, || now);
                return Some(Receipt { trace, ..*receipt });
            }
        }
        None
    }

    fn holds(&self, snapshot: &Snapshot, receipt: &Receipt, now: Nanos) -> bool {
        let Rule::Window(window) = self.rule else { return false };
        receipt.holds(snapshot) && window.still_counts(snapshot, receipt.trace.before, now)
    }
}

impl Receipt {
    /// Is the cell still in the life of the charge?
    fn holds(&self, snapshot: &Snapshot) -> bool {
        snapshot.head.generation() == self.generation && snapshot.head.quota() == self.number
    }
}
