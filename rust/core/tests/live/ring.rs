//! The ring beside a queue, between threads, and after writers that stopped half-way.

use super::{cases, words};
use proptest::prelude::*;
use ratelimit_guard_core::live::ring::{HEAD_WORDS, MAX_WORDS, Next, Ring};
use ratelimit_guard_core::sync::AtomicU64;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Words that a record takes besides its own.
const FRAME: u64 = 2;
/// Where the head says up to where was claimed.
const CLAIMED: usize = 0;

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    /// Take so many records, and give up those places.
    Take(usize),
    /// Look, and leave all where it is.
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0usize..40).prop_map(Step::Push),
        1 => (0usize..MAX_WORDS + 4).prop_map(Step::Push),
        2 => (0usize..12).prop_map(Step::Take),
        1 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..400)
}

/// Everything that waits at a position.
fn waiting(ring: &Ring<'_>, mut position: u64) -> Vec<Vec<u64>> {
    let (mut all, mut record) = (Vec::new(), Vec::new());
    while let Next::Record(end) = ring.look(position, &mut record) {
        all.push(record.clone());
        position = end;
    }
    assert_eq!(ring.look(position, &mut record), Next::Nothing);
    all
}

proptest! {
    #![proptest_config(cases())]

    /// What comes out is what went in and was not dropped; a record is dropped when there is no room for it, and only
    /// then.
    #[test]
    fn a_ring_is_a_queue(steps in steps(), bits in 7u32..11) {
        let memory = words(HEAD_WORDS + (1 << bits));
        let ring = Ring::new(&memory);
        let mut queue = VecDeque::<Vec<u64>>::new();
        let (mut position, mut dropped, mut room, mut made) = (0, 0, 1u64 << bits, 0);
        for step in steps {
            match step {
                Step::Push(length) => {
                    let record: Vec<u64> = (0..length as u64).map(|word| made << 20 | word).collect();
                    made += 1;
                    let fits = length <= MAX_WORDS && length as u64 + FRAME <= room;
                    prop_assert_eq!(ring.push(&record), fits);
                    if fits {
                        room -= length as u64 + FRAME;
                        queue.push_back(record);
                    }
                    dropped += u64::from(!fits);
                }
                Step::Take(count) => {
                    let mut record = vec![7; 3];
                    for expected in queue.drain(..count.min(queue.len())) {
                        let Next::Record(end) = ring.look(position, &mut record) else { panic!("no record") };
                        prop_assert_eq!(&record, &expected);
                        room += end - position;
                        position = end;
                    }
                    ring.advance(position);
                }
                Step::Look => prop_assert_eq!(waiting(&ring, position), Vec::from(queue.clone())),
            }
            prop_assert_eq!((ring.dropped(), ring.torn()), (dropped, 0));
            prop_assert_eq!(ring.waiting(), (1u64 << bits) - room);
        }
    }

    /// Whatever words stand in a ring, looking at it ends, and finds no record that nobody wrote.
    #[test]
    fn garbage_is_no_record(garbage in prop::collection::vec(any::<u64>(), 256), claimed in 0u64..300, at in 0u64..300) {
        let memory = words(HEAD_WORDS + 256);
        garbage.iter().zip(&memory[HEAD_WORDS..]).for_each(|(&word, place)| place.store(word, SeqCst));
        memory[CLAIMED].store(claimed, SeqCst);
        let (ring, mut record) = (Ring::new(&memory), Vec::new());
        let nothing = if at < claimed { Next::Unfinished } else { Next::Nothing };
        prop_assert_eq!(ring.look(at, &mut record), nothing);
        prop_assert_eq!(ring.skip(at, &mut record), claimed);
    }
}

/// A number that says who wrote it, which of his it is, and how long; and words that follow from it.
fn signed(writer: u64, number: u64) -> Vec<u64> {
    let length = 1 + (number * 7 + writer) % 60;
    (0..length).map(|word| (writer << 48 | number << 8 | length).wrapping_mul(2 * word + 1)).collect()
}

/// Let others go on.
fn rest() -> bool {
    std::thread::yield_now();
    false
}

