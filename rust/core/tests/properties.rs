//! The promises, against the slow twins, for arbitrary quotas and arrivals.

mod common;
mod naive;

use common::*;
use naive::Log;
use proptest::prelude::*;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::quota::{Algorithm, Quota, Unit};
use ratelimit_guard_core::time::Nanos;

const START: u64 = 1_000 * SECOND;
const SCALE: u64 = 1_000_000;

fn build(limit: u64, window: u64, burst: Option<u64>, algorithm: Algorithm) -> Quota {
    Quota::new(limit, Nanos(window), burst, Some(algorithm), Unit::Requests).unwrap()
}

/// Small limits, and such that do not fit a slot of the ring.
fn limits() -> impl Strategy<Value = u64> {
    prop_oneof![1u64..20, 1u64..40, 16_380u64..50_000, 1u64 << 20..1 << 36]
}

fn windows() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_000_000u64), Just(60 * SECOND), 1_000_000u64..10_000_000_000, Just(86_400 * SECOND)]
}

/// Arrivals: gap in 1/64 of a window (sometimes many windows, at most by chance exactly on a boundary), and cost in
/// 1/16 of the limit.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let gap = prop_oneof![3 => Just(0u64), 4 => 0u64..12, 2 => 0u64..80, 1 => 0u64..40_000];
    prop::collection::vec((gap, 0u64..3, 0u64..=17), 1..120)
}

fn unfold(arrivals: &[(u64, u64, u64)], limit: u64, window: u64) -> Vec<(u64, u64)> {
    let mut now = START;
    arrivals
        .iter()
        .map(|(gap, jitter, cost)| {
            now += (gap * window).div_ceil(64) + jitter;
            (now, if limit < 16 { (*cost).min(2) } else { (limit * cost).div_ceil(16) })
        })
        .collect()
}

/// Does the bound hold after each of these calls, (instant, cost), counted at the latest time that the cell has seen?
fn always(limiter: &Limiter<Words>, times: &[(u64, u64)], holds: impl Fn(&Log) -> bool) -> bool {
    let (mut log, mut latest) = (Log::default(), 0);
    times.iter().all(|(time, cost)| {
        let now = START + time * SCALE;
        if acquire(limiter, "k", *cost, now).allowed {
            latest = latest.max(now);
            log.push(latest, *cost);
        }
        holds(&log)
    })
}

