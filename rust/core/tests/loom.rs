//! All interleavings of few threads on a tiny table (two rows of two cells), up to three or four preemptions.
#![cfg(loom)]

use loom::sync::Arc as LoomArc;
use loom::thread;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::layout::words_for;
use ratelimit_guard_core::lease::ledger::{self, Ledger};
use ratelimit_guard_core::lease::line::Owner;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::live::book::{Book, ENTRY};
use ratelimit_guard_core::live::ring::{HEAD_WORDS, Next, Ring};
use ratelimit_guard_core::quota::Quota;
use ratelimit_guard_core::reservation::Reservation;
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_core::sync::{AtomicU64, Loads, read_by};
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Nanos;
use std::sync::{Arc, Mutex, PoisonError};

type Words = Box<[AtomicU64]>;
const START: u64 = 1_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

type Shared = LoomArc<Limiter<Words>>;

fn table() -> Arc<Table<Words>> {
    let words: Words = (0..words_for(1)).map(|_| AtomicU64::new(0)).collect();
    Arc::new(Table::format(words, 1, Seed([1, 2])).unwrap())
}

fn bind(table: &Arc<Table<Words>>, policies: &[(&str, &str)]) -> Shared {
    let read = |(name, quota): &(&str, &str)| (name.to_string(), Quota::parse(quota).unwrap());
    let policies: Vec<_> = policies.iter().map(read).collect();
    LoomArc::new(Limiter::new(table.clone(), "", &policies, OnFull::Refuse).unwrap())
}

/// One limiter for each quota, all of one policy on one table.
fn limiters(quotas: &[&str]) -> Vec<Shared> {
    let table = table();
    quotas.iter().map(|quota| bind(&table, &[("p", quota)])).collect()
}

fn take(limiter: &Limiter<Words>, key: &[u8], now: u64) -> u64 {
    u64::from(limiter.acquire(key, 1, true, &|| Nanos(now)).unwrap().answer().allowed)
}

/// What two threads get that take a unit of the same key at once, the other one by its own clock.
fn race(limiter: &Shared, now: u64, other_now: u64) -> u64 {
    let other = limiter.clone();
    let thread = thread::spawn(move || take(&other, b"a", other_now));
    take(limiter, b"a", now) + thread.join().unwrap()
}

/// Try all interleavings, with either kind of reads (see `sync.rs`).
fn model(test: impl Fn() + Clone + Sync + Send + 'static) {
    explore(&[(Loads::MayBeStale, 3), (Loads::PretendToWrite, 4)], test);
}

/// Try all interleavings with these reads and so many preemptions.
fn explore(kinds: &[(Loads, usize)], test: impl Fn() + Clone + Sync + Send + 'static) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for &(loads, preemptions) in kinds {
        read_by(loads);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.max_branches = 20_000;
        builder.check(test.clone());
    }
}

/// Two threads bring the same new key: one cell, one count.
#[test]
fn two_newcomers_with_one_key() {
    model(|| {
        let limiter = limiters(&["1/10s"]).remove(0);
        let got = race(&limiter, START, START);
        assert_eq!(got, 1);
        assert_eq!(take(&limiter, b"a", START), 0);
    });
}

/// Two threads with clocks in different epochs charge a key that has history: never more than the limit.
#[test]
fn two_rotations() {
    model(|| {
        let limiter = limiters(&["3/10s"]).remove(0);
        assert_eq!(take(&limiter, b"a", START), 1);
        assert_eq!(take(&limiter, b"a", START + 2 * SECOND), 1);
        let got = race(&limiter, START + 8 * SECOND, START + 5 * SECOND);
        assert_eq!(got, 1);
        assert_eq!(take(&limiter, b"a", START + 8 * SECOND), 0);
    });
}

/// A key comes back to its expired cell while another key takes one over: both are counted, neither twice, and neither pays
/// for the other.
#[test]
fn takeover_and_return() {
    for returning in 0..4u8 {
        model(move || {
            let limiter = limiters(&["2/10s"]).remove(0);
            assert_eq!((0..4u8).map(|key| take(&limiter, &[key], START)).sum::<u64>(), 4);
            let later = START + 60 * SECOND;
            let other = limiter.clone();
            let thread = thread::spawn(move || take(&other, b"new", later));
            let got = take(&limiter, &[returning], later);
            let new = thread.join().unwrap();
            let rest = |key: &[u8]| (0..3).map(|_| take(&limiter, key, later)).sum::<u64>();
            assert_eq!(rest(&[returning]) + got, 2);
            assert_eq!(rest(b"new") + new, 2);
        });
    }
}

/// A reset of a key whose expired cell another key takes over at that moment empties nobody else's.
#[test]
fn takeover_and_reset() {
    for resting in 0..4u8 {
        model(move || {
            let limiter = limiters(&["2/10s"]).remove(0);
            assert_eq!((0..4u8).map(|key| take(&limiter, &[key], START)).sum::<u64>(), 4);
            let later = START + 60 * SECOND;
            let other = limiter.clone();
            let thread = thread::spawn(move || take(&other, b"new", later) + take(&other, b"new", later));
            limiter.reset(&[resting], &|| Nanos(later)).unwrap();
            assert_eq!(thread.join().unwrap(), 2);
            assert_eq!(take(&limiter, b"new", later), 0);
        });
    }
}

