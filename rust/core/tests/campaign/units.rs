//! Pieces of one text are one unit, whatever else stands in the prompts; independent texts are several.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::campaign::cells::{Cells, FIRST};
use ratelimit_guard_core::campaign::units::{MAX_UNITS, NOWHERE, Shared, Unit, units};
use ratelimit_guard_core::hash::mix;
use std::collections::HashSet;

/// Keys after such prompts: each holds some keys, and comes from a tenant of its own.
fn cells(prompts: &[(u16, Vec<u64>)], keys: u64) -> Vec<Shared> {
    let mut cells = Cells::new(1 << 12);
    for (tenant, (prompt, held)) in prompts.iter().enumerate() {
        held.iter().for_each(|key| cells.add(mix(*key + 1), tenant as u32 + 1, *prompt, 5));
    }
    let shared = |key| Shared { key, cell: *cells.get(key, 5).unwrap(), place: NOWHERE, is_run: true };
    (0..keys).map(|key| shared(mix(key + 1))).collect()
}

/// Keys of one text are one unit with the name of its first prompts, for any number of keys.
#[test]
fn keys_of_one_text_are_one_unit() {
    let mut names = Vec::new();
    for keys in [1, 2, 40] {
        let prompts: Vec<_> = (0..FIRST as u16).map(|prompt| (prompt + 50, (0..keys).collect())).collect();
        let cells = cells(&prompts, keys);
        let found = units(cells.iter(), FIRST);
        let least = cells.iter().map(|shared| shared.key).min();
        assert_eq!((found.len(), Some(found[0].key.key)), (1, least));
        names.push(found[0].name());
    }
    assert!(names.iter().all(|name| *name == names[0]));
}

/// Texts that stand in different prompts are different units with different names, also when one prompt holds both.
#[test]
fn independent_texts_are_different_units() {
    let both = |prompt: u16| prompt == 7;
    let mut prompts: Vec<(u16, Vec<u64>)> = Vec::new();
    for prompt in 0..2 * FIRST as u16 {
        let own = if prompt % 2 == 0 { 0..5 } else { 5..9 };
        prompts.push((prompt, if both(prompt) { (0..9).collect() } else { own.collect() }));
    }
    let cells = cells(&prompts, 9);
    let found = units(cells.iter(), FIRST);
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].name(), found[1].name());
}

/// Half of the prompts make two keys one text, fewer do not.
#[test]
fn half_of_the_prompts_make_one_text() {
    for common in 0..=FIRST {
        let of = |keys: &[u64], from: usize, count: usize| {
            (from..from + count).map(|prompt| (prompt as u16, keys.to_vec())).collect::<Vec<_>>()
        };
        let rest = FIRST - common;
        let prompts = [of(&[0, 1], 0, common), of(&[0], 10, rest), of(&[1], 20, rest)].concat();
        let cells = cells(&prompts, 2);
        assert_eq!(units(cells.iter(), FIRST).len(), if 2 * common >= FIRST { 1 } else { 2 }, "{common}");
    }
}

/// Compared are as many prompts as all keys have: later ones change nothing.
#[test]
fn fewer_prompts_are_compared_when_fewer_are_there() {
    let prompts: Vec<(u16, Vec<u64>)> = vec![
        (1, vec![0, 1]),
        (2, vec![0, 1]),
        (3, vec![0, 1]),
        (4, vec![0, 2]),
        (5, vec![0, 2]),
        (6, vec![0, 2]),
        (7, vec![0]),
        (8, vec![0]),
    ];
    let cells = cells(&prompts, 3);
    assert_eq!((units(cells.iter(), 3).len(), units(cells[..2].iter(), 3).len()), (2, 1));
    // All eight of the first are others than those of the second.
    assert_eq!(units(cells[..2].iter(), FIRST).len(), 2);
}

/// More units than are told apart add nothing, and no key is counted twice.
#[test]
fn units_are_bounded() {
    for seed in 1..rounds(100) {
        let mut random = Random(mix(seed) | 1);
        let texts = 1 + random.below(40) as u64;
        let prompts: Vec<_> = (0..texts * FIRST as u64)
            .map(|prompt| (prompt as u16, (0..3).map(|key| prompt % texts * 3 + key).collect::<Vec<u64>>()))
            .collect();
        let cells = cells(&prompts, 3 * texts);
        let found = units(cells.iter(), FIRST);
        assert_eq!(found.len(), MAX_UNITS.min(texts as usize));
        let names: HashSet<u64> = found.iter().map(Unit::name).collect();
        assert_eq!(names.len(), found.len());
    }
    assert!(units([].iter(), FIRST).is_empty());
}

/// Keys of one line or sentence are one unit, whatever prompts brought them; what stands in none is compared.
#[test]
fn keys_of_one_place_are_one_unit() {
    // Keys 0, 1 and 2 have no prompt in common; key 0 came up in the most prompts.
    let own = |key: u16, count: u16| (0..count).map(move |prompt| (100 * key + prompt + 1, vec![u64::from(key)]));
    let prompts: Vec<_> = own(0, 8).chain(own(1, 5)).chain(own(2, 5)).collect();
    for (places, count) in [([3, 3, 3], 1), ([3, 4, 3], 2), ([3, 4, 5], 3), ([NOWHERE; 3], 3), ([NOWHERE, 2, 2], 2)] {
        let mut cells = cells(&prompts, 3);
        (0..3).for_each(|key| cells[key].place = places[key]);
        assert_eq!(units(cells.iter(), FIRST).len(), count, "{places:?}");
    }
    // A run names it before a beginning, then the key of most users, then the oldest.
    let mut cells = cells(&prompts, 3);
    cells.iter_mut().for_each(|shared| shared.place = 3);
    for turned in [false, true] {
        let of = |cells: &[Shared]| {
            let mut cells = cells.to_vec();
            if turned {
                cells.reverse();
            }
            units(cells.iter(), FIRST)[0].key.key
        };
        cells[0].is_run = true;
        assert_eq!(of(&cells), cells[0].key);
        cells[0].is_run = false;
        assert_eq!(of(&cells), cells[1].key.min(cells[2].key));
    }
}
