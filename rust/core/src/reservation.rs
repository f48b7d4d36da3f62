//! `Reservation`: what one call of a model holds while it runs. Reserve, top up, settle.
//!
//! A call reserves its input and a slice of output, all policies at once or none ([`admit`]). While output passes, the
//! reserve is spent; when it is used up, the next slice is charged, again by all policies or none. What has passed
//! without fitting is charged nevertheless, as a debt, so that usage stays true. At the end what was charged and the
//! real usage are made even.
//!
//! What is unspent is always part of the last charge, because nothing is charged before the reserve is used up. So the
//! ledger needs one line for each policy.

pub mod admit;

use crate::counter::Receipt;
use crate::hash::Digest;
use crate::lease::ledger::{Entry, Ledger};
use crate::lease::line::Hold;
use crate::limiter::{Limiter, Outcome, Receipts};
use crate::quota::{MAX_LIMIT, Unit};
use crate::table::Memory;
use crate::time::{Clock, Nanos};
use std::mem::{replace, take};
use std::sync::Arc;

/// Receipts kept of one policy: as many epochs of a window count at a time, and what is older needs none.
const MAX_RECEIPTS: usize = 10;
/// Times that room is looked for anew when others take it meanwhile.
const MAX_TRIES: u32 = 4;
/// A permit is renewed when so much of its lease has passed: two rounds of a keeper may be late.
const RENEWED_AFTER: u64 = 3;

/// What a call holds.
pub struct Reservation<M> {
    limiter: Arc<Limiter<M>>,
    parts: Box<[Part]>,
    listed: Option<(Arc<Ledger<M>>, Entry)>,
    /// Output charged so far; without limit when no policy counts any.
    granted: u64,
    /// Output told to have passed.
    spent: u64,
    is_open: bool,
    confirmed: bool,
}

/// What one policy was paid.
struct Part {
    key: Digest,
    unit: Unit,
    /// Paid for all but output.
    fixed: u64,
    /// Paid in all.
    charged: u64,
    /// By which it can be given back, the latest last.
    receipts: Vec<Receipt>,
    /// What the ledger lists.
    hold: Hold,
}

impl<M: Memory> Reservation<M> {
    /// Output told to have passed.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Input that was charged; none where no policy counts it.
    pub fn input(&self) -> Option<u64> {
        let counts = |part: &&Part| matches!(part.unit, Unit::InputTokens | Unit::Tokens);
        self.parts.iter().find(counts).map(|part| part.fixed)
    }

    /// So much more output has passed. What the reserve lacks is charged, and up to `slice` more. False: it did not fit
    /// and became a debt; nothing more should be sent. Cost: a swap for each policy of output while the reserve lasts.
    pub fn spend(&mut self, output: u64, slice: u64, clock: &impl Clock) -> bool {
        if !self.is_open {
            return true;
        }
        self.spent = self.spent.saturating_add(output.min(MAX_LIMIT));
        let unspent = self.granted.saturating_sub(self.spent);
        for index in 0..self.parts.len() {
            if counts_output(self.parts[index].unit) {
                self.lower(index, unspent);
            }
        }
        self.spent <= self.granted || self.top_up(self.spent - self.granted, slice.min(MAX_LIMIT), clock)
    }

    #[cold]
    fn top_up(&mut self, missing: u64, slice: u64, clock: &impl Clock) -> bool {
        for _ in 0..MAX_TRIES {
            let room = self.room(clock.now());
            if room < missing {
                break;
            }
            let output = missing.saturating_add(slice).min(room);
            let cost_of = |index: usize| if counts_output(self.parts[index].unit) { output } else { 0 };
            let mut receipts = Receipts::new();
            let outcome =
                self.limiter.take(|index| self.parts[index].key, cost_of, self.confirmed, clock, &mut receipts);
            if outcome.answer().allowed {
                self.granted += output;
                self.book(&receipts);
                return true;
            }
        }
        self.granted += missing;
        for index in 0..self.parts.len() {
            if counts_output(self.parts[index].unit) {
                self.debit(index, missing, clock);
            }
        }
        false
    }

