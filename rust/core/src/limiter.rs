//! `Limiter`: several policies, one decision. All pay or none pays.
//!
//! First every policy is asked without writing; most refusals end here and leave nothing behind. Then all are charged,
//! windows before buckets. If another thread took the last units in between, the charges made so far are given back:
//! for an instant they may refuse a neighbour, they can never admit one too many.

use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::counter::{Bill, Charge, Counter, Receipt};
use crate::error::Error;
use crate::hash::Digest;
use crate::layout::{WORD_FULL_ALLOWED, WORD_FULL_REFUSED};
use crate::quota::{Algorithm, MIN_WINDOW, Quota};
use crate::rule::{Answer, Rule};
use crate::table::{Found, Memory, Table};
use crate::time::{Clock, Nanos};

/// Longest key: eight times the longest header field that common servers accept. Hashing it takes about 60 µs.
pub const MAX_KEY_BYTES: usize = 65_536;
/// Longest policy name; it appears in a response header.
pub const MAX_NAME_BYTES: usize = 64;
/// Most policies of one limiter; each costs a cell per key.
pub const MAX_POLICIES: usize = 16;

/// The answer of a policy that has not been asked yet.
const UNASKED: Answer = Answer { allowed: false, limit: 0, remaining: 0, reset_after: Nanos(0), retry_after: Nanos(0) };

/// One receipt per policy at most: no heap on the way of a decision.
pub type Receipts = ArrayVec<(usize, Receipt), MAX_POLICIES>;

/// What to answer to a new key when no cell is free for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Refuse it: nobody gets more than the limit.
    Refuse,
    /// Allow it uncounted: nobody is refused because others came first.
    Allow,
}

impl OnFull {
    /// Read a name.
    pub fn named(text: &str) -> Result<Self, Error> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "allow" => Ok(Self::Allow),
            _ => Err(Error::config(format!("on_full must be refuse or allow, got {text:?}"))),
        }
    }
}

/// The answers of all policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In the order in which the policies were given.
    pub answers: Answers,
    /// Index of the one that matters most: of a refusal the longest to wait, else the one with the least remaining.
    pub tightest: usize,
}

/// One answer in place, or several.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Of a limiter with one policy: no heap for most decisions.
    One([Answer; 1]),
    /// Of a limiter with several.
    Many(Box<[Answer]>),
}

/// Named quotas bound to a table.
pub struct Limiter<M> {
    table: Arc<Table<M>>,
    counters: Box<[Counter]>,
    /// Indices of the counters in the order of charging.
    order: Box<[usize]>,
    /// Does any of them count slots in flight?
    counts_permits: bool,
    on_full: OnFull,
}

impl<M: Memory> Limiter<M> {
    /// Bind quotas to a table. Counters of the same namespace, name and algorithm are shared with every other limiter
    /// on it.
    pub fn new(
        table: Arc<Table<M>>,
        namespace: &str,
        policies: &[(String, Quota)],
        on_full: OnFull,
    ) -> Result<Self, Error> {
        check_policies(policies)?;
        let bind = |(name, quota): &(String, Quota)| {
            let salt = table.seed().derive(&[namespace, name, quota.algorithm().name()]);
            let number = table.registry().number(salt.0[0].max(1), quota)?;
            Ok(Counter { name: name.clone(), quota: *quota, rule: Rule::of(quota), number, salt })
        };
        let counters: Box<[_]> = policies.iter().map(bind).collect::<Result<_, Error>>()?;
        let mut order: Box<[_]> = (0..counters.len()).collect();
        order.sort_by_key(|index| counters[*index].quota.algorithm() == Algorithm::TokenBucket);
        let counts_permits = counters.iter().any(Counter::counts_permits);
        Ok(Self { table, counters, order, counts_permits, on_full })
    }

    /// The policies' counters in the order given.
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// The table it counts in.
    pub fn table(&self) -> &Table<M> {
        &self.table
    }

    /// Take `cost` units of every policy, or of none. `UsageError` for a key that is too long or a limiter of permits.
    #[inline]
    pub fn acquire(&self, key: &[u8], cost: u64, confirmed: bool, clock: &impl Clock) -> Result<Outcome, Error> {
        let key = self.digest(key)?;
        self.check_no_permits()?;
        Ok(self.take(|_| key, |_| cost, confirmed, clock, &mut Receipts::new()))
    }

    /// [`Limiter::acquire`] with a key of its own for every policy, in their order (see [`Limiter::digest`]).
    /// `UsageError` for another number of keys.
    #[inline]
    pub fn acquire_each(
        &self,
        keys: &[Digest],
        cost: u64,
        confirmed: bool,
        clock: &impl Clock,
    ) -> Result<Outcome, Error> {
        self.check_keys(keys)?;
        self.check_no_permits()?;
        Ok(self.take(|index| keys[index], |_| cost, confirmed, clock, &mut Receipts::new()))
    }

