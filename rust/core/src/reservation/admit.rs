//! Admission: how much output fits, what each policy pays, and who may look past somebody else's reserve.

use super::{MAX_TRIES, Part, Reservation, counts_output};
use crate::counter::Counter;
use crate::error::Error;
use crate::hash::Digest;
use crate::lease::ledger::{Ledger, Terms};
use crate::lease::line::{Hold, Owner};
use crate::limiter::{Limiter, MAX_POLICIES, Outcome, Receipts};
use crate::quota::{MAX_LIMIT, Unit};
use crate::rule::Answer;
use crate::table::Memory;
use crate::time::{Clock, Nanos};
use arrayvec::ArrayVec;
use std::sync::Arc;

/// What a call asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// Units of every policy of requests and cost.
    pub units: u64,
    /// Input tokens as estimated.
    pub input: u64,
    /// Of these, what it surely has: with more than a limit it never fits.
    pub surely: u64,
    /// Output tokens wanted.
    pub output: u64,
    /// Of these, what must fit.
    pub least: u64,
    /// May nobody look past its output?
    pub firm: bool,
    /// Secret hash of the account; 0: none.
    pub account: u64,
    /// Did somebody vouch for the keys?
    pub confirmed: bool,
}

/// What a call pays: for all but output by policy, and for output.
struct Price {
    fixed: ArrayVec<u64, MAX_POLICIES>,
    output: u64,
}

impl Ask {
    /// The same within what can be counted.
    fn bounded(&self) -> Self {
        let (input, output) = (self.input.min(MAX_LIMIT), self.output.min(MAX_LIMIT));
        Self { input, output, surely: self.surely.min(input), least: self.least.min(output), ..*self }
    }

    /// What input costs under a limit. An estimate beyond a limit that the call may well meet is cut to it: a small
    /// quota's first call must not fail by a guess.
    fn input_under(&self, limit: u64, least: u64) -> u64 {
        if self.surely + least <= limit { self.input.min(limit - least) } else { self.input }
    }
}

impl<M: Memory> Limiter<M> {
    /// Does it count tokens or concurrent requests?
    pub fn is_metered(&self) -> bool {
        self.counters().iter().any(Counter::is_metered)
    }

    /// Reserve what is asked, of every policy by its unit, or nothing: `units` of requests and cost, input and output
    /// of tokens, a slot of concurrent requests. Output as much as fits, at least `least`. Reservations are listed in
    /// the ledger as the process's. `UsageError` for another number of keys than policies.
    ///
    /// An account that has nothing in flight is not refused because others hold output that they have not spent (see
    /// [`Ledger::unspent`]): it may go into debt by as much, once. So what is settled exceeds a limit by at most a slice
    /// for each stream.
    pub fn reserve(
        self: &Arc<Self>,
        keys: &[Digest],
        ask: &Ask,
        ledger: Option<(&Arc<Ledger<M>>, Owner)>,
        clock: &impl Clock,
    ) -> Result<(Outcome, Option<Reservation<M>>), Error> {
        self.check_keys(keys)?;
        let (ask, mut receipts) = (ask.bounded(), Receipts::new());
        let others = ledger.map(|(ledger, _)| &**ledger);
        let (outcome, terms) = self.admit(keys, &ask, others, clock, &mut receipts);
        let Some((price, debts)) = terms else { return Ok((outcome, None)) };
        let mut reservation = self.begin(keys, &ask, price);
        reservation.listed = ledger.and_then(|(ledger, me)| {
            let terms = Terms { account: ask.account, firm: ask.firm, lines: keys.len() };
            ledger.claim(me, terms, clock.now()).map(|entry| (ledger.clone(), entry))
        });
        for index in (0..keys.len()).filter(|index| debts >> index & 1 == 1) {
            let cost = reservation.parts[index].fixed + ask.least;
            receipts.extend(self.debit(index, keys[index], cost, ask.confirmed, clock.now()).map(|debt| (index, debt)));
        }
        reservation.book(&receipts);
        Ok((outcome, Some(reservation)))
    }

    /// Charge what is asked; or else, where that is allowed, all but the policies to be looked past, which come as bits.
    fn admit(
        &self,
        keys: &[Digest],
        ask: &Ask,
        ledger: Option<&Ledger<M>>,
        clock: &impl Clock,
        receipts: &mut Receipts,
    ) -> (Outcome, Option<(Price, u32)>) {
        let (outcome, price) = self.try_reserve(keys, ask, clock, receipts);
        if outcome.answer().allowed {
            return (outcome, Some((price, 0)));
        }
        let past = ledger.and_then(|ledger| self.look_past(keys, ask, &price, &outcome, ledger, clock.now()));
        let Some(past) = past else { return (outcome, None) };
        let cost_of = |index: usize| if past >> index & 1 == 1 { 0 } else { self.cost(index, &price) };
        let tried = self.take(|index| keys[index], cost_of, ask.confirmed, clock, receipts);
        if tried.answer().allowed { (tried, Some((price, past))) } else { (outcome, None) }
    }

