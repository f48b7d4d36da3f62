//! The same promises for the largest limits, the longest windows, the latest instants and impossible costs.

mod common;
mod naive;

use common::*;
use naive::Log;
use proptest::prelude::*;
use ratelimit_guard_core::quota::{Algorithm, MAX_FILL, MAX_LIMIT, MAX_WINDOW, Quota, Unit};
use ratelimit_guard_core::time::Nanos;

const DAY: u64 = 86_400 * SECOND;
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Strict, Algorithm::SlidingWindow, Algorithm::TokenBucket];
/// The latest start from which every expiry still fits a cell.
const LAST_START: u64 = Nanos::LAST.0 - 12 * 366 * DAY;

fn limits() -> impl Strategy<Value = u64> {
    prop_oneof![
        1u64..20,
        16_380u64..50_000,
        (20u32..36).prop_map(|bits| 1u64 << bits),
        Just(MAX_LIMIT),
        1u64 << 30..1 << 36
    ]
}

fn windows() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_000_000u64), 1_000_000u64..10 * SECOND, Just(MAX_WINDOW.0), DAY..MAX_WINDOW.0]
}

/// Gap in 1/64 of the time to fill, jitter in ns, cost in 1/16 of the capacity or the largest number there is.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    prop::collection::vec((0u64..200, 0u64..5, prop_oneof![0u64..=17, Just(u64::MAX)]), 1..60)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_promise_holds(
        limit in limits(), window in windows(), burst in limits(), which in 0usize..3, start in 0u64..LAST_START, arrivals in arrivals()
    ) {
        let algorithm = ALGORITHMS[which];
        let is_bucket = algorithm == Algorithm::TokenBucket;
        let quota = Quota::new(limit, Nanos(window), is_bucket.then_some(burst), Some(algorithm), Unit::Requests);
        prop_assume!(quota.is_ok());
        let (quota, mut log, mut now) = (quota.unwrap(), Log::default(), start);
        let (capacity, limiter) = (quota.capacity(), limiter(&table(64), &[quota]));
        let fill = (u128::from(capacity) * u128::from(window) / u128::from(limit)) as u64;
        let span = if is_bucket { fill.min(MAX_FILL.0) + window } else { window };
        for (gap, jitter, cost) in arrivals {
            now += gap * (span / 64) + jitter;
            if now > LAST_START {
                break;
            }
            let cost = if cost == u64::MAX { cost } else { (u128::from(capacity) * u128::from(cost)).div_ceil(16) as u64 };
            let answer = acquire(&limiter, "k", cost, now);
            if answer.allowed && cost > 0 {
                log.push(now, cost);
                prop_assert!(algorithm != Algorithm::Strict || log.worst(window) <= limit);
                prop_assert!(!is_bucket || !log.beats_bucket(limit, window, capacity));
            }
            prop_assert!(answer.allowed || cost <= capacity || answer.retry_after == Nanos::NEVER);
            if !answer.allowed && cost <= capacity {
                prop_assert!(peek(&limiter, "k", cost, now + answer.retry_after.0).allowed, "told to wait too short");
                prop_assert!(!peek(&limiter, "k", cost, now + answer.retry_after.0 - 1).allowed, "told to wait too long");
            }
            prop_assert_eq!(peek(&limiter, "k", 0, now + answer.reset_after.0).remaining, capacity);
            prop_assert!(peek(&limiter, "k", answer.remaining, now).allowed, "less remains");
            prop_assert!(answer.remaining == capacity || !peek(&limiter, "k", answer.remaining + 1, now).allowed, "more remains");
        }
    }
}

/// Even beyond the last instant that a cell can hold, where a store's clock must not go, decisions end.
#[test]
fn the_end_of_time_ends() {
    for text in ["5/8s", "5/8s; burst=5", "5/8s; algorithm=sliding-window"] {
        for now in [Nanos::LAST.0 - 10 * SECOND, Nanos::LAST.0 - 1, Nanos::LAST.0, u64::MAX / 2] {
            let limiter = single(text);
            let admitted = (0..20).filter(|_| acquire(&limiter, "k", 1, now).allowed).count();
            assert!(admitted >= 1, "{text} at {now}");
        }
    }
}
