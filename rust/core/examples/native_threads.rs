//! Decisions per second of one and of two native threads on one table, as one line of JSON: for `make bench`.

use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::quota::Quota;
use ratelimit_guard_core::sync::AtomicU64;
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Nanos;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

const DECISIONS: u64 = 2_000_000;
const KEYS: u64 = 10_000;

type Words = Box<[AtomicU64]>;

fn decide(limiter: &Limiter<Words>, keys: &[String], start: Instant, worker: usize) {
    let clock = || Nanos(start.elapsed().as_nanos() as u64);
    for step in 0..DECISIONS as usize {
        let key = &keys[(step * 7919 + worker * 31) % keys.len()];
        limiter.acquire(key.as_bytes(), 1, true, &clock).expect("keys are short");
    }
}

fn decisions_per_second(threads: usize, keys: &[String]) -> f64 {
    let words: Words = (0..words_for(KEYS)).map(|_| AtomicU64::new(0)).collect();
    let table = Arc::new(Table::format(words, KEYS, Seed([1, 2])).expect("the memory is large enough"));
    let policies = [("calls".to_string(), Quota::parse("1000000/hour").expect("is a quota"))];
    let limiter = Limiter::new(table, "", &policies, OnFull::Refuse).expect("is a limiter");
    let start = Instant::now();
    thread::scope(|scope| {
        for worker in 0..threads {
            let limiter = &limiter;
            scope.spawn(move || decide(limiter, keys, start, worker));
        }
    });
    DECISIONS as f64 * threads as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let keys: Vec<_> = (0..KEYS).map(|key| format!("tenant-{key}")).collect();
    let mut rounds: Vec<_> = (0..7)
        .map(|_| {
            let (one, two) = (decisions_per_second(1, &keys), decisions_per_second(2, &keys));
            (two / one, one, two)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, one, two) = rounds[rounds.len() / 2];
    println!(r#"{{"one": {one:.0}, "two": {two:.0}, "ratio": {ratio:.3}, "rounds": {}}}"#, rounds.len());
}
