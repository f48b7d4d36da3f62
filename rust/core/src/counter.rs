//! `Counter`: one policy's counters in a table. Find the key's cell or claim one, then charge it.

mod receipt;

pub use receipt::{Receipt, give_back};

use crate::cell::{Cell, Snapshot};
use crate::hash::Digest;
use crate::quota::{Quota, Unit};
use crate::rule::{Answer, Rule, Step};
use crate::table::{Found, Memory, Table, vacate};
use crate::time::Nanos;
use crate::window::Window;
use crate::word::{Expiry, Generation, Head, Key, next};

/// Times that a decision looks for its cell anew before it counts as "no room". A thread that loses a race sees another
/// one win; nobody has been seen to lose ten in a row outside of tests. It bounds the work on a table that somebody
/// scribbles over.
const MAX_LOOKS: u32 = 1_000;
/// Times that one cell is tried before it is looked for anew.
const MAX_TRIES: u32 = 64;

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

/// What is to be charged.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// Units.
    pub cost: u64,
    /// Whether they fit or not: a debt. What the cell cannot remember of it is not taken.
    pub forced: bool,
    /// Did somebody vouch for the key?
    pub confirmed: bool,
}

impl Bill {
    /// A rule as this bill is charged by it.
    #[inline]
    fn bend(&self, rule: Rule) -> Rule {
        if self.forced { rule.unlimited() } else { rule }
    }

    /// Units to take from a cell in this state by a rule already bent.
    #[inline]
    fn units(&self, rule: &Rule, seen: &Snapshot, now: Nanos) -> u64 {
        if self.forced { self.cost.min(rule.assess(seen, 0, now).remaining) } else { self.cost }
    }
}

/// What became of a charge.
pub enum Charge {
    /// The answer, and the receipt if something was taken.
    Done(Answer, Option<Receipt>),
    /// No cell for a new key; when to try again.
    Full(Nanos),
}

impl Counter {
    /// The quota made ready for cells.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Does it count tokens or slots in flight, which are given back?
    pub fn is_metered(&self) -> bool {
        !matches!(self.quota.unit(), Unit::Requests | Unit::Cost)
    }

    /// Does it count slots in flight?
    pub fn counts_permits(&self) -> bool {
        self.quota.unit() == Unit::ConcurrentRequests
    }

