//! Tables and limiters for tests.
#![allow(dead_code)]

use proptest::prelude::ProptestConfig;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::lease::ledger::{self, Ledger};
use ratelimit_guard_core::lease::line::Owner;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::quota::Quota;
use ratelimit_guard_core::reservation::Reservation;
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_core::rule::Answer;
use ratelimit_guard_core::sync::AtomicU64;
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Nanos;
use std::sync::Arc;

pub type Words = Box<[AtomicU64]>;

pub const SECOND: u64 = 1_000_000_000;

pub fn table(capacity: u64) -> Arc<Table<Words>> {
    let words: Words = (0..words_for(capacity)).map(|_| AtomicU64::new(0)).collect();
    Arc::new(Table::format(words, capacity, Seed([0x5eed, 0xf00d])).unwrap())
}

pub fn quota(text: &str) -> Quota {
    Quota::parse(text).unwrap()
}

/// Policies named "0", "1", …
pub fn limiter(table: &Arc<Table<Words>>, quotas: &[Quota]) -> Limiter<Words> {
    let policies: Vec<_> = quotas.iter().enumerate().map(|(index, quota)| (index.to_string(), *quota)).collect();
    Limiter::new(table.clone(), "", &policies, OnFull::Refuse).unwrap()
}

pub fn single(text: &str) -> Limiter<Words> {
    limiter(&table(64), &[quota(text)])
}

pub fn acquire(limiter: &Limiter<Words>, key: &str, cost: u64, now: u64) -> Answer {
    *limiter.acquire(key.as_bytes(), cost, true, &|| Nanos(now)).unwrap().answer()
}

pub fn peek(limiter: &Limiter<Words>, key: &str, cost: u64, now: u64) -> Answer {
    *limiter.peek(key.as_bytes(), cost, &|| Nanos(now)).unwrap().answer()
}

/// Charge one unit so many times, whatever the answers.
pub fn spend(limiter: &Limiter<Words>, key: &str, times: u64, now: u64) {
    (0..times).for_each(|_| {
        acquire(limiter, key, 1, now);
    });
}

/// How many cases a property gets; `make soak` asks for a hundred times as many.
pub fn cases() -> ProptestConfig {
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 200_000 } else { 2_000 };
    // A failing case is printed, and to be written down as a test of its own: files beside the sources would be none.
    ProptestConfig { cases, max_global_rejects: 10 * cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub fn ledger(capacity: u64) -> Arc<Ledger<Words>> {
    let words: Words = (0..ledger::words_for(capacity)).map(|_| AtomicU64::new(0)).collect();
    Arc::new(Ledger::format(words, ledger::entries_for(capacity), 7).unwrap())
}

/// A process by number, as the ledger names it.
pub fn process(pid: u32) -> Owner {
    Owner::new(pid, 1, 1)
}

pub type Held = Reservation<Words>;

/// A limiter with leases.
pub struct Office {
    pub table: Arc<Table<Words>>,
    pub ledger: Arc<Ledger<Words>>,
    pub limiter: Arc<Limiter<Words>>,
}

impl Office {
    /// Policies named "0", "1", …
    pub fn new(texts: &[&str]) -> Self {
        let table = table(64);
        let quotas: Vec<_> = texts.iter().map(|text| quota(text)).collect();
        Self { limiter: Arc::new(limiter(&table, &quotas)), ledger: ledger(64), table }
    }

    /// Reserve under the key "a" for a process.
    pub fn reserve(&self, pid: u32, input: u64, output: u64, now: u64) -> Option<Held> {
        self.ask(pid, &Ask { units: 1, input, output, least: output.min(1), confirmed: true, ..Ask::default() }, now)
    }

    pub fn ask(&self, pid: u32, ask: &Ask, now: u64) -> Option<Held> {
        let keys = vec![self.limiter.digest(b"a").unwrap(); self.limiter.counters().len()];
        self.limiter.reserve(&keys, ask, Some((&self.ledger, process(pid))), &|| Nanos(now)).unwrap().1
    }

    /// Take back what the dead hold, those of whom `is_dead` is true.
    pub fn reclaim(&self, pid: u32, now: u64, is_dead: impl Fn(u32) -> bool) -> u64 {
        self.ledger.reclaim(&self.table, process(pid), |who| is_dead(who.pid()), &|| Nanos(now))
    }

    /// What remains under each policy.
    pub fn remaining(&self, now: u64) -> Vec<u64> {
        let outcome = self.limiter.peek(b"a", 0, &|| Nanos(now)).unwrap();
        outcome.answers().iter().map(|answer| answer.remaining).collect()
    }
}
