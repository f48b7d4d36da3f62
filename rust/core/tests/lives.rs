//! Cells that begin a new life or a new rule while they are in use: resets, changed limits, permits, threads that come
//! late.

mod common;
mod naive;

use common::*;
use naive::Log;
use proptest::prelude::*;
use ratelimit_guard_core::hash::Digest;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::quota::{Algorithm, Quota, Unit};
use ratelimit_guard_core::time::Nanos;
use ratelimit_guard_core::word::{Head, next};

const START: u64 = 1_000 * SECOND;
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Strict, Algorithm::SlidingWindow, Algorithm::TokenBucket];

fn build(limit: u64, window: u64, burst: Option<u64>, algorithm: Algorithm) -> Quota {
    Quota::new(limit, Nanos(window), burst, Some(algorithm), Unit::Requests).unwrap()
}

fn digest(limiter: &Limiter<Words>, key: &str) -> Digest {
    let (seed, algorithm) = (limiter.table().seed(), limiter.counters()[0].quota.algorithm());
    seed.digest(key.as_bytes()).under(seed.derive(&["", "0", algorithm.name()]))
}

/// Gap in 1/64 of a window, which of two limiters, cost.
fn calls() -> impl Strategy<Value = Vec<(u64, bool, u64)>> {
    prop::collection::vec((prop_oneof![2 => Just(0u64), 2 => 0u64..12, 1 => 0u64..200], any::<bool>(), 0u64..5), 1..120)
}

proptest! {
    #![proptest_config(cases())]

    /// A changed quota keeps the used units; the worker that still has the earlier one obeys the later as soon as it
    /// took effect.
    #[test]
    fn changed_quota_keeps_used_units(
        old in 1u64..40_000, new in 1u64..40_000, used in 0u64..40_000, which in 0usize..3, window in 1_000_000u64..100 * SECOND
    ) {
        let table = table(64);
        let before = limiter(&table, &[build(old, SECOND, None, ALGORITHMS[which])]);
        let used = used.min(old);
        prop_assert!(acquire(&before, "k", used, START).allowed);
        let after = limiter(&table, &[build(new, window, None, ALGORITHMS[which])]);
        prop_assert_eq!(peek(&after, "k", 0, START).remaining, new.saturating_sub(used));
        prop_assert_eq!(acquire(&after, "k", 1, START).allowed, used < new);
        let left = if used < new { new - used - 1 } else { old - used };
        prop_assert_eq!(peek(&before, "k", 0, START).remaining, left);
    }

    /// Two workers of which one has a changed limit, in whatever order they are asked: never more than the larger of
    /// both.
    #[test]
    fn two_limits_admit_the_larger(first in 1u64..30, second in 1u64..30, windows in (8u64..100, 8u64..100), same in any::<bool>(), calls in calls()) {
        let table = table(64);
        let spans = [windows.0 * SECOND, if same { windows.0 } else { windows.1 } * SECOND];
        let quotas = [build(first, spans[0], None, Algorithm::Strict), build(second, spans[1], None, Algorithm::Strict)];
        let both = quotas.map(|quota| limiter(&table, &[quota]));
        let (mut log, mut now) = (Log::default(), START);
        for (gap, which, cost) in calls {
            now += gap * spans[0] / 64;
            if acquire(&both[usize::from(which)], "k", cost, now).allowed {
                log.push(now, cost);
                prop_assert!(log.worst(spans[0].min(spans[1])) <= first.max(second));
            }
        }
    }

    /// The same for buckets: never more than the larger burst and the faster rate allow.
    #[test]
    fn two_buckets_admit_the_larger(rates in (1u64..30, 1u64..30), bursts in (1u64..30, 1u64..30), calls in calls()) {
        let table = table(64);
        let bucket = |rate, burst| limiter(&table, &[build(rate, SECOND, Some(burst), Algorithm::TokenBucket)]);
        let both = [bucket(rates.0, bursts.0), bucket(rates.1, bursts.1)];
        let (mut log, mut now) = (Log::default(), START);
        for (gap, which, cost) in calls {
            now += gap * SECOND / 64;
            if acquire(&both[usize::from(which)], "k", cost, now).allowed && cost > 0 {
                log.push(now, cost);
                prop_assert!(!log.beats_bucket(rates.0.max(rates.1), SECOND, bursts.0.max(bursts.1)));
            }
        }
    }

    /// A reset forgets exactly what was, however many there are: beside a list that is emptied.
    #[test]
    fn resets_forget_everything(limit in 1u64..20, calls in calls()) {
        let limiter = limiter(&table(64), &[build(limit, 8 * SECOND, None, Algorithm::Strict)]);
        let (mut log, mut now) = (Log::default(), START);
        for (gap, reset, cost) in calls {
            now += gap * SECOND / 8;
            if reset {
                limiter.reset(b"k", &|| Nanos(now)).unwrap();
                log = Log::default();
                prop_assert_eq!(peek(&limiter, "k", 0, now).remaining, limit);
            }
            let allowed = acquire(&limiter, "k", cost, now).allowed;
            if allowed {
                log.push(now, cost);
            }
            prop_assert!(log.worst(8 * SECOND) <= limit);
            prop_assert!(allowed || log.within(9 * SECOND, now) + cost > limit, "refused for what was forgotten");
        }
    }
}

