//! A failpoint before every atomic operation: writers of ring and book die there, and others go on.
#![cfg(feature = "failpoints")]

use super::words;
use ratelimit_guard_core::live::book::{Book, ENTRY, Told, WORTH_SHIFT};
use ratelimit_guard_core::live::ring::{HEAD_WORDS, Next, Ring};
use ratelimit_guard_core::sync::{AtomicU64, die_after, survive};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

/// Let `deed` die after each number of operations in turn, on fresh memory each time, and look at what is left; false
/// when it died.
fn at_every_point(make: impl Fn() -> Box<[AtomicU64]>, deed: impl Fn(&[AtomicU64]), look: impl Fn(&[AtomicU64], bool)) {
    set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>() != Some(&"failpoint") {
            eprintln!("{info}");
        }
    }));
    for operations in 0.. {
        let memory = make();
        die_after(operations);
        let died = catch_unwind(AssertUnwindSafe(|| deed(&memory))).is_err();
        survive();
        look(&memory, !died);
        if !died {
            assert!(operations > 2, "the deed has no failpoints");
            return;
        }
    }
}

/// Wherever a writer dies, the reader gets everything else, also after many rounds.
#[test]
fn a_dead_writer_costs_its_record() {
    at_every_point(
        || {
            let memory = words(HEAD_WORDS + 256);
            assert!(Ring::new(&memory).push(&[1, 2, 3]));
            memory
        },
        |memory| assert!(Ring::new(memory).push(&[40, 50, 60, 70])),
        |memory, lives| {
            let (ring, mut record, mut position) = (Ring::new(memory), Vec::new(), 0);
            let mut found = Vec::new();
            for number in 0..200 {
                assert!(ring.push(&[number; 9]));
                loop {
                    match ring.look(position, &mut record) {
                        Next::Record(end) => {
                            found.push(record.clone());
                            position = end;
                        }
                        Next::Unfinished => position = ring.skip(position, &mut record),
                        Next::Nothing => break,
                    }
                }
                ring.advance(position);
            }
            let mut expected = vec![vec![1, 2, 3], vec![40, 50, 60, 70]];
            // Its last operation is the header.
            expected.truncate(if lives { 2 } else { 1 });
            expected.extend((0..200).map(|number| vec![number; 9]));
            assert_eq!(found, expected);
            assert!(ring.torn() <= 1 && ring.dropped() == 0);
        },
    );
}

/// Wherever a reader dies, the next one finds what it had not given up.
#[test]
fn a_dead_reader_gives_nothing_up() {
    at_every_point(
        || {
            let memory = words(HEAD_WORDS + 256);
            assert!((0..9).all(|number| Ring::new(&memory).push(&[number; 6])));
            memory
        },
        |memory| {
            let (ring, mut record, mut position) = (Ring::new(memory), Vec::new(), 0);
            while let Next::Record(end) = ring.look(position, &mut record) {
                position = end;
            }
            ring.advance(position);
        },
        |memory, lives| {
            let (ring, mut record) = (Ring::new(memory), Vec::new());
            assert_eq!(ring.look(ring.read_up_to(), &mut record) == Next::Nothing, lives);
        },
    );
}

const KEY: u64 = 5;
const OLD: Told = [1 << WORTH_SHIFT | 7, 8];
const NEW: Told = [2 << WORTH_SHIFT | 9, 10];

/// Wherever the one dies who writes, of a key is told what was, what is to be, or nothing; of the others all that was;
/// and who writes next does it as if nothing had been.
#[test]
fn a_dead_teller_tells_nothing_false() {
    for (others, is_known) in [(0, false), (3, true), (3, false), (2, true), (4, false)] {
        let make = || {
            let memory = words(4 * ENTRY);
            let book = Book::new(&memory);
            if is_known {
                book.set_told(KEY, OLD);
            }
            (0..others).for_each(|other| _ = book.set_told(100 + other, [(1 << WORTH_SHIFT) + other, other]));
            memory
        };
        let look = |memory: &[AtomicU64], lives: bool| {
            let book = Book::new(memory);
            let found = book.get(KEY);
            assert!([None, is_known.then_some(OLD), Some(NEW)].contains(&found), "{found:?}");
            assert!(!lives || found != is_known.then_some(OLD));
            let there = (0..others).filter(|other| book.get(100 + other) == Some([(1 << WORTH_SHIFT) + other, *other]));
            assert!(there.count() as u64 >= others - u64::from(others == 4));
            for told in [NEW, OLD, NEW] {
                assert!(book.set_told(KEY, told));
                assert_eq!(book.get(KEY), Some(told));
                assert_eq!(book.iter().filter(|(key, _)| *key == KEY).count(), 1);
            }
            book.remove(KEY);
            assert_eq!(book.get(KEY), None);
        };
        at_every_point(make, |memory| _ = Book::new(memory).set_told(KEY, NEW), look);
        at_every_point(
            make,
            |memory| Book::new(memory).remove(KEY),
            |memory, _| {
                let found = Book::new(memory).get(KEY);
                assert!([None, is_known.then_some(OLD)].contains(&found), "{found:?}");
            },
        );
    }
}
