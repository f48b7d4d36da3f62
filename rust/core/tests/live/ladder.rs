//! The ladder: when one goes up, when down, who is forgotten.

use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::ladder::{Ladder, MAX_SUBJECTS, Rung, Steps};
use std::collections::HashSet;

const ALL: Steps = Steps { allowed: [true; 5], delay: 30.0, patience: 100.0, calm: 1_000.0 };
const START: f64 = 1.7e9;

/// The first rung comes within the longest delay, for each subject after another time, and for one after the same.
#[test]
fn delays_differ_and_end() {
    let mut different = HashSet::new();
    let mut early = 0;
    for subject in (0..500).map(mix) {
        let first = |secret| {
            let mut ladder = Ladder::new(ALL, secret);
            (0..=300).find(|tenth| ladder.seen(subject, START + f64::from(*tenth) / 10.0) == Rung::Throttle)
        };
        let delay = first(1).expect("restricted within the longest delay");
        assert_eq!(first(1), Some(delay));
        different.insert(delay);
        early += u32::from(delay < 150);
    }
    assert!(different.len() > 150 && (200..300).contains(&early), "{} {early}", different.len());
    // Without a delay at once, and another secret chooses others.
    assert_eq!(Ladder::new(Steps { delay: 0.0, ..ALL }, 1).seen(5, START), Rung::Throttle);
    let at = |secret, tenth: u32| Ladder::new(ALL, secret).stand(5).is_none() && tenth > 0;
    assert!(at(1, 1));
    let first = |secret| {
        let mut ladder = Ladder::new(ALL, secret);
        (0..=300).find(|tenth| ladder.seen(5, START + f64::from(*tenth) / 10.0) == Rung::Throttle)
    };
    assert!((2..9).any(|secret| first(secret) != first(1)));
}

/// Who goes on meets rung after rung, each after the patience; rungs that are not allowed are skipped.
#[test]
fn patience_ends_rung_by_rung() {
    for bits in 0..8u32 {
        let bit = |place: u32| bits >> place & 1 == 1;
        let allowed = [false, false, bit(0), bit(1), bit(2)];
        let steps = Steps { allowed, delay: 0.0, ..ALL };
        let mut expected: Vec<Rung> = vec![Rung::Throttle];
        expected.extend(Rung::ALL.into_iter().skip(2).filter(|rung| allowed[*rung as usize]));
        let mut ladder = Ladder::new(steps, 1);
        for second in 0..1_000 {
            let rung = ladder.seen(9, START + f64::from(second));
            assert_eq!(rung, expected[(second as usize / 100).min(expected.len() - 1)], "{second}");
        }
    }
}

/// Who keeps quiet comes down one rung for each calm, skipping what is not allowed, and never off; up again only after
/// patience.
#[test]
fn calm_leads_down_slowly() {
    let steps = Steps { allowed: [true, true, false, true, true], delay: 0.0, ..ALL };
    let mut ladder = Ladder::new(steps, 1);
    (0..=200).for_each(|second| _ = ladder.seen(9, START + f64::from(second)));
    assert_eq!(ladder.stand(9).unwrap().rung, Rung::Block);
    let last = START + 200.0;
    assert_eq!(ladder.calm(last + 999.0), []);
    assert_eq!(ladder.calm(last + 1_000.0), [(9, Rung::Degrade)]);
    assert_eq!(ladder.calm(last + 1_999.0), []);
    assert_eq!(ladder.seen(9, last + 1_050.0), Rung::Degrade);
    assert_eq!(ladder.seen(9, last + 1_099.0), Rung::Degrade);
    assert_eq!(ladder.seen(9, last + 1_100.0), Rung::Block);
    assert_eq!(ladder.calm(last + 2_100.0), [(9, Rung::Degrade)]);
    assert_eq!(ladder.calm(last + 3_100.0), [(9, Rung::Throttle)]);
    assert_eq!(ladder.calm(last + 1e9), []);
    assert_eq!(ladder.stand(9).unwrap().rung, Rung::Throttle);
}

/// Whatever clocks say, nobody goes up twice at one moment, comes down while he goes on, or stands where he may not.
#[test]
fn any_clock_is_survived() {
    let mut ladder = Ladder::new(ALL, 1);
    let times = [0.0, START, -1e300, f64::MAX, START + 50.0, 1.0, START + 60.0];
    for round in 0..5_000u64 {
        let time = times[(mix(round) % 7) as usize];
        let before = ladder.stand(round % 3).map_or(Rung::Observe, |stand| stand.rung);
        let rung = ladder.seen(round % 3, time);
        assert!(rung as u8 <= before as u8 + 1);
        assert_eq!(ladder.seen(round % 3, time).max(rung), ladder.stand(round % 3).unwrap().rung);
        if round % 10 == 0 {
            ladder.calm(time);
        }
    }
    // Running backwards, the first rung still is where it was.
    let mut ladder = Ladder::new(Steps { delay: 0.0, ..ALL }, 1);
    for second in 0..1_000 {
        assert_eq!(ladder.seen(1, START - f64::from(second)), Rung::Throttle);
    }
}

/// However many subjects there are, no more than so many are remembered, and few are forgotten at a time, those first
/// that were seen least recently: also when all were seen at once.
#[test]
fn subjects_are_bounded() {
    for is_at_once in [false, true] {
        let mut ladder = Ladder::new(Steps { delay: 0.0, ..ALL }, 1);
        for number in 0..3 * MAX_SUBJECTS as u64 {
            ladder.seen(mix(number), if is_at_once { START } else { START + number as f64 });
            let count = ladder.iter().count();
            assert!(number % 4_096 != 0 || count <= MAX_SUBJECTS);
            let least = (MAX_SUBJECTS - MAX_SUBJECTS / 16 - 1).min(number as usize + 1);
            assert!(number % 4_096 != 0 || count >= least, "{count} after {number}");
        }
        let newest = (2 * MAX_SUBJECTS as u64 + 5_000..3 * MAX_SUBJECTS as u64).map(mix);
        let known = newest.clone().filter(|subject| ladder.stand(*subject).is_some()).count();
        assert!(is_at_once || known == newest.count(), "{known}");
    }
}

/// Numbers of rungs that are none are the first one.
#[test]
fn rungs_have_numbers() {
    for rung in Rung::ALL {
        assert_eq!(Rung::from_number(rung as u8), rung);
        assert!(!rung.name().is_empty());
    }
    assert!((5..=255).all(|number| Rung::from_number(number) == Rung::Observe));
}