/// Workers of two limits alternate on a spent key: waiting as long as told is enough, refusals change nothing.
#[test]
fn alternating_limits_starve_nobody() {
    for (old, new) in [("5/10s", "5/11s"), ("5/10s; burst=5", "5/11s; burst=5"), ("5/10s", "6/10s")] {
        let table = table(64);
        let both = [old, new].map(|text| limiter(&table, &[quota(text)]));
        spend(&both[0], "k", 5, START);
        let tries = (1..1_000).map(|second| (&both[second as usize % 2], START + second * SECOND));
        let admitted = tries.filter(|(limiter, now)| acquire(limiter, "k", 1, *now).allowed).count();
        assert!((400..=610).contains(&admitted), "{old} and {new}: {admitted} in 1,000 s");
    }
}

/// A thread that read the clock long ago and brings a changed limit cannot set a cell back in time.
#[test]
fn a_late_successor_gains_nothing() {
    for (old, new) in [("5/10s", "6/10s"), ("5/10s", "6/11s"), ("5/10s; burst=5", "6/10s; burst=6")] {
        let table = table(64);
        let both = [old, new].map(|text| limiter(&table, &[quota(text)]));
        spend(&both[0], "k", 1, START);
        spend(&both[0], "k", 5, START + 20 * SECOND);
        let late = acquire(&both[1], "k", 1, START).allowed;
        let more = (0..10).filter(|_| acquire(&both[1], "k", 1, START + 20 * SECOND + 1).allowed).count();
        assert_eq!(usize::from(late) + more, 1, "{old} then {new}");
    }
}

/// A permit can be renewed and returned after another worker brought a changed limit.
#[test]
fn permits_outlive_a_changed_limit() {
    let table = table(64);
    let before = limiter(&table, &[quota("2 concurrent-requests; lease=10s")]);
    let after = limiter(&table, &[quota("3 concurrent-requests; lease=10s")]);
    let permit = |limiter: &Limiter<Words>| limiter.permit(b"k", 1, true, &|| Nanos(START)).unwrap();
    let (_, mut one) = permit(&before);
    let (_, mut two) = permit(&after);
    assert!(before.renew(&mut one, Nanos(START + SECOND)));
    assert!(before.release(&mut one, Nanos(START + SECOND)) && after.release(&mut two, Nanos(START + SECOND)));
    assert_eq!((0..9).filter(|_| permit(&after).0.answer().allowed).count(), 3);
}

/// A renewer that died half-way at full capacity takes nobody's permit away.
#[test]
fn a_dead_renewer_ends_nobodys_lease() {
    let limiter = single("2 concurrent-requests; lease=10s");
    let mut held = [1, 2].map(|_| limiter.permit(b"k", 1, true, &|| Nanos(START)).unwrap().1);
    let cell = limiter.table().find(digest(&limiter, "k"), Nanos(START)).unwrap().cell;
    let head = cell.head();
    assert!(cell.swap_head(head, head.with_payload(head.payload() + 1)));
    assert!(held.iter_mut().all(|receipts| limiter.renew(receipts, Nanos(START + 1))));
    assert!(held.iter_mut().all(|receipts| limiter.release(receipts, Nanos(START + 2))));
}