/// Two workers of which one knows the new limit: the used units survive.
#[test]
fn conversion_and_charge() {
    model(|| {
        let both = limiters(&["2/10s", "3/10s"]);
        assert_eq!(take(&both[0], b"a", START), 1);
        let old = both[0].clone();
        let thread = thread::spawn(move || take(&old, b"a", START));
        let got = take(&both[1], b"a", START) + thread.join().unwrap();
        assert!(got <= 2);
        assert!(take(&both[1], b"a", START) + take(&both[1], b"a", START) + got <= 2);
    });
}

/// The token bucket's swap.
#[test]
fn two_bucket_charges() {
    model(|| {
        let limiter = limiters(&["1/10s; burst=1"]).remove(0);
        assert_eq!(take(&limiter, b"a", START), 1);
        let got = race(&limiter, START + 11 * SECOND, START + 10 * SECOND);
        assert_eq!(got, 1);
    });
}

/// A reset while another thread begins the next epoch: both end, and what is charged afterwards counts.
#[test]
fn reset_and_rotation() {
    model(|| {
        let limiter = limiters(&["3/10s"]).remove(0);
        let later = START + 2 * SECOND;
        assert_eq!(take(&limiter, b"a", START), 1);
        let other = limiter.clone();
        let thread = thread::spawn(move || other.reset(b"a", &|| Nanos(later)).unwrap());
        assert_eq!(take(&limiter, b"a", later), 1);
        thread.join().unwrap();
        let left = (0..4).map(|_| take(&limiter, b"a", later + 2 * SECOND)).sum::<u64>();
        assert!((1..=3).contains(&left));
        assert_eq!(take(&limiter, b"a", later + 2 * SECOND), 0);
    });
}

/// A limit of another shape takes effect while the earlier one begins the next epoch: no unit is lost.
#[test]
fn conversion_and_rotation() {
    model(|| {
        let both = limiters(&["3/10s", "3/12s"]);
        let later = START + 2 * SECOND;
        assert_eq!(take(&both[0], b"a", START), 1);
        let old = both[0].clone();
        let thread = thread::spawn(move || take(&old, b"a", later));
        let got = take(&both[1], b"a", later) + thread.join().unwrap();
        assert_eq!(got, 2);
        assert_eq!(take(&both[1], b"a", later), 0);
    });
}

/// Two threads find a cell that rested: it is emptied once, and both charges count.
#[test]
fn two_wakes() {
    for text in ["2/10s", "2/10s; burst=2"] {
        model(move || {
            let limiter = limiters(&[text]).remove(0);
            assert_eq!(take(&limiter, b"a", START) + take(&limiter, b"a", START), 2);
            let later = START + 60 * SECOND;
            let got = race(&limiter, later, later);
            assert_eq!(got, 2);
            assert_eq!(take(&limiter, b"a", later), 0);
        });
    }
}

/// Threads on both sides of the instant at which a cell rests: what the one with the earlier clock charges is not wiped.
#[test]
fn wakes_around_the_expiry() {
    for (text, rested) in [("2/8s", 9), ("2/8s; burst=2", 9), ("2/8s; algorithm=sliding-window", 16)] {
        model(move || {
            let limiter = limiters(&[text]).remove(0);
            assert_eq!(take(&limiter, b"a", START) + take(&limiter, b"a", START), 2);
            let expiry = START + rested * SECOND;
            let other = limiter.clone();
            let thread = thread::spawn(move || take(&other, b"a", expiry) + take(&other, b"a", expiry + 1));
            let got = take(&limiter, b"a", expiry - 1) + thread.join().unwrap();
            assert!(got + take(&limiter, b"a", expiry + 1) + take(&limiter, b"a", expiry + 1) <= 2);
        });
    }
}

/// Two policies, spent, and a reset while another thread asks: nobody passes without being charged.
#[test]
fn several_policies_and_reset() {
    model(|| {
        let limiter = bind(&table(), &[("p", "1/10s"), ("q", "1/12s")]);
        assert_eq!(take(&limiter, b"a", START), 1);
        let other = limiter.clone();
        let thread = thread::spawn(move || other.reset(b"a", &|| Nanos(START)).unwrap());
        let got = take(&limiter, b"a", START);
        thread.join().unwrap();
        assert!(got + take(&limiter, b"a", START) <= 1);
    });
}

fn words(count: usize) -> LoomArc<Words> {
    LoomArc::new((0..count).map(|_| AtomicU64::new(0)).collect())
}

