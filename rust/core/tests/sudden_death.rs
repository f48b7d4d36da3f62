//! A failpoint before every atomic operation: die there, and see what the others find.
#![cfg(all(feature = "failpoints", not(loom)))]

mod common;

use common::*;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::sync::{die_after, survive};
use ratelimit_guard_core::time::Nanos;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

const START: u64 = 1_000 * SECOND;
const LIMIT: u64 = 5;

/// Let `deed` die after each number of operations in turn, on a fresh table each time, and look at what is left.
fn at_every_point(
    make: impl Fn() -> Vec<Limiter<Words>>,
    deed: impl Fn(&[Limiter<Words>]),
    look: impl Fn(&[Limiter<Words>]),
) {
    set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>() != Some(&"failpoint") {
            eprintln!("{info}");
        }
    }));
    for operations in 0.. {
        let limiters = make();
        die_after(operations);
        let died = catch_unwind(AssertUnwindSafe(|| deed(&limiters))).is_err();
        survive();
        look(&limiters);
        if !died {
            assert!(operations > 3, "the deed has no failpoints");
            return;
        }
    }
}

/// The table is usable: the key gets what is left of its limit and no more, then everything again when all windows have
/// passed.
fn usable(limiter: &Limiter<Words>, key: &str, now: u64, at_least: u64, at_most: u64) {
    let got = (0..2 * LIMIT).filter(|_| acquire(limiter, key, 1, now).allowed).count() as u64;
    assert!((at_least..=at_most).contains(&got), "{key} got {got}, not {at_least}..={at_most}");
    let later = now + 1_000 * SECOND;
    let again = (0..2 * LIMIT).filter(|_| acquire(limiter, key, 1, later).allowed).count() as u64;
    assert_eq!(again, LIMIT, "{key} after all windows have passed");
}

const QUOTAS: [&str; 3] = ["5/10s", "5/10s; burst=5", "5/10s; algorithm=sliding-window"];

/// Death in a key's first charge costs it at most that charge.
#[test]
fn death_of_a_newcomer() {
    for text in QUOTAS {
        at_every_point(
            || vec![single(text)],
            |limiters| spend(&limiters[0], "a", 1, START),
            |limiters| usable(&limiters[0], "a", START, LIMIT - 1, LIMIT),
        );
    }
}

/// Death in a charge that finds the cell in an earlier epoch costs at most that charge and forgets none.
#[test]
fn death_in_rotation() {
    for text in QUOTAS {
        for gap in [1, 2, 5, 9, 11, 500] {
            let later = START + gap * SECOND;
            let twin = single(text);
            spend(&twin, "a", 2, START);
            let left = peek(&twin, "a", 0, later).remaining;
            at_every_point(
                || {
                    let limiter = single(text);
                    spend(&limiter, "a", 2, START);
                    vec![limiter]
                },
                |limiters| spend(&limiters[0], "a", 1, later),
                |limiters| usable(&limiters[0], "a", later, left - 1, left),
            );
        }
    }
}

/// Death in the first charge after a rest so long that epochs and ticks have come round again: nothing spent comes
/// back.
#[test]
fn death_after_a_long_rest() {
    // 4,096 epochs of 1.25 s, of 10 s, and 2⁴⁸ ticks of 2⁻¹¹ ns.
    let rests = [5_120 * SECOND, 5_120 * SECOND, 40_960 * SECOND, 1 << 37];
    let texts = ["5/10s", "5/9s", "5/10s; algorithm=sliding-window", "5/10s; burst=5"];
    for (text, rest) in texts.into_iter().zip(rests) {
        for later in [START + rest, START + rest + 3 * SECOND, START + 2 * rest] {
            at_every_point(
                || {
                    let limiter = single(text);
                    spend(&limiter, "a", 2, START);
                    spend(&limiter, "a", 3, START + 2 * SECOND);
                    vec![limiter]
                },
                |limiters| spend(&limiters[0], "a", 1, later),
                |limiters| usable(&limiters[0], "a", later, LIMIT - 1, LIMIT),
            );
        }
    }
}

