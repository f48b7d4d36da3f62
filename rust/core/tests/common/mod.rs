//! Tables and limiters for tests.
#![allow(dead_code)]

use proptest::prelude::ProptestConfig;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::quota::Quota;
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