    /// Take a slot of every policy of concurrent requests and `cost` units of every other one, or nothing.
    pub fn permit(
        &self,
        key: &[u8],
        cost: u64,
        confirmed: bool,
        clock: &impl Clock,
    ) -> Result<(Outcome, Vec<(usize, Receipt)>), Error> {
        let key = self.digest(key)?;
        if !self.counts_permits {
            return Err(Error::usage("no policy counts concurrent-requests: use acquire() instead of permit()"));
        }
        let cost_of = |index: usize| if self.counters[index].counts_permits() { 1 } else { cost };
        let mut receipts = Receipts::new();
        let outcome = self.take(|_| key, cost_of, confirmed, clock, &mut receipts);
        receipts.retain(|(index, _)| self.counters[*index].counts_permits());
        Ok((outcome, receipts.into_iter().collect()))
    }

    /// What [`Limiter::acquire_each`] would answer now. Writes nothing.
    pub fn peek_each(&self, keys: &[Digest], cost: u64, clock: &impl Clock) -> Result<Outcome, Error> {
        self.check_keys(keys)?;
        Ok(self.assess(|index| keys[index], |_| cost, clock.now()))
    }

    pub(crate) fn check_keys(&self, keys: &[Digest]) -> Result<(), Error> {
        if keys.len() == self.counters.len() {
            return Ok(());
        }
        let text = format!("{} keys for {} policies: give one for each", keys.len(), self.counters.len());
        Err(Error::usage(text))
    }

    /// What [`Limiter::acquire`] would answer. Writes nothing.
    pub fn peek(&self, key: &[u8], cost: u64, clock: &impl Clock) -> Result<Outcome, Error> {
        let (key, now) = (self.digest(key)?, clock.now());
        Ok(self.assess(|_| key, |_| cost, now))
    }

    /// Forget what the key used under every policy. True when there was something.
    pub fn reset(&self, key: &[u8], clock: &impl Clock) -> Result<bool, Error> {
        let (key, now) = (self.digest(key)?, clock.now());
        Ok(self.counters.iter().fold(false, |any, counter| counter.reset(&self.table, key, now) | any))
    }

    /// Free the slots of a permit. True when all were still held; the receipts are spent.
    pub fn release(&self, receipts: &mut Vec<(usize, Receipt)>, now: Nanos) -> bool {
        let any = !receipts.is_empty();
        let free = |(index, receipt): (usize, Receipt)| self.counters[index].release(&self.table, &receipt, now);
        receipts.drain(..).fold(any, |held, slot| free(slot) & held)
    }

    /// Start the leases of a permit anew. False: one of them had ended; the others are freed.
    pub fn renew(&self, receipts: &mut Vec<(usize, Receipt)>, now: Nanos) -> bool {
        let any = !receipts.is_empty();
        let renewed = receipts.iter_mut().fold(any, |all, (index, receipt)| {
            let fresh = self.counters[*index].renew(&self.table, receipt, now);
            if let Some(fresh) = fresh {
                self.counters[*index].refund(&self.table, &std::mem::replace(receipt, fresh), || now);
            }
            fresh.is_some() & all
        });
        if !renewed {
            self.release(receipts, now);
        }
        renewed
    }

    /// Charge a key of one policy whether it fits or not. None: nothing could be taken.
    pub(crate) fn debit(&self, index: usize, key: Digest, cost: u64, confirmed: bool, now: Nanos) -> Option<Receipt> {
        let counter = &self.counters[index];
        let cost = cost.min(counter.rule.unlimited().capacity());
        let found = counter.find(&self.table, key, now);
        self.charge(counter, key, found, Bill { cost, forced: true, confirmed }, now).1
    }

    fn check_no_permits(&self) -> Result<(), Error> {
        if self.counts_permits {
            return Err(Error::usage("policy counts concurrent-requests: use permit() instead of acquire()"));
        }
        Ok(())
    }

    /// A key as the table knows it. `UsageError` for one that is too long.
    pub fn digest(&self, key: &[u8]) -> Result<Digest, Error> {
        if key.len() > MAX_KEY_BYTES {
            let text = format!("key of {} bytes is too long: at most {MAX_KEY_BYTES}, or hash it first", key.len());
            return Err(Error::usage(text));
        }
        Ok(self.table.seed().digest(key))
    }

