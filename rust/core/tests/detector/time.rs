//! How accounts stand as time goes by: what sticks, what is forgotten, and clocks that are wrong.

use super::bodies::Random;
use super::naive::Naive;
use super::rounds;
use super::streams::{Prompt, Stream};
use ratelimit_guard_core::detector::signal::{CONVICTING, Signal};
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::detector::{Assessment, Detector, Level, MEMORY};
use ratelimit_guard_core::hash::mix;
use std::collections::BTreeMap;

const DAY: u64 = 24 * 60 * 60;
const NOW: u64 = 1_795_298_890;

/// Evidence of a mosaic never scores more.
const MOSAIC_SCORE: f64 = 0.99;

fn detector(alpha: f64) -> Detector {
    Detector::new(Thresholds::new(alpha, Some([0.0; CONVICTING])).unwrap(), 100)
}

/// So many new tasks. How the account stood after the last.
fn walk(detector: &mut Detector, tasks: u64, time: u64) -> Assessment {
    let observe = |number| detector.observe(1, &Prompt::bare(mix(time ^ number << 40), true).at(time));
    (0..tasks).map(observe).last().unwrap()
}

/// An account and its past, as lists.
#[derive(Default)]
struct Account {
    profile: Naive,
    scores: Vec<f64>,
    is_convicted: bool,
    last: u64,
}

/// A detector says what its twin says: of many accounts, over years, by clocks that jump.
#[test]
fn detector_equals_its_twin() {
    let (mut levels, mut anew) = ([0; 3], 0);
    for seed in 1..=rounds(500) {
        let (mut random, mut choices) = (Random(seed), Random(mix(seed)));
        let mut stream = Stream::new(&mut random);
        let mut detector = detector([0.9, 0.5, 0.05][choices.below(3)]);
        let thresholds = *detector.thresholds();
        let mut naive: BTreeMap<u64, Account> = BTreeMap::new();
        let mut clock = NOW;
        for _ in 0..250 {
            clock = match choices.below(400) {
                0 => clock + u64::from(MEMORY) * 2,
                1 => clock - 20 * DAY,
                _ => clock + choices.below(1_000) as u64,
            };
            let time = match choices.below(400) {
                0 => [0, u64::MAX, u64::from(u32::MAX)][choices.below(3)],
                1..8 => NOW,
                _ => clock,
            };
            let (key, prompt) = (mix(choices.below(3) as u64), stream.prompt());
            let seen = prompt.at(time);
            let found = detector.observe(key, &seen);
            let account = naive.entry(key).or_default();
            let now = time.min(u64::from(u32::MAX));
            if now > account.last + u64::from(MEMORY) {
                anew += u64::from(account.profile.requests() > 0);
                *account = Account::default();
            }
            account.last = account.last.max(now);
            let events = account.profile.add(&seen);
            let evidence = account.profile.evidence();
            let mosaic = evidence[Signal::Mosaic as usize].max(0.0);
            account.scores.push(MOSAIC_SCORE * mosaic / (mosaic + thresholds.observe));
            account.scores.extend((0..CONVICTING).map(|signal| evidence[signal] / thresholds.convict[signal]));
            account.is_convicted |= (0..CONVICTING).any(|signal| evidence[signal] > thresholds.convict[signal]);
            let is_observed = evidence[CONVICTING..].iter().any(|evidence| *evidence > thresholds.observe);
            let level = match (account.is_convicted, seen.is_declared, is_observed) {
                (true, false, _) => Level::Throttle,
                (true, true, _) | (false, _, true) => Level::Observe,
                (false, _, false) => Level::None,
            };
            assert_eq!((found.level, found.events, found.evidence), (level, events, evidence), "seed {seed}");
            assert_eq!(found.requests, account.profile.requests(), "seed {seed}");
            let score = account.scores.iter().copied().fold(0.0, f64::max);
            assert!((found.score - score).abs() <= 1e-6 * score, "seed {seed}: {} for {score}", found.score);
            levels[level as usize] += 1;
        }
    }
    assert!(levels.into_iter().min() > Some(1_000) && anew > 100, "{levels:?} {anew}");
}

/// An account that was not seen for the memory's length starts anew, convicted or not; one second less and it does not.
#[test]
fn unseen_accounts_start_anew() {
    for tasks in [1, 150] {
        for (later, is_kept) in [(0, true), (u64::from(MEMORY), true), (u64::from(MEMORY) + 1, false), (1 << 31, false)]
        {
            let mut detector = detector(0.5);
            let before = walk(&mut detector, tasks, NOW);
            assert_eq!(before.level == Level::Throttle, tasks == 150);
            let after = detector.observe(1, &Prompt::bare(7, true).at(NOW + later));
            assert_eq!(after.requests, if is_kept { tasks as u32 + 1 } else { 1 });
            assert_eq!(after.level, if is_kept { before.level } else { Level::None });
            assert_eq!(after.score >= 1.0, is_kept && tasks == 150);
        }
    }
}

/// Every request keeps an account for as long again.
#[test]
fn seen_accounts_are_kept() {
    let mut detector = detector(0.5);
    for month in 0..24 {
        assert_eq!(walk(&mut detector, 1, NOW + month * u64::from(MEMORY)).requests, month as u32 + 1);
    }
}

