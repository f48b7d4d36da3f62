//! What one account does with shared pieces: who repeats is cleared, who draws on a stock is not.

use super::bodies::Random;
use super::{cases, rounds};
use proptest::prelude::*;
use ratelimit_guard_core::campaign::HORIZON;
use ratelimit_guard_core::campaign::cells::Cell;
use ratelimit_guard_core::campaign::rotator::{FLOOR, KEYS, MIN_SHARE, ROTATES, Rotator, step};
use ratelimit_guard_core::campaign::units::{NOWHERE, Shared, units};
use ratelimit_guard_core::hash::mix;

/// The key of a text that stood in prompts of its own.
fn text(number: u64) -> Shared {
    let mut cell = Cell::default();
    for place in 0..cell.tenants.len() {
        cell.tenants[place] = place as u32 + 1;
        cell.prompts[place] = (mix(number << 8 | place as u64) >> 48) as u16;
    }
    Shared { key: mix(number), cell, place: NOWHERE, is_run: true }
}

/// A request with these texts, at a moment.
fn ask(rotator: &mut Rotator, texts: &[u64], now: u64) -> Option<bool> {
    let cells: Vec<_> = texts.iter().map(|number| text(*number)).collect();
    rotator.begin(now);
    rotator.add(&units(cells.iter(), 8), mix(now ^ mix(texts.len() as u64)))
}

proptest! {
    #![proptest_config(cases(300))]

    /// Who repeats one text is never above 0, whatever he sends between.
    #[test]
    fn a_repeater_never_gets_above_0(others in prop::collection::vec(any::<bool>(), 1..400), number in any::<u64>()) {
        let mut rotator = Rotator::default();
        for (now, matches) in others.into_iter().enumerate() {
            if matches {
                let event = ask(&mut rotator, &[number], now as u64);
                prop_assert_eq!(event, if rotator.matches == 1 { None } else { Some(false) });
            } else {
                rotator.begin(now as u64);
            }
            prop_assert!(rotator.evidence <= 0.0 && rotator.standing(false) <= 0.0 && !rotator.rotates());
            prop_assert!(f64::from(rotator.evidence) >= FLOOR - 1e-6);
        }
        prop_assert_eq!(rotator.events, 0);
        prop_assert_eq!(rotator.keys().len(), usize::from(rotator.matches > 0));
    }

    /// The evidence is the sum of the steps with a floor; the first match is none, and events never outnumber matches.
    #[test]
    fn evidence_is_a_sum_with_a_floor(asked in prop::collection::vec(prop::collection::vec(0u64..9, 1..6), 1..60)) {
        let mut rotator = Rotator::default();
        let mut wanted = 0.0f64;
        for (now, texts) in asked.iter().enumerate() {
            if let Some(event) = ask(&mut rotator, texts, now as u64) {
                wanted = (wanted + step(event)).max(FLOOR);
            }
            prop_assert!((f64::from(rotator.evidence) - wanted).abs() < 1e-3);
            prop_assert!(rotator.events < rotator.matches && rotator.keys().len() <= KEYS);
        }
    }
}

/// Steps are those of 85 % against 30 %: two events make up for whatever was before.
#[test]
fn steps_are_those_of_the_rates() {
    assert!((step(true) - 1.041).abs() < 1e-3 && (step(false) + 1.540).abs() < 1e-3);
    assert!(FLOOR + 2.0 * step(true) > ROTATES && step(true) > ROTATES);
}

/// Who draws two of a stock of thirty is above 0 within three matches, all but always; who draws one, mostly.
#[test]
fn who_draws_on_a_stock_is_above_0_within_three_matches() {
    let times = rounds(2_000);
    for (drawn, least) in [(2, 0.97), (1, 0.85)] {
        let mut shown = 0;
        for seed in 0..times {
            let mut random = Random(mix(seed + 1) | 1);
            let mut rotator = Rotator::default();
            for now in 0..3 {
                let texts: Vec<u64> = (0..drawn).map(|_| random.below(30) as u64).collect();
                ask(&mut rotator, &texts, now);
            }
            shown += u64::from(rotator.rotates());
        }
        assert!(shown as f64 >= least * times as f64, "{drawn}: {shown}");
    }
}

/// The memory starts anew when it is full: that match says nothing, and the same texts again are no news after it.
#[test]
fn a_full_memory_says_nothing() {
    let mut rotator = Rotator::default();
    let (mut restarts, mut number) = (0, 0);
    for now in 0..2_000 {
        number += 1;
        let before = (rotator.events, rotator.evidence);
        let event = ask(&mut rotator, &[number, number + 1], now);
        if event.is_none() && now > 0 {
            restarts += 1;
            assert_eq!((rotator.events, rotator.evidence), before);
            assert_eq!(ask(&mut rotator, &[number, number + 1], now), Some(false));
        }
    }
    assert!(restarts > 20, "{restarts}");
}