    /// The decision. Receipts of what was taken go into `receipts`; of a single policy only if it may be given back.
    pub(crate) fn take(
        &self,
        key_of: impl Fn(usize) -> Digest,
        cost_of: impl Fn(usize) -> u64,
        confirmed: bool,
        clock: &impl Clock,
        receipts: &mut Receipts,
    ) -> Outcome {
        let now = clock.now();
        if let [counter] = &*self.counters {
            let (key, found) = (key_of(0), counter.find(&self.table, key_of(0), now));
            let bill = Bill { cost: cost_of(0), forced: false, confirmed };
            let (answer, receipt) = self.charge(counter, key, found, bill, now);
            receipts.extend(receipt.filter(|_| counter.is_metered()).map(|receipt| (0, receipt)));
            return Outcome::one(answer);
        }
        let find = |(index, counter): (usize, &Counter)| counter.find(&self.table, key_of(index), now);
        let found: ArrayVec<_, MAX_POLICIES> = self.counters.iter().enumerate().map(find).collect();
        let allows = |index: usize| self.counters[index].allows(&self.table, found[index], cost_of(index), now);
        if !(0..found.len()).all(allows) {
            let outcome = self.assess(&key_of, &cost_of, now);
            if !outcome.answer().allowed {
                return outcome;
            }
            // Somebody gave units back in between: let the charges decide.
        }
        let mut answers = vec![UNASKED; self.counters.len()].into_boxed_slice();
        for index in self.order.iter().copied() {
            let counter = &self.counters[index];
            let bill = Bill { cost: cost_of(index), forced: false, confirmed };
            let (answer, receipt) = self.charge(counter, key_of(index), found[index], bill, now);
            answers[index] = answer;
            receipts.extend(receipt.map(|receipt| (index, receipt)));
            if !answer.allowed {
                self.give_back(receipts, clock);
                return self.assess(key_of, cost_of, now).refused_by(index, answer);
            }
        }
        Outcome::of(answers)
    }

    /// What every policy would answer.
    pub(crate) fn assess(
        &self,
        key_of: impl Fn(usize) -> Digest,
        cost_of: impl Fn(usize) -> u64,
        now: Nanos,
    ) -> Outcome {
        let assess = |(index, counter): (usize, &Counter)| {
            let found = counter.find(&self.table, key_of(index), now);
            counter.assess(&self.table, found, cost_of(index), now)
        };
        Outcome::of(self.counters.iter().enumerate().map(assess).collect())
    }

    #[inline]
    fn charge<'t>(
        &'t self,
        counter: &Counter,
        key: Digest,
        found: Option<Found<'t>>,
        bill: Bill,
        now: Nanos,
    ) -> (Answer, Option<Receipt>) {
        match counter.charge(&self.table, key, found, bill, now) {
            Charge::Done(answer, receipt) => (answer, receipt),
            Charge::Full(free_at) => (self.full(counter, free_at, now), None),
        }
    }

    #[cold]
    fn full(&self, counter: &Counter, free_at: Nanos, now: Nanos) -> Answer {
        match self.on_full {
            OnFull::Allow => {
                self.table.count(WORD_FULL_ALLOWED);
                counter.rule.unused(0)
            }
            OnFull::Refuse => {
                self.table.count(WORD_FULL_REFUSED);
                // Polite clients must not spin, even if a cell is about to become free.
                let retry_after = (free_at - now).max(MIN_WINDOW);
                let limit = counter.rule.capacity();
                Answer { allowed: false, limit, remaining: 0, reset_after: retry_after, retry_after }
            }
        }
    }

    #[cold]
    fn give_back(&self, receipts: &mut Receipts, clock: &impl Clock) {
        for (index, receipt) in receipts.drain(..) {
            self.counters[index].refund(&self.table, &receipt, || clock.now());
        }
    }
}

impl Outcome {
    /// Of a single answer.
    pub fn one(answer: Answer) -> Self {
        Self { answers: Answers::One([answer]), tightest: 0 }
    }

    /// Of all answers.
    pub fn of(answers: Box<[Answer]>) -> Self {
        // Of refusals the one that waits longest; if there are none, the one with the least remaining.
        let longest = |index: &usize| answers[*index].retry_after;
        let refused = (0..answers.len()).rev().filter(|index| !answers[*index].allowed).max_by_key(longest);
        let least = || (0..answers.len()).min_by_key(|index| answers[*index].remaining);
        let tightest = refused.or_else(least).unwrap_or(0);
        Self { answers: Answers::Many(answers), tightest }
    }

    /// The same with a refusal that was already spoken.
    fn refused_by(self, index: usize, refusal: Answer) -> Self {
        let mut answers: Box<[Answer]> = self.answers().into();
        answers[index] = refusal;
        Self::of(answers)
    }

    /// Every policy's answer.
    pub fn answers(&self) -> &[Answer] {
        match &self.answers {
            Answers::One(answer) => answer,
            Answers::Many(answers) => answers,
        }
    }

    /// The answer that matters most.
    pub fn answer(&self) -> &Answer {
        &self.answers()[self.tightest]
    }
}

/// `ConfigError` for policies that no limiter can have: none, too many, unnamed, or two of one name.
pub fn check_policies(policies: &[(String, Quota)]) -> Result<(), Error> {
    if policies.is_empty() || policies.len() > MAX_POLICIES {
        return Err(Error::config(format!("a limiter has 1 to {MAX_POLICIES} policies, got {}", policies.len())));
    }
    for (index, (name, _)) in policies.iter().enumerate() {
        check_name(name)?;
        if policies[..index].iter().any(|(other, _)| other == name) {
            return Err(Error::config(format!("two policies are named {name:?}: name each of them differently")));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let printable = name.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if printable && !name.is_empty() && name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(Error::config(format!("policy name {name:?} must be 1 to {MAX_NAME_BYTES} printable ASCII characters")))
}