    /// Charge all that fits, or at least what must.
    fn try_reserve(&self, keys: &[Digest], ask: &Ask, clock: &impl Clock, receipts: &mut Receipts) -> (Outcome, Price) {
        let mut tries = MAX_TRIES;
        loop {
            let now = clock.now();
            let price = self.price(keys, ask, tries == 0, now);
            let outcome =
                self.take(|index| keys[index], |index| self.cost(index, &price), ask.confirmed, clock, receipts);
            // What others took meanwhile is looked for once more; at last only the least is asked for.
            if outcome.answer().allowed || price.output == ask.least {
                return (outcome, price);
            }
            tries -= 1;
        }
    }

    fn price(&self, keys: &[Digest], ask: &Ask, only_least: bool, now: Nanos) -> Price {
        let mut room = if only_least { ask.least } else { ask.output };
        let answers: ArrayVec<_, MAX_POLICIES> = keys.iter().enumerate().map(|key| self.tokens(key, now)).collect();
        // What one quota cuts off an estimate is no use of another's.
        let under = |(unit, answer): &(Unit, Answer)| match unit {
            Unit::InputTokens => Some(ask.input_under(answer.limit, 0)),
            Unit::Tokens => Some(ask.input_under(answer.limit, ask.least)),
            _ => None,
        };
        let input = answers.iter().flatten().filter_map(under).min().unwrap_or(ask.input);
        let fixed = |(counter, answer): (&Counter, &Option<(Unit, Answer)>)| match (counter.quota.unit(), answer) {
            (Unit::InputTokens, _) => input,
            (Unit::OutputTokens, Some((_, answer))) => {
                room = room.min(answer.remaining);
                0
            }
            (Unit::Tokens, Some((_, answer))) => {
                room = room.min(answer.remaining.saturating_sub(input));
                input
            }
            (Unit::ConcurrentRequests, _) => 1,
            _ => ask.units,
        };
        let fixed = self.counters().iter().zip(&answers).map(fixed).collect();
        Price { fixed, output: room.max(ask.least) }
    }

    /// The state of a policy of tokens.
    fn tokens(&self, (index, key): (usize, &Digest), now: Nanos) -> Option<(Unit, Answer)> {
        let counter = &self.counters()[index];
        let unit = counter.quota.unit();
        let counts = matches!(unit, Unit::InputTokens | Unit::OutputTokens | Unit::Tokens);
        counts.then(|| (unit, counter.assess(self.table(), counter.find(self.table(), *key, now), 0, now)))
    }

    fn cost(&self, index: usize, price: &Price) -> u64 {
        let output = if counts_output(self.counters()[index].quota.unit()) { price.output } else { 0 };
        price.fixed[index] + output
    }

    /// The policies, as bits, that refuse only because others hold output in the same cell that they have not spent.
    /// None: there are other reasons, or the account has something in flight. Cost: a walk through the ledger.
    #[cold]
    fn look_past(
        &self,
        keys: &[Digest],
        ask: &Ask,
        price: &Price,
        outcome: &Outcome,
        ledger: &Ledger<M>,
        now: Nanos,
    ) -> Option<u32> {
        if ask.account == 0 || ledger.has(ask.account) {
            return None;
        }
        let mut past = 0;
        for (index, _) in outcome.answers().iter().enumerate().filter(|(_, answer)| !answer.allowed) {
            let counter = &self.counters()[index];
            let found = counter.find(self.table(), keys[index], now).filter(|_| counts_output(counter.quota.unit()))?;
            let (balance, memory) = counter.balance(self.table(), Some(found), now);
            let unspent = ledger.unspent((found.cell.index, found.generation)).min(MAX_LIMIT);
            let cost = price.fixed[index] + ask.least;
            if cost > memory || balance + (unspent as i64) < cost as i64 {
                return None;
            }
            past |= 1 << index;
        }
        Some(past)
    }

    fn begin(self: &Arc<Self>, keys: &[Digest], ask: &Ask, price: Price) -> Reservation<M> {
        let part = |(index, counter): (usize, &Counter)| Part {
            key: keys[index],
            unit: counter.quota.unit(),
            fixed: price.fixed[index],
            charged: 0,
            receipts: Vec::new(),
            hold: Hold::default(),
        };
        let counts = self.counters().iter().any(|counter| counts_output(counter.quota.unit()));
        Reservation {
            limiter: self.clone(),
            parts: self.counters().iter().enumerate().map(part).collect(),
            listed: None,
            granted: if counts { price.output } else { u64::MAX },
            spent: 0,
            is_open: true,
            confirmed: ask.confirmed,
        }
    }

    /// Units of one policy that a key could still take.
    pub(super) fn remaining(&self, index: usize, key: Digest, now: Nanos) -> u64 {
        let counter = &self.counters()[index];
        counter.assess(self.table(), counter.find(self.table(), key, now), 0, now).remaining
    }
}
