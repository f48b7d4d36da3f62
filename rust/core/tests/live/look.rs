//! What a worker sees before a request is what the correlator says after it.

use super::bodies::Random;
use super::desk::{Desk, STEPS};
use super::service::{Stock, words};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::ladder::{Rung, Steps};
use ratelimit_guard_core::live::look::{NAMES, Piece, Standing, told_name};

#[derive(Debug, Default)]
struct Tally {
    requests: u32,
    /// Both, the worker alone, the twin alone.
    both: u32,
    worker: u32,
    twin: u32,
    /// Of both, another campaign.
    other: u32,
}

impl Tally {
    fn agreement(&self) -> f64 {
        1.0 - f64::from(self.worker + self.twin + self.other) / f64::from(self.requests.max(1))
    }
}

/// Honest people (users of a template, heavy users who meet a piece now and then, owners of pieces, people with words of
/// their own), members of two campaigns, and strangers who quote one or two pieces.
fn replay(seed: u64, rounds: usize) -> [Tally; 3] {
    let mut random = Random(mix(seed) | 1);
    let mut desk = Desk::new(STEPS);
    let stocks = [Stock::new(&mut random, 30), Stock::new(&mut random, 24)];
    let template = words(&mut random, 50);
    let mut tallies: [Tally; 3] = Default::default();
    for owner in [90, 91] {
        for piece in &stocks[0].0[..6] {
            desk.ask(owner, &format!("{}\n{piece}", words(&mut random, 8)));
        }
    }
    for round in 0..rounds {
        for _ in 0..100 {
            let name = random.below(100) as u64;
            let piece = &stocks[random.below(2)].0[random.below(20)];
            // Members are replaced by others; each also has something of its own.
            let (name, text) = match name {
                0..30 if random.below(12) == 0 => (1_000 + name + 50 * (round / 15) as u64, words(&mut random, 40)),
                0..18 => (1_000 + name + 50 * (round / 15) as u64, stocks[0].compose(&mut random, 3)),
                18..30 => (1_000 + name + 50 * (round / 20) as u64, stocks[1].compose(&mut random, 2)),
                30..40 => (name, format!("{template} {}", words(&mut random, 12))),
                40..44 if random.below(30) == 0 => (name, format!("{}\n{piece}", words(&mut random, 30))),
                // Somebody new each time, who quotes a piece, or two.
                44..50 => (1 << 20 | desk.time as u64, format!("{piece}\n{}", words(&mut random, 10))),
                50..52 => (1 << 20 | desk.time as u64, stocks[random.below(2)].compose(&mut random, 2)),
                88..92 => (90 + name % 2, format!("{}\n{}", words(&mut random, 10), stocks[0].0[random.below(6)])),
                _ => (name, words(&mut random, 40)),
            };
            let kind = usize::from(name >= 1_000) + usize::from(name >= 1 << 20);
            let had_convicted = desk.twin.correlator.campaigns.convicted > 0;
            let seen = desk.ask(name, &text);
            if !had_convicted {
                assert!(!seen.is_restricted() && seen.sight.standing.rung == Rung::Observe);
                continue;
            }
            let tally = &mut tallies[kind];
            tally.requests += 1;
            match (seen.is_restricted(), seen.pays != 0) {
                (true, true) if ![0, seen.pays].contains(&seen.sight.campaign) => tally.other += 1,
                (true, true) => tally.both += 1,
                (true, false) => tally.worker += 1,
                (false, true) => tally.twin += 1,
                (false, false) => {}
            }
        }
    }
    assert_eq!(desk.folder.judge.correlator.campaigns.convicted, desk.twin.correlator.campaigns.convicted);
    assert_eq!(desk.twin.correlator.campaigns.convicted, 2);
    tallies
}

/// A worker knows all but the request itself: what that changes, whose a piece is or how the account stands, it sees one
/// request late.
#[test]
fn workers_and_correlator_agree() {
    for seed in 1..5 {
        let [honest, members, quoting] = replay(seed, 60);
        println!("{honest:?} {:.4}", honest.agreement());
        println!("{members:?} {:.4}\n{quoting:?} {:.4}", members.agreement(), quoting.agreement());
        assert!(members.agreement() >= 0.97 && members.both > 500, "{members:?}");
        assert!(quoting.agreement() >= 0.97 && quoting.both > 100, "{quoting:?}");
        assert_eq!((honest.worker, honest.other), (0, 0), "{honest:?}");
        assert!(honest.agreement() >= 0.998, "{honest:?}");
    }
}

/// While nobody is convicted nothing is looked for, and a request that convicts is not restricted itself.
#[test]
fn a_delay_hides_what_convicts() {
    let mut random = Random(3);
    let mut desk = Desk::new(Steps { delay: 3_600.0, ..STEPS });
    let stock = Stock::new(&mut random, 30);
    let (mut twin, mut worker) = (None, None);
    for number in 0..1_500u64 {
        let seen = desk.ask(number % 20, &stock.compose(&mut random, 3));
        if seen.pays != 0 {
            twin.get_or_insert(number);
        }
        if seen.sight.campaign != 0 {
            worker.get_or_insert(number);
        }
    }
    let (twin, worker) = (twin.unwrap(), worker.unwrap());
    assert!(worker > twin && (worker - twin) * 20 <= 3_600 + 40, "{twin} {worker}");
}

/// What is told is read as it was.
#[test]
fn what_is_told_is_read() {
    let mut random = Random(4);
    for _ in 0..1_000 {
        let mut flag = || random.below(2) == 1;
        let standing = Standing {
            is_whole: flag(),
            is_member: flag(),
            is_usual: flag(),
            is_released: flag(),
            rung: Rung::ALL[random.below(5)],
            campaign: random.below(1 << 32) as u32,
            score: random.below(1 << 20) as f32 / 1e3,
        };
        assert_eq!(Standing::of(standing.told()), standing);
        let piece = Piece {
            campaign: random.below(NAMES as usize + 1) as u32,
            tenants: [random.below(1 << 32) as u32, random.below(1 << 32) as u32],
            prompts: [random.below(1 << 16) as u16, random.below(1 << 16) as u16, random.below(1 << 16) as u16],
        };
        assert_eq!(Piece::of(piece.told()), piece);
    }
}

/// Names begin anew after the last one; none stays none.
#[test]
fn told_names_wrap() {
    assert_eq!((told_name(0), told_name(1), told_name(NAMES), told_name(NAMES + 1)), (0, 1, NAMES, 1));
    for name in (1..30_000).chain(u32::MAX - 9_000..=u32::MAX) {
        assert!((1..=NAMES).contains(&told_name(name)));
        let piece = Piece { campaign: told_name(name), tenants: [1, 2], prompts: [3, 4, 5] };
        assert_eq!(Piece::of(piece.told()).campaign, told_name(name));
    }
}