/// A clock that runs back forgets nothing; a time that lies far ahead by mistake forgets once.
#[test]
fn wrong_clocks_are_forgiven() {
    let mut detector = detector(0.5);
    assert_eq!(walk(&mut detector, 5, NOW).requests, 5);
    // Behind by less than the memory: the later time stays, so that old lines of a log shorten nothing.
    assert_eq!(walk(&mut detector, 1, NOW - 20 * DAY).requests, 6);
    assert_eq!(walk(&mut detector, 1, NOW + 30 * DAY).requests, 7);
    // Far ahead it starts anew, once; the time before is kept again, and ends as always.
    for ahead in [u64::MAX, u64::from(u32::MAX), NOW + 400 * DAY] {
        let mut detector = self::detector(0.5);
        walk(&mut detector, 5, NOW);
        assert_eq!(walk(&mut detector, 1, ahead).requests, 1);
        assert_eq!(walk(&mut detector, 1, NOW + 1).requests, 2);
        assert_eq!(walk(&mut detector, 1, NOW + 1 + u64::from(MEMORY)).requests, 3);
    }
    for behind in [0, NOW - 400 * DAY] {
        let mut detector = self::detector(0.5);
        walk(&mut detector, 5, NOW);
        assert_eq!(walk(&mut detector, 1, behind).requests, 6);
        assert_eq!(walk(&mut detector, 1, NOW + 30 * DAY).requests, 7);
    }
    let mut ends = self::detector(0.5);
    assert_eq!(walk(&mut ends, 3, u64::MAX).requests, 3);
    assert_eq!(walk(&mut ends, 1, 0).requests, 4);
}

/// Who is convicted stays so, whatever comes after; the score never falls.
#[test]
fn verdicts_stick() {
    let mut detector = detector(0.5);
    let convicted = walk(&mut detector, 150, NOW);
    assert!(convicted.level == Level::Throttle && convicted.score >= 1.0);
    let mut least = convicted.score * (1.0 - 1e-6);
    for number in 0..2_000 {
        let now = detector.observe(1, &Prompt::bare(number % 3, false).at(NOW + number));
        assert!(now.level == Level::Throttle && now.score >= least);
        least = now.score * (1.0 - 1e-6);
    }
    let now = detector.observe(1, &Prompt::bare(1, false).at(NOW));
    assert!(now.evidence[Signal::CorpusWalk as usize] < 0.0);
    assert!(detector.accounts.remove(1));
    assert_eq!(walk(&mut detector, 1, NOW).level, Level::None);
}

/// A declared account is watched at most, and walking does not count against it; when it is no longer declared, what
/// else it did does.
#[test]
fn declared_accounts_are_only_watched() {
    let mut detector = detector(0.5);
    for number in 0..600 {
        let prompt = Prompt::bare(mix(number), true).declared();
        let now = detector.observe(1, &prompt.at(NOW));
        assert!(now.level <= Level::Observe && now.events[Signal::CorpusWalk as usize] == Some(false));
    }
    walk(&mut detector, 1, NOW);
    assert_eq!(walk(&mut detector, 600, NOW + 1).level, Level::Throttle);
    let declared = detector.observe(1, &Prompt::bare(3, true).declared().at(NOW + 2));
    assert!(declared.level == Level::Observe && declared.score >= 1.0);
    assert_eq!(walk(&mut detector, 1, NOW + 3).level, Level::Throttle);
}

/// A score of one convicts: what is remembered of a score is never rounded up to it.
#[test]
fn a_score_of_one_convicts() {
    let run = |walk| {
        let mut detector = Detector::new(Thresholds { convict: [1e9, 1e9, walk], observe: 1e9, is_wide: false }, 1);
        let tasks = (1..150).map(|number: u64| Prompt::bare(number << 48 | number, true));
        let last = tasks.map(|task| detector.observe(1, &task.at(1))).last();
        (last.map(|last| last.evidence[2]).unwrap_or_default(), detector)
    };
    let (evidence, _) = run(1e9);
    let (_, mut detector) = run(evidence * (1.0 + 1e-9));
    let again = detector.observe(1, &Prompt::bare(149 << 48 | 149, true).at(1));
    assert!(again.score > 0.99 && again.score < 1.0);
    assert_ne!(again.level, Level::Throttle);
}

/// Without history a detector learns after a day of enough accounts what is usual: those beyond twice what alpha asks
/// for teach nothing, and a clock that was wrong once makes it neither deaf nor hasty.
#[test]
fn a_day_without_history_is_one() {
    let day = 24 * 60 * 60;
    for (accounts, late, learns) in [(200, day, true), (199, day, false), (200, day - 1, false), (200, 10 * day, true)]
    {
        let mut detector = Detector::new(Thresholds::new(0.05, None).expect("a rate"), 1_000);
        let (wide, least) = (detector.thresholds().convict[2], detector.thresholds().observe);
        let mut highest = f64::NEG_INFINITY;
        for account in 0..accounts {
            let tasks = (1..=100 + account).map(|number| mix(account << 32 | number));
            let tasks = tasks.take(if account == 0 { 40 } else { 8 });
            let last = tasks.map(|task| detector.observe(mix(account), &Prompt::bare(task, true).at(NOW))).last();
            highest = highest.max(last.map(|last| last.evidence[2]).unwrap_or_default());
        }
        let thief = walk(&mut detector, 400, NOW);
        assert!(thief.evidence[2] > 2.0 * least && highest < least);
        detector.observe(7, &Prompt::bare(1, true).at(NOW + late));
        assert_eq!(detector.thresholds().is_wide, !learns, "{accounts} {late}");
        assert_eq!(detector.thresholds().convict[2], if learns { least.max(highest) } else { wide });
    }
}