/// Whose repertoire fits into the memory gets to the floor, and stays.
#[test]
fn who_has_a_few_texts_gets_to_the_floor() {
    let mut rotator = Rotator::default();
    let mut random = Random(77);
    for now in 0..1_000 {
        let event = ask(&mut rotator, &[random.below(5) as u64, 5 + random.below(3) as u64], now);
        assert!(now < 100 || event == Some(false));
    }
    assert!((f64::from(rotator.evidence) - FLOOR).abs() < 1e-6);
    // Yet two events in a row outweigh it, for whoever has not been here long.
    ask(&mut rotator, &[100], 1_000);
    assert!(f64::from(rotator.evidence) < ROTATES);
    ask(&mut rotator, &[101], 1_001);
    assert!(f64::from(rotator.evidence) > ROTATES && !rotator.rotates());
}

/// Order and company of the texts make no difference: a pair is the same pair.
#[test]
fn pairs_have_no_order() {
    let mut rotator = Rotator::default();
    ask(&mut rotator, &[1, 2, 3], 0);
    for texts in [&[3, 2, 1][..], &[2, 1], &[3, 1], &[2]] {
        assert_eq!(ask(&mut rotator, texts, 1), Some(false), "{texts:?}");
    }
    assert_eq!(ask(&mut rotator, &[1, 4], 2), Some(true));
    assert_eq!(ask(&mut rotator, &[2, 4], 2), Some(true));
    assert_eq!(ask(&mut rotator, &[4, 2], 2), Some(false));
}

/// Where events are rare among the requests nothing stands against the account, at one in twenty-five it does.
#[test]
fn rare_events_do_not_count() {
    assert_eq!(MIN_SHARE, 0.04);
    let mut rotator = Rotator::default();
    (0..5).for_each(|number| _ = ask(&mut rotator, &[number], number));
    assert_eq!((rotator.events, rotator.requests), (4, 5));
    (5..100).for_each(|now| rotator.begin(now));
    assert!(rotator.rotates() && rotator.standing(false) > 4.0);
    rotator.begin(100);
    assert!(!rotator.rotates() && rotator.standing(false) == 0.0 && rotator.evidence > 4.0);
}

/// Who was away for more than a week starts anew; a clock that goes back is no absence.
#[test]
fn who_was_away_starts_anew() {
    let mut rotator = Rotator::default();
    (0..9).for_each(|number| _ = ask(&mut rotator, &[number], 1_000));
    (rotator.campaign, rotator.given) = (5, 2.0);
    rotator.begin(10);
    rotator.begin(1_000 + HORIZON);
    assert!(rotator.rotates() && rotator.requests == 11);
    rotator.begin(1_000 + 2 * HORIZON + 1);
    assert_eq!((rotator.requests, rotator.matches, rotator.events, rotator.evidence), (1, 0, 0, 0.0));
    assert_eq!((rotator.campaign, rotator.given, rotator.keys().len()), (0, 0.0, 0));
    assert_eq!(ask(&mut rotator, &[1], u64::MAX), None);
}

/// As many keys as there is room for; then new ones take the places of others.
#[test]
fn keys_are_bounded() {
    let mut rotator = Rotator::default();
    for number in 0..500 {
        ask(&mut rotator, &[number], number);
        assert_eq!(rotator.keys().len(), KEYS.min(number as usize + 1));
        assert!(rotator.keys().contains(&mix(number)));
    }
}

/// What share of the requests matches, at the bound.
#[test]
fn shares_are_counted_at_their_bounds() {
    let mut rotator = Rotator::default();
    (0..6).for_each(|now| _ = ask(&mut rotator, &[1], now));
    (6..10).for_each(|now| rotator.begin(now));
    assert!(rotator.is_mostly(0.6));
    rotator.begin(10);
    assert!(!rotator.is_mostly(0.6));
}

/// Those that rotate are kept longest, then those that matched more than once.
#[test]
fn who_rotates_is_worth_most() {
    let mut rotators = [0, 1, 2, 2].map(|_| Rotator::default());
    ask(&mut rotators[1], &[1], 0);
    (0..2).for_each(|now| _ = ask(&mut rotators[2], &[1], now));
    (0..2).for_each(|now| _ = ask(&mut rotators[3], &[now], now));
    let worths = rotators.map(|rotator| rotator.worth());
    assert_eq!(worths, [(false, false), (false, false), (false, true), (true, true)]);
}

/// In a convicted campaign the highest evidence counts, but for who matches rarely.
#[test]
fn the_highest_counts_where_it_is_convicted() {
    let mut rotator = Rotator::default();
    (0..4).for_each(|number| _ = ask(&mut rotator, &[number], number));
    (4..20).for_each(|now| _ = ask(&mut rotator, &[0], now));
    let highest = 3.0 * step(true);
    assert!((f64::from(rotator.highest) - highest).abs() < 1e-5 && (rotator.standing(true) - highest).abs() < 1e-5);
    assert!((rotator.standing(false) - FLOOR).abs() < 1e-6 && !rotator.rotates());
    (20..100).for_each(|now| rotator.begin(now));
    assert_eq!(rotator.standing(true), 0.0);
}