/// A reset whose thread died after the head's swap: the next newcomer that meets the cell finishes it, and it can be
/// taken.
#[test]
fn an_unsettled_cell_is_taken_in_time() {
    let limiter = limiter(&table(1), &[quota("5/8s")]);
    spend(&limiter, "k", 1, START);
    let cell = limiter.table().find(digest(&limiter, "k"), Nanos(START)).unwrap().cell;
    let head = cell.head();
    assert!(cell.swap_head(head, Head::live(next(head.generation()), head.quota(), head.payload())));
    let later = START + 1_000 * 86_400 * SECOND;
    let cells = limiter.table().stats(Nanos(later)).cells;
    let admitted = (0..100).filter(|key| acquire(&limiter, &format!("new-{key}"), 1, later).allowed).count() as u64;
    // The first to meet it may only finish it.
    assert!(admitted >= cells - 1, "{admitted} newcomers in {cells} cells");
    let again = later + 60 * SECOND;
    assert_eq!(
        (0..100).filter(|key| acquire(&limiter, &format!("again-{key}"), 1, again).allowed).count() as u64,
        cells
    );
}

/// What the previous occupant of a cell left never comes back, however often the next one begins a new life.
#[test]
fn resets_after_a_takeover() {
    for text in ["5/8s", "5/8s; algorithm=sliding-window", "5/8s; burst=5"] {
        let limiter = limiter(&table(1), &[quota(text)]);
        for key in 0..16 {
            assert!(acquire(&limiter, &format!("before-{key}"), 3, START).allowed);
            assert!(acquire(&limiter, &format!("before-{key}"), 1, START + SECOND).allowed);
        }
        let later = START + 100 * SECOND;
        for key in 0..16 {
            let key = format!("after-{key}");
            for round in 0..20 {
                let now = later + round;
                assert_eq!(peek(&limiter, &key, 0, now).remaining, 5, "{text}, round {round}");
                assert!(acquire(&limiter, &key, 2, now).allowed);
                assert!(limiter.reset(key.as_bytes(), &|| Nanos(now)).unwrap());
            }
        }
    }
}

/// A thread that dies between the two halves of a change of life locks nobody out, whenever the key comes back.
#[test]
fn a_dead_reset_locks_nobody_out() {
    for text in ["5/8s", "5/8s; algorithm=sliding-window", "5/8s; burst=5"] {
        for rest in (1..5_000).step_by(37) {
            let limiter = single(text);
            spend(&limiter, "k", 2, START);
            let cell = limiter.table().find(digest(&limiter, "k"), Nanos(START)).unwrap().cell;
            let head = cell.head();
            let payload = limiter.counters()[0].rule().holding(0, Nanos(START), 0);
            assert!(cell.swap_head(head, Head::live(next(head.generation()), head.quota(), payload)));
            let later = START + rest * SECOND;
            assert_eq!((0..9).filter(|_| acquire(&limiter, "k", 1, later).allowed).count(), 5, "{text} after {rest} s");
            let again = later + 16 * SECOND;
            assert_eq!((0..9).filter(|_| acquire(&limiter, "k", 1, again).allowed).count(), 5, "{text} after {rest} s");
        }
    }
}

/// A newcomer that died in an earlier candidate, after a rival of the same key had gone live in a later one.
#[test]
fn a_dead_rival_wedges_nobody() {
    let mut met = 0;
    for residents in 1..16 {
        let limiter = limiter(&table(1), &[quota("5/8s")]);
        (0..residents).for_each(|key| spend(&limiter, &format!("resident-{key}"), 1, START));
        let expired = START + 9 * SECOND;
        acquire(&limiter, "k", 1, expired - 1);
        let key = digest(&limiter, "k");
        if limiter.table().take(key, true, Nanos(expired)).is_err() {
            continue;
        }
        met += u32::from(!limiter.table().find(key, Nanos(expired)).unwrap().is_live);
        let admitted = (0..9).filter(|_| acquire(&limiter, "k", 1, expired).allowed).count();
        assert!((4..=5).contains(&admitted), "{admitted} with {residents} residents");
        assert_eq!((0..9).filter(|_| acquire(&limiter, "k", 1, expired + 3_600 * SECOND).allowed).count(), 5);
    }
    assert!(met > 0, "no table put the dead rival first");
}
