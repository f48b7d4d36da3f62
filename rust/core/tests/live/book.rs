//! A book beside a map, and readers while it is written.

use super::{cases, words};
use proptest::prelude::*;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::book::{Book, ENTRY, Told, WORTH_SHIFT};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const WAYS: usize = 4;

fn told(worth: u64, value: u64) -> Told {
    [worth << WORTH_SHIFT | value & 0xffff, mix(value)]
}

proptest! {
    #![proptest_config(cases())]

    /// Of one set the book keeps what is worth most, of each key the last that was told, and nothing else.
    #[test]
    fn a_book_is_a_map(steps in prop::collection::vec((1u64..12, 0u64..4, 0u64..3, prop::bool::weighted(0.15)), 1..200)) {
        let memory = words(WAYS * ENTRY);
        let (book, mut map) = (Book::new(&memory), HashMap::<u64, Told>::new());
        for (key, worth, value, is_removed) in steps {
            if is_removed {
                book.remove(key);
                map.remove(&key);
            } else {
                let new = told(worth, value);
                let least = map.values().map(|old| old[0] >> WORTH_SHIFT).min().unwrap_or(0);
                let is_kept = map.contains_key(&key) || map.len() < WAYS || least <= worth;
                prop_assert_eq!(book.set_told(key, new), is_kept);
                if is_kept && !map.contains_key(&key) && map.len() == WAYS {
                    // Who went is the book's choice, among those of least worth.
                    let gone: Vec<u64> = map.keys().copied().filter(|&key| book.get(key).is_none()).collect();
                    prop_assert_eq!(gone.len(), 1);
                    let gone = map.remove(&gone[0]).unwrap();
                    prop_assert_eq!(gone[0] >> WORTH_SHIFT, least);
                }
                if is_kept {
                    map.insert(key, new);
                }
            }
            for key in 0..14 {
                prop_assert_eq!(book.get(key), map.get(&key).copied());
            }
            let all: Vec<_> = book.iter().collect();
            prop_assert_eq!(all.len(), map.len());
            prop_assert_eq!((0..book.capacity()).filter_map(|place| book.at(place)).collect::<Vec<_>>(), all);
        }
    }

    /// Whatever words stand in a book, no key is found there that nobody wrote.
    #[test]
    fn garbage_is_no_entry(garbage in prop::collection::vec(any::<u64>(), 4 * WAYS * ENTRY), keys in prop::collection::vec(any::<u64>(), 20)) {
        let memory = words(garbage.len());
        garbage.iter().zip(&memory).for_each(|(&word, place)| place.store(word, SeqCst));
        let book = Book::new(&memory);
        prop_assert_eq!(book.iter().count(), 0);
        for key in keys.into_iter().chain(garbage.iter().step_by(4).copied()).filter(|&key| key != 0) {
            prop_assert_eq!(book.get(key), None);
            prop_assert!(book.set_told(key, told(1, key)));
            prop_assert_eq!(book.get(key), Some(told(1, key)));
        }
    }
}

/// Keys in many sets: each that fits is found, and none twice.
#[test]
fn many_keys_find_their_sets() {
    let memory = words(1 << 14);
    let book = Book::new(&memory);
    let keys: Vec<u64> = (1..3_000).map(mix).collect();
    for round in 0..3 {
        keys.iter().for_each(|&key| _ = book.set_told(key, told(1, key ^ round)));
    }
    let all: Vec<u64> = book.iter().map(|(key, _)| key).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(all.len() > 2_500 && all.iter().all(|&key| book.get(key) == Some(told(1, key ^ 2))), "{}", all.len());
}

/// Readers see of each key only what was told of it at some time, while it is told, removed, and makes room for others.
#[test]
fn readers_see_no_mixture() {
    let memory = words(2 * WAYS * ENTRY);
    let (book, done) = (Book::new(&memory), AtomicBool::new(false));
    let keys: Vec<u64> = (1..=16).map(|key| key << 40 | key).collect();
    let tell = |key: u64, round: u64| [1 << WORTH_SHIFT | round << 20 | key & 0xff, mix(key ^ mix(round))];
    let is_right = |key: u64, told: Told| told == tell(key, told[0] >> 20 & 0xff_ffff);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0u64;
                    while !done.load(SeqCst) {
                        for &key in &keys {
                            if let Some(told) = book.get(key) {
                                assert!(is_right(key, told), "{key:x}: {told:x?}");
                                seen += 1;
                            }
                        }
                        assert!(book.iter().all(|(key, told)| keys.contains(&key) && is_right(key, told)));
                    }
                    seen
                })
            })
            .collect();
        for round in 0..300_000u64 {
            let key = keys[(mix(round) % 16) as usize];
            if mix(round) >> 60 == 0 { book.remove(key) } else { _ = book.set_told(key, tell(key, round)) }
        }
        done.store(true, SeqCst);
        assert!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>() > 0);
    });
}
