//! The ledger: full, silent and stale owners, and looking past what others hold.

mod common;

use common::*;
use ratelimit_guard_core::lease::LEASE;
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_core::time::Nanos;

const START: u64 = 1_000 * SECOND;
const CLOCK: fn() -> Nanos = || Nanos(START);

/// When no entry is left a reservation works unlisted, and entries that come free are used again.
#[test]
fn a_full_ledger_turns_nobody_away() {
    let office = Office::new(&["1M tokens/hour", "1000 concurrent-requests; lease=30s"]);
    let mut held: Vec<_> = (0..300).map(|_| office.reserve(1, 10, 10, START).unwrap()).collect();
    let stats = office.ledger.stats();
    assert_eq!((stats.live, stats.unlisted), (256, 44));
    assert_eq!(office.remaining(START), [1_000_000 - 6_000, 700]);
    held.iter_mut().for_each(|one| one.settle(None, Some(5), &CLOCK));
    assert_eq!(office.remaining(START), [1_000_000 - 4_500, 1_000]);
    assert!((0..256).map(|_| office.reserve(1, 0, 0, START).unwrap()).all(|mut one| one.spend(1, 1, &CLOCK)));
    assert_eq!((office.ledger.stats().live, office.ledger.stats().unlisted), (256, 44));
}

/// One that was stopped for longer than a lease is taken back; when it goes on it changes nothing of that, and what it
/// really used is charged.
#[test]
fn a_stale_owner_pays_what_it_used_and_gives_nothing_back() {
    let office = Office::new(&["1000 tokens/hour", "2 concurrent-requests; lease=1h"]);
    let mut stopped = office.reserve(1, 100, 50, START).unwrap();
    let late = START + LEASE.0 + 1;
    let clock = || Nanos(late);
    assert!(stopped.spend(20, 50, &CLOCK));
    assert_eq!(office.reclaim(2, START + LEASE.0, |_| false), 0);
    assert_eq!(office.reclaim(2, late, |_| false), 1);
    assert_eq!(office.remaining(late), [880, 2]);
    let mut next = office.reserve(2, 0, 10, late).unwrap();
    assert!(stopped.spend(20, 50, &clock));
    stopped.keep(Nanos(late));
    assert_eq!((office.remaining(late), office.ledger.stats().live), (vec![870, 1], 1));
    stopped.settle(None, None, &clock);
    assert_eq!(office.remaining(late), [850, 1]);
    next.release(&clock);
    assert_eq!(office.remaining(late), [860, 2]);
}

/// An owner that beats is not silent, whatever the time.
#[test]
fn a_heartbeat_keeps_an_entry() {
    let office = Office::new(&["1000 tokens/hour", "2 concurrent-requests; lease=20s"]);
    let mut held = office.reserve(1, 0, 50, START).unwrap();
    for now in (1..20).map(|round| START + round * LEASE.0 / 2) {
        held.keep(Nanos(now));
        assert_eq!((office.reclaim(2, now, |_| false), office.remaining(now)), (0, vec![950, 1]));
    }
}

/// Slots and slices of a dead owner are returned into the windows in which they were charged, or not at all.
#[test]
fn what_left_its_window_is_not_given_back() {
    let office = Office::new(&["100 tokens/8s", "3 concurrent-requests; lease=1h"]);
    office.reserve(1, 0, 60, START).unwrap();
    // 4,096 epochs of a second later the marks come round: the charges of then are others'.
    let late = START + 4_096 * SECOND;
    office.reserve(2, 0, 60, late).unwrap();
    assert_eq!(office.reclaim(3, late, |pid| pid == 1), 1);
    assert_eq!(office.remaining(late), [40, 2]);
}

fn ask(account: u64, input: u64, output: u64) -> Ask {
    Ask { units: 1, input, surely: input, output, least: output.min(1), account, confirmed: true, ..Ask::default() }
}

