//! A failpoint before every atomic operation: die there, and see what the others find.
#![cfg(all(feature = "failpoints", not(loom)))]

mod common;

use common::*;
use ratelimit_guard_core::lease::LEASE;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::sync::{die_after, survive};
use ratelimit_guard_core::time::Nanos;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

const START: u64 = 1_000 * SECOND;
/// Processes by number: those below the survivor are dead when he looks.
const VICTIM: u32 = 1;
const RECLAIMER: u32 = 3;
const SURVIVOR: u32 = 8;
const BYSTANDER: u32 = 9;
const LIMIT: u64 = 5;

/// Let `deed` die after each number of operations in turn, on a fresh table each time, and look at what is left.
fn at_every_point<T>(make: impl Fn() -> T, deed: impl Fn(&T), look: impl Fn(&T)) {
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

/// A scene with leases: a bystander of another process holds a slot, 10 tokens of input and 20 of output.
struct Leased {
    office: Office,
    bystander: RefCell<Option<Held>>,
    later: u64,
}

const SLOTS: u64 = 5;
const TOKENS: u64 = 1_000;

fn leased() -> Leased {
    let office = Office::new(&["5 concurrent-requests; lease=10s", "1000 tokens/20s", "1000 tokens/20s; burst=1000"]);
    let bystander = RefCell::new(office.reserve(BYSTANDER, 10, 20, START));
    Leased { office, bystander, later: START }
}

/// After the victim, and a reclaimer that died too, were taken back: of all that was charged only the bystander's is held
/// for sure, at most `lost` slots and tokens more, and nothing twice; then the bystander gives back what is his.
fn taken_back(scene: &Leased, lost: [u64; 2]) {
    let (office, now) = (&scene.office, scene.later);
    let others = || office.reclaim(SURVIVOR, now, |pid| pid < SURVIVOR);
    others();
    assert_eq!(others(), 0, "taken back twice");
    let [slots, window, bucket] = office.remaining(now)[..] else { unreachable!() };
    assert!((SLOTS - 1 - lost[0]..SLOTS).contains(&slots), "{slots} slots");
    for tokens in [window, bucket] {
        assert!((TOKENS - 30 - lost[1]..=TOKENS - 30).contains(&tokens), "{tokens} tokens");
    }
    if let Some(held) = scene.bystander.borrow_mut().as_mut() {
        held.release(&|| Nanos(now));
    }
    let after = office.remaining(now + 100 * SECOND);
    assert_eq!((office.ledger.stats().live, &after[..]), (0, &[SLOTS, TOKENS, TOKENS][..]));
}

/// Death anywhere between a reservation and its end costs until its window ends at most what was spent or being moved;
/// slots come back but for the one or two in motion.
#[test]
fn death_with_a_reservation() {
    for ends in [true, false] {
        at_every_point(
            leased,
            |scene| {
                let Some(mut held) = scene.office.reserve(VICTIM, 50, 40, START) else { return };
                let clock = || Nanos(START);
                assert!(held.spend(30, 40, &clock) && held.spend(30, 40, &clock));
                held.keep(Nanos(START));
                if ends {
                    held.settle(Some(20), Some(50), &clock);
                }
            },
            |scene| taken_back(scene, [1, 50 + 40 + 60]),
        );
    }
}

/// Death while a slot is renewed leaves one or two slots until the lease ends, and frees nobody else's.
#[test]
fn death_of_a_keeper() {
    let later = START + 4 * SECOND;
    at_every_point(
        || {
            let scene = leased();
            let held = scene.office.reserve(VICTIM, 0, 0, START);
            scene.bystander.borrow_mut().as_mut().unwrap().keep(Nanos(later));
            (Leased { later, ..scene }, RefCell::new(held))
        },
        |(_, held)| held.borrow_mut().as_mut().unwrap().keep(Nanos(later)),
        |(scene, _)| {
            let office = &scene.office;
            office.reclaim(SURVIVOR, later, |pid| pid == VICTIM);
            let slots = office.remaining(later)[0];
            assert!((SLOTS - 2..SLOTS).contains(&slots), "{slots} slots");
        },
    );
}

/// Death of one that takes back leaves at most one line ungiven, and the next one gives the rest back: never twice.
#[test]
fn death_of_a_reclaimer() {
    for silent in [false, true] {
        let later = if silent { START + LEASE.0 + 1 } else { START };
        at_every_point(
            || {
                let scene = leased();
                let victim = scene.office.reserve(VICTIM, 0, 200, START);
                if let Some(bystander) = scene.bystander.borrow_mut().as_mut() {
                    bystander.keep(Nanos(later));
                }
                (scene, RefCell::new(victim))
            },
            |(scene, _)| {
                scene.office.reclaim(RECLAIMER, later, |pid| !silent && pid == VICTIM);
            },
            |(scene, victim)| {
                if silent {
                    // Not dead at all: it finds its entry gone, and ends without giving back what others gave.
                    let office = &scene.office;
                    office.reclaim(SURVIVOR, later, |pid| pid == RECLAIMER);
                    let before = office.remaining(later);
                    victim.borrow_mut().as_mut().unwrap().release(&|| Nanos(later));
                    assert_eq!((office.remaining(later), office.ledger.stats().live), (before, 1));
                } else {
                    taken_back(scene, [1, 200]);
                }
            },
        );
    }
}
