//! The bounded map: as a map while there is room, never beyond its room, and what is worth least goes first.

use super::bodies::Random;
use super::{cases, rounds};
use proptest::prelude::*;
use ratelimit_guard_core::bounded::{Bounded, DRAWN};
use ratelimit_guard_core::hash::mix;
use std::collections::HashMap;

/// What it holds, in any order.
fn sorted<'v>(values: impl Iterator<Item = &'v u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.copied().collect();
    values.sort_unstable();
    values
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// While there is room, every entry is what it would be in a map.
    #[test]
    fn it_is_a_map_while_there_is_room(steps in prop::collection::vec((0u64..30, 0u8..4, any::<u64>()), 1..300)) {
        let mut bounded = Bounded::new(30);
        let mut map = HashMap::new();
        for (key, step, value) in steps {
            let key = mix(key);
            match step {
                0 => prop_assert_eq!(bounded.remove(key), map.remove(&key).is_some()),
                1 => {
                    if let Some(found) = bounded.get_mut(key) {
                        *found = value;
                    }
                    map.entry(key).and_modify(|found| *found = value);
                }
                _ => {
                    let (found, gone) = bounded.entry(key, || value, |value| *value);
                    prop_assert_eq!(gone, None);
                    prop_assert_eq!(*found, *map.entry(key).or_insert(value));
                    *found = found.wrapping_add(1);
                    map.entry(key).and_modify(|found| *found = found.wrapping_add(1));
                }
            }
            prop_assert_eq!((bounded.len(), bounded.is_empty()), (map.len(), map.is_empty()));
            prop_assert_eq!(bounded.get(key), map.get(&key));
            prop_assert_eq!(sorted(bounded.values()), sorted(map.values()));
        }
    }

    /// Without room each new key takes the place of one other, everything else stays what and where it was.
    #[test]
    fn one_goes_for_each_that_comes(
        capacity in 0usize..12,
        steps in prop::collection::vec((0u64..40, 0u8..6), 1..300),
    ) {
        let mut bounded = Bounded::new(capacity);
        let mut map: HashMap<u64, u64> = HashMap::new();
        for (number, (key, step)) in steps.into_iter().enumerate() {
            let key = mix(key);
            if step == 0 {
                prop_assert_eq!(bounded.remove(key), map.remove(&key).is_some());
                continue;
            }
            let is_full = map.len() == capacity.max(1) && !map.contains_key(&key);
            let (value, gone) = bounded.entry(key, || number as u64, |value| *value % 3);
            map.entry(key).or_insert(number as u64);
            prop_assert_eq!(*value, map[&key]);
            prop_assert_eq!(gone.is_some(), is_full);
            if let Some(gone) = gone {
                let before = map.len();
                map.retain(|_, value| *value != gone);
                prop_assert_eq!(map.len(), before - 1);
            }
            prop_assert!(bounded.len() <= capacity.max(1));
            prop_assert_eq!(bounded.len(), map.len());
            for (key, value) in &map {
                prop_assert_eq!(bounded.get(*key), Some(value));
            }
        }
    }
}

/// What is worth nothing goes before what is worth something, but for the chance that no such is drawn: half of the
/// entries are missed by 2⁻¹⁶ of all draws.
#[test]
fn the_worthless_go_first() {
    let (mut wrong, times) = (0, rounds(5_000));
    for seed in 0..times {
        let mut random = Random(mix(seed + 1) | 1);
        let mut bounded = Bounded::new(16);
        for place in 0..16 {
            bounded.entry(mix(seed << 8 | place), || place % 2, |worth| *worth);
        }
        // Whoever was used last is worth no more by it.
        for _ in 0..random.below(30) {
            bounded.entry(mix(seed << 8 | random.below(16) as u64), || 9, |worth| *worth);
        }
        let (_, gone) = bounded.entry(mix(seed << 8 | 99), || 0, |worth| *worth);
        wrong += u64::from(gone != Some(0));
    }
    assert_eq!(DRAWN, 16);
    assert!(wrong <= 2 + times / 10_000, "{wrong}");
}

/// Of equals the one unused for longest goes, when all are drawn: so one that is used again and again stays.
#[test]
fn use_keeps_an_entry() {
    let mut bounded = Bounded::new(20);
    for key in 0..10_000 {
        bounded.entry(mix(7), || 7, |_| 0);
        bounded.entry(mix(1 << 20 | key), || key, |_| 0);
    }
    assert_eq!((bounded.get(mix(7)), bounded.len()), (Some(&7), 20));
}