/// Two writers and the reader at once: a record is whole when it is seen, and both are there in the end. Where words are
/// plainly stored, reads that pretend to write would undo that in loom's eyes.
#[test]
fn two_writers_and_a_reader() {
    explore(&[(Loads::MayBeStale, 3)], || {
        let memory = words(HEAD_WORDS + 8);
        let other = memory.clone();
        let thread = thread::spawn(move || assert!(Ring::new(&other).push(&[7])));
        let writer = memory.clone();
        let second = thread::spawn(move || assert!(Ring::new(&writer).push(&[9])));
        let (ring, mut record, mut found) = (Ring::new(&memory), Vec::new(), Vec::new());
        let mut position = 0;
        let mut take = || {
            while let Next::Record(end) = ring.look(position, &mut record) {
                found.push(record.clone());
                position = end;
                ring.advance(end);
            }
        };
        take();
        thread.join().unwrap();
        second.join().unwrap();
        take();
        found.sort();
        assert_eq!(found, [[7], [9]]);
    });
}

/// A reader sees of an entry what was told or what is told now, or nothing.
#[test]
fn a_book_is_read_while_it_is_written() {
    explore(&[(Loads::MayBeStale, 3)], || {
        let memory = words(4 * ENTRY);
        Book::new(&memory).set_told(5, [1, 2]);
        let other = memory.clone();
        let thread = thread::spawn(move || {
            Book::new(&other).set_told(5, [3, 4]);
            Book::new(&other).remove(5);
        });
        assert!([None, Some([1, 2]), Some([3, 4])].contains(&Book::new(&memory).get(5)));
        thread.join().unwrap();
        assert_eq!(Book::new(&memory).get(5), None);
    });
}

/// A table with its ledger, and what process 1 has reserved on it beside 3 tokens that somebody else used.
struct Leased {
    limiter: Arc<Limiter<Words>>,
    ledger: Arc<Ledger<Words>>,
}

impl Leased {
    fn new(quota: &str) -> (Self, Reservation<Words>) {
        let table = table();
        let policies = [("p".to_string(), Quota::parse(quota).unwrap())];
        let limiter = Arc::new(Limiter::new(table, "", &policies, OnFull::Refuse).unwrap());
        let words: Words = (0..ledger::words_for(1)).map(|_| AtomicU64::new(0)).collect();
        let ledger = Arc::new(Ledger::format(words, ledger::entries_for(1), 7).unwrap());
        let leased = Self { limiter, ledger };
        assert!(leased.reserve(3, None).is_some());
        let held = leased.reserve(4, Some(1)).unwrap();
        (leased, held)
    }

    fn reserve(&self, output: u64, pid: Option<u32>) -> Option<Reservation<Words>> {
        let ask = Ask { output, least: output, confirmed: true, ..Ask::default() };
        let ledger = pid.map(|pid| (&self.ledger, Owner::new(pid, 1, 1)));
        let keys = [self.limiter.digest(b"a").unwrap()];
        self.limiter.reserve(&keys, &ask, ledger, &|| Nanos(START)).unwrap().1
    }

    fn reclaim(&self, pid: u32, now: u64) -> u64 {
        self.ledger.reclaim(self.limiter.table(), Owner::new(pid, 1, 1), |who| who.pid() == 1, &|| Nanos(now))
    }

    fn remaining(&self, now: u64) -> u64 {
        self.limiter.peek(b"a", 0, &|| Nanos(now)).unwrap().answer().remaining
    }
}

/// An owner that was taken for dead ends while it is taken back: everything comes back once.
#[test]
fn a_lease_is_given_back_once() {
    model(|| {
        let (leased, mut held) = Leased::new("10 output-tokens/10s");
        let leased = LoomArc::new(leased);
        let other = leased.clone();
        let thread = thread::spawn(move || other.reclaim(2, START));
        assert!(held.spend(1, 0, &|| Nanos(START)));
        held.release(&|| Nanos(START));
        thread.join().unwrap();
        assert_eq!((leased.remaining(START), leased.ledger.stats().live), (7, 0));
    });
}

/// Two take the same dead one back: one of them does, once.
#[test]
fn two_reclaimers() {
    model(|| {
        let (leased, _) = Leased::new("10 output-tokens/10s; burst=10");
        let leased = LoomArc::new(leased);
        let other = leased.clone();
        let thread = thread::spawn(move || other.reclaim(2, START));
        let count = leased.reclaim(3, START);
        assert_eq!(count + thread.join().unwrap(), 1);
        assert_eq!((leased.remaining(START), leased.ledger.stats().live), (7, 0));
    });
}

/// A slot is renewed while its holder is taken for dead: nobody else's slot is freed, and at its end it is free.
#[test]
fn renewal_and_reclaim() {
    explore(&[(Loads::MayBeStale, 2), (Loads::PretendToWrite, 2)], || {
        let (leased, mut held) = Leased::new("3 concurrent-requests; lease=10s");
        let later = START + 4 * SECOND;
        let leased = LoomArc::new(leased);
        let other = leased.clone();
        let thread = thread::spawn(move || other.reclaim(2, later));
        held.keep(Nanos(later));
        thread.join().unwrap();
        assert!(leased.remaining(later) <= 2);
        held.release(&|| Nanos(later));
        // Giving back while another thread moves the cell to the next epoch may be in vain until the lease ends.
        assert!((1..=2).contains(&leased.remaining(later)));
        assert_eq!(leased.remaining(later + 12 * SECOND), 3);
    });
}