proptest! {
    #![proptest_config(cases())]

    /// A strict window never admits more than its limit, and refuses at most an eighth of a window early.
    #[test]
    fn strict_is_exact(limit in limits(), window in windows(), arrivals in arrivals()) {
        let limiter = limiter(&table(64), &[build(limit, window, None, Algorithm::Strict)]);
        let (mut log, sub, quantum) = (Log::default(), window.div_ceil(8), limit.div_ceil(16_383));
        for (now, cost) in unfold(&arrivals, limit, window) {
            let seen = peek(&limiter, "k", cost, now);
            let answer = acquire(&limiter, "k", cost, now);
            prop_assert_eq!(seen.allowed, answer.allowed);
            if answer.allowed {
                log.push(now, cost);
                prop_assert!(log.worst(window) <= limit);
            } else if cost <= limit && quantum == 1 {
                prop_assert!(log.within(9 * sub, now) + cost > limit, "refused too early");
            }
        }
    }

    /// Waiting as long as a refusal says is enough, whatever the algorithm; a nanosecond less is not, for windows and
    /// fine ticks.
    #[test]
    fn retry_after_is_true(limit in limits(), window in windows(), arrivals in arrivals(), which in 0usize..3) {
        let algorithm = [Algorithm::Strict, Algorithm::SlidingWindow, Algorithm::TokenBucket][which];
        let limiter = limiter(&table(64), &[build(limit, window, None, algorithm)]);
        for (now, cost) in unfold(&arrivals, limit, window) {
            let answer = acquire(&limiter, "k", cost, now);
            prop_assert_eq!(answer.allowed, answer.retry_after == Nanos(0));
            if answer.allowed || answer.retry_after == Nanos::NEVER {
                prop_assert_eq!(answer.allowed, cost <= limit);
                continue;
            }
            prop_assert!(peek(&limiter, "k", cost, now + answer.retry_after.0).allowed);
            prop_assert!(!peek(&limiter, "k", cost, now + answer.retry_after.0 - 1).allowed);
            prop_assert_eq!(peek(&limiter, "k", 0, now + answer.reset_after.0).remaining, limit);
        }
    }

    /// Waiting as long as a refusal says is enough even after the clock stepped back; a reset forgets everything at any
    /// instant.
    #[test]
    fn retry_after_is_true_after_a_step_back(jitter in 0u64..100_000, back in 0u64..3_000_000, window in windows(), which in 0usize..3) {
        let algorithm = [Algorithm::Strict, Algorithm::SlidingWindow, Algorithm::TokenBucket][which];
        let limiter = limiter(&table(64), &[build(3, window, None, algorithm)]);
        prop_assert!(acquire(&limiter, "k", 3, START + jitter).allowed);
        let now = START + jitter - back;
        let refusal = acquire(&limiter, "k", 2, now);
        prop_assert!(!refusal.allowed);
        prop_assert!(peek(&limiter, "k", 2, now + refusal.retry_after.0).allowed);
        prop_assert_eq!(peek(&limiter, "k", 0, now + refusal.reset_after.0).remaining, 3);
        prop_assert!(limiter.reset(b"k", &|| Nanos(now)).unwrap());
        prop_assert!(acquire(&limiter, "k", 3, now).allowed);
    }

    /// The sliding-window counter is the textbook formula.
    #[test]
    fn sliding_window_is_the_formula(limit in limits(), window in windows(), arrivals in arrivals()) {
        let limiter = limiter(&table(64), &[build(limit, window, None, Algorithm::SlidingWindow)]);
        let mut log = Log::default();
        for (now, cost) in unfold(&arrivals, limit, window) {
            let expected = cost == 0 || log.fading(window, now) + cost <= limit;
            prop_assert_eq!(acquire(&limiter, "k", cost, now).allowed, expected);
            if expected {
                log.push(now, cost);
            }
        }
    }

    /// A token bucket never admits more than burst + rate × time, and its rate is lost to rounding by less than 1 in
    /// 250.
    #[test]
    fn token_bucket_is_exact(limit in limits(), window in windows(), burst in limits(), arrivals in arrivals()) {
        prop_assume!(u128::from(burst) * u128::from(window) / u128::from(limit) < 1 << 57);
        let limiter = limiter(&table(64), &[build(limit, window, Some(burst), Algorithm::TokenBucket)]);
        let mut log = Log::default();
        for (now, cost) in unfold(&arrivals, burst, window) {
            let answer = acquire(&limiter, "k", cost, now);
            if answer.allowed && cost > 0 {
                log.push(now, cost);
                prop_assert!(!log.beats_bucket(limit, window, burst));
            }
            let fill_time = u128::from(burst - answer.remaining) * u128::from(window) / u128::from(limit);
            prop_assert!(u128::from(answer.reset_after.0) <= fill_time + fill_time / 250 + u128::from(window / limit) + 16_384);
        }
    }

    /// A clock that jumps about, back and forth, never lets a strict window admit more than its limit in any window of
    /// the latest time that the cell has seen (a refusal writes nothing, so it shows the cell nothing).
    #[test]
    fn strict_survives_any_clock(limit in 1u64..30, times in prop::collection::vec((0u64..200, 1u64..4), 1..150)) {
        let limiter = limiter(&table(64), &[build(limit, 64 * SCALE, None, Algorithm::Strict)]);
        prop_assert!(always(&limiter, &times, |log| log.worst(64 * SCALE) <= limit));
    }

    /// A token bucket gains nothing from a clock that jumps about.
    #[test]
    fn token_bucket_survives_any_clock(burst in 1u64..30, times in prop::collection::vec((0u64..200, 1u64..4), 1..150)) {
        let limiter = limiter(&table(64), &[build(10, 64 * SCALE, Some(burst), Algorithm::TokenBucket)]);
        prop_assert!(always(&limiter, &times, |log| !log.beats_bucket(10, 64 * SCALE, burst)));
    }

    /// Several policies: allowed exactly if each alone would allow, and a refusal leaves no charge in any.
    #[test]
    fn all_pay_or_none_pays(limits in prop::collection::vec(1u64..12, 2..5), arrivals in arrivals()) {
        let algorithms = [Algorithm::Strict, Algorithm::TokenBucket, Algorithm::SlidingWindow];
        let quota = |(index, limit): (usize, &u64)| build(*limit, SECOND << index, None, algorithms[index % 3]);
        let quotas: Vec<_> = limits.iter().enumerate().map(quota).collect();
        let together = limiter(&table(64), &quotas);
        let alone: Vec<_> = quotas.iter().map(|quota| limiter(&table(64), &[*quota])).collect();
        for (now, cost) in unfold(&arrivals, 4, SECOND) {
            let expected = alone.iter().all(|limiter| peek(limiter, "k", cost, now).allowed);
            let outcome = together.acquire(b"k", cost, true, &|| Nanos(now)).unwrap();
            prop_assert_eq!(outcome.answer().allowed, expected);
            for (limiter, answer) in alone.iter().zip(outcome.answers()) {
                let single = if expected { acquire(limiter, "k", cost, now) } else { peek(limiter, "k", cost, now) };
                prop_assert_eq!(single, *answer);
            }
        }
    }
}
