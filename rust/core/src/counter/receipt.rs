//! `Receipt`: proof of a charge, with which it can be given back, whole or in parts, never more.

use super::MAX_LOOKS;
use crate::cell::Snapshot;
use crate::rule::{Rule, Trace};
use crate::table::{Memory, Table};
use crate::time::Nanos;
use crate::word::Generation;

/// Proof of a charge, with which it can be given back once.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    pub(super) cell: usize,
    pub(super) generation: Generation,
    pub(super) trace: Trace,
}

/// Give back `cost` units of a charge at about `at` of which only place, life and mark are known (see [`Rule::trace`]).
pub fn give_back<M: Memory>(table: &Table<M>, place: (usize, Generation), mark: u64, cost: u64, at: Nanos, now: Nanos) {
    let (index, generation) = place;
    let cell = table.cell(index);
    for _ in 0..MAX_LOOKS {
        let snapshot = cell.snapshot();
        if snapshot.head.generation() != generation || !snapshot.head.is_live() {
            break;
        }
        let Some(rule) = table.registry().quota(snapshot.head.quota()).map(|quota| Rule::of(&quota)) else { break };
        // Nobody reserves more; a ledger that somebody scribbles over may say so.
        let trace = rule.trace(mark, cost.min(rule.capacity()), at);
        if rule.refund(&cell, &snapshot, &trace, now) {
            break;
        }
    }
}

impl Receipt {
    /// Units charged and not yet given back.
    pub fn cost(&self) -> u64 {
        self.trace.cost
    }
    /// The instant of the charge.
    pub fn at(&self) -> Nanos {
        self.trace.at
    }
    /// Cell and life.
    pub fn place(&self) -> (usize, Generation) {
        (self.cell, self.generation)
    }
    /// See [`Trace::mark`].
    pub fn mark(&self) -> u64 {
        self.trace.mark()
    }

    /// Take up to `cost` units out of this receipt, to be given back.
    pub fn split(&mut self, cost: u64) -> Self {
        Self { trace: self.trace.split(cost), ..*self }
    }

    /// Add a later charge. False: it counts for another cell, life or epoch.
    pub fn add(&mut self, later: &Self) -> bool {
        let alike = self.place() == later.place() && self.trace.before == later.trace.before;
        if alike {
            (self.trace.cost, self.trace.after) = (self.trace.cost + later.trace.cost, Trace::PART);
        }
        alike
    }

    /// Is the cell still in the life of the charge?
    pub(super) fn holds(&self, snapshot: &Snapshot) -> bool {
        snapshot.head.generation() == self.generation && snapshot.head.is_live()
    }
}