/// Who has nothing in flight is admitted against what others hold and have not spent, once; windows and buckets.
#[test]
fn unspent_output_of_others_refuses_nobody() {
    for text in ["1600 tokens/hour", "1600 tokens/hour; burst=1600"] {
        let office = Office::new(&[text, "1000/hour"]);
        let mut big = office.ask(1, &ask(1, 1_500, 100), START).unwrap();
        assert!(office.ask(1, &ask(1, 10, 1), START).is_none(), "has one in flight");
        assert!(office.ask(1, &ask(0, 10, 1), START).is_none(), "no account");
        assert!(office.ask(1, &ask(2, 101, 1), START).is_none(), "more than is unspent");
        let mut small = office.ask(1, &ask(2, 50, 20), START).unwrap();
        assert!(office.ask(1, &ask(3, 50, 1), START).is_none(), "the same would be counted twice");
        assert!(big.spend(90, 10, &CLOCK));
        assert!(office.ask(1, &ask(3, 10, 1), START).is_none(), "spent meanwhile");
        assert!(!small.spend(2, 10, &CLOCK), "there is no room for more than it has");
        small.settle(Some(50), Some(2), &CLOCK);
        big.settle(Some(1_500), Some(40), &CLOCK);
        assert_eq!(office.remaining(START), [8, 998]);
    }
}

/// Nobody looks past firm reservations, dead ends of other policies, or what a bucket could not remember.
#[test]
fn only_unspent_output_is_looked_past() {
    let office = Office::new(&["1000 tokens/hour", "10/hour"]);
    let mut firm = office.ask(1, &Ask { firm: true, ..ask(1, 900, 100) }, START).unwrap();
    assert!(office.ask(1, &ask(2, 10, 1), START).is_none());
    firm.release(&CLOCK);
    let _open = office.ask(1, &ask(1, 900, 100), START).unwrap();
    assert!(office.ask(1, &Ask { units: 9, ..ask(2, 10, 1) }, START).is_none());
    assert!(office.ask(1, &ask(2, 10, 1), START).is_some());
    let bucket = Office::new(&["1000 tokens/hour; burst=1000"]);
    let _open = bucket.ask(1, &ask(1, 0, 1_000), START).unwrap();
    assert!(bucket.ask(1, &ask(2, 62, 1), START).is_none());
    assert!(bucket.ask(1, &ask(2, 61, 1), START).is_some());
}

/// An estimate beyond a whole quota is cut to it; what a call surely has is not.
#[test]
fn an_estimate_does_not_refuse_a_small_quota() {
    for text in ["100 tokens/hour", "100 tokens/hour; burst=100", "100 input-tokens/hour"] {
        let office = Office::new(&[text]);
        assert!(office.ask(1, &Ask { surely: 101, ..ask(1, 400, 50) }, START).is_none());
        let mut held = office.ask(1, &Ask { surely: 90, ..ask(1, 400, 50) }, START).unwrap();
        assert_eq!(office.remaining(START), [0]);
        held.settle(Some(60), Some(0), &CLOCK);
        assert_eq!(office.remaining(START), [40]);
        assert!(office.ask(1, &Ask { surely: 30, ..ask(1, 400, 50) }, START).is_none());
    }
}

/// Numbers from outside, as large as they come, are counted as the largest limit.
#[test]
fn huge_numbers_are_bounded() {
    for text in ["1000 tokens/hour", "1000 tokens/hour; burst=1000", "1000 tokens/hour; algorithm=sliding-window"] {
        let office = Office::new(&[text]);
        let most = Ask { input: u64::MAX, output: u64::MAX, least: 1, ..ask(1, 0, 0) };
        assert!(office.ask(1, &Ask { surely: u64::MAX, ..most }, START).is_none());
        let mut held = office.ask(1, &most, START).unwrap();
        assert!((0..3).all(|_| !held.spend(u64::MAX, u64::MAX, &CLOCK)));
        held.settle(Some(u64::MAX), Some(u64::MAX), &CLOCK);
        assert_eq!(office.remaining(START), [0]);
        let later = START + 10_000 * SECOND;
        assert_eq!(office.remaining(later), [1_000]);
        assert!(office.ask(1, &ask(1, 1_000, 0), later).is_some());
    }
}