    /// Output that all policies have room for.
    fn room(&self, now: Nanos) -> u64 {
        let room = |(index, part): (usize, &Part)| self.limiter.remaining(index, part.key, now);
        let parts = self.parts.iter().enumerate().filter(|(_, part)| counts_output(part.unit));
        parts.map(room).min().unwrap_or(u64::MAX)
    }

    /// Take `units` more of the policies of requests and cost, or of none. Of an ended reservation nothing is taken.
    pub fn charge(&mut self, units: u64, clock: &impl Clock) -> Outcome {
        let pays = |index: usize| matches!(self.parts[index].unit, Unit::Requests | Unit::Cost);
        let cost_of = |index| if pays(index) { units } else { 0 };
        if !self.is_open {
            return self.limiter.assess(|index| self.parts[index].key, cost_of, clock.now());
        }
        self.limiter.take(|index| self.parts[index].key, cost_of, self.confirmed, clock, &mut Receipts::new())
    }

    /// End with the real usage; None: as it was estimated, or as it was spent. What was charged beyond it is given back,
    /// what is missing becomes a debt, permits are freed.
    pub fn settle(&mut self, input: Option<u64>, output: Option<u64>, clock: &impl Clock) {
        let output = output.unwrap_or(self.spent).min(MAX_LIMIT);
        let due = |part: &Part| {
            let input = input.map_or(part.fixed, |input| input.min(MAX_LIMIT));
            match part.unit {
                Unit::InputTokens => input,
                Unit::OutputTokens => output,
                Unit::Tokens => input + output,
                Unit::ConcurrentRequests => 0,
                Unit::Requests | Unit::Cost => part.charged,
            }
        };
        self.end(due, clock);
    }

    /// End with nothing used: tokens and permits are given back; requests and cost stay charged.
    pub fn release(&mut self, clock: &impl Clock) {
        self.end(|part| if matches!(part.unit, Unit::Requests | Unit::Cost) { part.charged } else { 0 }, clock);
    }

    fn end(&mut self, due: impl Fn(&Part) -> u64, clock: &impl Clock) {
        if !replace(&mut self.is_open, false) {
            return;
        }
        for index in 0..self.parts.len() {
            self.lower(index, 0);
        }
        if let Some((ledger, entry)) = self.listed.take() {
            ledger.free(entry);
        }
        for index in 0..self.parts.len() {
            let part = &mut self.parts[index];
            let due = due(part);
            let counter = &self.limiter.counters()[index];
            part.give_up(part.charged.saturating_sub(due), |back| {
                counter.refund(self.limiter.table(), back, || clock.now());
            });
            self.debit(index, due.saturating_sub(self.parts[index].charged), clock);
        }
    }

    /// One round of a keeper: tell that the owner lives, and renew permits before their leases end.
    pub fn keep(&mut self, now: Nanos) {
        if !self.is_open {
            return;
        }
        if let Some((ledger, entry)) = &self.listed {
            ledger.beat(*entry, now);
        }
        for index in 0..self.parts.len() {
            let counter = &self.limiter.counters()[index];
            let due = |receipt: &&Receipt| now - receipt.at() >= Nanos(counter.quota.window().0 / RENEWED_AFTER);
            if counter.counts_permits()
                && let Some(receipt) = self.parts[index].receipts.first().filter(due).copied()
            {
                self.renew(index, receipt, now);
            }
        }
    }

    fn renew(&mut self, index: usize, old: Receipt, now: Nanos) {
        let limiter = self.limiter.clone();
        let counter = &limiter.counters()[index];
        let Some(fresh) = counter.renew(limiter.table(), &old, now) else {
            // The lease has ended: there is nothing to give back.
            self.lower(index, 0);
            self.parts[index].give_up(1, |_| {});
            return;
        };
        // The line names one of the two slots at any time; the other one would be lost with its owner.
        if self.relist(index, &fresh) {
            counter.refund(limiter.table(), &old, || now);
            self.parts[index].give_up(1, |_| {});
        }
        self.parts[index].add(fresh);
    }