/// Threads push, one reads: each record that was not dropped comes out once, whole, in the order of its writer.
#[test]
fn threads_lose_nothing() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 40_000;
    let memory = words(HEAD_WORDS + (1 << 14));
    let (ring, done) = (Ring::new(&memory), AtomicBool::new(false));
    let (mut pushed, mut read) = (0, 0);
    std::thread::scope(|scope| {
        // Who finds no room tries again with his next one.
        let write = |writer| {
            let is_pushed = |&number: &u64| ring.push(&signed(writer, number)) || (0..3).any(|_| rest());
            (0..EACH).filter(is_pushed).count() as u64
        };
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        let reader = scope.spawn(|| {
            let (mut position, mut record, mut last, mut count) = (0, Vec::new(), [None; WRITERS as usize], 0);
            loop {
                let is_over = done.load(SeqCst);
                match ring.look(position, &mut record) {
                    Next::Record(end) => {
                        let (writer, number) = (record[0] >> 48, record[0] >> 8 & 0xff_ffff_ffff);
                        assert_eq!(record, signed(writer, number));
                        assert!(last[writer as usize] < Some(number));
                        last[writer as usize] = Some(number);
                        count += 1;
                        position = end;
                        ring.advance(position);
                    }
                    Next::Unfinished => std::hint::spin_loop(),
                    Next::Nothing if is_over => return count,
                    Next::Nothing => std::thread::yield_now(),
                }
            }
        });
        pushed = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        done.store(true, SeqCst);
        read = reader.join().unwrap();
    });
    assert_eq!(read, pushed);
    assert_eq!(ring.dropped(), WRITERS * EACH - pushed);
    assert!(read > EACH / 4, "{read}");
}

/// Claim room as a writer does that then sleeps.
fn claim(memory: &[AtomicU64], length: u64) -> u64 {
    memory[CLAIMED].fetch_add(length, SeqCst)
}

/// A gap is skipped, counted, and what stands behind it is read.
#[test]
fn a_gap_is_skipped() {
    let memory = words(HEAD_WORDS + 256);
    let (ring, mut record) = (Ring::new(&memory), Vec::new());
    assert!(ring.push(&[1, 2, 3]));
    let Next::Record(gap) = ring.look(0, &mut record) else { panic!() };
    claim(&memory, 20);
    assert!(ring.push(&[4, 5]));
    assert_eq!(ring.look(gap, &mut record), Next::Unfinished);
    let behind = ring.skip(gap, &mut record);
    assert_eq!(behind, gap + 20);
    assert!(matches!(ring.look(behind, &mut record), Next::Record(_)) && record == [4, 5]);
    assert_eq!(ring.torn(), 1);
    // With nothing behind it the gap ends where what is claimed does.
    let end = behind + 4;
    let last = claim(&memory, 9);
    assert_eq!((last, ring.skip(end, &mut record)), (end, end + 9));
}

/// A writer that was given up writes late, over what others have claimed since: nothing false is read, and what stands
/// behind is.
#[test]
fn a_late_writer_tears_one_record() {
    const WORDS: u64 = 64;
    for late in 0..10u64 {
        let memory = words(HEAD_WORDS + WORDS as usize);
        let (ring, mut record) = (Ring::new(&memory), Vec::new());
        // A twin of the ring says what the sleeper would have written there.
        let twin = words(HEAD_WORDS + WORDS as usize);
        assert!(Ring::new(&twin).push(&[77; 8]));
        let start = claim(&memory, 10);
        ring.advance(ring.skip(start, &mut record));
        let mut pushed: VecDeque<Vec<u64>> = (0..7).map(|number| vec![number; 5 + number as usize % 2]).collect();
        for record in &pushed {
            assert!(ring.push(record));
        }
        // So many of its words come now; header and checksum, which it writes last, are the first two.
        for place in (0..10).rev().take(late as usize + 1) {
            let word = twin[HEAD_WORDS + place as usize].load(SeqCst);
            memory[HEAD_WORDS + place as usize].store(word, SeqCst);
        }
        let (mut position, mut lost) = (10, 0);
        while !pushed.is_empty() {
            match ring.look(position, &mut record) {
                Next::Record(end) => {
                    while pushed.pop_front().expect("a record that nobody wrote") != record {
                        lost += 1;
                    }
                    position = end;
                }
                Next::Unfinished => position = ring.skip(position, &mut record),
                Next::Nothing => break,
            }
            ring.advance(position);
        }
        // The last one, if it was torn, is not followed by any.
        assert!(lost + pushed.len() <= 2, "{late}: {lost} lost, and {pushed:?}");
        assert!(ring.push(&[5; 30]));
        assert!(matches!(ring.look(position, &mut record), Next::Record(_)) && record == [5; 30]);
    }
}

/// A writer keeps out of the way of a reader that has not given anything up, however full the ring is.
#[test]
fn a_full_ring_drops_the_new() {
    let memory = words(HEAD_WORDS + 128);
    let (ring, mut record) = (Ring::new(&memory), Vec::new());
    let room = (0..100).take_while(|&number| ring.push(&[number; 10])).count();
    assert_eq!((room, ring.dropped()), (10, 1));
    assert!(!ring.push(&[0; MAX_WORDS + 1]));
    assert!((0..1_000).all(|_| !ring.push(&[9; 7])));
    assert_eq!(ring.dropped(), 1_002);
    assert_eq!(waiting(&ring, 0), (0..10).map(|number| vec![number; 10]).collect::<Vec<_>>());
    let Next::Record(end) = ring.look(0, &mut record) else { panic!() };
    ring.advance(end);
    assert!(ring.push(&[8; 18]) && !ring.push(&[]));
}