    /// Where the key lives, for the other methods: they look again if it moved meanwhile.
    #[inline]
    pub fn find<'t, M: Memory>(&self, table: &'t Table<M>, key: Digest, now: Nanos) -> Option<Found<'t>> {
        table.find(key.under(self.salt), now)
    }

    /// Would [`Counter::charge`] take the cost? Cheaper than [`Counter::assess`].
    #[inline]
    pub fn allows<M: Memory>(&self, table: &Table<M>, found: Option<Found<'_>>, cost: u64, now: Nanos) -> bool {
        if let Some(Found { cell, generation, is_live: true }) = found {
            let snapshot = cell.snapshot();
            if snapshot.head.generation() == generation && snapshot.head.quota() == self.number {
                return self.rule.allows(&snapshot, cost, now);
            }
        }
        self.assess(table, found, cost, now).allowed
    }

    /// What [`Counter::charge`] would answer. Pure.
    pub fn assess<M: Memory>(&self, table: &Table<M>, found: Option<Found<'_>>, cost: u64, now: Nanos) -> Answer {
        match self.state(table, found, now) {
            Some((rule, snapshot)) => rule.assess(&snapshot, cost, now),
            None => self.rule.unused(cost),
        }
    }

    /// Units that could be taken, negative when in debt; and the most that a forced charge could take. Pure.
    pub fn balance<M: Memory>(&self, table: &Table<M>, found: Option<Found<'_>>, now: Nanos) -> (i64, u64) {
        let Some((rule, snapshot)) = self.state(table, found, now) else {
            return (self.rule.capacity() as i64, self.rule.unlimited().capacity());
        };
        let beyond = rule.unlimited().assess(&snapshot, 0, now);
        (beyond.remaining as i64 - (beyond.limit - rule.capacity()) as i64, beyond.remaining)
    }

    /// The rule that counts for a cell, and the cell under it. None: nothing was charged in this life.
    fn state<M: Memory>(&self, table: &Table<M>, found: Option<Found<'_>>, now: Nanos) -> Option<(Rule, Snapshot)> {
        let Some(Found { cell, generation, is_live: true }) = found else { return None };
        let snapshot = cell.snapshot();
        if snapshot.head.generation() != generation {
            return None;
        }
        if snapshot.head.quota() < self.number {
            return Some((self.rule, self.inherited(table, &snapshot, now)));
        }
        Some((self.rule_of(table, snapshot.head), snapshot))
    }

    /// The rule under which a head was written; this counter's own, unless a later quota of the policy has been there.
    #[inline]
    fn rule_of<M: Memory>(&self, table: &Table<M>, head: Head) -> Rule {
        if head.quota() == self.number {
            return self.rule;
        }
        table.registry().quota(head.quota()).map_or(self.rule, |quota| Rule::of(&quota))
    }

    /// What a cell written under an earlier quota of the policy says under this one. If only the limit differs, just
    /// the number changes, and every unit keeps its age; else the key begins a new life with its used units.
    fn inherited<M: Memory>(&self, table: &Table<M>, snapshot: &Snapshot, now: Nanos) -> Snapshot {
        let (head, before) = (snapshot.head, self.rule_of(table, snapshot.head));
        if self.rule.same_shape(&before) {
            return Snapshot { head: head.with_quota(self.number), ..*snapshot };
        }
        let (payload, seen) = self.rule.inherit(&before, snapshot, now);
        let head = Head::live(next(head.generation()), self.number, payload);
        Snapshot::fresh(head, self.rule.expiry(payload, seen))
    }

    /// Take the units of the key's quota if they fit or must; `found` says where the key lived a moment ago.
    #[inline]
    pub fn charge<'t, M: Memory>(
        &self,
        table: &'t Table<M>,
        key: Digest,
        mut found: Option<Found<'t>>,
        bill: Bill,
        now: Nanos,
    ) -> Charge {
        let digest = key.under(self.salt);
        for _ in 0..MAX_LOOKS {
            match found {
                Some(Found { cell, generation, is_live: true }) => {
                    if let Some((answer, receipt)) = self.charge_cell(table, &cell, generation, &bill, now) {
                        return Charge::Done(answer, receipt);
                    }
                }
                // Nothing can be taken, so nothing is written and no cell is spent on it.
                _ if bill.cost == 0 || bill.cost > bill.bend(self.rule).capacity() => {
                    return Charge::Done(self.rule.unused(bill.cost), None);
                }
                _ => match self.move_in(table, digest, found, &bill, now) {
                    Ok(Some((answer, receipt))) => return Charge::Done(answer, Some(receipt)),
                    Ok(None) => {}
                    Err(free_at) => return Charge::Full(free_at),
                },
            }
            found = table.find(digest, now);
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
        bill: &Bill,
        now: Nanos,
    ) -> Option<(Answer, Option<Receipt>)> {
        for _ in 0..MAX_TRIES {
            let snapshot = cell.snapshot();
            let head = snapshot.head;
            if head.generation() != generation || !head.is_live() {
                return None;
            }
            if head.quota() < self.number {
                let answer = self.succeed(table, cell, &snapshot, bill, now)?;
                return Some((answer, None));
            }
            let rule = bill.bend(self.rule_of(table, head));
            match rule.charge(cell, &snapshot, bill.units(&rule, &snapshot, now), now) {
                Step::Charged(answer, trace) => {
                    return Some((answer, Some(Receipt { cell: cell.index, generation, trace })));
                }
                Step::Answered(answer) => return Some((answer, None)),
                Step::Again => {}
            }
        }
        None
    }

    /// Let this quota succeed an earlier one in a cell, if the charge then fits; else answer, and leave everything as
    /// it is.
    #[cold]
    fn succeed<M: Memory>(
        &self,
        table: &Table<M>,
        cell: &Cell<'_>,
        snapshot: &Snapshot,
        bill: &Bill,
        now: Nanos,
    ) -> Option<Answer> {
        let (inherited, rule) = (self.inherited(table, snapshot, now), bill.bend(self.rule));
        let cost = bill.units(&rule, &inherited, now);
        let answer = rule.assess(&inherited, cost, now);
        if cost > 0 && answer.allowed {
            self.replace(table, cell, snapshot, inherited.head, now);
            return None;
        }
        (cell.head() == snapshot.head).then_some(answer)
    }

    /// Give a newcomer a cell, its first charge included. `Ok(None)`: look again. `Err`: no room until then.
    #[cold]
    fn move_in<M: Memory>(
        &self,
        table: &Table<M>,
        digest: Digest,
        found: Option<Found<'_>>,
        bill: &Bill,
        now: Nanos,
    ) -> Result<Option<(Answer, Receipt)>, Nanos> {
        let rule = bill.bend(self.rule);
        let (cell, generation) = match found {
            Some(Found { cell, generation, .. }) => (table.cell(cell.index), generation),
            None => table.take(digest, bill.confirmed, now)?,
        };
        let Some(payload) = prepare(&rule, &cell, generation, bill.cost, now) else { return Ok(None) };
        if !table.rivals_gave_way(digest, &cell) {
            // Also if somebody else began: should he have died, the key would for ever be found moving in here.
            vacate(&cell, Key::new(digest.0[0], generation), Head::free(generation));
            return Ok(None);
        }
        let head = Head::live(generation, self.number, payload);
        if !cell.swap_head(Head::free(generation), head) {
            return Ok(None);
        }
        let answer = self.rule.assess(&Snapshot::fresh(head, cell.expiry().nanos()), 0, now);
        let trace = rule.first_trace(payload, bill.cost, now);
        Ok(Some((answer, Receipt { cell: cell.index, generation, trace })))
    }

    /// Swap the head for one of another quota or life. What an eighth life before left is cleared before a life begins.
    fn replace<M: Memory>(&self, table: &Table<M>, cell: &Cell<'_>, old: &Snapshot, new: Head, now: Nanos) -> bool {
        let key = cell.key();
        let begins = new.generation() != old.head.generation();
        let replaced = (!begins || cell.clear_past(old, new.generation())) && cell.swap_head(old.head, new);
        if replaced && begins {
            table.settle(cell, key, new, now);
        }
        replaced
    }

    /// Forget what the key used. True when there was something.
    pub fn reset<M: Memory>(&self, table: &Table<M>, key: Digest, now: Nanos) -> bool {
        for _ in 0..MAX_LOOKS {
            let Some(Found { cell, generation, is_live: true }) = table.find(key.under(self.salt), now) else { break };
            let snapshot = cell.snapshot();
            let head = snapshot.head;
            if head.generation() != generation || !head.is_live() {
                continue;
            }
            let rule = self.rule_of(table, head);
            if rule.assess(&snapshot, 0, now).remaining == rule.capacity() {
                break;
            }
            let empty = Head::live(next(generation), head.quota(), rule.holding(0, now, 0));
            if self.replace(table, &cell, &snapshot, empty, now) {
                return true;
            }
        }
        false
    }

    /// Give a charge back. What has expired or was reset is gone already. `now` is called after each reading.
    pub fn refund<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: impl Fn() -> Nanos) {
        let cell = table.cell(receipt.cell);
        for _ in 0..MAX_LOOKS {
            let snapshot = cell.snapshot();
            let rule = self.rule_of(table, snapshot.head);
            if !receipt.holds(&snapshot) || rule.refund(&cell, &snapshot, &receipt.trace, now()) {
                break;
            }
        }
    }

    /// Free a permit. True when it was still held.
    pub fn release<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: Nanos) -> bool {
        let held = self.held(table, &table.cell(receipt.cell).snapshot(), receipt, now).is_some();
        self.refund(table, receipt, || now);
        held
    }

    /// Start a permit's lease anew: the receipt of a second slot, after which the first is to be given back. None: the
    /// lease has ended.
    pub fn renew<M: Memory>(&self, table: &Table<M>, receipt: &Receipt, now: Nanos) -> Option<Receipt> {
        let cell = table.cell(receipt.cell);
        for _ in 0..MAX_LOOKS {
            let snapshot = cell.snapshot();
            let window = self.held(table, &snapshot, receipt, now)?;
            if let Step::Charged(_, trace) = window.unlimited().charge(&cell, &snapshot, 1, now) {
                return Some(Receipt { trace, ..*receipt });
            }
        }
        None
    }

    /// The window in which a permit is still held.
    fn held<M: Memory>(&self, table: &Table<M>, seen: &Snapshot, receipt: &Receipt, now: Nanos) -> Option<Window> {
        let Rule::Window(window) = self.rule_of(table, seen.head) else { return None };
        (receipt.holds(seen) && window.still_counts(seen, receipt.trace.before, now)).then_some(window)
    }
}

/// Set the expiry of a cell that is being moved into, clear its past, and say which payload it begins with.
fn prepare(rule: &Rule, cell: &Cell<'_>, generation: Generation, cost: u64, now: Nanos) -> Option<u64> {
    for _ in 0..MAX_TRIES {
        let seen = cell.expiry();
        let snapshot = cell.snapshot();
        if snapshot.head != Head::free(generation) {
            return None;
        }
        let known = if seen.generation() == generation { seen.nanos() } else { 0 };
        let payload = rule.holding(cost, now, known);
        let expiry = Expiry::new(generation, rule.expiry(payload, now).max(known));
        if seen == expiry && cell.clear_past(&snapshot, generation) {
            return Some(payload);
        }
        cell.swap_expiry(seen, expiry);
    }
    None
}