/// Death while a rested cell is emptied; then one charge by a clock that is behind, then all others: never more than the limit.
#[test]
fn death_in_a_wake() {
    for (text, rested) in [("5/8s", 9), ("5/8s; algorithm=sliding-window", 16), ("5/8s; burst=5", 9)] {
        let expiry = START + rested * SECOND;
        at_every_point(
            || {
                let limiter = single(text);
                spend(&limiter, "a", LIMIT, START);
                vec![limiter]
            },
            |limiters| spend(&limiters[0], "a", 1, expiry),
            |limiters| {
                let early = u64::from(acquire(&limiters[0], "a", 1, expiry - 1).allowed);
                usable(&limiters[0], "a", expiry + 1, LIMIT - 2, LIMIT - early);
            },
        );
    }
}

/// Death while taking over an expired cell of another key leaves the table usable for both.
#[test]
fn death_in_takeover() {
    for text in QUOTAS {
        let later = START + 100 * SECOND;
        at_every_point(
            || {
                let limiter = limiter(&table(1), &[quota(text)]);
                (0..200).for_each(|key| spend(&limiter, &key.to_string(), 1, START));
                vec![limiter]
            },
            |limiters| spend(&limiters[0], "new", 1, later),
            |limiters| {
                usable(&limiters[0], "new", later, LIMIT - 1, LIMIT);
                usable(&limiters[0], "3", later, LIMIT, LIMIT);
            },
        );
    }
}

/// Death between the charges of several policies leaves at most the charges of that one batch.
#[test]
fn death_between_policies() {
    let quotas = QUOTAS.map(quota);
    at_every_point(
        || vec![limiter(&table(64), &quotas)],
        |limiters| spend(&limiters[0], "a", 1, START),
        |limiters| usable(&limiters[0], "a", START, LIMIT - 1, LIMIT),
    );
}

/// Death while a changed limit takes effect neither forgets nor invents used units.
#[test]
fn death_in_conversion() {
    for (old, new) in [("7/10s", QUOTAS[0]), ("7/5s; burst=7", QUOTAS[1]), ("5/60s", QUOTAS[0])] {
        at_every_point(
            || {
                let table = table(64);
                let limiters = vec![limiter(&table, &[quota(old)]), limiter(&table, &[quota(new)])];
                spend(&limiters[0], "a", 2, START);
                limiters
            },
            |limiters| spend(&limiters[1], "a", 1, START),
            |limiters| usable(&limiters[1], "a", START, LIMIT - 3, LIMIT - 2),
        );
    }
}

/// Death in a reset either resets or does not.
#[test]
fn death_in_reset() {
    for text in QUOTAS {
        at_every_point(
            || {
                let limiter = single(text);
                spend(&limiter, "a", 2, START);
                vec![limiter]
            },
            |limiters| assert!(limiters[0].reset(b"a", &|| Nanos(START)).unwrap()),
            |limiters| usable(&limiters[0], "a", START, LIMIT - 2, LIMIT),
        );
    }
}

/// Death while a permit is renewed or released holds at most one slot more, until its lease ends.
#[test]
fn death_with_a_permit() {
    let slots = |limiter: &Limiter<Words>, now: u64| {
        let take = |_: &u64| limiter.permit(b"a", 1, true, &|| Nanos(now)).unwrap().0.answer().allowed;
        (0..2 * LIMIT).filter(take).count() as u64
    };
    let later = START + 3 * SECOND;
    for renew in [true, false] {
        at_every_point(
            || vec![single("5 concurrent-requests; lease=10s")],
            |limiters| {
                let (_, mut receipts) = limiters[0].permit(b"a", 1, true, &|| Nanos(START)).unwrap();
                let done = if renew { Limiter::renew } else { Limiter::release };
                done(&limiters[0], &mut receipts, Nanos(later));
            },
            |limiters| {
                assert!((LIMIT - 2..=LIMIT).contains(&slots(&limiters[0], later)));
                assert_eq!(slots(&limiters[0], later + 100 * SECOND), LIMIT);
            },
        );
    }
}