    /// Let the line of a permit name its renewal. False: the entry was taken back, and the old slot given back.
    fn relist(&mut self, index: usize, fresh: &Receipt) -> bool {
        let Some((ledger, entry)) = &self.listed else { return true };
        let hold = ledger.hold(*entry, fresh.mark(), fresh.cost());
        let kept = ledger.renew(*entry, index, self.parts[index].hold, hold, fresh.at());
        if kept {
            self.parts[index].hold = hold;
        } else {
            self.lose();
        }
        kept
    }

    /// Charge whether it fits or not.
    fn debit(&mut self, index: usize, cost: u64, clock: &impl Clock) {
        if cost > 0 {
            let part = &mut self.parts[index];
            let receipt = self.limiter.debit(index, part.key, cost, self.confirmed, clock.now());
            receipt.into_iter().for_each(|receipt| part.add(receipt));
        }
    }

    /// Enter what was charged, and list what of it is not spent.
    fn book(&mut self, receipts: &Receipts) {
        let unspent = self.granted.saturating_sub(self.spent);
        for (index, receipt) in receipts.iter().copied() {
            let part = &mut self.parts[index];
            part.add(receipt);
            match part.unit {
                Unit::ConcurrentRequests => self.list(index, &receipt, 1),
                Unit::OutputTokens | Unit::Tokens => self.list(index, &receipt, unspent.min(receipt.cost())),
                Unit::Requests | Unit::Cost | Unit::InputTokens => {}
            }
        }
    }

    fn list(&mut self, index: usize, receipt: &Receipt, amount: u64) {
        let Some((ledger, entry)) = &self.listed else { return };
        let is_permit = self.parts[index].unit == Unit::ConcurrentRequests;
        let (place, hold) =
            (ledger.place(*entry, receipt.place(), is_permit), ledger.hold(*entry, receipt.mark(), amount));
        match ledger.list(*entry, index, place, hold, receipt.at()) {
            Some(()) => self.parts[index].hold = hold,
            None => self.lose(),
        }
    }

    /// Lower a line to what is unspent; units that it does not list any more are ours again to give back.
    #[inline]
    fn lower(&mut self, index: usize, unspent: u64) {
        let hold = self.parts[index].hold;
        if hold.amount() <= unspent {
            return;
        }
        let Some((ledger, entry)) = &self.listed else { return };
        if ledger.swap(*entry, index, hold, hold.of(unspent)) {
            self.parts[index].hold = hold.of(unspent);
        } else {
            self.lose();
        }
    }

    /// The entry was taken back: what its lines listed has been given back, and is not ours any more.
    #[cold]
    fn lose(&mut self) {
        self.listed = None;
        for part in &mut self.parts {
            let listed = take(&mut part.hold).amount();
            part.give_up(listed, |_| {});
        }
    }
}

impl Part {
    fn add(&mut self, receipt: Receipt) {
        self.charged += receipt.cost();
        if self.receipts.last_mut().is_some_and(|last| last.add(&receipt)) {
            return;
        }
        if self.receipts.len() == MAX_RECEIPTS {
            self.receipts.remove(0);
        }
        self.receipts.push(receipt);
    }

    /// Take units out of the latest receipts.
    fn give_up(&mut self, mut units: u64, mut each: impl FnMut(&Receipt)) {
        while let Some(last) = self.receipts.last_mut().filter(|_| units > 0) {
            let back = last.split(units);
            if last.cost() == 0 {
                self.receipts.pop();
            }
            (units, self.charged) = (units - back.cost(), self.charged - back.cost());
            each(&back);
        }
    }
}

/// Do policies of this unit pay for output?
pub fn counts_output(unit: Unit) -> bool {
    matches!(unit, Unit::OutputTokens | Unit::Tokens)
}
